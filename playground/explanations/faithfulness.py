"""How far a map can be trusted: what the model does when the places it names are taken away or shown alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from playground.explanations.nouns import Access, Map, Target
from playground.explanations.perturb import FILLS, filled, kept, probabilities
from playground.explanations.places import cells, picture_grid
from playground.explanations.targets import resolved
from playground.trace import Trace

Mode = Literal["deletion", "insertion"]
MODES: tuple[Mode, ...] = ("deletion", "insertion")
STEPS = 28  # as in RISE
SEEDS = 5


@dataclass(frozen=True, eq=False)
class Curve:
    """p(class) while patches are deleted from the picture, or inserted into its fill, in one order.

    `shares` [n + 1] of the patches changed, 0 to 1; `scores` [n + 1]; `auc` the area under them, 0..1: low is good
    for deletion and high for insertion. Areas of other fills or other steps cannot be compared.
    """

    name: str
    mode: Mode
    fill: str
    shares: np.ndarray
    scores: np.ndarray
    auc: float


@dataclass(frozen=True, eq=False)
class Baselines:
    """What every map has to beat on this picture: the mean of random orders, and from the centre outwards.

    `random_aucs` holds the areas of the single random orders, keyed by mode and fill.
    """

    target: Target
    steps: int
    random: tuple[Curve, ...]
    centre: tuple[Curve, ...]
    random_aucs: dict[tuple[str, str], tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Trust:
    """A map's curves, one for each mode and fill, beside their baselines.

    `beats_random`, by fill: insertion less deletion is above that of every random order. `beats_centre` likewise.
    """

    curves: tuple[Curve, ...]
    beats_random: dict[str, bool]
    beats_centre: dict[str, bool]


def baselines(trace: Trace, target: Target, access: Access, steps: int = STEPS, seeds: int = SEEDS) -> Baselines:
    """Measure random orders and the order from the centre; the same for every map of this picture and class."""
    grid = picture_grid(trace)
    centred = -((np.indices(grid) - np.array(grid).reshape(2, 1, 1) / 2 + 0.5) ** 2).sum(0).ravel()  # [rows * cols]
    rankings = [ranking(np.zeros(grid), seed) for seed in range(seeds)] + [ranking(centred)]
    target = resolved(trace, target)
    found = _curves(trace, target, access, rankings, ["random"] * seeds + ["centre"], steps)
    random: list[Curve] = []
    areas: dict[tuple[str, str], tuple[float, ...]] = {}
    for i, like in enumerate(found[0]):
        singles = [curves[i] for curves in found[:-1]]
        scores = np.mean([curve.scores for curve in singles], axis=0)
        random.append(Curve("random", like.mode, like.fill, like.shares, scores, area(like.shares, scores)))
        areas[like.mode, like.fill] = tuple(curve.auc for curve in singles)
    return Baselines(target, steps, tuple(random), tuple(found[-1]), areas)


def measure(trace: Trace, made: Map, access: Access, base: Baselines) -> Trust:
    """Measure deletion and insertion of a map with both fills, and hold it against the baselines.

    Maps of other grids are brought onto the patches of the picture, so that areas of methods can be compared; the
    class and query are the baselines', fixed on the whole picture. Source: RISE (Petsiuk et al. 2018), section 4.2;
    the step is whole patches and ties are broken at random.
    """
    order = ranking(on_grid(trace, made, picture_grid(trace)))
    (curves,) = _curves(trace, base.target, access, [order], [made.method], base.steps)
    beats_random, beats_centre = {}, {}
    for fill in FILLS:
        own = gain(curves, fill)
        random = zip(base.random_aucs["insertion", fill], base.random_aucs["deletion", fill], strict=True)
        beats_random[fill] = own > max(insertion - deletion for insertion, deletion in random)
        beats_centre[fill] = own > gain(base.centre, fill)
    return Trust(tuple(curves), beats_random, beats_centre)


def ranking(values: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return the flat indices of values, highest first; ties in an order drawn with the seed."""
    flat = np.asarray(values).ravel()
    if not np.isfinite(flat).all():
        raise ValueError("A map with numbers that are not finite cannot be measured.")
    shuffled = np.random.default_rng(seed).permutation(flat.size)
    return shuffled[np.argsort(-flat[shuffled], kind="stable")]


def area(shares: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under a curve by trapezoids; for even steps (sum - first/2 - last/2) / (n - 1), n points."""
    return float(((scores[1:] + scores[:-1]) / 2 * np.diff(shares)).sum())


def on_grid(trace: Trace, made: Map, grid: tuple[int, int]) -> np.ndarray:
    """Return a map's mean in every cell of another grid on the same view, float64 [rows, cols]."""
    shape = (made.values.shape[0], made.values.shape[1])
    if shape == grid:
        return made.values.astype(np.float64)
    pixels = made.values.astype(np.float64).ravel()[cells(trace.view, shape)]  # [H, W]
    where = cells(trace.view, grid).ravel()
    sums = np.bincount(where, pixels.ravel(), minlength=grid[0] * grid[1])
    return (sums / np.maximum(np.bincount(where, minlength=grid[0] * grid[1]), 1)).reshape(grid)


def gain(curves: Sequence[Curve], fill: str) -> float:
    """Return the area of insertion less that of deletion, -1..1, of curves with one fill: the higher the better."""
    areas = {curve.mode: curve.auc for curve in curves if curve.fill == fill}
    return areas["insertion"] - areas["deletion"]


def _curves(
    trace: Trace, target: Target, access: Access, rankings: list[np.ndarray], names: list[str], steps: int
) -> list[list[Curve]]:
    """Return for each ranking its curves, one for each mode and fill; all pictures run as one row of batches."""
    kinds = [(mode, fill) for mode in MODES for fill in FILLS]
    count = len(rankings[0])
    ends = np.unique(np.linspace(0, count, min(steps, count) + 1).round().astype(int))  # [n + 1] patches changed
    picture = _pictures(trace, rankings, kinds, ends)
    scores = probabilities(access, target, len(rankings) * len(kinds) * len(ends), picture)
    scores = scores.reshape(len(rankings), len(kinds), len(ends))
    shares = ends / count
    return [
        [Curve(name, mode, fill, shares, row, area(shares, row)) for (mode, fill), row in zip(kinds, rows, strict=True)]
        for name, rows in zip(names, scores, strict=True)
    ]


def _pictures(
    trace: Trace, rankings: list[np.ndarray], kinds: list[tuple[Mode, str]], ends: np.ndarray
) -> Callable[[int], Tensor]:
    """Return a function from a running number (ranking, kind, step) to its picture [3, H, W]."""
    pixels = torch.from_numpy(trace.view.pixels)
    fills = {fill: filled(pixels, fill) for fill in FILLS}
    stays = kept(trace, picture_grid(trace))

    def picture(i: int) -> Tensor:
        which, rest = divmod(i, len(kinds) * len(ends))
        kind, step = divmod(rest, len(ends))
        mode, fill = kinds[kind]
        changed = np.zeros(len(rankings[which]), dtype=bool)
        changed[rankings[which][: ends[step]]] = True
        shown = stays(~changed if mode == "deletion" else changed)  # [H, W]
        return torch.where(shown, pixels, fills[fill])

    return picture
