"""A map over the picture that it explains: nearest-neighbour cells, blended by opacity, on the part the model saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import plotly.graph_objects as go

from playground.figures.picture import ground
from playground.figures.scales import RISING, SIGNED, levels, limits, stops
from playground.figures.theme import clear, figure, plain

HEIGHT = 480
STRENGTH = 0.6
MOST_CELLS = 10_000  # finer maps travel as bytes
LONGEST = 256  # cells a side that are drawn
MARK = "#FF3D7F"

Figure: TypeAlias = go.Figure
XYXY: TypeAlias = tuple[float, float, float, float]


@dataclass(frozen=True)
class Outline:
    """A rectangle in pixels of the upload with a name; `chosen` ones stand out."""

    box_xyxy: XYXY
    name: str
    chosen: bool = False


def overlay(
    values: np.ndarray,
    region_xyxy: XYXY,
    picture: str,
    size: tuple[int, int],
    alt: str,
    signed: bool = False,
    strength: float = STRENGTH,
    marked: XYXY | None = None,
    outlines: Sequence[Outline] = (),
    seen_xyxy: XYXY | None = None,
    scale: tuple[float, float] | None = None,
) -> go.Figure:
    """Draw values [rows, cols] over the encoded `picture` of an upload of (width, height) `size`.

    region_xyxy: where the grid lies, in pixels of the upload. marked: the chosen patch. seen_xyxy: what the model
    saw of the upload; the rest is dimmed. scale: the values at the two ends of the colours, where several pictures
    share them. A click gives the cell as [row, col] and its middle as x, y.
    """
    traces = [_heat(values, region_xyxy, signed, strength, scale)]
    traces += [
        _line(outline.box_xyxy, "#FFFFFF", 1.5, plain(outline.name)) for outline in outlines if not outline.chosen
    ]
    for outline in outlines:
        if outline.chosen:
            traces += _mark(outline.box_xyxy, plain(outline.name))
    if marked is not None:
        traces += _mark(marked, "")
    layout = {**ground([picture], size), "shapes": _dimmed(seen_xyxy, size) if seen_xyxy else []}
    return figure(traces, layout, alt, HEIGHT, aspect=size[0] / size[1])


def bare(picture: str, size: tuple[int, int], alt: str) -> go.Figure:
    """Draw the encoded picture without a map."""
    nothing = go.Scatter(x=[None], y=[None], hoverinfo="skip")  # an axis without a trace is not drawn
    return figure([nothing], ground([picture], size), alt, HEIGHT, aspect=size[0] / size[1])


def nothing() -> Figure:
    """Draw nothing, on next to no height."""
    return figure([], {"xaxis": {"visible": False}, "yaxis": {"visible": False}}, "", 10)


def _heat(
    values: np.ndarray, region_xyxy: XYXY, signed: bool, strength: float, scale: tuple[float, float] | None
) -> go.Heatmap:
    low, high = scale or limits(values, signed)
    fine = values.size > MOST_CELLS
    shown = thin(values, LONGEST) if fine else values
    drawn = levels(shown, low, high) if fine else shown.astype(np.float32)
    x0, y0, x1, y1 = region_xyxy
    rows, cols = drawn.shape
    across, down = (x1 - x0) / cols, (y1 - y0) / rows
    ends = (0.0, 255.0) if fine else (low, high if high > low else low + 1)
    return go.Heatmap(
        z=drawn,
        x0=x0 + across / 2,
        dx=across,
        y0=y0 + down / 2,
        dy=down,
        zmin=ends[0],
        zmax=ends[1],
        colorscale=stops(SIGNED if signed else RISING),
        showscale=False,
        opacity=strength,
        zsmooth=False,
        hovertemplate="<extra></extra>" if fine else "%{z:.3g}<extra></extra>",
        hoverinfo="none" if fine else None,
    )


def thin(values: np.ndarray, longest: int) -> np.ndarray:
    """Return the map with at most `longest` rows and columns: of every block of cells the value furthest from 0."""
    step = -(-max(values.shape) // longest)
    if step == 1:
        return values
    rows, cols = (-(-side // step) for side in values.shape)
    padded = np.zeros((rows * step, cols * step), dtype=values.dtype)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(rows, step, cols, step).transpose(0, 2, 1, 3).reshape(rows, cols, -1)
    return np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]


def _mark(box_xyxy: XYXY, name: str) -> list[go.Scatter]:
    return [_line(box_xyxy, "rgba(255,255,255,0.95)", 5.5, name), _line(box_xyxy, MARK, 2.5, name)]


def _line(box_xyxy: XYXY, colour: str, width: float, name: str) -> go.Scatter:
    left, top, right, bottom = (round(float(edge), 1) for edge in box_xyxy)
    return go.Scatter(
        x=[left, right, right, left, left],
        y=[top, top, bottom, bottom, top],
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
        name=name,
    )


def _dimmed(seen_xyxy: XYXY, size: tuple[int, int]) -> list[dict[str, object]]:
    """Return shapes over the parts of the upload that the model did not see."""
    width, height = size
    x0, y0, x1, y1 = seen_xyxy
    parts = [(0, 0, x0, height), (x1, 0, width, height), (x0, 0, x1, y0), (x0, y1, x1, height)]
    look = {"type": "rect", "line": {"width": 0}, "fillcolor": clear("#10151F", 0.55), "layer": "above"}
    return [
        {**look, "x0": left, "y0": top, "x1": right, "y1": bottom}
        for left, top, right, bottom in parts
        if right - left > 0.5 and bottom - top > 0.5
    ]
