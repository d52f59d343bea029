"""Norms of tokens, level by level: the middle, where most lie, and the outliers as dots."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from playground.figures.overlay import MARK
from playground.figures.theme import ACCENT, QUIET, clear, figure, plain

HEIGHT = 320


@dataclass(frozen=True)
class Level:
    """One level: the least, the median and the greatest norm that is no outlier, the threshold, and the outliers."""

    name: str
    least: float
    median: float
    greatest: float
    threshold: float
    outliers: tuple[tuple[str, float], ...]


def norms(levels: Sequence[Level], words: tuple[str, str, str, str], alt: str) -> go.Figure:
    """Draw the levels from left to right; words: what median, threshold, outliers and the upward axis are called."""
    places = list(range(1, len(levels) + 1))
    band = clear(ACCENT, 0.16)
    flat = {"mode": "lines", "hoverinfo": "skip", "showlegend": False, "line": {"width": 0}}
    lines = [
        go.Scatter(x=places, y=[level.least for level in levels], **flat),
        go.Scatter(x=places, y=[level.greatest for level in levels], fill="tonexty", fillcolor=band, **flat),
    ]
    for name, values, look in (
        (words[0], [level.median for level in levels], {"color": ACCENT, "width": 3}),
        (words[1], [level.threshold for level in levels], {"color": QUIET, "width": 2, "dash": "dash"}),
    ):
        lines.append(
            go.Scatter(
                x=places,
                y=values,
                mode="lines+markers",
                marker={"size": 5, "color": look["color"]},
                line=look,
                name=name,
                hovertext=[f"{plain(level.name)}: {value:.3g}" for level, value in zip(levels, values, strict=True)],
                hoverinfo="text",
            )
        )
    found = [(place, said, norm) for place, level in zip(places, levels, strict=True) for said, norm in level.outliers]
    lines.append(
        go.Scatter(
            x=[place for place, _, _ in found] if found else [None],
            y=[norm for _, _, norm in found] if found else [None],
            mode="markers",
            marker={"color": MARK, "size": 9, "line": {"color": "#FFFFFF", "width": 1}},
            name=words[2],
            hovertext=[plain(said) for _, said, _ in found],
            hoverinfo="text",
        )
    )
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    layout = {
        "xaxis": {**grid, "tickvals": places, "ticktext": [str(place) for place in places]},
        "yaxis": {**grid, "rangemode": "tozero", "title": {"text": words[3], "font": {"size": 13}}},
        "margin": {"l": 60, "r": 8, "t": 8, "b": 64},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": -0.14, "yanchor": "top"},
        "hovermode": "closest",
    }
    return figure(lines, layout, alt, HEIGHT)
