"""Scenes cut from whole pictures with boxes: what a detector of one's own pictures learns from."""

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from playground.datasets.nouns import BoxedPictures, DataError
from playground.datasets.scenes import FILTERS, LEAST, Scene, cells
from playground.image import Preprocess, view

WHOLE = 0.4  # how often a scene is one whole picture, as a stranger's is
FOUR = 0.3  # how often it is four cuts side by side: smaller objects, more of them
SHORTEST = 2.0  # pixels: a shorter side of a box is lost in the scene


def squashed(
    data: BoxedPictures, indices: np.ndarray, names: tuple[str, ...], size: int, tell: Callable[[int], None]
) -> list[Scene]:
    """Pictures of a data set as scenes of `size` pixels a side, read and squashed as a detector sees uploads.

    Labels index `names`; boxes of other classes and around crowds are left out. `tell` hears how many are read.
    """
    number = np.array([names.index(name) if name in names else -1 for name in data.classes])
    rule = Preprocess("squash", (size, size), 1.0, "bicubic")
    scenes = []
    for done, index in enumerate(indices.tolist(), 1):
        picture, truth = data.picture(index), data.truth(index)
        labels = number[truth.labels]
        keep = (labels >= 0) & truth.single
        boxes = truth.boxes_xyxy[keep] * size / np.tile(picture.rgb.size, 2)
        image = np.asarray(view(picture, rule).image)
        scenes.append(Scene(image, labels[keep], boxes.clip(0, size).astype(np.float32), (index,)))
        tell(done)
    return scenes


class CutMaker:
    """Composes scenes from whole pictures: one of them, a cut of one, or cuts of four, each mirrored at random.

    Raises DataError when no picture has a box.
    """

    def __init__(self, pictures: Sequence[Scene], names: tuple[str, ...]) -> None:
        if not any(len(picture.labels) for picture in pictures):
            raise DataError("No picture to train on has a box.")
        self.pictures, self.names = pictures, names

    def compose(self, rng: np.random.Generator, size: int) -> Scene:
        """Draw one scene of `size` pixels a side; same generator state, same scene."""
        kind = rng.random()
        layout = "four" if kind < FOUR else "single"
        canvas = np.zeros((size, size, 3), np.uint8)
        labels: list[np.ndarray] = []
        boxes: list[np.ndarray] = []
        used: list[int] = []
        for x0, y0, x1, y1 in cells(layout, rng, size):
            picture = self.pictures[int(rng.integers(len(self.pictures)))]
            part = None if kind > 1 - WHOLE else _part(picture, rng)
            cut = _cut(picture, part, (x1 - x0, y1 - y0), rng)
            canvas[y0:y1, x0:x1] = cut.image
            labels.append(cut.labels)
            boxes.append(cut.boxes_xyxy + np.array([x0, y0, x0, y0], np.float32))
            used += cut.sources
        return Scene(canvas, np.concatenate(labels), np.concatenate(boxes), tuple(used))


def _part(picture: Scene, rng: np.random.Generator) -> np.ndarray | None:
    """A random part (x0, y0, x1, y1) that keeps at least LEAST of some box, or all of a picture where none does."""
    side = len(picture.image)
    for _ in range(10):
        wide, high = side * rng.uniform(0.45, 1.0, 2)
        left, top = rng.uniform(0, side - wide), rng.uniform(0, side - high)
        part = np.array([left, top, left + wide, top + high])
        if 0.6 < wide / high < 1.67 and (not len(picture.labels) or (_kept(picture.boxes_xyxy, part) >= LEAST).any()):
            return part
    return None


def _kept(boxes: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The share [n] of each box that lies in the part, 0..1."""
    sides = np.minimum(boxes[:, 2:], part[2:]) - np.maximum(boxes[:, :2], part[:2])
    return sides.clip(0).prod(1) / (boxes[:, 2:] - boxes[:, :2]).prod(1)


def _cut(picture: Scene, part: np.ndarray | None, extent: tuple[int, int], rng: np.random.Generator) -> Scene:
    """A part of a picture, all of it when None, at `extent` (width, height) pixels, mirrored half of the time."""
    side = len(picture.image)
    part = np.array([0.0, 0.0, side, side]) if part is None else part
    keep = _kept(picture.boxes_xyxy, part) >= LEAST
    image = np.asarray(Image.fromarray(picture.image).resize(extent, FILTERS[rng.integers(3)], box=tuple(part)))
    corner, scale = np.tile(part[:2], 2), np.tile(np.array(extent) / (part[2:] - part[:2]), 2)
    boxes = ((picture.boxes_xyxy[keep] - corner) * scale).clip(0, np.tile(extent, 2))
    labels = picture.labels[keep]
    if rng.random() < 0.5:
        image = image[:, ::-1]
        boxes[:, [0, 2]] = extent[0] - boxes[:, [2, 0]]
    seen = (boxes[:, 2:] - boxes[:, :2]).min(1) >= SHORTEST
    return Scene(image, labels[seen], boxes[seen].astype(np.float32), picture.sources)
