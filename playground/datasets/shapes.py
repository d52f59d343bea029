"""Shapes: a drawn world of things on stuff, with exact boxes, masks and panoptic ids; nothing to download.

Things are flat shapes, turned, striped, dotted or shaded, and may hide each other in part. Stuff covers the rest: sky
above, and grass, water or sand below, each with its own texture. Every pixel belongs to exactly one segment.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from playground.checks import whole

THINGS = ("disc", "square", "triangle", "star", "ring", "cross")
STUFF = ("sky", "grass", "water", "sand")
NAMES = THINGS + STUFF  # a label is an index into these

GRAIN = 96  # textures have this many dots a side, whatever the size of the picture
BANK = 256  # side of the noise that textures are cut from
COLOURS = np.array([[88, 148, 214], [74, 136, 62], [34, 92, 138], [216, 188, 132]], np.float32)  # of STUFF
VISIBLE = 0.55  # a thing shows at least this share of itself
MOST_THINGS = 5
UPRIGHT = np.where(np.array(THINGS) == "square", np.pi / 4, np.pi / 2)  # turned by this, a thing stands upright


@dataclass(frozen=True)
class ShapesScene:
    """One picture: uint8 image [S, S, 3]; segments int32 [S, S], 1..n; the labels [n] of the segments, int64 indices
    into NAMES; their boxes_xyxy [n, 4] float32 in pixels, right and bottom edges exclusive. Things come first."""

    image: np.ndarray
    segments: np.ndarray
    labels: np.ndarray
    boxes_xyxy: np.ndarray

    @property
    def is_thing(self) -> np.ndarray:
        """[n] bool."""
        return self.labels < len(THINGS)

    def masks(self) -> np.ndarray:
        """[n, S, S] bool: exactly one of them is true at each pixel."""
        return self.segments == np.arange(1, len(self.labels) + 1)[:, None, None]


class ShapesMaker:
    """Draws scenes; equal generators give equal scenes. `things` bounds how many things a scene gets; `plain` things
    have one colour, stand nearly upright and are larger, which is easier to learn from."""

    names = NAMES

    def __init__(self, things: tuple[int, int] = (1, MOST_THINGS), plain: bool = False, seed: int = 0) -> None:
        self.plain = plain
        least = whole(things[0], "The least number of things", 0, 20)
        self.things = least, whole(things[1], "The largest number of things", least, 20)
        rng = np.random.default_rng(seed)
        noise = rng.normal(0, 1, (BANK, BANK)).astype(np.float32)
        blades = noise + np.roll(noise, 1, 0) + np.roll(noise, 2, 0)  # noise drawn out upwards
        clouds = np.clip(_smoothed(rng, 24), 0, None)
        self.textures = 34 * clouds, 13 * blades, 26 * _smoothed(rng, 10, stretch=6), 12 * noise  # of STUFF

    def compose(self, rng: np.random.Generator, size: int) -> ShapesScene:
        """Draw one scene of `size` pixels a side. Raises ValueError for a size outside 16..2048."""
        whole(size, "The size of a scene", 16, 2048)
        canvas, ground = self._background(rng, size)
        things = np.zeros((size, size), np.int16)  # 0: none yet
        labels: list[int] = []
        areas = [0]  # of each thing when nothing hid it yet; number 0 is no thing
        for _ in range(int(rng.integers(self.things[0], self.things[1] + 1))):
            label = int(rng.integers(len(THINGS)))
            if area := _put(rng, canvas, things, label, areas, self.plain):
                labels.append(label)
                areas.append(area)
        return _scene(canvas, ground, things, labels)

    def _background(self, rng: np.random.Generator, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Bands of stuff under wavy borders: colours [S, S, 3] float32 in 0..255 and stuff indices [S, S]."""
        lower = rng.permutation(np.arange(1, len(STUFF)))[: rng.integers(1, 3)]
        bands = [0, *lower] if rng.random() < 0.75 else list(lower)
        along = np.linspace(0, 1, size, dtype=np.float32)
        borders = (np.arange(1, len(bands)) + rng.uniform(-0.22, 0.22, len(bands) - 1)) / len(bands)
        which = np.zeros((size, size), np.int64)
        for border in borders:
            slope, swing, phase = rng.uniform(-0.16, 0.16), rng.uniform(0, 0.04), rng.uniform(0, 2 * np.pi)
            edge = border + slope * (along - 0.5) + swing * np.sin(2 * np.pi * along * rng.uniform(0.5, 2.5) + phase)
            which += along[:, None] > edge[None]
        colours = COLOURS[bands] * rng.uniform(0.82, 1.15, (len(bands), 1)) + rng.normal(0, 7, (len(bands), 3))
        textures = np.stack([self._texture(rng, int(kind), size) for kind in bands])  # [bands, S, S]
        light = np.take_along_axis(textures, which[None], axis=0)[0]  # [S, S]
        return colours.astype(np.float32)[which] + light[..., None], np.asarray(bands)[which]

    def _texture(self, rng: np.random.Generator, kind: int, size: int) -> np.ndarray:
        """[S, S] of light and shade of one kind of stuff."""
        top, left = rng.integers(BANK - GRAIN + 1, size=2)
        field = self.textures[kind][top : top + GRAIN, left : left + GRAIN]
        if size == GRAIN:
            return field
        return np.asarray(Image.fromarray(field).resize((size, size), Image.Resampling.BICUBIC))


