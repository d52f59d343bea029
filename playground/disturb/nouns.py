"""What a disturbance is, and which part of a picture it is to touch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from playground import checks

COARSEST, FINEST = 2, 32  # cells a side of a grid
MOST_PAIRS = 512

Cell: TypeAlias = tuple[int, int]
XYXY: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Place:
    """Where to touch a picture; what is left out is drawn at random or means the whole picture.

    grid: cells along each side, 2 to 32. cells: (row, col) of the grid to touch. pairs: two cells each, for patches
    that trade places or move. box_xyxy: a rectangle in pixels of the picture. Cells go before the box.
    Raises ValueError with one sentence.
    """

    grid: int = 8
    cells: tuple[Cell, ...] = ()
    pairs: tuple[tuple[Cell, Cell], ...] = ()
    box_xyxy: XYXY | None = None

    def __post_init__(self) -> None:
        checks.whole(self.grid, "The grid", COARSEST, FINEST)
        try:
            cells = tuple((row, col) for row, col in self.cells)
            pairs = tuple((tuple(old), tuple(new)) for old, new in self.pairs)
        except (TypeError, ValueError):
            raise ValueError("Give each cell as (row, col) and each pair as two cells.") from None
        if len(cells) > self.grid**2 or len(pairs) > MOST_PAIRS:
            raise ValueError(f"Give at most {self.grid**2} cells and {MOST_PAIRS} pairs.")
        for cell in (*cells, *(cell for pair in pairs for cell in pair)):
            if len(cell) != 2:
                raise ValueError("Give each cell as (row, col) and each pair as two cells.")
            checks.whole(cell[0], "The row of a cell", 0, self.grid - 1)
            checks.whole(cell[1], "The column of a cell", 0, self.grid - 1)
        object.__setattr__(self, "cells", tuple(dict.fromkeys(cells)))
        object.__setattr__(self, "pairs", pairs)
        if self.box_xyxy is not None:
            object.__setattr__(self, "box_xyxy", _box(self.box_xyxy))


# (pixels uint8 [H, W, 3], strength above 0, random numbers, place) -> pixels uint8 [H', W', 3]
Touch: TypeAlias = Callable[[np.ndarray, float, np.random.Generator, Place], np.ndarray]


@dataclass(frozen=True)
class Disturbance:
    """One kind: `strength` says what a strength of 0 to 1 means, `formula` how the new pixels y follow from the old x.

    `inside` ones touch only the cells or the box of a place where it names some.
    """

    name: str
    title: str
    strength: str
    formula: str
    touch: Touch
    inside: bool = False


def _box(box_xyxy: XYXY) -> XYXY:
    sentence = "Give the box as left, top, right, bottom in pixels, with right above left and bottom above top."
    try:
        left, top, right, bottom = (float(edge) for edge in box_xyxy)
    except (TypeError, ValueError):
        raise ValueError(sentence) from None
    if not (np.isfinite((left, top, right, bottom)).all() and right > left and bottom > top):
        raise ValueError(sentence)
    return left, top, right, bottom
