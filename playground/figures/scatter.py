"""The head atlas: every head a dot, how far it looks against its layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from playground.figures.overlay import MARK
from playground.figures.scales import RISING, stops
from playground.figures.theme import QUIET, clear, figure, percent, plain

HEIGHT = 380
SPREAD = 0.6  # of the way to the next layer: heads of one layer stand side by side


@dataclass(frozen=True)
class Dot:
    """One head: `place` counts the layers shown, `distance` in pixels of the view, `entropy` and `apart` 0..1."""

    name: str
    place: int
    beside: float
    distance: float
    entropy: float
    apart: float | None
    chosen: bool = False


def dots(heads: Sequence[Dot], layers: Sequence[str], alt: str) -> go.Figure:
    """Draw the heads; a click gives the place of a head in `heads`. Colour: entropy, 0 one place to 1 all alike.

    Where tokens without a place exist, the share of attention that they get stands in a strip of its own below.
    """
    shares = [dot.apart for dot in heads]
    strip = any(share is not None for share in shares)
    x = [dot.place + SPREAD * (dot.beside - 0.5) for dot in heads]
    said = [_said(dot) for dot in heads]
    marker: dict[str, Any] = {
        "color": [dot.entropy for dot in heads],
        "cmin": 0,
        "cmax": 1,
        "colorscale": stops(RISING),
        "size": 11,
        "line": {
            "color": [MARK if dot.chosen else clear(QUIET, 0.6) for dot in heads],
            "width": [3 if dot.chosen else 1 for dot in heads],
        },
        "colorbar": {"title": {"text": "entropy"}, "thickness": 10, "outlinewidth": 0, "len": 0.9},
    }
    plain_dots = {"x": x, "mode": "markers", "hovertext": said, "hoverinfo": "text"}
    traces = [go.Scatter(y=[dot.distance for dot in heads], marker=marker, **plain_dots)]
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    ticks = {"tickvals": list(range(len(layers))), "ticktext": [str(i + 1) for i in range(len(layers))]}
    layout: dict[str, Any] = {
        "xaxis": {**grid, **ticks, "title": {"text": "layer"}, "anchor": "y2" if strip else "y"},
        "yaxis": {**grid, "title": {"text": "mean distance, pixels"}, "rangemode": "tozero"},
        "margin": {"l": 60, "r": 8, "t": 8, "b": 48},
        "hovermode": "closest",
    }
    if strip:
        low = {**marker, "size": 7, "showscale": False}
        low.pop("colorbar")
        traces.append(go.Scatter(y=shares, yaxis="y2", marker=low, **plain_dots))
        layout["yaxis"]["domain"] = [0.36, 1]
        layout["yaxis2"] = {
            **grid,
            "domain": [0, 0.26],
            "title": {"text": "apart"},
            "tickformat": ".0%",
            "rangemode": "tozero",
        }
    return figure(traces, layout, alt, HEIGHT)


def _said(dot: Dot) -> str:
    apart = "" if dot.apart is None else f"<br>{percent(dot.apart)} to tokens without a place"
    return f"{plain(dot.name)}<br>{dot.distance:.1f} pixels, entropy {dot.entropy:.2f}{apart}"
