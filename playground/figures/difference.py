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
NAMED = 16


@dataclass(frozen=True)
class Found:
    """One box and who found it."""

    box: Box
    side: Side


def difference(
    found: Sequence[Found],
    names: tuple[str, str],
    picture: str,
    size: tuple[int, int],
    colours: tuple[str, str] = (PALETTE[0], PALETTE[1]),
) -> go.Figure:
    """Draw the boxes on the encoded `picture` of an upload of (width, height) `size`, in the colour of who found them.

    What both found is grey.
    """
    by_side: dict[Side, str] = {"first": colours[0], "second": colours[1], "both": QUIET}
    ordered = sorted(found, key=lambda one: one.side != "both")  # what tells them apart lies on top
    nothing = [go.Scatter(x=[None], y=[None], hoverinfo="skip")]
    traces = [_outline(one, names, by_side[one.side]) for one in ordered] or nothing
    apart = sorted((one for one in found if one.side != "both"), key=lambda one: -one.box.score)[:NAMED]
    notes = [_name(one, size, by_side[one.side]) for one in reversed(apart)]
    layout = {**ground([picture], size), "annotations": notes}
    counts = [sum(one.side == side for one in found) for side in ("first", "second", "both")]
    alt = f"Only {names[0]}: {counts[0]} boxes, only {names[1]}: {counts[1]}, both: {counts[2]}."
    return figure(traces, layout, alt, HEIGHT, aspect=size[0] / size[1])


def _outline(found: Found, names: tuple[str, str], colour: str) -> go.Scatter:
    left, top, right, bottom = (round(edge, 1) for edge in found.box.box_xyxy)
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


def _name(found: Found, size: tuple[int, int], colour: str) -> dict[str, object]:
    left, top, right, _ = found.box.box_xyxy
    far = left > 0.75 * size[0]
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
