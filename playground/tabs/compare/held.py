"""What the Compare tab keeps of a comparison, what a visitor wishes, and the rows without what weighs much."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from playground import checks
from playground.comparison.disagreement import Difference, Pairing, agreement, segments
from playground.comparison.rows import Row
from playground.explanations import method_of
from playground.image import Picture
from playground.tabs.compare import picker, touching
from playground.tabs.compare.touching import Touch
from playground.texts import say
from playground.trace import Segment

POINT, BOX = "point", "box"  # what is asked about
MOST_CLASSES = 20  # of an answer are kept between two events
MOST_BOXES = 100


@dataclass(frozen=True)
class Place:
    """Where every model is asked to look from: a point or a box in shares of the picture, and by which method."""

    method: str
    shares: tuple[float, ...]

    def on(self, picture: Picture) -> tuple[float, ...]:
        """Return the point or the box in pixels of the picture."""
        sides = (picture.rgb.width, picture.rgb.height)
        return tuple(share * sides[i % 2] for i, share in enumerate(self.shares))


@dataclass(frozen=True)
class Wish:
    """What the fields of the tab ask for."""

    names: tuple[str, ...]
    touch: Touch
    place: Place
    pair: tuple[str, str]


@dataclass(frozen=True)
class Asked:
    """What a comparison answers; an equal question is not asked twice."""

    picture: str
    names: tuple[str, ...]
    touch: Touch
    measured: bool


@dataclass(frozen=True, eq=False)
class Held:
    """What was asked, the rows by name as they came, and the place whose maps are shown. No pixels.

    Once all rows are there, `pairings` say how far each two agree and `regions` which regions two panoptic ones share.
    """

    asked: Asked
    rows: dict[str, Row] = field(default_factory=dict)
    pairings: tuple[Pairing, ...] = ()
    regions: dict[tuple[str, str], Difference[Segment]] = field(default_factory=dict)
    place: Place | None = None

    @property
    def whole(self) -> bool:
        """Whether every model has its row."""
        return len(self.rows) == len(self.asked.names)

    @property
    def answered(self) -> tuple[str, ...]:
        """The models that gave an answer, in the order of the picker."""
        there = [self.rows.get(name) for name in self.asked.names]
        return tuple(row.model for row in there if row is not None and row.prediction is not None)


def wished(settings: Sequence[Any]) -> Wish:
    """Return the wish in the fields: models, touch (5 fields), method, shape, four numbers, first and second model.

    Raises ValueError with one sentence.
    """
    models, kind, strength, grid, seed, cells, method, shape, x, y, x1, y1, first, second = settings
    touch = touching.wished(kind, strength, grid, seed, cells)
    numbers = (x, y, x1, y1) if shape == BOX else (x, y)
    keys = ("place_x", "place_y", "place_x1", "place_y1")
    shares = tuple(_percent(value, say(key)) for value, key in zip(numbers, keys, strict=False))
    if len(shares) == 4:
        shares = (*(min(shares[i], shares[i + 2]) for i in (0, 1)), *(max(shares[i], shares[i + 2]) for i in (0, 1)))
        if shares[0] == shares[2] or shares[1] == shares[3]:
            raise ValueError(say("place_empty"))
    names = picker.wished(models)
    return Wish(names, touch, Place(method_of(method).name, shares), paired(names, first, second))


def paired(names: Sequence[str], first: Any, second: Any) -> tuple[str, str]:
    """Return two different models of these names: the given ones where they are among them; "" where there is none."""
    one = first if first in names else next((name for name in names if name != second), "")
    two = second if second in names and second != one else next((name for name in names if name != one), "")
    return one, two


def light(row: Row) -> Row:
    """Return the row without what weighs much: classes and boxes beyond the best, and the map of segments."""
    found = row.prediction
    if found is None:
        return row
    kept = replace(found, classes=found.classes[:MOST_CLASSES], boxes=found.boxes[:MOST_BOXES], segment_map=None)
    return replace(row, prediction=kept)


def agreed(rows: Sequence[Row]) -> dict[str, Any]:
    """Return `pairings` and `regions` of rows with all that their models answered."""
    panoptic = [row.prediction for row in rows if row.prediction and row.prediction.segment_map is not None]
    regions = {(a.model, b.model): segments(a, b) for a in panoptic for b in panoptic if a.model != b.model}
    return {"pairings": agreement(rows), "regions": regions}


def _percent(value: Any, name: str) -> float:
    try:
        return checks.share(value / 100, name)
    except (TypeError, ValueError):
        raise ValueError(say("place_percent", name=name)) from None
