"""Gradient rollout: rollout of attention weighted by its positive gradient. A heuristic without a paper."""

from dataclasses import replace

import torch
from torch import Tensor

from playground.explanations.attention import BLOCK
from playground.explanations.gradients import Graded, graded
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.targets import last_tokens, one_hot, resolved
from playground.explanations.walk import Group, subsamples, used, walk, walked_map
from playground.trace import AxialAttention, Trace

STILL = "never left the start"


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return start^T of the product of (G_l + I) / rowsum, G_l = mean over heads of max(0, dy/dA_l * A_l).

    Values are shares 0..1 that sum to 1 with what stands apart. Gradients may be so small beside I that most of the
    mass stays at the start. Skip paths that read every s-th position would draw those over the map, so with them what
    went along skip paths alone stands apart. An axial block is one layer, see `graded`. Source: ours, after the variant
    of vit-explain, which has no paper.
    """
    target = resolved(trace, target)
    links, source = used(trace, settings["start_layer"])
    weighted = graded(trace, target)

    sums: dict[int, Tensor] = {}  # of the rows of G_l + I that are reached, by id of the first link

    def split(group: Group, r: Tensor) -> tuple[Tensor, Tensor]:
        steps = [weighted[id(link)] for link in group]
        total = torch.full_like(r, 1.0 if group[0].skip else 0.0)  # [N_written]
        sums[id(group[0])] = total
        if isinstance(steps[0], AxialAttention):
            total += steps[0].push(r.new_ones(group[0].reads.count))
            return _over(r, total), steps[0].pull(_over(r, total))
        moved = r.new_zeros(group[0].reads.count)
        for rows in r.nonzero()[:, 0].split(BLOCK):
            mixed = torch.stack([step.rows(rows) for step in steps if isinstance(step, Graded)]).sum(0)
            total[rows] += mixed.sum(-1).to(r)  # mixed is [rows, N_read]
            moved += (_over(r[rows], total[rows]).to(mixed) @ mixed).to(r)
        return _over(r, total), moved

    def carry(group: Group, r: Tensor) -> tuple[Tensor, Tensor]:
        return _over(r, sums[id(group[0])]), r.new_zeros(group[0].reads.count)

    start = one_hot(trace, links[-1].writes, target)
    lying, notes = walk(links, start, split), ("A heuristic: no paper defines it.",)
    if not any(map(subsamples, links)):
        return walked_map("gradient_rollout", trace, source, lying, target, notes)
    carried = walk(links, start, carry)
    moved = {name: r - carried[name] for name, r in lying.items()}
    made = walked_map("gradient_rollout", trace, source, moved, target, notes)
    return replace(made, apart=(*made.apart, (STILL, float(sum(r.sum() for r in carried.values())))))


def _over(r: Tensor, sums: Tensor) -> Tensor:
    return r / sums.clamp_min(torch.finfo(r.dtype).tiny)


METHOD = Method(
    name="gradient_rollout",
    title="Gradient rollout",
    needs="gradient",
    by_class=True,
    description="Rollout of the attention that speaks for the class you picked; a heuristic, shown for comparison.",
    run=explain,
    options=(Option("start_layer", "The start layer", 0, low=0, high=99, help="How many layers are left out."),),
    starts=last_tokens,
)
