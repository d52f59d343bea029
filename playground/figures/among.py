"""Attention among tokens without a place: a table of who looks at whom, one layer at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from playground.figures.overlay import MARK
from playground.figures.player import CONTROLS, player, slider
from playground.figures.scales import RISING, stops
from playground.figures.theme import figure, plain

HEIGHT = 440
THOUSAND = 1000  # weights travel as whole thousandths


@dataclass(frozen=True, eq=False)
class Weights:
    """The attention of one layer, [n, n], rows that look and columns that are looked at; each row sums to 1."""

    name: str
    values: np.ndarray


def among(
    layers: Sequence[Weights], names: Sequence[str], active: int, chosen: int | None, said: str, axes: tuple[str, str]
) -> go.Figure:
    """Draw who looks at whom; a slider and a play button walk through the layers.

    names: of the n tokens. chosen: the row that is marked. said: the alternative text. axes: what columns and rows
    are called. A click gives a cell as [row, col]. One scale for all layers.
    """
    most = max(float(layer.values.max()) for layer in layers)
    labels = [plain(name) for name in names]

    def drawn(layer: Weights) -> go.Heatmap:
        return go.Heatmap(
            z=np.round(layer.values * THOUSAND).astype(np.uint16),
            x=labels,
            y=labels,
            zmin=0,
            zmax=max(1, round(most * THOUSAND)),
            colorscale=stops(RISING),
            colorbar={"thickness": 10, "outlinewidth": 0, "len": 0.9, "title": {"text": "‰", "font": {"size": 13}}},
            hovertemplate="%{y} → %{x}: %{z} ‰<extra></extra>",
        )

    axis = {"fixedrange": True, "showgrid": False, "zeroline": False, "ticks": "", "showticklabels": False}
    titled = [{**axis, "type": "category", "title": {"text": text, "font": {"size": 13}}} for text in axes]
    box = {"type": "rect", "x0": -0.5, "x1": len(names) - 0.5, "line": {"color": MARK, "width": 2}}
    layout = {
        "xaxis": {**titled[0], "side": "top", "constrain": "domain", "constraintoward": "left"},
        "yaxis": {**titled[1], "autorange": "reversed", "scaleanchor": "x", "constrain": "domain"},
        "shapes": [] if chosen is None else [{**box, "y0": chosen - 0.5, "y1": chosen + 0.5}],
        "margin": {"l": 28, "r": 8, "t": 28, "b": CONTROLS, "pad": 0},
        "sliders": [slider([plain(layer.name) for layer in layers], active)],
        "updatemenus": [player()],
        "hovermode": "closest",
    }
    made = figure([drawn(layers[active])], layout, said, HEIGHT + CONTROLS)
    made.layout.meta = {"alt": said, "aspect": 1.0, "below": CONTROLS}
    made.frames = [go.Frame(name=str(i), data=[drawn(layer)], traces=[0]) for i, layer in enumerate(layers)]
    return made
