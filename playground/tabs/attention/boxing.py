"""A box drawn on a map by two clicks, or typed: the cells under the clicks and everything between them."""

import math
from typing import Any

from playground.explanations import Map
from playground.tabs.attention.held import XYXY


def cell_under(made: Map, x: Any, y: Any) -> XYXY | None:
    """Return the cell of a map under a point of the upload, in its pixels, or None beside the map."""
    if not _finite(x, y):
        return None
    x0, y0, x1, y1 = made.region_xyxy
    rows, cols = made.values.shape
    across, down = (x1 - x0) / cols, (y1 - y0) / rows
    row, col = math.floor((y - y0) / down), math.floor((x - x0) / across)
    if not (0 <= row < rows and 0 <= col < cols):
        return None
    return x0 + col * across, y0 + row * down, x0 + (col + 1) * across, y0 + (row + 1) * down


def around(one: XYXY, other: XYXY) -> XYXY:
    """Return the smallest box around two."""
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])


def whole(edges: tuple[Any, ...]) -> XYXY | None:
    """Return left, top, right, bottom as a box, or None while one of them is missing; empty fields may come as 0."""
    if len(edges) != 4 or not _finite(*edges) or not any(edges):
        return None
    left, top, right, bottom = (float(edge) for edge in edges)
    return left, top, right, bottom


def _finite(*numbers: Any) -> bool:
    return all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)
