"""Accuracy against what it costs, one panel for each data set, with the front of models that no other one beats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from playground.figures.theme import QUIET, clear, colours, figure, plain

PANEL, TOP, BELOW, FOOT = 310, 30, 54, 60  # CSS pixels: a panel, its title, its axis, the legend
LEFT = 56  # where the marks of the upward axis stand
MOST_NAMED = 12
EDGE = 0.5  # of an axis: left of it there is no room for a name beside its point
BELOW_IT = "bottom center"
NEAR = (0.3, 0.12)  # of the axes: the names of nearer points would lie on each other


@dataclass(frozen=True)
class Model:
    """One model: cost `x`, accuracy `y`, its family, and whether both were measured here rather than published."""

    name: str
    family: str
    x: float
    y: float
    measured: bool


@dataclass(frozen=True)
class Panel:
    """One data set: its title, what `y` is, and the models judged on it."""

    title: str
    axis: str
    models: Sequence[Model]


def front(models: Sequence[Model]) -> list[Model]:
    """Return the models than which none is both cheaper and better, cheapest first (Pareto front)."""
    found: list[Model] = []
    for model in sorted(models, key=lambda m: (m.x, -m.y)):
        if not found or model.y > found[-1].y:
            found.append(model)
    return found


def pareto(panels: Sequence[Panel], axis: str, kinds: tuple[str, str], alt: str) -> go.Figure:
    """Draw the panels below each other, each with its own scales: different data sets are never on one axis.

    axis: what x counts. kinds: the words for measured here (dots) and published (open diamonds).
    """
    families = [model.family for panel in panels for model in panel.models]
    palette = colours(families)
    room = len(panels) * PANEL
    grid = {"gridcolor": clear(QUIET, 0.25), "zeroline": False, "fixedrange": True}
    traces: list[Any] = [_key(name, colour, "circle") for name, colour in palette.items()]
    there = {model.measured for panel in panels for model in panel.models}
    traces += [
        _key(kinds[i], QUIET, symbol) for i, symbol in enumerate(("circle", "diamond-open")) if (i == 0) in there
    ]
    notes: list[dict[str, Any]] = []
    layout: dict[str, Any] = {}
    for i, panel in enumerate(panels):
        end = "" if i == 0 else str(i + 1)
        high = 1 - i / len(panels)
        low = 1 - (i + 1) / len(panels)
        best = front(panel.models)
        named = {model.name for model in (best if len(panel.models) > MOST_NAMED else panel.models)}
        traces.append(
            go.Scatter(x=[m.x for m in best], y=[m.y for m in best], mode="lines", hoverinfo="skip", showlegend=False,
                       line={"color": clear(QUIET, 0.8), "width": 1.5, "shape": "hv"}, xaxis=f"x{end}", yaxis=f"y{end}")
        )  # fmt: skip
        traces.append(_models(panel.models, palette, named, best, end))
        layout[f"xaxis{end}"] = {**grid, **_scale([m.x for m in panel.models]), "anchor": f"y{end}",
                                 "title": {"text": plain(axis), "font": {"size": 13}}}  # fmt: skip
        worst, most = min(m.y for m in panel.models), max(m.y for m in panel.models)
        room_y = max(0.12 * (most - worst), 0.5)  # for the names above and below the points
        layout[f"yaxis{end}"] = {
            **grid, "anchor": f"x{end}", "title": {"text": plain(panel.axis), "font": {"size": 13}},
            "domain": [low + BELOW / room, high - TOP / room], "range": [worst - 1.6 * room_y, most + 1.6 * room_y],
        }  # fmt: skip
        notes.append(
            {"text": f"<b>{plain(panel.title)}</b>", "x": 0, "xref": "paper", "xanchor": "left", "xshift": -LEFT,
             "y": high, "yref": "paper", "yanchor": "top", "showarrow": False, "font": {"size": 13}}
        )  # fmt: skip
    layout |= {
        "annotations": notes,
        "margin": {"l": LEFT, "r": 14, "t": 4, "b": FOOT},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "hovermode": "closest",
    }
    return figure(traces, layout, alt, room + FOOT)


def _models(
    models: Sequence[Model], palette: dict[str, str], named: set[str], best: Sequence[Model], end: str
) -> go.Scatter:
    """Draw the points and the names of some: in a crowd only of those that have room above."""
    sided = list(zip(models, _sides(models, named, best), strict=True))
    crowded = len(models) > MOST_NAMED
    return go.Scatter(
        x=[m.x for m in models],
        y=[m.y for m in models],
        mode="markers+text",
        text=[plain(m.name) if m.name in named and (side != BELOW_IT or not crowded) else "" for m, side in sided],
        textposition=[side for _, side in sided],
        textfont={"size": 11},
        cliponaxis=False,
        marker={
            "symbol": ["circle" if m.measured else "diamond-open" for m in models],
            "color": [palette[m.family] for m in models],
            "size": 11,
            "line": {"width": 2},
        },
        hovertext=[f"{plain(m.name)}<br>{m.y:g} % at {_si(m.x)}" for m in models],
        hoverinfo="text",
        showlegend=False,
        xaxis=f"x{end}",
        yaxis=f"y{end}",
    )


def _sides(models: Sequence[Model], named: set[str], best: Sequence[Model]) -> list[str]:
    """Return where each name stands: that of the best above, to the left where there is room, for no point is there.

    Below where another name is near, which the best of the two has above; all others stand below.
    """
    low, high = _ends([m.x for m in models])
    worst, most = min(m.y for m in models), max(m.y for m in models)
    places = {m: (math.log(m.x / low) / math.log(high / low), (m.y - worst) / max(most - worst, 1.0)) for m in models}
    above: list[Model] = []
    for one in sorted((m for m in best if m.name in named), key=lambda m: -m.y):
        away = ([abs(a - b) for a, b in zip(places[one], places[other], strict=True)] for other in above)
        if all(across > NEAR[0] or up > NEAR[1] for across, up in away):
            above.append(one)
    left = {m: "left" if places[m][0] > EDGE else "center" for m in models}
    return [f"top {left[m]}" if m in above else BELOW_IT for m in models]


def _scale(values: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis with a few round marks and room at both ends."""
    low, high = _ends(values)
    ticks = [
        digit * 10.0**power for power in range(-6, 16) for digit in (1, 2, 5) if low <= digit * 10.0**power <= high
    ]
    if len(ticks) > 7:
        ticks = [tick for tick in ticks if f"{tick:e}".startswith("1.0")]
    return {"type": "log", "tickvals": ticks, "ticktext": [_si(tick) for tick in ticks],
            "range": [math.log10(low), math.log10(high)]}  # fmt: skip


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values) / 1.8, max(values) * 1.8


def _si(value: float) -> str:
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _key(name: str, colour: str, symbol: str) -> go.Scatter:
    """Return an entry of the legend without a point."""
    return go.Scatter(x=[None], y=[None], mode="markers", name=plain(name), hoverinfo="skip",
                      marker={"color": colour, "symbol": symbol, "size": 10, "line": {"width": 2}})  # fmt: skip
