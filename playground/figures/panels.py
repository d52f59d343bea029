"""Maps of all heads side by side, one layer at a time, played in the browser without asking the server."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from playground.figures.overlay import MARK
from playground.figures.player import CONTROLS, player, slider
from playground.figures.scales import RISING, levels, palette
from playground.figures.theme import figure, plain

ACROSS = 6  # most tiles side by side
TALL = 150  # CSS pixels of a tile, at most
SIDE = 96  # pixels of a tile's longer side in the picture that travels, about, unless the grid has more
GAP = 0.06  # between tiles, as a share of one
NOTHING = 255  # the place in the palette that is not drawn
BUDGET = 150_000  # characters of all pictures together
COARSER = ((112, 0xFF), (112, 0xF8), (56, 0xF8), (40, 0xF0), (28, 0xF0))  # pixels of a tile at most, steps of colour


@dataclass(frozen=True, eq=False)
class Layer:
    """The maps of one layer's heads, [heads, rows, cols], and its name; `titles` name tiles that are no heads."""

    name: str
    maps: np.ndarray
    titles: tuple[str, ...] = ()


def panels(layers: Sequence[Layer], active: int, head: int | None, alt: str, shared: bool = True) -> go.Figure:
    """Draw the heads of the active layer as tiles; a slider and a play button walk through the layers.

    shared: one scale for all tiles of all layers, by the square root of the value (none below 0) so that faint maps
    can be seen beside strong ones; else each tile from its own least to its own greatest value. A click gives a tile as
    [row, col] among tiles `across` side by side.
    """
    most = max(layer.maps.shape[0] for layer in layers)
    side_by_side, deep = across(most), -(-most // across(most))
    top = max(float(layer.maps.max()) for layer in layers) if shared else None
    for limit, steps in COARSER:
        tile = _tile(layers[active].maps.shape[1:], limit)
        gap = max(2, round(GAP * max(tile)))
        sources = [_picture(layer.maps, tile, gap, side_by_side, deep, top, steps) for layer in layers]
        if sum(len(source) for source in sources) <= BUDGET:
            break
    step = (tile[0] + gap, tile[1] + gap)  # (rows, cols)

    def drawn(place: int) -> list[Any]:
        image = go.Image(source=sources[place], x0=0.5, y0=0.5, dx=1, dy=1, hoverinfo="skip")
        return [image, _numbers(layers[place], step, side_by_side)]

    frames = [go.Frame(name=str(i), data=drawn(i), traces=[0, 1]) for i in range(len(layers))]
    width, height = side_by_side * step[1] - gap, deep * step[0] - gap
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout = {
        "xaxis": {**axis, "range": [0, width], "constraintoward": "left"},
        "yaxis": {**axis, "range": [height, 0], "scaleanchor": "x", "constraintoward": "top"},
        "shapes": _chosen(head, layers[active].maps.shape[0], tile, step, side_by_side),
        "margin": {"l": 0, "r": 0, "t": 0, "b": CONTROLS, "pad": 0},
        "sliders": [slider([plain(layer.name) for layer in layers], active)],
        "updatemenus": [player()],
        "hovermode": "closest",
    }
    tall = round(deep * TALL * min(1.0, tile[0] / tile[1])) + CONTROLS
    made = figure([*drawn(active), _pointer(layers[active], most, step, side_by_side)], layout, alt, tall)
    made.layout.meta = {"alt": alt, "aspect": width / height, "below": CONTROLS}
    made.frames = frames
    return made


def across(heads: int) -> int:
    """Return how many tiles stand side by side."""
    return heads if heads <= ACROSS else next(n for n in (ACROSS, 5, 4, ACROSS) if heads % n == 0 or n == 4)


def _tile(grid: tuple[int, ...], limit: int) -> tuple[int, int]:
    """Return (rows, cols) of a tile in pixels: a whole multiple of the grid where it is small."""
    rows, cols = grid
    if max(rows, cols) > limit:
        scale = limit / max(rows, cols)
        return max(1, round(rows * scale)), max(1, round(cols * scale))
    times = max(1, min(SIDE, limit) // max(rows, cols))
    return rows * times, cols * times


def _picture(
    maps: np.ndarray, tile: tuple[int, int], gap: int, side_by_side: int, deep: int, top: float | None, steps: int
) -> str:
    """Return the tiles as one PNG of at most 256 colours with clear gaps, as a data address."""
    rows, cols = tile
    canvas = np.full((deep * (rows + gap) - gap, side_by_side * (cols + gap) - gap), NOTHING, dtype=np.uint8)
    for head, values in enumerate(maps):
        if top is None:
            small = levels(values, float(values.min()), float(values.max()))
        else:
            small = levels(np.sqrt(np.clip(values, 0, None)), 0.0, math.sqrt(max(top, 0.0)))
        small = np.minimum(small, NOTHING - 1) & steps
        down = (np.arange(rows) * small.shape[0]) // rows
        along = (np.arange(cols) * small.shape[1]) // cols
        y, x = (head // side_by_side) * (rows + gap), (head % side_by_side) * (cols + gap)
        canvas[y : y + rows, x : x + cols] = small[np.ix_(down, along)]
    picture = Image.fromarray(canvas)
    picture.putpalette(palette(RISING).tobytes())  # a grey picture becomes one of 256 colours
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=NOTHING)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _numbers(layer: Layer, step: tuple[int, int], side_by_side: int) -> go.Scatter:
    heads = range(layer.maps.shape[0])
    return go.Scatter(
        x=[(head % side_by_side) * step[1] for head in heads],
        y=[(head // side_by_side) * step[0] for head in heads],
        text=[f" {plain(title)}" for title in layer.titles] or [f" {head + 1}" for head in heads],
        mode="text",
        textposition="bottom right",
        textfont={"color": "#FFFFFF", "size": 12, "shadow": "0 0 3px #000, 0 0 3px #000"},
        hoverinfo="skip",
    )


def _pointer(layer: Layer, heads: int, step: tuple[int, int], side_by_side: int) -> go.Heatmap:
    """Return what hears the clicks: one clear cell a tile."""
    deep = -(-heads // side_by_side)
    words = [plain(title) for title in layer.titles] or [f"Head {head + 1}" for head in range(deep * side_by_side)]
    said = [words[row * side_by_side : (row + 1) * side_by_side] for row in range(deep)]
    return go.Heatmap(
        z=np.zeros((deep, side_by_side), dtype=np.uint8),
        x0=step[1] / 2,
        dx=step[1],
        y0=step[0] / 2,
        dy=step[0],
        text=said,
        hoverinfo="text",
        opacity=0,
        showscale=False,
    )


def _chosen(
    head: int | None, heads: int, tile: tuple[int, int], step: tuple[int, int], side_by_side: int
) -> list[dict[str, object]]:
    if head is None or head >= heads:
        return []
    y, x = (head // side_by_side) * step[0], (head % side_by_side) * step[1]
    box = {"type": "rect", "x0": x, "x1": x + tile[1], "y0": y, "y1": y + tile[0], "layer": "above"}
    return [{**box, "line": {"color": MARK, "width": 3}}]
