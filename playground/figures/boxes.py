"""Found objects as boxes on the picture."""

from collections.abc import Sequence

import plotly.graph_objects as go

from playground.figures.picture import ground
from playground.figures.theme import clear, colours, figure, ink, percent, plain
from playground.trace import Box

HEIGHT = 460
NAMED = 24


def boxes(found: Sequence[Box], picture: str, size: tuple[int, int], all_labels: Sequence[str] = ()) -> go.Figure:
    """Draw each box with its label on the encoded `picture` of an upload of (width, height) `size`.

    The best 24 boxes carry their label on the picture, every box shows label and score when pointed at.
    all_labels: labels in a fixed order, so that colours stay when a threshold hides boxes.
    """
    palette = colours([*all_labels, *[box.label for box in found]])
    by_area = sorted(found, key=lambda box: _area(box), reverse=True)  # small boxes last, so they can be pointed at
    traces = [_outline(box, palette[box.label]) for box in by_area]
    best = sorted(found, key=lambda box: box.score, reverse=True)[:NAMED]
    names = [_name(box, palette[box.label], size) for box in reversed(best)]  # the best on top
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
        text=f"{plain(box.label)} {percent(box.score)}",
        hoverlabel={"bgcolor": colour, "font": {"color": ink(colour)}},
        name=plain(box.label),
    )


def _name(box: Box, colour: str, size: tuple[int, int]) -> dict[str, object]:
    left, top, right, _ = box.box_xyxy
    far = left > 0.75 * size[0]  # close to the right edge the label grows to the left
    return {
        "x": right if far else left,
        "y": top,
        "xanchor": "right" if far else "left",
        "yanchor": "top",
        "text": f"{plain(box.label)} {percent(box.score)}",
        "showarrow": False,
        "bgcolor": colour,
        "borderpad": 2,
        "font": {"size": 12, "color": ink(colour)},
        "captureevents": False,
    }
