"""Turned and cropped pictures."""

import numpy as np
from PIL import Image

from playground.disturb.nouns import Place
from playground.disturb.patches import mean_colour

LEAST_SIDE = 0.1  # of each side is left by a crop at strength 1
FEWEST = 8  # pixels a side
LONGEST_RATIO = 50


def rotate(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Turned about its middle, anticlockwise; the corners take the picture's mean colour."""
    fill = tuple(int(value) for value in mean_colour(pixels))
    turned = Image.fromarray(pixels).rotate(180 * strength, Image.Resampling.BICUBIC, fillcolor=fill)
    return np.asarray(turned)


def crop(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """The edges move in towards a box, by default a tenth of each side (at least FEWEST pixels) around the middle."""
    height, width = pixels.shape[:2]
    wide, high = (min(side, max(FEWEST, LEAST_SIDE * side)) for side in (width, height))
    goal = place.box_xyxy or ((width - wide) / 2, (height - high) / 2, (width + wide) / 2, (height + high) / 2)
    left, right = (_along(start, min(max(end, 0), width), strength) for start, end in ((0, goal[0]), (width, goal[2])))
    top, bottom = (
        _along(start, min(max(end, 0), height), strength) for start, end in ((0, goal[1]), (height, goal[3]))
    )
    across, down = right - left, bottom - top
    if min(across, down) < min(FEWEST, width, height) or max(across, down) > LONGEST_RATIO * min(across, down):
        raise ValueError(f"The crop leaves {across} x {down} pixels; leave {FEWEST} or more a side, and no thin strip.")
    return pixels[top:bottom, left:right]


def _along(start: float, end: float, share: float) -> int:
    return round(start + share * (end - start))
