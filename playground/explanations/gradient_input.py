"""Gradient times input: what each place of the picture adds to the class, to first order."""

import numpy as np
import torch

from playground.explanations.gradients import graph_of
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.places import cells, picture_grid, region_of
from playground.explanations.targets import resolved, score_of
from playground.trace import Trace


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return the sum over channels, and over the pixels of each patch, of pixel times dy/dpixel, y a logit.

    Zero is a pixel of the mean colour of the training pictures. For a linear model the values sum to y less its bias.
    With "strength" the unsigned sizes are summed instead. Source: Shrikumar et al. 2016 (arXiv 1605.01713).
    """
    target = resolved(trace, target)
    graph = graph_of(trace)
    (gradient,) = torch.autograd.grad(score_of(graph.logits, target), [graph.pixels], retain_graph=True)
    product = (gradient * graph.pixels.detach())[0].sum(0).double().cpu().numpy()  # [H, W]
    if settings["strength"]:
        product = np.abs(product)
    grid = picture_grid(trace) if settings["detail"] == "patches" else product.shape
    where = cells(trace.view, grid)  # [H, W]
    values = np.bincount(where.ravel(), product.ravel(), minlength=grid[0] * grid[1]).reshape(grid)
    region = region_of(trace.view, grid)
    return Map(
        "gradient_input", values.astype(np.float32), settings["detail"], region, target,
        signed=not settings["strength"],
    )  # fmt: skip


METHOD = Method(
    name="gradient_input",
    title="Gradient × input",
    needs="gradient",
    by_class=True,
    description="What a small step from grey towards the picture adds to the class you picked, place by place.",
    run=explain,
    options=(
        Option("detail", "The detail", "patches", ("patches", "pixels")),
        Option("strength", "Strength without sign", False),
    ),
)
