"""Scenes: square pictures composed from real photos with their real boxes, for learning to detect.

Four layouts: one photo over the whole canvas (what a stranger's photo looks like), a 2 x 2 and a 3 x 3 mosaic with
shifted seams, and photos laid freely over a background photo. Photos of other classes take part without boxes.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image, ImageFilter

from playground.datasets.everyday import SIDE, Photos
from playground.datasets.nouns import DataError

LAYOUTS = ("single", "four", "nine", "free")
SHARES = (0.4, 0.3, 0.1, 0.2)  # how often each layout is drawn
WHOLE = 0.9  # a box over more than this share of its photo says nothing about where; such photos are left out
LEAST = 0.5  # a crop keeps at least this share of its box
FILTERS = (Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Scene:
    """One composed picture: uint8 [S, S, 3], labels [n] into the maker's names, boxes_xyxy [n, 4] in canvas pixels, and
    the indices of every photo used, background included."""

    image: np.ndarray
    labels: np.ndarray
    boxes_xyxy: np.ndarray
    sources: tuple[int, ...]


class Composer(Protocol):
    """What draws scenes to train on."""

    names: tuple[str, ...]

    def compose(self, rng: np.random.Generator, size: int) -> Scene:
        """Draw one scene of `size` pixels a side; same generator state, same scene."""


class SceneMaker:
    """Composes scenes from the photos at `indices`; objects are the photos of the classes called `names`.

    Raises DataError for a name that is no class or for a selection without usable photos.
    """

    def __init__(
        self, photos: Photos, indices: np.ndarray, names: tuple[str, ...], shares: tuple[float, ...] = SHARES
    ) -> None:
        if missing := [name for name in names if name not in photos.classes]:
            raise DataError(f"There is no class called {missing[0][:64]} in the data.")
        self.photos, self.names, self.shares = photos, names, shares
        number = {photos.classes.index(name): place for place, name in enumerate(names)}
        place = np.array([number.get(label, -1) for label in range(len(photos.classes))])
        self.place = place[photos.labels]  # [N], -1 for classes that are not looked for
        boxes = photos.boxes_xyxy
        area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) / SIDE**2
        chosen = self.place[indices]
        self.objects = indices[(chosen >= 0) & (area[indices] <= WHOLE) & (area[indices] >= 0.02)]
        self.others = indices[chosen < 0]
        if not len(self.objects) or not len(self.others):
            raise DataError("No usable photos of the named classes are left; choose other classes or more photos.")

    def compose(self, rng: np.random.Generator, size: int, layout: str | None = None) -> Scene:
        """Draw one scene of `size` pixels a side; same generator state, same scene."""
        layout = layout or LAYOUTS[rng.choice(len(LAYOUTS), p=self.shares)]
        canvas = np.zeros((size, size, 3), np.uint8)
        found: list[tuple[int, np.ndarray]] = []
        used: list[int] = []
        for cell in cells(layout, rng, size):
            background = layout == "free" and not used
            object_here = not background and rng.random() < (0.92 if layout == "single" else 0.75)
            index = int(rng.choice(self.objects if object_here else self.others))
            box = self._lay(canvas, cell, index, rng)
            used.append(index)
            if self.place[index] >= 0 and box is not None:
                found.append((int(self.place[index]), box))
        labels = np.array([label for label, _ in found], np.int64)
        boxes = np.array([box for _, box in found], np.float32).reshape(-1, 4)
        return Scene(canvas, labels, boxes, tuple(used))

    def _lay(
        self, canvas: np.ndarray, cell: tuple[int, int, int, int], index: int, rng: np.random.Generator
    ) -> np.ndarray | None:
        """Put a random crop of a photo into a cell (x0, y0, x1, y1); its box in canvas pixels, clipped to the cell."""
        x0, y0, x1, y1 = cell
        box = self.photos.boxes_xyxy[index].astype(np.float64)
        crop = _crop(box, rng)
        image = Image.fromarray(self.photos.images[index])
        image = image.resize((x1 - x0, y1 - y0), FILTERS[rng.integers(3)], box=tuple(crop))
        if max(x1 - x0, y1 - y0) > SIDE and rng.random() < 0.6:  # an enlarged thumbnail is softer than a real photo
            image = image.filter(
                ImageFilter.UnsharpMask(
                    radius=float(rng.uniform(0.8, 2)), percent=int(rng.integers(30, 200)), threshold=0
                )
            )
        tile = np.asarray(image)
        flip = rng.random() < 0.5
        canvas[y0:y1, x0:x1] = tile[:, ::-1] if flip else tile
        corner, extent = crop[:2], crop[2:] - crop[:2]
        inside = (np.clip(box, np.tile(corner, 2), np.tile(crop[2:], 2)) - np.tile(corner, 2)) / np.tile(extent, 2)
        if flip:
            inside = np.array([1 - inside[2], inside[1], 1 - inside[0], inside[3]])
        placed = np.tile([x0, y0], 2) + inside * np.tile([x1 - x0, y1 - y0], 2)
        return placed if (placed[2:] - placed[:2]).min() >= 2 else None


def fixed(photos: Photos, names: tuple[str, ...], size: int, count: int = 1500, seed: int = 3) -> list[Scene]:
    """The same scenes each time; by default those on which cards are measured."""
    maker, rng = SceneMaker(photos, np.arange(len(photos)), names), np.random.default_rng(seed)
    return [maker.compose(rng, size) for _ in range(count)]


def _crop(box: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random crop (x0, y0, x1, y1) of a photo that keeps at least LEAST of the box; the whole photo if none does."""
    for _ in range(10):
        wide, high = SIDE * rng.uniform(0.55, 1.0, 2)
        if not 0.6 < wide / high < 1.67:
            continue
        left, top = rng.uniform(0, SIDE - wide), rng.uniform(0, SIDE - high)
        crop = np.array([left, top, left + wide, top + high])
        cut = np.minimum(box[2:], crop[2:]) - np.maximum(box[:2], crop[:2])
        if cut.min() > 0 and cut.prod() >= LEAST * (box[2:] - box[:2]).prod():
            return crop
    return np.array([0.0, 0.0, SIDE, SIDE])


def cells(layout: str, rng: np.random.Generator, size: int) -> list[tuple[int, int, int, int]]:
    """Cells (x0, y0, x1, y1) of a layout; those of "free" do not overlap each other, its first is the background."""
    if layout == "single":
        return [(0, 0, size, size)]
    if layout in ("four", "nine"):
        parts = 2 if layout == "four" else 3
        seams = [np.arange(parts + 1) * size / parts for _ in range(2)]
        for seam in seams:
            seam[1:-1] += rng.uniform(-0.12, 0.12, parts - 1) * size
        xs, ys = (seam.round().astype(int).tolist() for seam in seams)
        return [(xs[c], ys[r], xs[c + 1], ys[r + 1]) for r in range(parts) for c in range(parts)]
    cells = [(0, 0, size, size)]
    for _ in range(int(rng.integers(1, 4))):
        for _ in range(8):
            wide, high = (rng.uniform(0.3, 0.65, 2) * size).round().astype(int).tolist()
            left, top = int(rng.integers(size - wide + 1)), int(rng.integers(size - high + 1))
            cell = (left, top, left + wide, top + high)
            if all(cell[0] >= c[2] or c[0] >= cell[2] or cell[1] >= c[3] or c[1] >= cell[3] for c in cells[1:]):
                cells.append(cell)
                break
    return cells
