"""Accuracy against what it costs, one panel for each data set, with the front of models that no other one beats."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from playground.figures.theme import QUIET, clear, colours, figure, plain, wrapped

PANEL, TOP, BELOW, FOOT = 310, 14, 54, 60  # CSS pixels: a panel, above its plot, its axis, the legend
LEFT, RIGHT = 56, 14  # beside the plot
TITLE = 17  # a line of a title
NARROW = 288  # the plot on a phone: names that have room there have room anywhere
DOT, LETTER, LINE = 8, 6.2, 14  # half a point, and a name's letters and height
ABOVE = ("top left", "top center", "top right")
UNDER = ("bottom center", "bottom left", "bottom right")
MOST_NAMED = 12
MOST_TICKS = 5

XYXY = tuple[float, float, float, float]


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
    titles = [wrapped(panel.title) for panel in panels]
    top = TOP + TITLE * max(title.count("<br>") + 1 for title in titles)
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
        sides = _sides(panel.models, named, best, PANEL - top - BELOW)
        traces.append(_models(panel.models, palette, sides, end))
        layout[f"xaxis{end}"] = {**grid, **_scale([m.x for m in panel.models]), "anchor": f"y{end}",
                                 "title": {"text": plain(axis), "font": {"size": 13}, "standoff": 4}}  # fmt: skip
        layout[f"yaxis{end}"] = {
            **grid, "anchor": f"x{end}", "title": {"text": plain(panel.axis), "font": {"size": 13}},
            "domain": [low + BELOW / room, high - top / room], "range": _heights([m.y for m in panel.models]),
        }  # fmt: skip
        notes.append(
            {"text": f"<b>{titles[i]}</b>", "x": 0, "xref": "paper", "xanchor": "left", "xshift": -LEFT, "y": high,
             "yref": "paper", "yanchor": "top", "showarrow": False, "align": "left", "font": {"size": 13}}
        )  # fmt: skip
    layout |= {
        "annotations": notes,
        "margin": {"l": LEFT, "r": RIGHT, "t": 4, "b": FOOT},
        "showlegend": True,
        "legend": {"orientation": "h", "x": 0, "y": 0, "yref": "container", "yanchor": "bottom"},
        "hovermode": "closest",
    }
    return figure(traces, layout, alt, room + FOOT)


def _models(models: Sequence[Model], palette: dict[str, str], sides: Sequence[str], end: str) -> go.Scatter:
    """Draw the points, and the names that have a side to stand on."""
    return go.Scatter(
        x=[m.x for m in models],
        y=[m.y for m in models],
        mode="markers+text",
        text=[plain(m.name) if side else "" for m, side in zip(models, sides, strict=True)],
        textposition=[side or ABOVE[0] for side in sides],
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


def _sides(models: Sequence[Model], named: set[str], best: Sequence[Model], height: float) -> list[str]:
    """Return the side of its point on which each name lies on no point and no other name; "" for none.

    The best choose first and like to stand above and to the left, where no point can be; the others below.
    """
    left, right = _ends([m.x for m in models])
    low, high = _heights([m.y for m in models])
    across = [NARROW * math.log(m.x / left) / math.log(right / left) for m in models]
    down = [height * (high - m.y) / (high - low) for m in models]
    taken = [(x - DOT, y - DOT, x + DOT, y + DOT) for x, y in zip(across, down, strict=True)]
    sides = [""] * len(models)
    for i in sorted(range(len(models)), key=lambda i: (models[i] not in best, -models[i].y)):
        for side in (*ABOVE, *UNDER) if models[i] in best else (*UNDER, *ABOVE):
            box = _box(side, across[i], down[i], LETTER * len(models[i].name))
            inside = box[0] >= 0 and box[2] <= NARROW + RIGHT
            if models[i].name in named and inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                sides[i] = side
                break
    return sides


def _box(side: str, x: float, y: float, width: float) -> XYXY:
    upward, sideward = side.split()
    left = {"left": x - DOT - width, "center": x - width / 2, "right": x + DOT}[sideward]
    top = y - DOT - LINE if upward == "top" else y + DOT
    return left, top, left + width, top + LINE


def _meet(one: XYXY, two: XYXY) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]


def _heights(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the upward axis, with room for names above and below the points."""
    room = 1.6 * max(0.12 * (max(values) - min(values)), 0.5)
    return min(values) - room, max(values) + room


def _scale(values: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis with a few round marks and room at both ends."""
    low, high = _ends(values)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [d * 10.0**power for power in range(-6, 16) for d in digits if low <= d * 10.0**power <= high]
        if len(ticks) <= MOST_TICKS:
            break
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
