"""A picture as the ground of a figure, small enough to travel with it."""

import base64
import io
from typing import Any

from PIL import Image

LONGEST = 720
BUDGET = 120_000


def encode(picture: Image.Image, longest: int = LONGEST, budget: int = BUDGET) -> str:
    """Return the picture as a WebP data address: at most `longest` pixels a side and `budget` characters."""
    small = picture.convert("RGB")
    for quality in (82, 68, 50, 30):
        small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        small.save(buffer, "WEBP", quality=quality, method=2)
        text = "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
        if len(text) <= budget:
            break
        longest = longest * 4 // 5
    return text


def encode_overlay(overlay: Image.Image) -> str:
    """Return a picture of few colours and transparency as a PNG data address."""
    buffer = io.BytesIO()
    overlay.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def ground(sources: list[str], size: tuple[int, int]) -> dict[str, Any]:
    """Return the layout that lays pictures over each other in the pixels of an upload of (width, height) `size`."""
    width, height = size
    layers = [
        {"source": source, "xref": "x", "yref": "y", "x": depth * 1e-6, "y": 0, "sizex": width, "sizey": height}
        | {"sizing": "stretch", "layer": "below"}
        for depth, source in enumerate(sources)  # Plotly draws only one of several pictures at the very same place
    ]
    axis = {"visible": False, "fixedrange": True, "constrain": "domain"}
    return {
        "images": layers,
        "xaxis": {**axis, "range": [0, width]},
        "yaxis": {**axis, "range": [height, 0], "scaleanchor": "x"},
        "hovermode": "closest",
    }
