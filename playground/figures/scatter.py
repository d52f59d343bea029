"""The head atlas: every head a dot, how far it looks against its layer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from playground.figures.overlay import MARK
from playground.figures.scales import RISING, stops
from playground.figures.theme import QUIET, clear, figure, percent, plain

HEIGHT = 380
USUAL, SMALLEST, SPAN = 11.0, 5.0, 23.0  # diameters in CSS pixels
SPREAD = 0.6  # of the way to the next layer: heads of one layer stand side by side


@dataclass(frozen=True)
class Dot:
    """One head: `place` counts the layers shown, `distance` in pixels of the view, `entropy` and `apart` 0..1,
    `effect` what p(class) loses without it, where that was measured.
    """

    name: str
    place: int
    beside: float
    distance: float
    entropy: float
    apart: float | None
    chosen: bool = False
    effect: float | None = None


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
        "size": _sizes(heads),
        "line": {
            "color": [MARK if dot.chosen else clear(QUIET, 0.6) for dot in heads],
            "width": [3 if dot.chosen else 1 for dot in heads],
        },
        "colorbar": {
            "title": {"text": "entropy", "font": {"size": 13}},
            "thickness": 10,
            "outlinewidth": 0,
            "len": 0.9,
        },
    }
    plain_dots = {"x": x, "mode": "markers", "hovertext": said, "hoverinfo": "text"}
    traces = [go.Scatter(y=[dot.distance for dot in heads], marker=marker, **plain_dots)]
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    ticks = {"tickvals": list(range(len(layers))), "ticktext": [str(i + 1) for i in range(len(layers))]}
    layout: dict[str, Any] = {
        "xaxis": {**grid, **ticks, "title": {"text": "layer", "font": {"size": 13}}, "anchor": "y2" if strip else "y"},
        "yaxis": {**grid, "title": {"text": "mean distance, pixels", "font": {"size": 13}}, "rangemode": "tozero"},
        "margin": {"l": 68, "r": 8, "t": 8, "b": 48},
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
            "title": {"text": "tokens<br>without place", "font": {"size": 12}},
            "tickformat": ".1~%",
            "nticks": 4,
            "rangemode": "tozero",
        }
    return figure(traces, layout, alt, HEIGHT)


def _said(dot: Dot) -> str:
    apart = "" if dot.apart is None else f"<br>{percent(dot.apart)} to tokens without a place"
    effect = "" if dot.effect is None else f"<br>without it p(class) loses {100 * dot.effect:.2f} points"
    return f"{plain(dot.name)}<br>{dot.distance:.1f} pixels, entropy {dot.entropy:.2f}{apart}{effect}"


def _sizes(heads: Sequence[Dot]) -> list[float]:
    """Return diameters: the area grows with the effect, whichever its sign; all alike where none is known."""
    found = [abs(dot.effect or 0.0) for dot in heads]
    most = max(found, default=0.0)
    return [SMALLEST + SPAN * (effect / most) ** 0.5 if most > 0 else USUAL for effect in found]