def distance(label: int, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Signed distance from the edge of a thing of radius 1 at points (x, y), negative inside.

    Exact on the straight parts, which is where masks are decided. A regular star of n tips is one edge, folded 2n
    times; a triangle and a square are stars whose inner corners lie on their sides. Ours.
    """
    name = THINGS[label]
    away = np.hypot(x, y)
    if name == "disc":
        return away - 0.9
    if name == "ring":
        return np.abs(away - 0.72) - 0.24
    if name == "cross":
        long, short = np.maximum(np.abs(x), np.abs(y)), np.minimum(np.abs(x), np.abs(y))
        return np.maximum(long - 0.92, short - 0.3)
    tips, inner = {"triangle": (3, 0.5), "square": (4, 0.5**0.5), "star": (5, 0.45)}[name]
    angle = np.abs((np.arctan2(y, x) % (2 * np.pi / tips)) - np.pi / tips)  # 0 at an inner corner
    along, across = away * np.cos(angle), away * np.sin(angle)
    tip = np.array([np.cos(np.pi / tips), np.sin(np.pi / tips)])
    edge = tip - np.array([inner, 0.0])
    normal = np.array([edge[1], -edge[0]]) / np.hypot(*edge)
    return ((along - inner) * normal[0] + across * normal[1]).astype(np.float32)


def _put(
    rng: np.random.Generator, canvas: np.ndarray, things: np.ndarray, label: int, areas: list[int], plain: bool
) -> int:
    """Draw a thing where it leaves enough of the others to be seen; its area, or 0 when no such place was found."""
    size = len(things)
    colour = rng.uniform(20, 240, 3).astype(np.float32)
    while np.ptp(colour) < 90:  # stuff is dull, things are bright
        colour = rng.uniform(20, 240, 3).astype(np.float32)
    for _ in range(6):
        radius = size * rng.uniform(0.17 if plain else 0.11, 0.28 if plain else 0.25)
        row, col = rng.uniform(0.8 * radius, size - 0.8 * radius, 2)
        low = np.maximum(np.floor([row - radius, col - radius]).astype(int) - 1, 0)
        high = np.minimum(np.ceil([row + radius, col + radius]).astype(int) + 2, size)
        patch = np.s_[low[0] : high[0], low[1] : high[1]]
        down = (np.arange(low[0], high[0], dtype=np.float32) + 0.5 - row)[:, None] / radius
        right = (np.arange(low[1], high[1], dtype=np.float32) + 0.5 - col)[None] / radius
        turn = UPRIGHT[label] + rng.uniform(-0.2, 0.2) if plain else rng.uniform(0, 2 * np.pi)
        x, y = right * np.cos(turn) - down * np.sin(turn), right * np.sin(turn) + down * np.cos(turn)
        outside = distance(label, x, y)
        within = outside < 0
        if within.sum() < 12 or _hides_too_much(things, things[patch][within], areas):
            continue
        share = np.clip(0.5 - outside * radius, 0, 1)[..., None]  # of each pixel that the thing covers
        canvas[patch] += share * ((colour if plain else _painted(rng, colour, x, y)) - canvas[patch])
        things[patch][within] = len(areas)
        return int(within.sum())
    return 0


def _painted(rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The colours [h, w, 3] of a thing: plain, shaded, striped or dotted in its own coordinates."""
    kind = rng.integers(4)
    if kind == 0:
        pattern = np.zeros_like(x)
    elif kind == 1:
        pattern = 0.35 * y
    elif kind == 2:
        pattern = 0.22 * np.sign(np.sin(rng.uniform(7, 12) * x))
    else:
        beat = rng.uniform(8, 11)
        pattern = np.where(np.sin(beat * x) * np.sin(beat * y) > 0.3, -0.4, 0.1)
    return np.clip(colour * (1 + pattern[..., None]), 0, 255)


def _hides_too_much(things: np.ndarray, covered: np.ndarray, areas: list[int]) -> bool:
    """Whether a new thing over these pixels would leave less than VISIBLE of a thing that is there."""
    hidden = np.bincount(covered, minlength=len(areas))
    if not hidden[1:].any():
        return False
    seen = np.bincount(things.ravel(), minlength=len(areas))
    return bool((seen - hidden < VISIBLE * np.array(areas))[1:].any())


def _scene(canvas: np.ndarray, ground: np.ndarray, things: np.ndarray, labels: list[int]) -> ShapesScene:
    """Number the segments, things first and then the stuff that is still seen, and measure their boxes."""
    segments = things.astype(np.int32)
    bare = things == 0
    for kind in np.unique(ground[bare]):
        labels = [*labels, len(THINGS) + int(kind)]
        segments[bare & (ground == kind)] = len(labels)
    image = np.clip(np.rint(canvas), 0, 255).astype(np.uint8)
    return ShapesScene(image, segments, np.array(labels, np.int64), boxes_of(segments, len(labels)))


def boxes_of(segments: np.ndarray, count: int) -> np.ndarray:
    """The boxes_xyxy [count, 4] float32 of segments 1..count of a map; each must be somewhere."""
    boxes = np.empty((count, 4), np.float32)
    for number in range(count):
        here = segments == number + 1
        rows, cols = np.flatnonzero(here.any(1)), np.flatnonzero(here.any(0))
        boxes[number] = cols[0], rows[0], cols[-1] + 1, rows[-1] + 1
    return boxes


def _smoothed(rng: np.random.Generator, cells: int, stretch: int = 1) -> np.ndarray:
    """Smooth noise [BANK, BANK], about -2..2, with `cells` cells a side, drawn out sideways by `stretch`."""
    coarse = rng.normal(0, 1, (cells * stretch, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((BANK, BANK), Image.Resampling.BICUBIC))
