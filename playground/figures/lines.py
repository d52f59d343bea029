"""Plain line charts side by side, each on its own scale."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.theme import PALETTE, QUIET, clear, figure, plain

HEIGHT = 300
GAP = 0.12
STEPS = ((3.0, tuple(range(1, 10))), (10.0, (1, 2, 3, 5, 7)), (1000.0, (1, 2, 5)), (math.inf, (1,)))  # ticks a decade


@dataclass(frozen=True, eq=False)
class Curve:
    """One line: its values at `x`, NaN where there is none."""

    name: str
    x: Sequence[float]
    values: np.ndarray


@dataclass(frozen=True)
class Chart:
    """One chart: its title, what its axis below counts, and its lines."""

    title: str
    axis: str
    curves: Sequence[Curve]


def lines(charts: Sequence[Chart], alt: str, log: bool = False) -> go.Figure:
    """Draw the charts side by side; equal names have equal colours. log: values on a logarithmic scale."""
    wide = (1 - GAP * (len(charts) - 1)) / len(charts)
    names = list(dict.fromkeys(curve.name for chart in charts for curve in chart.curves))
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    traces: list[Any] = []
    notes: list[Any] = []
    layout: dict[str, Any] = {}
    named: set[str] = set()
    for i, chart in enumerate(charts):
        end, left = "" if i == 0 else str(i + 1), i * (wide + GAP)
        for curve in chart.curves:
            place = names.index(curve.name)
            look = {
                "color": PALETTE[place % len(PALETTE)],
                "width": 2.5,
                "dash": ("solid", "dot")[place >= len(PALETTE)],
            }
            traces.append(
                go.Scatter(
                    x=list(curve.x), y=curve.values.astype(np.float32), mode="lines+markers", line=look,
                    marker={"size": 5}, name=plain(curve.name), legendgroup=curve.name,
                    showlegend=len(names) > 1 and curve.name not in named, xaxis=f"x{end}", yaxis=f"y{end}",
                    hovertemplate="%{y:.3g}<extra>%{fullData.name}</extra>",
                )
            )  # fmt: skip
            named.add(curve.name)
        below = {"title": {"text": plain(chart.axis), "font": {"size": 13}}, "domain": [left, left + wide]}
        counted = [x for curve in chart.curves for x in curve.x] or [0]
        apart = max(1, round((max(counted) - min(counted)) / (8 if len(charts) == 1 else 4)))
        ticks = {"tick0": 0, "dtick": apart, "tickformat": "d", "tickangle": 0}
        layout[f"xaxis{end}"] = {**grid, **below, **ticks, "anchor": f"y{end}"}
        scale = {"type": "log", **_log_ticks([curve.values for curve in chart.curves])} if log else {}
        layout[f"yaxis{end}"] = {**grid, **scale, "anchor": f"x{end}", "domain": [0, 0.9]}
        notes.append(
            {"text": plain(chart.title), "x": left, "xref": "paper", "xanchor": "left", "y": 1, "yref": "paper",
             "yanchor": "top", "showarrow": False, "font": {"size": 14}}
        )  # fmt: skip
    layout |= {
        "annotations": notes,
        "margin": {"l": 44, "r": 8, "t": 4, "b": 84 if len(names) > 1 else 48},
        "showlegend": len(names) > 1,
        "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top"},
        "hovermode": "closest",
    }
    return figure(traces, layout, alt, HEIGHT)


def _log_ticks(values: Sequence[np.ndarray]) -> dict[str, list[Any]]:
    """Return round ticks between the least and the largest value, or these two, every one of them written in full."""
    whole = np.concatenate(values)
    found = whole[np.isfinite(whole) & (whole > 0)]
    if not found.size:
        return {}
    low, high = float(found.min()), float(found.max())
    steps = next(steps for ratio, steps in STEPS if high <= ratio * low)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [step * 10.0**decade for decade in decades for step in steps if low <= step * 10.0**decade <= high]
    ticks = ticks if len(ticks) > 1 else [low, high]
    return {"tickvals": ticks, "ticktext": [f"{tick:.3g}" if tick < 1000 else f"{tick:,.0f}" for tick in ticks]}
