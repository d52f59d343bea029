"""Hand-made answers for the tests of figures and page."""

from dataclasses import replace

import numpy as np
from PIL import Image

from playground.trace import Box, ClassScore, Prediction, Segment

SIZE = (640, 480)
NASTY = "<img src=x onerror=alert(1)> & <b>bold</b>"


def photo(width: int = 640, height: int = 480) -> Image.Image:
    """Noise: the picture that compresses worst."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def answer(task: str = "classification", **parts: object) -> Prediction:
    plain = Prediction("m", task, (), (), (), None, False, 0.0321, "CPU", (), SIZE)
    return replace(plain, **parts)  # type: ignore[arg-type]


CLASSES = tuple(
    ClassScore(label, score, i) for i, (label, score) in enumerate([("lion", 0.9), ("cat", 0.06), (NASTY, 0.04)])
)
BOXES = (
    Box("bus", 0.9, (100.0, 50.0, 500.0, 400.0), 5, 0),
    Box("person", 0.6, (300.0, 100.0, 350.0, 200.0), 0, 1),
    Box("bus", 0.2, (0.0, 0.0, 640.0, 480.0), 5, 2),
)
SEGMENTS = (Segment(7, "sky", 0.8, 0.5, False), Segment(9, "bus", 0.9, 0.25, True))


def segment_map() -> np.ndarray:
    ids = np.zeros((480, 640), dtype=np.int32)
    ids[:240] = 7
    ids[240:, :320] = 9
    return ids
