"""The best classes as horizontal bars."""

from collections.abc import Sequence

import plotly.graph_objects as go

from playground.figures.theme import ACCENT, QUIET, clear, figure, percent, plain
from playground.trace import ClassScore

ROW = 46


def bars(classes: Sequence[ClassScore], unsure: bool = False) -> go.Figure:
    """Draw one bar a class, best first, label and percentage above it, on a common scale of 0 to 100 %.

    Bars are grey when the model is not sure.
    """
    colour = QUIET if unsure else ACCENT
    rows = list(range(len(classes)))
    bar = go.Bar(
        x=[entry.score for entry in classes],
        y=rows,
        base=0,
        orientation="h",
        width=0.26,
        offset=0.1,
        marker={"color": [colour, *[clear(colour, 0.62)] * (len(rows) - 1)][: len(rows)], "cornerradius": 4},
        hovertext=[f"{plain(entry.label)}: {percent(entry.score)}" for entry in classes],
        hoverinfo="text",
    )
    track = go.Bar(
        x=[1.0] * len(rows),
        y=rows,
        orientation="h",
        width=0.26,
        offset=0.1,
        marker={"color": clear(QUIET, 0.16), "cornerradius": 4},
        hoverinfo="skip",
    )
    notes = []
    for row, entry in zip(rows, classes, strict=True):
        text = {
            "y": row,
            "yref": "y",
            "xref": "x",
            "showarrow": False,
            "borderpad": 0,
            "yanchor": "bottom",
            "yshift": -3,
        }
        weight = {"size": 15, "weight": 600 if row == 0 else 400}
        notes.append({**text, "x": 0, "xanchor": "left", "text": plain(entry.label), "font": weight})
        notes.append({**text, "x": 1, "xanchor": "right", "text": percent(entry.score), "font": weight})
    layout = {
        "barmode": "overlay",
        "annotations": notes,
        "xaxis": {"visible": False, "range": [0, 1], "fixedrange": True},
        "yaxis": {"visible": False, "range": [len(rows) - 0.5, -0.5], "fixedrange": True},
    }
    alt = "Best guesses: " + ", ".join(f"{entry.label} {percent(entry.score)}" for entry in classes)
    return figure([track, bar], layout, alt, height=ROW * max(len(rows), 1))
