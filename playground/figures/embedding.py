"""Tokens in their colours, on the picture and as a cloud, for pages that stand alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from playground.figures.overlay import XYXY
from playground.figures.picture import encode_overlay, ground
from playground.figures.theme import QUIET, figure, plain

HEIGHT = 520
STRENGTH = 0.75
LINES = "#D3D8E0"
EYE = {"x": 1.75, "y": 1.75, "z": 1.0}  # all three axes and their titles within the frame


def painted(
    colours: np.ndarray,
    region_xyxy: XYXY,
    picture: str,
    size: tuple[int, int],
    said: Sequence[str],
    alt: str,
    strength: float = STRENGTH,
) -> go.Figure:
    """Draw colours uint8 [rows, cols, 3] over the encoded `picture` of an upload of (width, height) `size`.

    region_xyxy: where the grid lies, in pixels of the upload. said: what pointing at a cell says, row by row.
    """
    rows, cols = colours.shape[:2]
    x0, y0, x1, y1 = region_xyxy
    dx, dy = (x1 - x0) / cols, (y1 - y0) / rows
    place = {"x0": x0 + dx / 2, "dx": dx, "y0": y0 + dy / 2, "dy": dy}
    cells = go.Image(source=encode_overlay(Image.fromarray(colours)), opacity=strength, hoverinfo="skip", **place)
    words = [[plain(said[r * cols + c]) for c in range(cols)] for r in range(rows)]
    pointer = go.Heatmap(
        z=np.zeros((rows, cols), dtype=np.uint8), text=words, hoverinfo="text", opacity=0, showscale=False, **place
    )
    return figure([cells, pointer], ground([picture], size), alt, HEIGHT, aspect=size[0] / size[1])


def cloud(
    points: np.ndarray, colours: np.ndarray, said: Sequence[str], axes: Sequence[str], alt: str, size: float = 4.0
) -> go.Figure:
    """Draw points [N, 3] in their colours uint8 [N, 3]; `said` is what each says, `axes` name the three directions."""
    marker: dict[str, Any] = {
        "size": size,
        "color": [f"rgb({r},{g},{b})" for r, g, b in colours.tolist()],
        "line": {"width": 0},
    }
    x, y, z = points.T
    dots = go.Scatter3d(
        x=x, y=y, z=z, mode="markers", marker=marker, text=[plain(text) for text in said], hoverinfo="text"
    )
    quiet = {"showticklabels": False, "gridcolor": LINES, "zerolinecolor": QUIET, "linecolor": QUIET}
    scene = {
        f"{axis}axis": {**quiet, "title": {"text": plain(name), "font": {"size": 12}}, "showbackground": False}
        for axis, name in zip("xyz", axes, strict=True)
    }
    layout = {"scene": {**scene, "aspectmode": "cube", "camera": {"eye": EYE}}, "dragmode": "orbit"}
    return figure([dots], layout, alt, HEIGHT)
