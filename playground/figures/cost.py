"""How cost grows with the picture: measured points on logarithmic axes, a line of theory's slope through them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from playground.figures.theme import PALETTE, QUIET, clear, figure, plain

HEIGHT = 620
GAP = 0.13
LEFT = 52


@dataclass(frozen=True)
class Growth:
    """One way's measurements: `slope` is theory's exponent, `sides` and `values` what was measured."""

    name: str
    slope: float
    sides: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Panel:
    """One panel of the figure: its title, its unit, and the ways in it, in the same order in every panel."""

    title: str
    unit: str
    ways: Sequence[Growth]


def cost(panels: Sequence[Panel], axis: str, alt: str, marked: float | None = None) -> go.Figure:
    """Draw the panels below each other on one logarithmic axis of sides; `marked` is the side in question."""
    high = (1 - GAP * (len(panels) - 1)) / len(panels)
    grid = {"type": "log", "gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True, "dtick": 1}
    reached = [side for panel in panels for way in panel.ways for side in way.sides] + ([marked] if marked else [])
    ends = [math.log10(min(reached) / 1.25), math.log10(max(reached) * 1.25)]
    ticks = [2**n for n in range(1, 14) if min(reached) / 1.5 <= 2**n <= max(reached) * 1.5]
    traces: list[Any] = []
    notes: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"shapes": []}
    for i, panel in enumerate(panels):
        end = "" if i == 0 else str(i + 1)
        top = 1 - i * (high + GAP)
        for place, way in enumerate(panel.ways):
            traces += _drawn(way, PALETTE[place % len(PALETTE)], f"x{end}", f"y{end}", panel.unit, i == 0)
        layout[f"xaxis{end}"] = {
            **grid, "anchor": f"y{end}", "range": ends, "tickvals": ticks, "ticktext": [str(tick) for tick in ticks],
            "title": {"text": plain(axis) if i == len(panels) - 1 else "", "font": {"size": 13}},
        }  # fmt: skip
        layout[f"yaxis{end}"] = {
            **grid,
            "anchor": f"x{end}",
            "domain": [top - high, top - 0.05],
            "exponentformat": "SI",
        }
        notes.append(
            {"text": plain(panel.title), "x": 0, "xref": "paper", "xanchor": "left", "xshift": -LEFT, "y": top,
             "yref": "paper", "yanchor": "top", "showarrow": False, "font": {"size": 14}}
        )  # fmt: skip
        if marked:
            layout["shapes"].append(
                {"type": "line", "xref": f"x{end}", "yref": f"y{end} domain", "x0": marked, "x1": marked, "y0": 0,
                 "y1": 1, "line": {"color": QUIET, "width": 1.5, "dash": "dash"}}
            )  # fmt: skip
    layout |= {
        "annotations": notes,
        "margin": {"l": LEFT, "r": 8, "t": 4, "b": 110},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": -0.1, "yanchor": "top", "font": {"size": 13}},
        "hovermode": "closest",
    }
    return figure(traces, layout, alt, HEIGHT)


def _drawn(way: Growth, colour: str, x: str, y: str, unit: str, first: bool) -> list[go.Scatter]:
    """Return the measured points, and the line of theory's slope through their middle in logarithms."""
    if not way.sides:
        return []
    spare = len(way.values) // 2
    ends = (min(way.sides), max(way.sides))
    line = [way.values[spare] * (end / way.sides[spare]) ** way.slope for end in ends]
    common = {"xaxis": x, "yaxis": y, "name": plain(way.name), "legendgroup": way.name}
    return [
        go.Scatter(x=ends, y=line, mode="lines", line={"color": clear(colour, 0.55), "width": 2, "dash": "dot"},
                   hoverinfo="skip", showlegend=False, **common),
        go.Scatter(x=list(way.sides), y=list(way.values), mode="markers", marker={"color": colour, "size": 9},
                   showlegend=first, hovertemplate=f"%{{x}}: %{{y:.3s}}{plain(unit)}<extra>%{{fullData.name}}</extra>",
                   **common),
    ]  # fmt: skip
