"""Does a map point at an object that is known, and does it change when it should?"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from playground.explanations.nouns import Map

IGNORES = 0.99  # two classes' maps that agree this far say nothing of the class
SURVIVES = 0.5  # maps that agree this far before and after weights are drawn anew say little of the model; ours


@dataclass(frozen=True)
class Pointing:
    """How a map meets a box: `hit` 0..1, `energy` the share of the map inside, `area` the share of the map's region.

    A box of a large area is met by any map: read `hit` and `energy` against `area`. `energy` is None for a map
    without anything above zero.
    """

    hit: float
    energy: float | None
    area: float


@dataclass(frozen=True)
class Agreement:
    """How alike two maps of one grid are: Spearman's rank correlation, the same of sizes, and SSIM; 1 is the same."""

    spearman: float
    spearman_abs: float
    ssim: float

    @property
    def ignores(self) -> bool:
        """Whether the maps are the same for all that counts."""
        return self.spearman > IGNORES and self.spearman_abs > IGNORES


def pointing(made: Map, box_xyxy: tuple[float, float, float, float], tolerance: float = 15.0) -> Pointing:
    """Hold a map against a box in pixels of the upload; raises ValueError for a box outside the map.

    A hit is a highest cell whose centre is at most `tolerance` pixels from the box; of several highest cells, each
    counts its part, so a flat map scores what chance would. Source: Zhang et al. 2016 (arXiv 1608.00507), section 4.1.
    """
    values = finite(made)
    x0, y0, x1, y1 = _box(box_xyxy)
    rows, cols = values.shape
    left, top, right, bottom = made.region_xyxy
    xs, ys = np.linspace(left, right, cols + 1), np.linspace(top, bottom, rows + 1)
    across, down = (_covered(edges, low, high) for edges, low, high in ((xs, x0, x1), (ys, y0, y1)))
    inside = down[:, None] * across[None, :]  # [rows, cols], the share of each cell in the box
    if not inside.any():
        raise ValueError("The box lies outside the part of the picture that the model saw; choose another box.")
    beside = np.maximum.reduce([x0 - _middle(xs), _middle(xs) - x1, np.zeros(cols)])
    above = np.maximum.reduce([y0 - _middle(ys), _middle(ys) - y1, np.zeros(rows)])
    near = np.hypot(above[:, None], beside[None, :]) <= tolerance  # [rows, cols]
    highest = values == values.max()
    positive = np.maximum(values, 0)
    energy = float((positive * inside).sum() / positive.sum()) if positive.any() else None
    return Pointing(float(near[highest].mean()), energy, float(inside.mean()))


def agreement(one: Map, other: Map) -> Agreement:
    """Compare two maps on their raw grid: of two classes, or of a model before and after its weights are drawn anew.

    Raw attention and rollout know no class, so two classes' maps agree fully. Source: Adebayo et al. 2018
    (arXiv 1810.03292), section 3.
    """
    a, b = finite(one), finite(other)
    if a.shape != b.shape:
        raise ValueError("Maps of different grids cannot be compared; choose the same layer for both.")
    return Agreement(spearman(a, b), spearman(np.abs(a), np.abs(b)), ssim(a, b))


def finite(made: Map) -> np.ndarray:
    """Return the values as float64; raises ValueError unless all are finite."""
    if not np.isfinite(made.values).all():
        raise ValueError("A map with numbers that are not finite cannot be measured.")
    return made.values.astype(np.float64)


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Return the correlation of ranks, -1..1, tied values sharing their mean rank; 0 where one of them is flat."""
    if np.array_equal(a, b):
        return 1.0
    x, y = (_ranks(v.ravel()) - (v.size + 1) / 2 for v in (a, b))
    norm = np.sqrt((x**2).sum() * (y**2).sum())
    return float((x * y).sum() / norm) if norm > 0 else 0.0


def ssim(a: np.ndarray, b: np.ndarray, window: int = 7) -> float:
    """Return the mean structural similarity of two maps, each stretched to 0..1, -1..1.

    Source: Wang et al. 2004, equation 13, with flat windows of 7 cells, fewer on smaller grids.
    """
    x, y = (torch.from_numpy(_stretched(v))[None, None] for v in (a, b))  # [1, 1, rows, cols]
    size = (min(window, a.shape[0]), min(window, a.shape[1]))
    mx, my, xx, yy, xy = (F.avg_pool2d(v, size, stride=1) for v in (x, y, x * x, y * y, x * y))
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mx * my + c1) * (2 * (xy - mx * my) + c2)
    return float((top / ((mx**2 + my**2 + c1) * (xx - mx**2 + yy - my**2 + c2))).mean())


def _box(box_xyxy: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    numbers = isinstance(box_xyxy, tuple | list) and len(box_xyxy) == 4
    if not numbers or not all(isinstance(v, int | float) and math.isfinite(v) for v in box_xyxy):
        raise ValueError("The box must be four numbers: left, top, right and bottom in pixels of the picture.")
    x0, y0, x1, y1 = box_xyxy
    if x1 <= x0 or y1 <= y0:
        raise ValueError("The box is empty; its right must lie beyond its left and its bottom below its top.")
    return x0, y0, x1, y1


def _covered(edges: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return the share of each interval between edges that low..high covers."""
    return np.maximum(np.minimum(edges[1:], high) - np.maximum(edges[:-1], low), 0) / np.diff(edges)


def _middle(edges: np.ndarray) -> np.ndarray:
    return (edges[1:] + edges[:-1]) / 2


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    return (last - (counts - 1) / 2)[which]


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
