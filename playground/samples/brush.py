"""Shapes and paint for the drawn examples.

Everything is drawn at twice the size and brought down, which smooths the edges. Coordinates are in pixels of the final
picture (640 x 480); each shape turns them into canvas pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

WIDTH, HEIGHT, SCALE = 640, 480, 2

Colour = tuple[int, int, int]
Points = list[tuple[float, float]]


@dataclass(frozen=True)
class Shape:
    """A mask and where its upper left corner lies, in canvas pixels."""

    mask: Image.Image
    left: int
    top: int

    def within(self, other: "Shape") -> "Shape":
        """What two shapes share."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right = max(left + 1, min(self.left + self.mask.width, other.left + other.mask.width))
        bottom = max(top + 1, min(self.top + self.mask.height, other.top + other.mask.height))
        parts = [s.mask.crop((left - s.left, top - s.top, right - s.left, bottom - s.top)) for s in (self, other)]
        return Shape(ImageChops.multiply(*parts), left, top)

    def blurred(self, radius: float) -> "Shape":
        margin = math.ceil(3 * radius)
        mask = ImageOps.expand(self.mask, margin).filter(ImageFilter.GaussianBlur(radius))
        return Shape(mask, self.left - margin, self.top - margin)


class Canvas:
    """A picture under way."""

    def __init__(self, *stops: tuple[float, Colour]) -> None:
        self.image = vertical(stops)

    def paint(self, shape: Shape, paint: Colour | Image.Image, strength: float = 1.0, blur: float = 0.0) -> None:
        """Lay a colour, or the same place of another picture, on a shape; `blur` softens its edge."""
        if blur:
            shape = shape.blurred(blur * SCALE)
        mask = shape.mask if strength >= 1 else shape.mask.point(lambda v: round(v * strength))
        right, bottom = shape.left + mask.width, shape.top + mask.height
        if isinstance(paint, Image.Image):
            layer = paint.crop((shape.left, shape.top, right, bottom))
        else:
            layer = Image.new("RGB", mask.size, paint)
        self.image.paste(layer, (shape.left, shape.top), mask)

    def finished(self, seed: int, grain: float = 2.2) -> Image.Image:
        """Brought down to size, with a little grain as a camera would leave."""
        small = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        noise = np.random.default_rng(seed).normal(0, grain, (HEIGHT, WIDTH, 1))
        return Image.fromarray(np.clip(np.asarray(small) + noise, 0, 255).astype(np.uint8))


def vertical(stops: tuple[tuple[float, Colour], ...]) -> Image.Image:
    """A gradient from top to bottom; stops are (height in final pixels, colour)."""
    at = np.arange(HEIGHT * SCALE) / SCALE
    column = np.stack([np.interp(at, [s[0] for s in stops], [s[1][c] for s in stops]) for c in range(3)], axis=-1)
    return Image.fromarray(np.repeat(np.round(column).astype(np.uint8)[:, None], WIDTH * SCALE, axis=1))


def _shape(points: Points, draw: Callable[[ImageDraw.ImageDraw, Points], None], margin: float = 0.0) -> Shape:
    """A shape drawn by `draw`, on a mask just large enough for the points and a margin."""
    left, top = (math.floor(min(p[axis] for p in points) * SCALE - margin) - 1 for axis in (0, 1))
    right, bottom = (math.ceil(max(p[axis] for p in points) * SCALE + margin) + 2 for axis in (0, 1))
    mask = Image.new("L", (right - left, bottom - top), 0)
    draw(ImageDraw.Draw(mask), [(x * SCALE - left, y * SCALE - top) for x, y in points])
    return Shape(mask, left, top)


def polygon(points: Points) -> Shape:
    return _shape(points, lambda draw, at: draw.polygon(at, fill=255))


def ellipses(*rounds: tuple[float, float, float, float]) -> Shape:
    """One shape of several ellipses, each (x, y, rx, ry)."""

    def fill(draw: ImageDraw.ImageDraw, at: Points) -> None:
        for corners in zip(at[::2], at[1::2], strict=True):
            draw.ellipse(corners, fill=255)

    return _shape([p for x, y, rx, ry in rounds for p in ((x - rx, y - ry), (x + rx, y + ry))], fill)


def ellipse(x: float, y: float, rx: float, ry: float) -> Shape:
    return ellipses((x, y, rx, ry))


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Shape:
    corners: Points = [(x0, y0), (x1, y1)]
    return _shape(corners, lambda draw, at: draw.rounded_rectangle([*at[0], *at[1]], radius * SCALE, fill=255))


def line(points: Points, width: float) -> Shape:
    thick = max(round(width * SCALE), 1)
    return _shape(points, lambda draw, at: draw.line(at, fill=255, width=thick, joint="curve"), margin=thick)


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return red, green, blue
