"""Insertion and deletion curves beside their baselines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.theme import PALETTE, QUIET, clear, figure, plain

COLUMNS = 2  # of charts: four abreast would be too narrow on a phone
HIGH = 220  # CSS pixels of a row of charts
MARGIN = 68  # above and below all rows, the legend in it
GAP, BETWEEN = 0.12, 0.16  # shares of the width and of the height


@dataclass(frozen=True, eq=False)
class Line:
    """One curve: `kind` is "map", "random" or "centre"."""

    name: str
    kind: str
    shares: np.ndarray
    scores: np.ndarray


LOOKS: dict[str, dict[str, Any]] = {
    "map": {"color": PALETTE[0], "width": 3},
    "random": {"color": QUIET, "width": 2, "dash": "dash"},
    "centre": {"color": PALETTE[1], "width": 2, "dash": "dot"},
}


def curves(charts: Sequence[tuple[str, Sequence[Line]]], alt: str) -> go.Figure:
    """Draw the (title, lines) in two columns: share of the picture changed against p(class), on one scale."""
    columns = min(COLUMNS, len(charts))
    rows = -(-len(charts) // columns)
    wide, high = (1 - GAP * (columns - 1)) / columns, (1 - BETWEEN * (rows - 1)) / rows
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    most = max(float(line.scores.max()) for _, lines in charts for line in lines)
    traces: list[Any] = []
    notes: list[Any] = []
    layout: dict[str, Any] = {}
    for i, (title, lines) in enumerate(charts):
        end = "" if i == 0 else str(i + 1)
        left, top = i % columns * (wide + GAP), 1 - i // columns * (high + BETWEEN)
        traces += [
            go.Scatter(
                x=line.shares,
                y=line.scores.astype(np.float32),
                mode="lines",
                line=LOOKS[line.kind],
                name=plain(line.name),
                showlegend=i == 0,
                xaxis=f"x{end}",
                yaxis=f"y{end}",
                hovertemplate="%{y:.3f}<extra>%{fullData.name}</extra>",
            )
            for line in lines
        ]
        domain = [left, left + wide]
        shares = {"range": [0, 1], "tickformat": ".0%", "tickvals": [0.5, 1]}  # the other axis says the 0
        layout[f"xaxis{end}"] = {**grid, **shares, "domain": domain, "anchor": f"y{end}"}
        down = [top - high, top - 0.1 * high]  # the title stands above
        layout[f"yaxis{end}"] = {**grid, "range": [0, most * 1.05 or 1], "anchor": f"x{end}", "domain": down}
        notes.append(
            {"text": plain(title), "x": left, "xref": "paper", "xanchor": "left", "y": top, "yref": "paper",
             "yanchor": "top", "showarrow": False, "font": {"size": 14}}
        )  # fmt: skip
    layout |= {
        "annotations": notes,
        "margin": {"l": 40, "r": 24, "t": 4, "b": MARGIN - 4},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": -32 / (rows * HIGH), "yanchor": "top"},
        "hovermode": "closest",
    }
    return figure(traces, layout, alt, rows * HIGH + MARGIN)
