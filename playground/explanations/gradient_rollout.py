"""Gradient rollout: rollout of attention weighted by its positive gradient. A heuristic without a paper."""

import torch
from torch import Tensor

from playground.explanations.attention import BLOCK
from playground.explanations.gradients import graded
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.targets import last_tokens, one_hot, resolved
from playground.explanations.walk import Group, used, walk, walked_map
from playground.trace import Trace


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return start^T of the product of (G_l + I) / rowsum, G_l = mean over heads of max(0, dy/dA_l * A_l).

    Values are shares 0..1 that sum to 1 with what stands apart. Gradients of a class logit are so small beside I that
    most of the mass stays at the start. Source: ours, after the variant of vit-explain, which has no paper.
    """
    target = resolved(trace, target)
    links, source = used(trace, settings["start_layer"])
    weighted = graded(trace, target)

    def split(group: Group, r: Tensor) -> tuple[Tensor, Tensor]:
        stays, moved = torch.zeros_like(r), r.new_zeros(group[0].reads.count)
        for rows in r.nonzero()[:, 0].split(BLOCK):
            mixed = torch.stack([weighted[id(link)].rows(rows) for link in group]).sum(0)  # [rows, N_read]
            sums = mixed.sum(-1).to(r) + (1.0 if group[0].skip else 0.0)  # [rows]
            stays[rows] = r[rows] / sums.clamp_min(torch.finfo(r.dtype).tiny)
            moved += (stays[rows].to(mixed) @ mixed).to(r)
        return stays, moved

    start = one_hot(trace, links[-1].writes, target)
    notes = ("A heuristic: no paper defines it.",)
    return walked_map("gradient_rollout", trace, source, walk(links, start, split), target, notes)


METHOD = Method(
    name="gradient_rollout",
    title="Gradient rollout",
    needs="gradient",
    by_class=True,
    description="Rollout of the attention that speaks for the class you picked; a heuristic, shown for comparison.",
    run=explain,
    options=(Option("start_layer", "The start layer", 0, low=0, high=99, help="Layers before it are left out."),),
    starts=last_tokens,
)
