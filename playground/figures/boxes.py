"""Found objects as boxes on the picture."""

from collections.abc import Sequence
from typing import TypeAlias

import plotly.graph_objects as go

from playground.figures.picture import ground
from playground.figures.theme import clear, colours, figure, ink, percent, plain
from playground.trace import Box

HEIGHT = 460
NAMED = 24
USUAL = 560  # CSS pixels that a picture is wide, about
LETTER, LINE = 7, 20  # CSS pixels of a letter of a label and of its height

XYXY: TypeAlias = tuple[float, float, float, float]


def boxes(found: Sequence[Box], picture: str, size: tuple[int, int], all_labels: Sequence[str] = ()) -> go.Figure:
    """Draw each box with its label on the encoded `picture` of an upload of (width, height) `size`.

    The best 24 boxes carry their label on the picture where it does not cover a better one's; every box shows label
    and score when pointed at.
    all_labels: labels in a fixed order, so that colours stay when a threshold hides boxes.
    """
    palette = colours([*all_labels, *[box.label for box in found]])
    by_area = sorted(found, key=lambda box: _area(box), reverse=True)  # small boxes last, so they can be pointed at
    traces = [_outline(box, palette[box.label]) for box in by_area]
    best = sorted(found, key=lambda box: box.score, reverse=True)[:NAMED]
    names = [_name(box, palette[box.label], at) for box, at in _placed(best, size)]
    layout = {**ground([picture], size), "annotations": names}
    if not traces:  # an axis without a trace is not drawn
        traces = [go.Scatter(x=[None], y=[None], hoverinfo="skip")]
    said = ", ".join(f"{box.label} {percent(box.score)}" for box in best)
    alt = f"Picture with {len(found)} boxes: {said}" if found else "Picture without boxes"
    return figure(traces, layout, alt, HEIGHT, aspect=size[0] / size[1])


def _area(box: Box) -> float:
    left, top, right, bottom = box.box_xyxy
    return (right - left) * (bottom - top)


def _outline(box: Box, colour: str) -> go.Scatter:
    left, top, right, bottom = (round(edge, 1) for edge in box.box_xyxy)
    return go.Scatter(
        x=[left, right, right, left, left],
        y=[top, top, bottom, bottom, top],
        mode="lines",
        line={"color": colour, "width": 3},
        fill="toself",
        fillcolor=clear(colour, 0.06),
        hoveron="fills",
        hoverinfo="text",
        text=plain(_said(box)),
        hoverlabel={"bgcolor": colour, "font": {"color": ink(colour)}},
        name=plain(box.label),
    )


def _placed(best: Sequence[Box], size: tuple[int, int]) -> list[tuple[Box, XYXY]]:
    """Return where the labels stand, in pixels of the upload: at the first free corner, the best box first.

    A label without a free corner is left out. Sizes are those on a picture drawn as large as figures usually are.
    """
    scale = max(size[0] / USUAL, size[1] / HEIGHT)  # pixels of the upload to one on the screen
    taken: list[XYXY] = []
    found = []
    for box in best:
        wide, high = scale * (LETTER * len(_said(box)) + 6), scale * LINE
        left, top, right, bottom = box.box_xyxy
        corners = [(x, y) for x in (left, right - wide) for y in (top, top - high, bottom - high)]
        places = [(x, y, x + wide, y + high) for x, y in corners]
        inside = [at for at in places if min(at) >= 0 and at[2] <= size[0] and at[3] <= size[1]] or places[:1]
        free = next((at for at in inside if not any(_meet(at, other) for other in taken)), None)
        if free is not None:
            taken.append(free)
            found.append((box, free))
    return found


def _meet(one: XYXY, other: XYXY) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _said(box: Box) -> str:
    return f"{box.label} {percent(box.score)}"


def _name(box: Box, colour: str, at: XYXY) -> dict[str, object]:
    return {
        "x": at[0],
        "y": at[1],
        "xanchor": "left",
        "yanchor": "top",
        "text": plain(_said(box)),
        "showarrow": False,
        "bgcolor": colour,
        "borderpad": 2,
        "font": {"size": 12, "color": ink(colour)},
        "captureevents": False,
    }
