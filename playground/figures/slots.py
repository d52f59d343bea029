"""Where a detector's object queries answer and look on one picture: a dot for each box, a line to its attention."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from playground.figures.overlay import HEIGHT, MARK
from playground.figures.picture import ground
from playground.figures.theme import PALETTE, figure, plain

COLOURS = {"small": PALETTE[2], "wide": PALETTE[1], "tall": PALETTE[0]}
LEAST, MOST = 7, 20  # diameters in CSS pixels


@dataclass(frozen=True)
class Spot:
    """One query: the middle of its box and of what it looks at, (x, y) in pixels of the upload.

    `shape` is a key of COLOURS, `score` 0..1 that of its answer, `name` what is said when it is pointed at.
    """

    name: str
    box_xy: tuple[float, float]
    looks_xy: tuple[float, float]
    shape: str
    score: float
    chosen: bool = False


def slots(spots: Sequence[Spot], picture: str, size: tuple[int, int], alt: str) -> go.Figure:
    """Draw every query on the encoded `picture` of an upload of (width, height) `size`; a click gives its place.

    Colours are those of figure 7 of Carion et al. 2020 in tones that colour-blind readers tell apart; the surer a
    query, the larger and the less clear its dot.
    """
    lines_x: list[float | None] = []
    lines_y: list[float | None] = []
    for spot in spots:
        lines_x += [spot.looks_xy[0], spot.box_xy[0], None]
        lines_y += [spot.looks_xy[1], spot.box_xy[1], None]
    ways = go.Scatter(
        x=lines_x, y=lines_y, mode="lines", line={"color": "rgba(255,255,255,0.7)", "width": 1.5}, hoverinfo="skip"
    )
    dots = go.Scatter(
        x=[round(spot.box_xy[0], 1) for spot in spots],
        y=[round(spot.box_xy[1], 1) for spot in spots],
        mode="markers",
        marker={
            "color": [COLOURS[spot.shape] for spot in spots],
            "size": [LEAST + (MOST - LEAST) * spot.score for spot in spots],
            "opacity": [0.55 + 0.45 * spot.score for spot in spots],
            "line": {
                "color": [MARK if spot.chosen else "#FFFFFF" for spot in spots],
                "width": [3 if spot.chosen else 1 for spot in spots],
            },
        },
        hovertext=[plain(spot.name) for spot in spots],
        hoverinfo="text",
    )
    layout = {**ground([picture], size), "hovermode": "closest"}
    return figure([ways, dots], layout, alt, HEIGHT, aspect=size[0] / size[1])
