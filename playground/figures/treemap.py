"""Where the parameters or the multiply-adds are: areas within areas, from the whole model down to its layers."""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from playground.figures.stages import COLOURS
from playground.figures.theme import clear, figure, plain

HEIGHT = 460
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
            "colors": [clear(COLOURS[area.group], 0.28 + 0.18 * min(depth[area.id], 3)) for area in shown],
            "line": {"width": 1, "color": clear("#FFFFFF", 0.55)},
            "cornerradius": 3,
        },
        texttemplate="%{label}<br>%{percentRoot:.1%}",
        hovertemplate=f"%{{label}}<br>%{{value:,}} {plain(unit)}<br>%{{percentRoot:.1%}}<extra></extra>",
        pathbar={"visible": True, "thickness": 22},
        maxdepth=3,
        tiling={"pad": 2},
        root={"color": "rgba(0,0,0,0)"},
    )
    return figure([drawn], {"margin": {"l": 0, "r": 0, "t": 24, "b": 0}}, alt, HEIGHT)
