"""A slot map: what every object query of a detector answers over many pictures, kept as JSON; no torch."""

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

STUDIES = Path(__file__).parents[2] / "checkpoints" / "studies"
PREFIX = "slots-"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")
MAX_JSON = 10_000_000  # characters
UNIT = 1000  # boxes and scores are kept in thousandths
UNREADABLE = "The file is not the JSON of a slot map; measure it again with `python -m playground slots`."


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
        if len(text) > MAX_JSON:
            raise SlotMapError("The slot map's file is far larger than a slot map.")
        try:
            values = json.loads(text)
            answers = tuple(tuple(tuple(answer) for answer in query) for query in values.pop("answers"))
            return SlotMap(**values, answers=answers)
        except SlotMapError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise SlotMapError(UNREADABLE) from error


def thousandths(values: np.ndarray) -> tuple[int, ...]:
    """Return numbers of 0..1 as they are kept."""
    return tuple(int(n) for n in np.rint(np.clip(values, 0, 1) * UNIT))


def models(folder: Path = STUDIES) -> tuple[str, ...]:
    """The models that have a slot map, by name."""
    found = (path.stem.removeprefix(PREFIX) for path in folder.glob(f"{PREFIX}*.json"))
    return tuple(sorted(name for name in found if NAME.fullmatch(name)))


def read(model: str, folder: Path = STUDIES) -> SlotMap:
    """The slot map of this model; the text is compared with the names there are, never joined to a path."""
    known = models(folder)
    if model not in known:
        there = ", ".join(known) or "none yet"
        raise SlotMapError(f"There is no slot map of {str(model)[:64]!r}; there are: {there}.")
    try:
        return SlotMap.from_json((folder / f"{PREFIX}{model}.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SlotMapError(UNREADABLE) from error
