"""A panoptic answer: every region in its colour over the picture."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from PIL import Image

from playground.figures.boxes import HEIGHT
from playground.figures.picture import encode_overlay, ground
from playground.figures.theme import PALETTE, figure, percent, plain, rgb
from playground.trace import Segment

SHOWN = 640
HOVER = 56
OPACITY = 140


def colour_of(segments: Sequence[Segment]) -> dict[int, str]:
    """Give each segment, by its id, a colour; the table beside the picture uses the same."""
    return {segment.id: PALETTE[place % len(PALETTE)] for place, segment in enumerate(segments)}


def segments(found: Sequence[Segment], segment_map: np.ndarray, picture: str, size: tuple[int, int]) -> go.Figure:
    """Lay the segments over the encoded `picture` of an upload of (width, height) `size`.

    segment_map: int32 [rows, cols], 0 where nothing was found, over the whole upload.
    """
    overlay = encode_overlay(_tint(_thin(segment_map, SHOWN), colour_of(found)))
    hover = _thin(segment_map, HOVER)  # [rows, cols], coarse: only for what is said when pointed at
    said = {segment.id: f"{plain(segment.label)} {percent(segment.score)}" for segment in found}
    rows, cols = hover.shape
    pointer = go.Heatmap(
        z=np.zeros(hover.shape, dtype=np.uint8),
        x0=size[0] / cols / 2,
        dx=size[0] / cols,
        y0=size[1] / rows / 2,
        dy=size[1] / rows,
        text=[[said.get(int(value), "") for value in row] for row in hover],
        hoverinfo="text",
        opacity=0,
        showscale=False,
    )
    alt = "Picture divided into " + (", ".join(f"{s.label} {percent(s.area)} of the area" for s in found) or "nothing")
    return figure([pointer], ground([picture, overlay], size), alt, HEIGHT, aspect=size[0] / size[1])


def _thin(segment_map: np.ndarray, longest: int) -> np.ndarray:
    """Return the map with at most `longest` rows and columns, by nearest neighbour."""
    rows, cols = segment_map.shape
    scale = min(1.0, longest / max(rows, cols))
    new_rows, new_cols = max(1, round(rows * scale)), max(1, round(cols * scale))
    take_rows = ((np.arange(new_rows) + 0.5) * rows / new_rows).astype(int)
    take_cols = ((np.arange(new_cols) + 0.5) * cols / new_cols).astype(int)
    return segment_map[np.ix_(take_rows, take_cols)]  # [new_rows, new_cols]


def _tint(ids: np.ndarray, colours: dict[int, str]) -> Image.Image:
    """Return the coloured map: clear where nothing was found, opaque along the borders between segments."""
    rgba = np.zeros((*ids.shape, 4), dtype=np.uint8)  # [rows, cols, 4]
    for number, colour in colours.items():
        rgba[ids == number] = (*rgb(colour), OPACITY)
    border = np.zeros(ids.shape, dtype=bool)
    border[1:] |= ids[1:] != ids[:-1]
    border[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    rgba[border & (ids > 0), 3] = 255
    return Image.fromarray(rgba)
