"""Accuracy against the strength of a disturbance, one curve a model."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from playground.figures.theme import QUIET, clear, figure, plain

HEIGHT = 320
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")  # told apart without colour too


@dataclass(frozen=True)
class Curve:
    """One model's points: `x` and `y`, and the ends of each one's interval where known; `colour` is its line's."""

    name: str
    colour: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


def strengths(curves: Sequence[Curve], x_title: str, y_title: str, alt: str, at: float | None = None) -> go.Figure:
    """Draw the curves on one scale from 0; `at` marks the strength that is set now."""
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True, "automargin": True}
    most = max((value for curve in curves for value in (*curve.y, *curve.high) if value is not None), default=1.0)
    traces = [_line(curve, number) for number, curve in enumerate(curves)]
    now = {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper"}
    layout = {
        "xaxis": {**grid, "title": {"text": plain(x_title), "font": {"size": 13}}},
        "yaxis": {**grid, "title": {"text": plain(y_title), "font": {"size": 13}}, "range": [0, most * 1.05 or 1]},
        "margin": {"l": 8, "r": 8, "t": 8, "b": 8},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "shapes": [] if at is None else [{**now, "line": {"color": clear(QUIET, 0.8), "width": 1.5, "dash": "dot"}}],
        "hovermode": "x unified",
        "hoverlabel": {"font": {"size": 13, "color": "#1B2330"}, "bgcolor": "rgba(255,255,255,0.94)"},
    }
    return figure(traces, layout, alt, HEIGHT)


def _line(curve: Curve, number: int) -> go.Scatter:
    bounds = list(zip(curve.y, curve.low, curve.high, strict=True))
    spread = any(low is not None and high is not None and high > low for _, low, high in bounds)
    bars = {
        "type": "data",
        "symmetric": False,
        "array": [(high if high is not None else y) - y for y, _, high in bounds],
        "arrayminus": [y - (low if low is not None else y) for y, low, _ in bounds],
        "thickness": 1.2,
        "width": 3,
    }
    return go.Scatter(
        x=list(curve.x),
        y=list(curve.y),
        mode="lines+markers",
        name=plain(curve.name),
        line={"color": curve.colour, "width": 2.5, "dash": DASHES[number % len(DASHES)]},
        marker={"size": 6},
        error_y=bars if spread else None,
        hovertemplate="%{y:.1f}<extra>%{fullData.name}</extra>",
    )
