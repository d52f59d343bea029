"""A model as a column of stages, picture at the top and answer at the bottom; every block is a mark to point at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from playground.figures.theme import PALETTE, QUIET, clear, figure, plain

ROW, GAP = 108, 14  # CSS pixels of a stage, and between two
FEWEST = 16  # places in a row of blocks
COLOURS = {
    "attention": PALETTE[0], "axial": PALETTE[2], "window": PALETTE[5], "convolution": PALETTE[4],
    "decoder": PALETTE[3], "head": PALETTE[1], "stem": QUIET, "pooling": QUIET, "other": QUIET,
}  # fmt: skip
CHOSEN = "#FF3D7F"
BARS = ("#AA4499", "#999933")  # parameters and multiply-adds: no block has these colours


@dataclass(frozen=True)
class Cell:
    """One block of a stage: its colour group, what is said when it is pointed at, and whether it is the chosen one."""

    group: str
    lines: tuple[str, ...]
    chosen: bool = False


@dataclass(frozen=True)
class Row:
    """One stage: a title, a line of facts, a line of costs, its blocks, and its two shares of the whole."""

    title: str
    group: str
    facts: str
    costs: str
    cells: tuple[Cell, ...]
    parameters: float
    macs: float


def stages(rows: Sequence[Row], names: tuple[str, str], alt: str) -> go.Figure:
    """Draw the stages; a click gives the block's place, counted over all rows, as `index`.

    names: what the two thin bars at the foot of a stage are, shares of the whole model: parameters, multiply-adds.
    """
    shapes: list[dict[str, Any]] = []
    notes: list[dict[str, Any]] = []
    x: list[float] = []
    y: list[float] = []
    said: list[str] = []
    sizes: list[float] = []
    colours: list[str] = []
    rims: list[str] = []
    for place, row in enumerate(rows):
        top = place * (ROW + GAP)
        colour = COLOURS[row.group]
        shapes += _frame(top, colour, row)
        if place:
            notes.append(_note("↓", 0.5, top - GAP / 2, "center", 13))
        notes.append(_note(f"<b>{plain(row.title)}</b>", 0.022, top + 15, "left", 14))
        notes.append(_note(plain(row.facts), 0.022, top + 34, "left", 12))
        notes.append(_note(plain(row.costs), 0.022, top + 51, "left", 12))
        among = max(FEWEST, len(row.cells))
        for i, cell in enumerate(row.cells):
            x.append(0.022 + (i + 0.4) / among * 0.963)
            y.append(top + 74)
            said.append("<br>".join(plain(line) for line in cell.lines))
            sizes.append(16 if among == FEWEST else max(6, 300 / among))
            colours.append(COLOURS[cell.group])
            rims.append(CHOSEN if cell.chosen else clear("#FFFFFF", 0.6))
    height = len(rows) * (ROW + GAP) - GAP
    blocks = go.Scatter(
        x=x, y=y, mode="markers", hovertext=said, hoverinfo="text",
        marker={"symbol": "square", "size": sizes, "color": colours,
                "line": {"color": rims, "width": [3 if rim == CHOSEN else 1 for rim in rims]}},
    )  # fmt: skip
    bars = [_bar(rows, which, name, BARS[which]) for which, name in enumerate(names)]
    layout = {
        "shapes": shapes,
        "annotations": notes,
        "xaxis": {"visible": False, "range": [0, 1], "fixedrange": True},
        "yaxis": {"visible": False, "range": [height, 0], "fixedrange": True},
        "hovermode": "closest",
        "hoverlabel": {"align": "left", "font": {"size": 13}, "namelength": -1},
    }
    return figure([blocks, *bars], layout, alt, height)


def _frame(top: float, colour: str, row: Row) -> list[dict[str, Any]]:
    flat = {"type": "rect", "xref": "x", "yref": "y", "line": {"width": 0}, "layer": "below"}
    return [
        {**flat, "x0": 0, "x1": 1, "y0": top, "y1": top + ROW, "fillcolor": clear(colour, 0.11)},
        {**flat, "x0": 0, "x1": 0.008, "y0": top, "y1": top + ROW, "fillcolor": colour},
    ]


def _bar(rows: Sequence[Row], which: int, name: str, colour: str) -> go.Bar:
    """Return a thin bar at the foot of every stage: its share of the whole."""
    shares = [(row.parameters, row.macs)[which] for row in rows]
    return go.Bar(
        x=[0.963 * share for share in shares],
        y=[place * (ROW + GAP) + 93 + 7 * which for place in range(len(rows))],
        base=[0.022] * len(rows),
        width=5,
        orientation="h",
        marker={"color": colour, "cornerradius": 2},
        hovertext=[f"{plain(name)}: {100 * share:.1f} %" for share in shares],
        hoverinfo="text",
    )


def _note(text: str, x: float, y: float, side: str, size: int) -> dict[str, Any]:
    return {
        "text": text, "x": x, "y": y, "xref": "x", "yref": "y", "xanchor": side, "yanchor": "middle",
        "showarrow": False, "borderpad": 0, "font": {"size": size}, "captureevents": False,
    }  # fmt: skip
