"""A patch and the numbers it becomes: its pixels enlarged beside its vectors as strips of colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.mosaic import lossless
from playground.figures.scales import SIGNED, stops
from playground.figures.theme import QUIET, figure, plain

ACROSS = 48  # numbers side by side
STRIP = 96  # CSS pixels of a strip
LINE = 24
LEFT = 0.3  # of the width for the pixels


@dataclass(frozen=True, eq=False)
class Strip:
    """One vector [D] under its name."""

    name: str
    values: np.ndarray


def vectors(pixels: np.ndarray, said: str, strips: Sequence[Strip], alt: str) -> go.Figure:
    """Draw pixels uint8 [h, w, 3] large, and every strip row by row on a signed scale of its own.

    Pointing at a number says its channel and value.
    """
    traces: list[Any] = [go.Image(source=lossless(pixels), x0=0.5, y0=0.5, dx=1, dy=1, hoverinfo="skip")]
    hidden: dict[str, Any] = {"visible": False, "fixedrange": True}
    high, wide = pixels.shape[:2]
    count = max(1, len(strips))
    layout: dict[str, Any] = {
        "xaxis": {**hidden, "range": [0, wide], "domain": [0, LEFT - 0.04], "constrain": "domain",
                  "constraintoward": "left"},
        "yaxis": {**hidden, "range": [high, 0], "scaleanchor": "x", "domain": [0, 1], "constrain": "domain",
                  "constraintoward": "top"},
        "hovermode": "closest",
        "margin": {"l": 0, "r": 0, "t": LINE, "b": 4},
    }  # fmt: skip
    notes = [_note(said, 0.0, 1.0)]
    for i, strip in enumerate(strips):
        end = str(i + 2)
        top = 1 - i / count
        traces.append(_heat(strip, end))
        layout[f"xaxis{end}"] = {**hidden, "domain": [LEFT, 1], "anchor": f"y{end}"}
        bottom = top - 1 / count * (1 - LINE / (STRIP + LINE))
        layout[f"yaxis{end}"] = {**hidden, "domain": [max(0.0, bottom), top], "autorange": "reversed"}
        notes.append(_note(strip.name, LEFT, top))
    return figure(traces, {**layout, "annotations": notes}, alt, count * (STRIP + LINE) + LINE)


def _heat(strip: Strip, end: str) -> go.Heatmap:
    values = strip.values.astype(np.float32)
    deep = -(-values.size // ACROSS)
    grid = np.full(deep * ACROSS, np.nan, dtype=np.float32)
    grid[: values.size] = values
    far = float(np.abs(values).max()) or 1.0
    said = np.array([f"{i}: {value:.4g}" for i, value in enumerate(values)] + [""] * (grid.size - values.size))
    return go.Heatmap(
        z=grid.reshape(deep, ACROSS), zmin=-far, zmax=far, colorscale=stops(SIGNED), showscale=False,
        text=said.reshape(deep, ACROSS).tolist(), hoverinfo="text", xaxis=f"x{end}", yaxis=f"y{end}",
    )  # fmt: skip


def _note(text: str, x: float, y: float) -> dict[str, object]:
    return {
        "text": plain(text), "x": x, "y": y, "xref": "paper", "yref": "paper", "xanchor": "left", "yanchor": "bottom",
        "showarrow": False, "font": {"size": 13, "color": QUIET},
    }  # fmt: skip
