"""A leaderboard: how faithful each explanation method is to one model over a data set, kept as JSON; no torch."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from playground.evaluation.shelf import Shelf

Better = Literal["high", "low"]
Kind = Literal["method", "baseline"]


class LeaderboardError(ValueError):
    """A leaderboard that is not there or cannot be true; the text is one sentence."""


@dataclass(frozen=True)
class Value:
    """A mean over `n` photos and its 95 % interval."""

    mean: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Measure:
    """One column: `name` is its key in Row.values, `better` says which end is good."""

    name: str
    title: str
    better: Better
    meaning: str


@dataclass(frozen=True)
class Row:
    """One method, or a baseline that any method has to beat; `title` as the page calls it."""

    name: str
    title: str
    kind: Kind
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Leaderboard:
    """Methods and baselines by measures, best first by `above_random`. Raises LeaderboardError when made.

    `left_out` names the methods that this model does not allow, with the sentence that says why.
    """

    model: str
    sha256: str
    data: str
    photos: int
    seed: int
    steps: int
    protocol: str
    command: str
    hardware: str
    precision: str
    seconds: float
    date: str
    measures: tuple[Measure, ...]
    rows: tuple[Row, ...]
    left_out: Mapping[str, str]

    def __post_init__(self) -> None:
        known = {measure.name for measure in self.measures}
        if not known or len(known) < len(self.measures) or len({row.name for row in self.rows}) < len(self.rows):
            raise LeaderboardError("The leaderboard has no measures, or two rows or measures of one name.")
        for row in self.rows:
            if not set(row.values) <= known:
                raise LeaderboardError(f"The row {row.name[:64]!r} of the leaderboard has a measure that is not named.")
            for value in row.values.values():
                _check(value)

    def best(self, measure: str) -> Row | None:
        """The method, baselines apart, with the best mean; None when no method has this measure."""
        better = next((one.better for one in self.measures if one.name == measure), "high")
        rows = [row for row in self.rows if row.kind == "method" and measure in row.values]
        sign = 1 if better == "high" else -1
        return max(rows, key=lambda row: sign * row.values[measure].mean, default=None)

    def to_json(self) -> str:
        """The leaderboard as the text of its file; `from_json` gives the same back."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Leaderboard":
        """Read the text of a file. Raises LeaderboardError when a part is missing, unknown or of the wrong kind."""
        return SHELF.parse(text)


def _made(values: Any) -> Leaderboard:
    measures = tuple(Measure(**measure) for measure in values.pop("measures"))
    rows = tuple(_row(row) for row in values.pop("rows"))
    return Leaderboard(**values, measures=measures, rows=rows)


SHELF = Shelf("leaderboard", _made, LeaderboardError, "faithfulness", "faithfulness-")


def _row(given: dict[str, Any]) -> Row:
    return Row(**(given | {"values": {name: Value(**value) for name, value in given["values"].items()}}))


def _check(value: Value) -> None:
    numbers = (value.mean, value.low, value.high)
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise LeaderboardError("The leaderboard holds something that is no number.")
    if not all(math.isfinite(number) for number in numbers) or not isinstance(value.n, int) or value.n < 1:
        raise LeaderboardError("The leaderboard holds a value that is not finite, or that was measured on nothing.")
    if not value.low <= value.mean <= value.high:
        raise LeaderboardError("The leaderboard holds a mean outside its own interval.")
