"""Grad-CAM: channels of one level of features, weighted by how much the class wants more of them."""

from dataclasses import replace

import torch
from torch import Tensor

from playground.explanations.gradients import graph_of
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.places import as_map
from playground.explanations.targets import chosen, resolved, score_of
from playground.trace import Feature, Trace


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return max(0, sum_c a_c F_c) over the places of one level, a_c the mean over places of dy/dF_c, y a logit.

    Works on tokens and on convolution stages alike; prefix tokens take no part. Without a chosen layer it is the last
    whose places reach the answer: patches behind the last attention never reach a class token. No unit.
    Source: Selvaraju et al. 2017 (arXiv 1610.02391), equations 1 and 2.
    """
    target = resolved(trace, target)
    graph = graph_of(trace)
    names = feature_names(trace)
    tried = tuple(range(len(names)))[::-1] if target.layer is None else (chosen(names, target.layer),)
    asked = [graph.features[i].tensor for i in tried]
    found = torch.autograd.grad(score_of(graph.logits, target), asked, retain_graph=True, allow_unused=True)
    for layer, gradient in zip(tried, found, strict=True):
        weight = None if gradient is None else places(graph.features[layer], gradient).mean(0)  # [C]
        if weight is None or not bool(weight.any()):
            continue
        feature = graph.features[layer]
        whole = places(feature, feature.tensor.detach()) @ weight  # [rows * cols]
        values = whole.clamp_min(0) if settings["positive"] else whole
        padded = torch.cat([values.new_zeros(len(feature.sequence.prefix)), values])  # [N]
        done = replace(target, layer=layer)
        made = as_map("gradcam", trace, feature.sequence, padded, done, signed=not settings["positive"])
        return replace(made, apart=(), notes=(f"Features of {feature.name}.",))
    raise ValueError("No gradient of this class reaches the places of this layer; choose an earlier layer.")


def places(feature: Feature, tensor: Tensor) -> Tensor:
    """Return [1, N, D] or [1, C, rows, cols] as [rows * cols, channels], prefix left out."""
    if tensor.dim() == 4:
        return tensor[0].flatten(1).T
    return tensor[0, len(feature.sequence.prefix) :]


def feature_names(trace: Trace) -> tuple[str, ...]:
    """Name the levels of features in the graph that lie on the picture, in order."""
    names = tuple(feature.name for feature in graph_of(trace).features)
    if not names:
        raise ValueError("This model shows no features that lie on the picture.")
    return names


METHOD = Method(
    name="gradcam",
    title="Grad-CAM",
    needs="gradient",
    by_class=True,
    description="Where one level of features holds what the class you picked wants more of.",
    run=explain,
    options=(Option("positive", "Only what speaks for the class", True),),
    layers=feature_names,
)
