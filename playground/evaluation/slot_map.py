"""A slot map: what every object query of a detector answers over many pictures, kept as JSON; no torch."""

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from playground.evaluation.shelf import Shelf

UNIT = 1000  # boxes and scores are kept in thousandths


class SlotMapError(ValueError):
    """A slot map that is not there or cannot be true; the text is one sentence."""


@dataclass(frozen=True)
class SlotMap:
    """Every answer of every query: `answers[query][picture]` is (cx, cy, width, height, score) in thousandths.

    Boxes are in thousandths of what the model saw of the picture, scores those of the best class. Raises SlotMapError
    when made.
    """

    model: str
    sha256: str
    data: str
    seed: int
    command: str
    date: str
    answers: tuple[tuple[tuple[int, ...], ...], ...]

    def __post_init__(self) -> None:
        pictures = {len(query) for query in self.answers}
        numbers = [answer for query in self.answers for answer in query]
        if len(pictures) != 1 or not numbers or any(len(answer) != 5 for answer in numbers):
            raise SlotMapError("The slot map needs five numbers for every query and picture.")
        if not all(type(n) is int and 0 <= n <= UNIT for answer in numbers for n in answer):
            raise SlotMapError(f"The numbers of a slot map are whole and from 0 to {UNIT}.")

    @property
    def pictures(self) -> int:
        """How many pictures each query answered."""
        return len(self.answers[0])

    def values(self) -> np.ndarray:
        """Return the answers as float64 [queries, pictures, 5] in 0..1."""
        return np.array(self.answers, dtype=np.float64) / UNIT

    def to_json(self) -> str:
        """The slot map as the text of its file, a query a line; `from_json` gives the same back."""
        facts = asdict(self) | {"answers": "ANSWERS"}
        rows = ",\n".join(json.dumps(query, separators=(",", ":")) for query in self.answers)
        return json.dumps(facts, indent=1, ensure_ascii=False).replace('"ANSWERS"', f"[\n{rows}\n]") + "\n"

    @staticmethod
    def from_json(text: str) -> "SlotMap":
        """Read the text of a file. Raises SlotMapError when a part is missing, unknown or of the wrong kind."""
        return SHELF.parse(text)


def _made(values: Any) -> SlotMap:
    answers = tuple(tuple(tuple(answer) for answer in query) for query in values.pop("answers"))
    return SlotMap(**values, answers=answers)


SHELF = Shelf("slot map", _made, SlotMapError, "slots", "slots-", most=10_000_000)


def thousandths(values: np.ndarray) -> tuple[int, ...]:
    """Return numbers of 0..1 as they are kept."""
    return tuple(int(n) for n in np.rint(np.clip(values, 0, 1) * UNIT))
