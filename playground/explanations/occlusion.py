"""Occlusion: how much the class loses when one part of the picture is covered."""

import math

import numpy as np
import torch
from torch import Tensor

from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.perturb import FILLS, filled, kept, probabilities
from playground.explanations.places import picture_grid, region_of
from playground.explanations.targets import resolved
from playground.trace import Trace

MOST_RUNS = 225  # windows; on finer grids they move by more than one patch


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return for each patch the mean loss of p(class), -1..1, over the windows that cover it.

    The class (and a detector's query) is fixed on the whole picture. Windows move by one patch, by more where that
    would be far over 225 runs. Source: Zeiler and Fergus 2014 (arXiv 1311.2901), section 4.2, on whole patches.
    """
    if access is None:
        raise ValueError("Occlusion runs the model again, so it needs the model beside its trace.")
    target = resolved(trace, target)
    grid = picture_grid(trace)
    step = max(1, math.ceil(math.sqrt(grid[0] * grid[1] / MOST_RUNS)))
    covers = windows(grid, max(settings["window"], step), step)  # bool [n, rows * cols]
    pixels = torch.from_numpy(trace.view.pixels)  # [3, H, W]
    instead = filled(pixels, settings["fill"])
    stay = kept(trace, grid)

    def picture(i: int) -> Tensor:
        return pixels if i == 0 else torch.where(stay(~covers[i - 1]), pixels, instead)

    scores = probabilities(access, target, len(covers) + 1, picture)
    loss = scores[0] - scores[1:]  # [n]
    values = loss @ covers / np.maximum(covers.sum(0), 1)  # [rows * cols]
    return Map(
        "occlusion", values.reshape(grid).astype(np.float32), "patches", region_of(trace.view, grid), target,
        signed=True, notes=(f"The model ran {len(covers) + 1} times.",),
    )  # fmt: skip


def windows(grid: tuple[int, int], window: int, step: int) -> np.ndarray:
    """Return which cells each square window covers, bool [n, rows * cols].

    Windows reach past the edges, so that with steps of one every cell is covered window^2 times.
    """
    rows, cols = grid
    tops, lefts = (range(min(0, step - window), n, step) for n in (rows, cols))
    covers = np.zeros((len(tops) * len(lefts), rows, cols), dtype=bool)
    for i, (top, left) in enumerate((top, left) for top in tops for left in lefts):
        covers[i, max(top, 0) : top + window, max(left, 0) : left + window] = True
    return covers.reshape(len(covers), -1)


METHOD = Method(
    name="occlusion",
    title="Occlusion",
    needs="perturbation",
    by_class=True,
    description="Covers the picture part by part and measures what the class you picked loses.",
    run=explain,
    options=(
        Option("window", "The window", 2, low=1, high=16, help="Side of the covered square, in patches."),
        Option("fill", "The fill", "mean", FILLS),
    ),
)
