"""How far models agree: a matrix of numbers from -1 to 1, every pair once in words and once in colour."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from playground.figures.scales import SIGNED, stops
from playground.figures.theme import figure, ink, plain

ROW = 44
ABOVE = 60
LONGEST_NAME = 16


def agreement(names: Sequence[str], values: np.ndarray, title: str, alt: str) -> go.Figure:
    """Draw values [N, N], -1 to 1 and NaN where nothing can be said, as cells with their number.

    A click gives the cell as [row, col].
    """
    shown = [plain(name) for name in _short(names)]
    said = [
        [f"{plain(one)} and {plain(two)}: {_number(values[row, col])}" for col, two in enumerate(names)]
        for row, one in enumerate(names)
    ]
    heat = go.Heatmap(
        z=[[float(value) if np.isfinite(value) else None for value in row] for row in values],
        colorscale=stops(SIGNED),
        zmin=-1,
        zmax=1,
        showscale=False,
        xgap=3,
        ygap=3,
        text=said,
        hovertemplate="%{text}<extra></extra>",
    )
    notes = [
        {"x": col, "y": row, "text": _number(values[row, col]), "showarrow": False, "captureevents": False}
        | {"font": {"size": 14, "color": _ink(values[row, col])}}
        for row in range(len(names))
        for col in range(len(names))
    ]
    axis = {"tickvals": list(range(len(names))), "fixedrange": True, "showgrid": False, "zeroline": False}
    numbers = [str(place) for place in range(1, len(names) + 1)]  # above the columns, where names would overlap
    numbered = [f"{place}  {name}" for place, name in zip(numbers, shown, strict=True)]
    layout = {
        "annotations": notes,
        "xaxis": {
            **axis,
            "ticktext": numbers,
            "side": "top",
            "title": {"text": plain(title), "font": {"size": 13}},
            "tickangle": 0,
            "automargin": True,
            "tickfont": {"size": 12},
        },
        "yaxis": {**axis, "ticktext": numbered, "autorange": "reversed", "automargin": True, "tickfont": {"size": 12}},
        "margin": {"l": 8, "r": 0, "t": ABOVE, "b": 0},
    }
    return figure([heat], layout, alt, ABOVE + ROW * len(names))


def _short(names: Sequence[str]) -> list[str]:
    """Return names that fit beside the rows: up to the first comma where that tells them apart, else cut."""
    heads = [name.split(",")[0] for name in names]
    told = heads if len(set(heads)) == len(heads) else names
    return [name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 1] + "…" for name in told]


def _number(value: float) -> str:
    return f"{value:z.2f}" if np.isfinite(value) else "–"


def _ink(value: float) -> str:
    """Return the text colour for the cell's own colour; grey where there is none."""
    if not np.isfinite(value):
        return "#8A94A6"
    place = round((float(np.clip(value, -1, 1)) + 1) / 2 * (len(SIGNED) - 1))
    return ink(SIGNED[place])
