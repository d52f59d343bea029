"""What the Patches tab keeps of one picture with one model, and small helpers that its parts share."""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from playground import checks, inference
from playground.embeddings.tokens import GridTokens, grid_tokens, layers
from playground.figures.picture import encode
from playground.image import Picture
from playground.models import catalogue
from playground.models.card import Card
from playground.texts import say
from playground.trace import Trace

LONGEST, BUDGET = 560, 60_000  # of a picture that travels with a figure: pixels a side, characters
Grid = tuple[int, int]
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class Held:
    """One picture with one model: what drawing needs, and a loose hold on the trace, which the cache may drop.

    `picture` is the encoded upload of (width, height) `size`, `seen` the encoded part that the model saw.
    """

    card: Card
    key: str
    picture: str
    size: tuple[int, int]
    seen: str
    aspect: float
    layers: tuple[str, ...]
    grids: tuple[Grid, ...]
    loose: Callable[[], Trace | None]
    memo: dict[Any, Any] = field(default_factory=dict)  # what was computed of this picture; small

    @property
    def trace(self) -> Trace | None:
        """The kept trace, or None when it had to make room."""
        return self.loose()

    def kept(self, key: Any, make: Callable[[], Value]) -> Value:
        """Return what was computed under this key, computing it once."""
        if key not in self.memo:
            self.memo[key] = make()
        found: Value = self.memo[key]
        return found

    @property
    def offered(self) -> list[tuple[str, int]]:
        """The layers as a picker shows them: by name, each with its number from 0."""
        return [(name, i) for i, name in enumerate(self.layers)]

    def layer(self, value: Any) -> int:
        """Return the number of a layer, the last one for None. Raises ValueError for one that is not there."""
        last = len(self.layers) - 1
        return last if value is None else checks.whole(value, say("layer"), 0, last)


def look(picture: Picture, model: Any) -> Held:
    """Run the model named `model` on the picture, or take the kept trace.

    Raises ValueError with one sentence, also where no token of the model lies on the picture.
    """
    return of(picture, catalogue.find(model))


def of(picture: Picture, card: Card) -> Held:
    """Return what is held of a picture with the card's model. Raises ValueError with one sentence."""
    trace = inference.trace(picture, card)
    names = layers(trace)
    return Held(
        card=card,
        key=picture.key,
        picture=encode(picture.rgb, LONGEST, BUDGET),
        size=trace.view.picture_size,
        seen=encode(trace.view.image, LONGEST // 2 * 2, BUDGET // 2),
        aspect=trace.view.image.width / trace.view.image.height,
        layers=names,
        grids=tuple(grid_tokens(trace, i).grid for i in range(len(names))),
        loose=weakref.ref(trace),
    )


def every_layer(trace: Trace) -> list[GridTokens]:
    """Return the tokens of all layers on a grid."""
    return [grid_tokens(trace, i) for i in range(len(layers(trace)))]


def covers(trace: Trace, grid: Grid) -> tuple[float, float]:
    """Return how far a grid reaches down and across, as a share of what the model saw; 1 where it ends with it."""
    down, across = trace.view.stride(grid)
    return down * grid[0] / trace.view.image.height, across * grid[1] / trace.view.image.width


def crop(trace: Trace, grid: Grid, row: int, col: int, side: int = 64) -> Image.Image:
    """Return the pixels under one cell, enlarged to at least `side` pixels."""
    down, across = trace.view.stride(grid)
    image = trace.view.image
    left, top = min(col * across, image.width - 1), min(row * down, image.height - 1)
    right, bottom = (
        min(max(left + 1, (col + 1) * across), image.width),
        min(max(top + 1, (row + 1) * down), image.height),
    )
    cut = image.crop((int(left), int(top), round(right), round(bottom)))
    scale = max(1.0, side / max(cut.size))
    return cut.resize((max(1, round(cut.width * scale)), max(1, round(cut.height * scale))), Image.Resampling.NEAREST)


def patch_box(trace: Trace, grid: Grid, row: int, col: int) -> tuple[float, float, float, float]:
    """Return where a cell lies: left, top, right, bottom in pixels of the upload, within it."""
    found = trace.view.cell_boxes(grid)[row, col]
    return float(found[0]), float(found[1]), float(found[2]), float(found[3])


def scaled(place: tuple[int, int], old: Grid, new: Grid) -> tuple[int, int]:
    """Return the cell of another grid under the middle of a cell."""
    return int((place[0] + 0.5) * new[0] / old[0]), int((place[1] + 0.5) * new[1] / old[1])


def centre(grid: Grid) -> tuple[int, int]:
    """Return the cell in the middle."""
    return grid[0] // 2, grid[1] // 2


def numbers(*values: Any) -> bool:
    """Whether all of these are finite numbers."""
    return all(isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v) for v in values)
