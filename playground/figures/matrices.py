"""Square tables of likeness between layers, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.scales import RISING, stops
from playground.figures.theme import figure, plain

HEIGHT = 360
GAP = 0.1


@dataclass(frozen=True, eq=False)
class Table:
    """Likeness of every two things called `names`, [n, n], 1 for the same."""

    title: str
    names: tuple[str, ...]
    values: np.ndarray


def matrices(tables: Sequence[Table], alt: str) -> go.Figure:
    """Draw the tables on one scale from 0 to 1; pointing at a cell names its two layers."""
    wide = (1 - GAP * (len(tables) - 1)) / len(tables)
    traces: list[Any] = []
    notes: list[Any] = []
    layout: dict[str, Any] = {}
    for i, table in enumerate(tables):
        end = "" if i == 0 else str(i + 1)
        left = i * (wide + GAP)
        said = [
            [f"{plain(a)}, {plain(b)}: {table.values[p, q]:.2f}" for q, b in enumerate(table.names)]
            for p, a in enumerate(table.names)
        ]
        traces.append(
            go.Heatmap(
                z=np.clip(table.values, 0, 1).astype(np.float32),
                zmin=0,
                zmax=1,
                text=said,
                hoverinfo="text",
                colorscale=stops(RISING),
                showscale=i == len(tables) - 1,
                colorbar={"thickness": 10, "outlinewidth": 0, "len": 0.9},
                xaxis=f"x{end}",
                yaxis=f"y{end}",
            )
        )
        axis: dict[str, Any] = {"fixedrange": True, "showgrid": False, "zeroline": False, "ticks": ""}
        ticks = list(range(len(table.names)))
        named = {"tickvals": ticks, "ticktext": [str(t + 1) for t in ticks]}
        layout[f"xaxis{end}"] = {**axis, **named, "domain": [left, left + wide], "anchor": f"y{end}"}
        layout[f"yaxis{end}"] = {
            **axis,
            **named,
            "autorange": "reversed",
            "anchor": f"x{end}",
            "domain": [0, 1],
        }
        notes.append(
            {"text": plain(table.title), "x": left, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper",
             "yanchor": "bottom", "showarrow": False, "font": {"size": 14}}
        )  # fmt: skip
    layout |= {"annotations": notes, "margin": {"l": 28, "r": 60, "t": 28, "b": 24}, "hovermode": "closest"}
    made = figure(traces, layout, alt, HEIGHT)
    made.layout.meta = {"alt": alt, "aspect": 1 / (0.88 * wide), "below": 52}  # about square cells
    return made
