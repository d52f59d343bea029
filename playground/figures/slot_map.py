"""Where each object query answers over many pictures: a tile a query, a dot a picture."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.overlay import MARK
from playground.figures.slots import COLOURS
from playground.figures.theme import QUIET, clear, figure, plain

HEIGHT = 620
MOST = 6000  # dots in one figure
GAP, LABEL = 0.08, 0.2  # of a tile's side
SIZE = 4  # of a dot in CSS pixels


def drawn(queries: int, pictures: int) -> int:
    """Return how many pictures of each query are drawn: all, or as many as a page can bear."""
    return min(pictures, max(1, MOST // queries))


def slot_map(places: np.ndarray, shapes: np.ndarray, names: Sequence[str], chosen: int | None, alt: str) -> go.Figure:
    """Draw places [queries, pictures, 2] as (x, y) in 0..1 of the picture, coloured by their shape.

    shapes: [queries, pictures] indices into the keys of COLOURS. names: what stands over each query's tile. A dot's
    index is its query times the pictures plus its picture.
    """
    queries = len(places)
    across = _columns(queries)
    down = math.ceil(queries / across)
    corners = np.array([_corner(query, across) for query in range(queries)])  # [queries, 2], left and top
    at = (corners[:, None] + places * (1 - GAP)).astype(np.float32).reshape(-1, 2)  # [queries * pictures, 2]
    colours = list(COLOURS.values())
    dots = go.Scatter(
        x=at[:, 0],
        y=at[:, 1],
        mode="markers",
        marker={
            "size": SIZE,
            "opacity": 0.6,
            "color": shapes.astype(np.uint8).ravel(),
            "cmin": -0.5,
            "cmax": len(colours) - 0.5,
            "colorscale": _steps(colours),
        },
        hoverinfo="none",
    )
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout = {
        "xaxis": {**axis, "range": [0, across]},
        "yaxis": {**axis, "range": [down * (1 + LABEL), 0], "scaleanchor": "x"},
        "shapes": [_frame(left, top, query == chosen) for query, (left, top) in enumerate(corners)],
        "annotations": [_name(left, top, name) for (left, top), name in zip(corners, names, strict=True)],
        "hovermode": "closest",
    }
    return figure([dots], layout, alt, HEIGHT, aspect=across / (down * (1 + LABEL)))


def _columns(queries: int) -> int:
    """Return how many tiles stand side by side: as many as rows or some more, so that few places stay empty."""
    wide = range(math.ceil(math.sqrt(queries)), math.ceil(math.sqrt(2 * queries)) + 1)
    return min(wide, key=lambda columns: -queries % columns)


def _corner(query: int, across: int) -> tuple[float, float]:
    return query % across + GAP / 2, query // across * (1 + LABEL) + LABEL


def _steps(colours: Sequence[str]) -> list[tuple[float, str]]:
    count = len(colours)
    return [(edge / count, colour) for i, colour in enumerate(colours) for edge in (i, i + 1)]


def _frame(left: float, top: float, chosen: bool) -> dict[str, Any]:
    line = {"color": MARK, "width": 2.5} if chosen else {"color": clear(QUIET, 0.6), "width": 1}
    return {
        "type": "rect", "x0": left, "y0": top, "x1": left + 1 - GAP, "y1": top + 1 - GAP, "line": line,
        "fillcolor": clear(QUIET, 0.08), "layer": "below",
    }  # fmt: skip


def _name(left: float, top: float, name: str) -> dict[str, Any]:
    return {
        "x": left, "y": top, "text": plain(name), "xanchor": "left", "yanchor": "bottom", "showarrow": False,
        "font": {"size": 11}, "borderpad": 0,
    }  # fmt: skip
