"""Touching the picture: which kind, how strongly, and on which cells; the cells are a line of text that can be typed.

"2,3 4,5" are cells (row, column from 0); "2,3:4,5" is a pair, for patches that trade places or move.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from playground import checks
from playground.disturb import DISTURBANCES, Place, disturb, kind_of
from playground.disturb.cells import cell_under
from playground.image import Picture
from playground.texts import say

NOTHING = ""
GRIDS = (2, 4, 7, 8, 14, 16)
MOST_LETTERS = 4000
MOST_SEED = 9999
MOST_POINTS = 1000  # of a stroke of the brush
EVERYWHERE = Place()
CELLS = re.compile(r"(\d{1,2}),(\d{1,2})(?::(\d{1,2}),(\d{1,2}))?")
OPEN = re.compile(r"(\d{1,2}),(\d{1,2}):?")
BY_CELLS = ("shuffle", "mask")
BY_PAIRS = ("swap", "move")

Cell = tuple[int, int]


@dataclass(frozen=True)
class Touch:
    """How the picture is touched before every model gets it; `kind` "" leaves it as it is.

    `cells` is the line of cells as it stands on the page, `place` what it names.
    """

    kind: str = NOTHING
    strength: float = 0.5
    seed: int = 0
    cells: str = ""
    place: Place = EVERYWHERE


def wished(kind: Any, strength: Any, grid: Any, seed: Any, cells: Any) -> Touch:
    """Return the touch that the fields ask for, checked. Raises ValueError with one sentence."""
    if kind not in (NOTHING, None):
        kind_of(kind)
    strength = checks.share(strength, say("touch_strength"))
    seed = checks.whole(seed, say("touch_seed"), 0, MOST_SEED)
    text = "" if cells is None else cells
    if not isinstance(text, str):
        raise ValueError(say("touch_cells_form"))
    named, pairs = parse(text)
    by_pairs = kind in BY_PAIRS
    place = Place(grid=grid, cells=() if by_pairs else named, pairs=pairs if by_pairs else ())
    return Touch(kind or NOTHING, strength, seed, text.strip(), place)


def touched(picture: Picture, touch: Touch) -> Picture:
    """Return the picture as every model gets it. Raises ValueError with one sentence."""
    if touch.kind == NOTHING:
        return picture
    return disturb(picture, touch.kind, touch.strength, touch.seed, touch.place)


def parse(text: str) -> tuple[tuple[Cell, ...], tuple[tuple[Cell, Cell], ...]]:
    """Return the cells and the pairs that a text names. Raises ValueError for anything else."""
    if len(text) > MOST_LETTERS:
        raise ValueError(say("touch_cells_form"))
    cells: list[Cell] = []
    pairs: list[tuple[Cell, Cell]] = []
    for word in text.split():
        named = CELLS.fullmatch(word)
        if named is None:
            if OPEN.fullmatch(word) is None:
                raise ValueError(say("touch_cells_form"))
            continue  # the first of a pair, whose second is still to come
        row, col, to_row, to_col = named.groups()
        if to_row is None:
            cells.append((int(row), int(col)))
        else:
            pairs.append(((int(row), int(col)), (int(to_row), int(to_col))))
    return tuple(cells), tuple(pairs)


def clicked(text: str, touch: Touch, cell: Cell) -> str:
    """Return the line of cells after a click on a cell: put there or taken away; for pairs, begun or ended."""
    words = text.split()
    here = f"{cell[0]},{cell[1]}"
    if touch.kind in BY_PAIRS:
        if words and words[-1].endswith(":"):
            return " ".join([*words[:-1], words[-1] + here])
        return " ".join([*[word for word in words if ":" in word], here + ":"])
    kept = [word for word in words if ":" not in word]
    return " ".join([word for word in kept if word != here] if here in kept else [*kept, here])


def brushed(text: str, touch: Touch, cells: Sequence[Cell]) -> str:
    """Return the line of cells after a stroke of the brush over these: they are added, or for pairs its ends joined."""
    names = [f"{row},{col}" for row, col in cells]
    if touch.kind in BY_PAIRS:
        pair = [f"{names[0]}:{names[-1]}"] if names[0] != names[-1] else []
        return " ".join([*[word for word in text.split() if ":" in word and not word.endswith(":")], *pair])
    return " ".join(dict.fromkeys([*[word for word in text.split() if ":" not in word], *names]))


def cells_along(size: tuple[int, int], touch: Touch, path: Any) -> list[Cell]:
    """Return the cells under a path of points in shares of the picture, in order, each once, checked."""
    if not isinstance(path, list) or not 2 <= len(path) <= MOST_POINTS:
        raise ValueError(say("touch_path"))
    if not all(isinstance(point, list) and len(point) == 2 for point in path):
        raise ValueError(say("touch_path"))
    points = [(checks.share(x, say("place_x")), checks.share(y, say("place_y"))) for x, y in path]
    found: dict[Cell, None] = {}
    for (x0, y0), (x1, y1) in pairwise(points):
        steps = 1 + int(2 * touch.place.grid * max(abs(x1 - x0), abs(y1 - y0)))  # so that no cell is jumped over
        for step in range(steps + 1):
            share = step / steps
            found[cell_at(size, touch, x0 + share * (x1 - x0), y0 + share * (y1 - y0))] = None
    return list(found)


def cell_at(size: tuple[int, int], touch: Touch, x: Any, y: Any) -> Cell:
    """Return the cell under a point given in shares of the picture, checked."""
    x, y = checks.share(x, say("place_x")), checks.share(y, say("place_y"))
    return cell_under(size, touch.place.grid, x * size[0], y * size[1])


def begun(text: str) -> Cell | None:
    """Return the first cell of a pair whose second is still to come."""
    words = text.split()
    if not words or not words[-1].endswith(":"):
        return None
    row, col = words[-1][:-1].split(",")
    return int(row), int(col)


def kinds() -> Sequence[tuple[str, str]]:
    """Return (title, name) of every way to touch the picture, none first."""
    return [(say("touch_nothing"), NOTHING), *((kind.title, kind.name) for kind in DISTURBANCES)]


def uses_cells(kind: str) -> bool:
    """Whether clicking on cells means something for this kind."""
    return kind in BY_CELLS or kind in BY_PAIRS or (kind != NOTHING and kind_of(kind).inside)
