"""A study: points measured to answer one question, kept as JSON beside the checkpoints with the command behind it."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from playground.evaluation.shelf import Shelf
from playground.whole import replacing

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


class StudyError(ValueError):
    """A study that is not there or cannot be true; the text is one sentence."""


@dataclass(frozen=True)
class Axis:
    """What is counted along an axis, and in which unit ("" for plain numbers)."""

    name: str
    unit: str


@dataclass(frozen=True)
class Point:
    """One measurement: y at x; `low` and `high` the least and greatest over seeds, or None; `n` things counted."""

    x: float
    y: float
    low: float | None
    high: float | None
    n: int

    def told(self, unit: str = "", digits: int = 1) -> str:
        """The value in words, "40.4 % (39.8 to 41.4)" where several seeds were measured."""
        value = f"{self.y:.{digits}f}{unit}"
        return value if self.low is None else f"{value} ({self.low:.{digits}f} to {self.high:.{digits}f})"

    def reaches(self, other: "Point") -> bool:
        """Whether the seeds of the two overlap; False where only one was measured."""
        bounds = (self.low, self.high, other.low, other.high)
        if None in bounds:
            return False
        low, high, its_low, its_high = (bound for bound in bounds if bound is not None)
        return low < its_high and its_low < high


@dataclass(frozen=True)
class Series:
    """Points that belong together, by x."""

    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Study:
    """Everything known about one study. `finding` is "" until every point is measured. Raises StudyError when made."""

    study: str
    title: str
    question: str
    command: str
    hardware: str
    seeds: tuple[int, ...]
    date: str
    finding: str
    x: Axis
    y: Axis
    series: tuple[Series, ...]
    facts: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.study):
            raise StudyError("A study's name has small letters, digits and dashes only.")
        names = [series.name for series in self.series]
        if len(set(names)) < len(names):
            raise StudyError("Two series of a study have one name.")
        for series in self.series:
            places = [point.x for point in series.points]
            if places != sorted(places):
                raise StudyError(f"The points of the series {series.name[:64]!r} are not in the order of x.")
            for point in series.points:
                _check_point(point)

    @property
    def counts_photos(self) -> bool:
        """Whether a point is one seed's share of photos answered rightly, whose spread is that of counting."""
        return len(self.seeds) == 1 and self.y.unit == "%" and self.y.name.startswith("top-1")

    def spread(self, point: Point) -> tuple[float | None, float | None]:
        """Return how far the bar of a point reaches: over its seeds, or over the 95 % interval of its photos."""
        if not self.counts_photos or not point.n:
            return point.low, point.high
        low, high = wilson(round(point.y / 100 * point.n), point.n)
        return 100 * low, 100 * high

    def to_json(self) -> str:
        """The study as the text of its file; `from_json` gives the same study back."""
        values = asdict(self)
        values["axes"] = {"x": values.pop("x"), "y": values.pop("y")}
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> "Study":
        """Read the text of a study's file. Raises StudyError when a part is missing, unknown or of the wrong kind."""
        return SHELF.parse(text)


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share that `right` of `count` were found to have, 0..1 (Wilson 1927)."""
    z, share = 1.959964, right / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * (share * (1 - share) / count + z**2 / (4 * count**2)) ** 0.5
    return min(middle - half, share), max(middle + half, share)


def _made(values: Any) -> Study:
    axes = {name: Axis(**axis) for name, axis in values.pop("axes").items()}
    if axes.keys() != {"x", "y"}:
        raise StudyError("A study has the axes x and y and no others.")
    series = tuple(
        Series(one["name"], tuple(Point(**point) for point in one["points"])) for one in values.pop("series")
    )
    seeds = tuple(values.pop("seeds"))
    return Study(**values, x=axes["x"], y=axes["y"], series=series, seeds=seeds)


SHELF = Shelf("study", _made, StudyError, "study")


def write(study: Study, folder: Path = SHELF.folder) -> Path:
    """Write a study's file whole or not at all; where it lies. Raises StudyError when the disk is full or read-only."""
    path = folder / f"{study.study}.json"
    try:
        with replacing(path) as part:
            part.write_text(study.to_json(), encoding="utf-8")
    except OSError as error:
        raise StudyError("The study could not be written; is the disk full or read-only?") from error
    return path


def _check_point(point: Point) -> None:
    numbers = (point.x, point.y, *(bound for bound in (point.low, point.high) if bound is not None))
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        raise StudyError("A point of the study holds something that is no number.")
    if not all(math.isfinite(number) for number in numbers) or not isinstance(point.n, int) or point.n < 0:
        raise StudyError("A point of the study holds a value that is not finite, or a negative count.")
    if point.low is not None and point.high is not None and not point.low <= point.y <= point.high:
        raise StudyError("A point of the study lies outside its own spread.")
