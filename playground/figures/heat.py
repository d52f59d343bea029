"""A map as a small picture of its colours, one pixel a cell: the page lays it over the picture that it is about."""

import numpy as np
from PIL import Image

from playground.figures.overlay import LONGEST, thin
from playground.figures.picture import encode_overlay
from playground.figures.scales import RISING, SIGNED, levels, palette
from playground.figures.theme import rgb


def heat(values: np.ndarray, low: float, high: float, signed: bool = False, strength: float = 1.0) -> str:
    """Return values [rows, cols] as a PNG data address: colours from `low` to `high`, opaque by `strength`, 0 to 1.

    Cells that are NaN stay clear. A map of more than 256 cells a side is thinned: of every block of cells the value
    furthest from 0 stays.
    """
    there = np.isfinite(values)
    places = levels(thin(np.where(there, values, 0), LONGEST), low, high)
    rgba = np.empty((*places.shape, 4), dtype=np.uint8)  # [rows, cols, 4]
    rgba[..., 3] = np.where(thin(there, LONGEST), round(255 * strength), 0)
    rgba[..., :3] = palette(SIGNED if signed else RISING)[places]
    return encode_overlay(Image.fromarray(rgba))


def sided(values: np.ndarray, above: str, below: str) -> str:
    """Return values [rows, cols], -1 to 1, as a PNG data address: one colour above 0, one below, opaque by how far."""
    rgba = np.empty((*values.shape, 4), dtype=np.uint8)  # [rows, cols, 4]
    rgba[..., :3] = np.where(values[..., None] > 0, rgb(above), rgb(below))
    rgba[..., 3] = np.round(255 * np.abs(values).clip(0, 1))
    return encode_overlay(Image.fromarray(rgba))
