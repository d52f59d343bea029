"""Pictures the project draws itself, offered as examples beside photos: no files, no licences."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from playground.datasets.shapes import ShapesMaker
from playground.samples import scenes

SHAPES_SEED, SHAPES_SIDE = 16, 480


@dataclass(frozen=True)
class Sample:
    """One example: a short name for programs, a title for people, and how to draw it (RGB, 640 x 480 or square)."""

    name: str
    title: str
    draw: Callable[[], Image.Image]


def shapes() -> Image.Image:
    """A scene of the world that the detectors with masks learn from, larger than in training."""
    return Image.fromarray(ShapesMaker().compose(np.random.default_rng(SHAPES_SEED), SHAPES_SIDE).image)


SAMPLES: tuple[Sample, ...] = (
    Sample("lake", "Mountain lake with a tower", scenes.lake),
    Sample("bus", "Bus on a country road", scenes.bus),
    Sample("fruit", "Orange, apple, banana and lemon", scenes.fruit),
    Sample("boat", "Sailing boat at sea", scenes.boat),
    Sample("shapes", "Drawn shapes on sky, water and grass", shapes),
)


def sample(name: str) -> Image.Image:
    """Draw one of SAMPLES by its name, in about half a second. Raises ValueError for an unknown name. Ours."""
    for entry in SAMPLES:
        if entry.name == name:
            return entry.draw()
    raise ValueError(f"There is no such example; choose one of {', '.join(entry.name for entry in SAMPLES)}.")
