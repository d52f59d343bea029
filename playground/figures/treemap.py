"""Where the parameters or the multiply-adds are: areas within areas, from the whole model down to its layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from playground.figures.stages import COLOURS
from playground.figures.theme import figure, plain, rgb

HEIGHT = 460
INK = "#11151C"
TINTS = (0.16, 0.26, 0.38, 0.5)  # of the group's colour, from the whole inwards: dark text reads on all of them
MOST = 1200  # areas that one figure draws


@dataclass(frozen=True)
class Area:
    """One area: `id` and the `parent` it lies in ("" for the whole), its name, its value and its colour group."""

    id: str
    parent: str
    name: str
    value: int
    group: str


def treemap(areas: Sequence[Area], unit: str, alt: str) -> go.Figure:
    """Draw the areas in proportion to their values; a click on one goes into it. unit: what the values count."""
    shown = [area for area in areas if area.value][:MOST]
    depth: dict[str, int] = {}
    for area in shown:
        depth[area.id] = depth.get(area.parent, -1) + 1
    drawn = go.Treemap(
        ids=[area.id for area in shown],
        parents=[area.parent for area in shown],
        labels=[plain(area.name) for area in shown],
        values=[area.value for area in shown],
        branchvalues="total",
        marker={
            "colors": [_tint(COLOURS[area.group], TINTS[min(depth[area.id], len(TINTS) - 1)]) for area in shown],
            "line": {"width": 1, "color": "#FFFFFF"},
            "cornerradius": 3,
        },
        texttemplate="%{label}<br>%{percentRoot:.1%}",
        hovertemplate=f"%{{label}}<br>%{{value:,}} {plain(unit)}<br>%{{percentRoot:.1%}}<extra></extra>",
        textfont={"color": INK},
        pathbar={"visible": True, "thickness": 22},
        maxdepth=3,
        tiling={"pad": 2},
        root={"color": "rgba(0,0,0,0)"},
    )
    return figure([drawn], {"margin": {"l": 0, "r": 0, "t": 24, "b": 0}}, alt, HEIGHT)


def _tint(colour: str, share: float) -> str:
    """Return the colour mixed with white; `share` is what is left of it."""
    parts = (round(255 + share * (part - 255)) for part in rgb(colour))
    return "#" + "".join(f"{part:02X}" for part in parts)
