"""Parts of a picture that were found without labels, each cell of the grid in the colour of its part."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.overlay import HEIGHT, XYXY
from playground.figures.picture import ground
from playground.figures.theme import PALETTE, figure

# Beside Okabe and Ito's seven, five of Tol's "muted" (Tol 2021, SRON/EPS/TN/09-002).
COLOURS = (*PALETTE, "#332288", "#AA4499", "#44AA99", "#999933", "#882255")
STRENGTH = 0.62


def regions(labels: np.ndarray, region_xyxy: XYXY, picture: str, size: tuple[int, int], alt: str) -> go.Figure:
    """Draw labels int [rows, cols], 0 to 11, over the encoded `picture` of an upload of (width, height) `size`.

    A click gives the cell as [row, col] and its middle as x, y; pointing at one says its label, counted from 1.
    """
    rows, cols = labels.shape
    x0, y0, x1, y1 = region_xyxy
    across, down = (x1 - x0) / cols, (y1 - y0) / rows
    stops: list[list[Any]] = []
    for i, colour in enumerate(COLOURS):
        stops += [[i / len(COLOURS), colour], [(i + 1) / len(COLOURS), colour]]
    heat = go.Heatmap(
        z=labels.astype(np.uint8) + 1, x0=x0 + across / 2, dx=across, y0=y0 + down / 2, dy=down, zmin=0.5,
        zmax=len(COLOURS) + 0.5, colorscale=stops, showscale=False, opacity=STRENGTH, zsmooth=False,
        hovertemplate="%{z}<extra></extra>",
    )  # fmt: skip
    return figure([heat], ground([picture], size), alt, HEIGHT, aspect=size[0] / size[1])
