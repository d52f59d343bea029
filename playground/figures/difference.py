"""What two detectors find on the same picture: only the one, only the other, and what they agree on left clear."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from playground.figures.boxes import HEIGHT
from playground.figures.picture import ground
from playground.figures.theme import PALETTE, QUIET, clear, figure, ink, percent, plain
from playground.trace import Box

Side = Literal["first", "second", "both"]
COLOURS: dict[Side, str] = {"first": PALETTE[1], "second": PALETTE[0], "both": QUIET}
NAMED = 16


@dataclass(frozen=True)
class Found:
    """One box and who found it."""

    box: Box
    side: Side


def difference(found: Sequence[Found], names: tuple[str, str], picture: str, size: tuple[int, int]) -> go.Figure:
    """Draw the boxes on the encoded `picture` of an upload of (width, height) `size`, coloured by who found them."""
    ordered = sorted(found, key=lambda one: one.side != "both")  # what tells them apart lies on top
    traces = [_outline(one, names) for one in ordered] or [go.Scatter(x=[None], y=[None], hoverinfo="skip")]
    apart = sorted((one for one in found if one.side != "both"), key=lambda one: -one.box.score)[:NAMED]
    layout = {**ground([picture], size), "annotations": [_name(one, size) for one in reversed(apart)]}
    counts = [sum(one.side == side for one in found) for side in ("first", "second", "both")]
    alt = f"Only {names[0]}: {counts[0]} boxes, only {names[1]}: {counts[1]}, both: {counts[2]}."
    return figure(traces, layout, alt, HEIGHT, aspect=size[0] / size[1])


def _outline(found: Found, names: tuple[str, str]) -> go.Scatter:
    left, top, right, bottom = (round(edge, 1) for edge in found.box.box_xyxy)
    colour = COLOURS[found.side]
    who = {"first": f"only {names[0]}", "second": f"only {names[1]}", "both": "both"}[found.side]
    return go.Scatter(
        x=[left, right, right, left, left],
        y=[top, top, bottom, bottom, top],
        mode="lines",
        line={"color": colour, "width": 1.5 if found.side == "both" else 3, "dash": _dash(found.side)},
        fill="toself",
        fillcolor=clear(colour, 0 if found.side == "both" else 0.12),
        hoveron="fills",
        hoverinfo="text",
        text=f"{plain(found.box.label)} {percent(found.box.score)}, {plain(who)}",
        hoverlabel={"bgcolor": colour, "font": {"color": ink(colour)}},
    )


def _dash(side: Side) -> str:
    return {"first": "solid", "second": "dash", "both": "solid"}[side]  # told apart without colour too


def _name(found: Found, size: tuple[int, int]) -> dict[str, object]:
    left, top, right, _ = found.box.box_xyxy
    far = left > 0.75 * size[0]
    colour = COLOURS[found.side]
    return {
        "x": right if far else left,
        "y": top,
        "xanchor": "right" if far else "left",
        "yanchor": "top",
        "text": f"{plain(found.box.label)} {percent(found.box.score)}",
        "showarrow": False,
        "bgcolor": colour,
        "borderpad": 2,
        "font": {"size": 12, "color": ink(colour)},
        "captureevents": False,
    }
