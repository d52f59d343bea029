"""Many small pictures side by side as one picture: filters, small maps, crops."""

import base64
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from playground.figures.overlay import MARK
from playground.figures.scales import RISING, SIGNED, levels, palette
from playground.figures.theme import figure, plain

LEAST = 24  # pixels of a tile's longer side in the picture that travels, at least
GAP = 0.1  # between tiles, as a share of one
HEIGHT = 520


def mosaic(
    tiles: np.ndarray,
    said: Sequence[str],
    alt: str,
    across: int | None = None,
    chosen: int | None = None,
    height: int = HEIGHT,
    gap: float = GAP,
) -> go.Figure:
    """Draw tiles uint8 [n, h, w, 3] in rows of `across`; pointing at one says its text, a click gives [row, col].

    across: None for about as many tiles down as the figure is half as tall as wide.
    """
    count, high, wide = tiles.shape[:3]
    across = across or max(1, min(count, round((2.0 * count * high / wide) ** 0.5)))
    deep = -(-count // across)
    times = max(1, -(-LEAST // max(high, wide)))
    gap_pixels = max(1, round(gap * times * max(high, wide))) if gap else 0
    step = (high * times + gap_pixels, wide * times + gap_pixels)
    size = (deep * step[0] - gap_pixels, across * step[1] - gap_pixels)
    canvas = np.zeros((*size, 4), dtype=np.uint8)
    for i, tile in enumerate(tiles):
        y, x = (i // across) * step[0], (i % across) * step[1]
        canvas[y : y + high * times, x : x + wide * times, :3] = tile.repeat(times, 0).repeat(times, 1)
        canvas[y : y + high * times, x : x + wide * times, 3] = 255
    words = [
        [plain(said[r * across + c]) if r * across + c < len(said) else "" for c in range(across)] for r in range(deep)
    ]
    pointer = go.Heatmap(
        z=np.zeros((deep, across), dtype=np.uint8), x0=step[1] / 2, dx=step[1], y0=step[0] / 2, dy=step[0],
        text=words, hoverinfo="text", opacity=0, showscale=False,
    )  # fmt: skip
    picture = go.Image(source=lossless(canvas), x0=0.5, y0=0.5, dx=1, dy=1, hoverinfo="skip")
    axis: dict[str, Any] = {"visible": False, "fixedrange": True, "constrain": "domain"}
    layout = {
        "xaxis": {**axis, "range": [-1, size[1] + 1], "constraintoward": "left"},
        "yaxis": {**axis, "range": [size[0] + 1, -1], "scaleanchor": "x", "constraintoward": "top"},
        "shapes": _chosen(chosen, across, step, gap_pixels) if chosen is not None else [],
        "hovermode": "closest",
    }
    return figure([picture, pointer], layout, alt, height, aspect=size[1] / size[0])


def small_maps(maps: np.ndarray, low: float, high: float, signed: bool = False) -> np.ndarray:
    """Return maps [n, rows, cols] in the colours of one scale, uint8 [n, rows, cols, 3]."""
    return palette(SIGNED if signed else RISING)[levels(maps, low, high)]


def lossless(pixels: np.ndarray) -> str:
    """Return pixels uint8 [rows, cols, 3 or 4] as a lossless WebP data address."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=60, method=3)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _chosen(place: int, across: int, step: tuple[int, int], gap: int) -> list[dict[str, object]]:
    y, x = (place // across) * step[0], (place % across) * step[1]
    box = {"type": "rect", "x0": x, "x1": x + step[1] - gap, "y0": y, "y1": y + step[0] - gap, "layer": "above"}
    return [{**box, "line": {"color": MARK, "width": 3}}]
