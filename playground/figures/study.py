"""A study: measured points of several series, each with its spread."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from playground.figures.theme import PALETTE, QUIET, clear, figure, plain

HEIGHT = 380


@dataclass(frozen=True)
class Line:
    """One series by x: its values, and the ends of their bars where they are known."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    low: Sequence[float | None]
    high: Sequence[float | None]


def study(lines: Sequence[Line], x: str, y: str, alt: str) -> go.Figure:
    """Draw each series as points with a line through them and bars from `low` to `high`."""
    traces = []
    for place, line in enumerate(lines):
        colour = PALETTE[place % len(PALETTE)]
        up = [0.0 if top is None else top - value for top, value in zip(line.high, line.y, strict=True)]
        down = [0.0 if least is None else value - least for least, value in zip(line.low, line.y, strict=True)]
        traces.append(
            go.Scatter(
                x=list(line.x), y=list(line.y), mode="lines+markers", name=plain(line.name),
                line={"color": colour, "width": 2.5, "dash": ("solid", "dot")[place >= len(PALETTE)]},
                marker={"size": 8, "color": colour},
                error_y={"type": "data", "symmetric": False, "array": up, "arrayminus": down, "thickness": 1.5,
                         "width": 4, "color": clear(colour, 0.7), "visible": any(up) or any(down)},
                hovertemplate="%{x:.4g}: %{y:.4g}<extra>%{fullData.name}</extra>",
            )
        )  # fmt: skip
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    layout = {
        "xaxis": {**grid, "title": {"text": plain(x), "font": {"size": 13}}},
        "yaxis": {**grid, "title": {"text": plain(y), "font": {"size": 13}}},
        "margin": {"l": 56, "r": 12, "t": 8, "b": 96},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
        "hovermode": "closest",
    }
    return figure(traces, layout, alt, HEIGHT)
