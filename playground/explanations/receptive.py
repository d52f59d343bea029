"""The effective receptive field: which pixels a place of one level really depends on, convolutions included."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from playground.explanations.gradcam import feature_names
from playground.explanations.gradients import graph_of
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.places import cells, picture_grid, region_of
from playground.explanations.targets import chosen, patch_index
from playground.trace import Feature, Sequence, Trace

HALF = 0.5


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return how strongly each pixel moves one place of a level: sqrt(mean over probes of |d(s . F) / dpixel|^2).

    F [C] are the features of the chosen patch, the middle one by default, and s the random signs of a probe: the mean
    is an unbiased estimate of the sum over channels, exact for one. No unit. Source: Luo et al. 2016
    (arXiv 1701.04128), section 3.1, where there is one channel; the probes are Hutchinson's.
    """
    graph = graph_of(trace)
    layer = chosen(feature_names(trace), target.layer)
    feature = graph.features[layer]
    rows, cols = feature.sequence.grid or (1, 1)
    patch = (rows // 2, cols // 2) if target.patch is None else target.patch
    unit = _unit(feature, patch_index(feature.sequence, patch))  # [C]
    signs = torch.randint(0, 2, (settings["probes"], unit.numel()), generator=torch.Generator().manual_seed(0))
    total = torch.zeros(graph.pixels.shape[2:], dtype=torch.float64)  # [H, W]
    for sign in (2.0 * signs - 1).to(unit):
        (gradient,) = torch.autograd.grad(unit @ sign, [graph.pixels], retain_graph=True)
        total += gradient[0].double().square().sum(0).cpu()
    strength = (total / settings["probes"]).sqrt().numpy()  # [H, W]
    down, across = trace.view.stride((rows, cols))
    middle = ((patch[0] + 0.5) * down, (patch[1] + 0.5) * across)
    notes = (f"Half of it lies within {reach(strength, middle):.0f} pixels of the view from the middle of the place.",)
    grid = picture_grid(trace) if settings["detail"] == "patches" else strength.shape
    count = grid[0] * grid[1]
    where = cells(trace.view, grid).ravel()  # [H * W]
    values = np.bincount(where, strength.ravel(), minlength=count).reshape(grid).astype(np.float32)
    done = replace(Target(), layer=layer, patch=(int(patch[0]), int(patch[1])))
    return Map("receptive", values, feature.sequence.name, region_of(trace.view, grid), done, notes=notes)


def reach(strength: np.ndarray, middle: tuple[float, float], share: float = HALF) -> float:
    """Return the least distance in pixels from `middle` (row, col) within which `share` of the strength [H, W] lies."""
    rows, cols = (np.arange(n) + 0.5 for n in strength.shape)
    away = np.hypot(rows[:, None] - middle[0], cols[None, :] - middle[1]).ravel()  # [H * W]
    order = away.argsort(kind="stable")
    inside = strength.ravel()[order].cumsum()
    place = int(np.searchsorted(inside, share * inside[-1] * (1 - 1e-9)))
    return float(away[order][min(place, away.size - 1)])


def level_of(trace: Trace, target: Target) -> Sequence:
    """Return the tokens of the chosen level."""
    return graph_of(trace).features[chosen(feature_names(trace), target.layer)].sequence


def _unit(feature: Feature, place: int) -> Tensor:
    """Return the features [C] of one place, prefix counted, of [1, N, D] or [1, C, rows, cols]."""
    return feature.tensor[0].flatten(1)[:, place] if feature.tensor.dim() == 4 else feature.tensor[0, place]


METHOD = Method(
    name="receptive",
    title="Effective receptive field",
    needs="gradient",
    by_class=False,
    description="The pixels that one place of one level depends on, convolutions included: what a stage without "
    "attention has in place of a map of attention.",
    run=explain,
    options=(
        Option("detail", "The detail", "pixels", ("pixels", "patches")),
        Option("probes", "The probes", 8, low=1, high=64, help="Random mixes of channels; more are steadier."),
    ),
    layers=feature_names,
    starts=level_of,
)
