"""Attention rollout: attention of all layers multiplied out, the residual path counted."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from playground.explanations.artefacts import outliers
from playground.explanations.attention import BLOCK, fuse, mixed
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.targets import is_detector, last_tokens, one_hot, query_of
from playground.explanations.walk import Group, used, walk, walked_map
from playground.trace import Attention, AxialAttention, Link, Pool, Trace


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return (start^T R_L), R_l = (a I + (1 - a) A_l) R_{l-1}, A_l the heads' mean and a the residual weight.

    Values are shares 0..1; with what stands apart they sum to 1. Walked backwards: memory O(N).
    Source: Abnar and Zuidema 2020 (arXiv 2005.00928), section 3, a = 1/2; other settings are options of ours.
    """
    links, source = used(trace, settings["start_layer"])
    start = one_hot(trace, links[-1].writes, target)
    stay, dropped = settings["residual"], settings["discard"]
    without = outliers(trace) if settings["without_artefacts"] else {}

    def split(group: Group, r: Tensor) -> tuple[Tensor, Tensor]:
        pulled = [pull(link, r, settings["heads"], dropped, without.get(link.reads.name, ())) for link in group]
        share = stay if group[0].skip else 0.0
        return share * r, (1 - share) * torch.stack(pulled).mean(0)

    lying = walk(links, start, split)
    total = sum(float(r.sum()) for r in lying.values())
    assert abs(total - 1) < 1e-3, total  # every step keeps the sum
    done = replace(target, class_index=None, query=query_of(trace, target) if is_detector(trace) else None)
    return walked_map(
        "rollout", trace, source, lying, done, _left_out(without) if settings["without_artefacts"] else ()
    )


def _left_out(without: dict[str, tuple[int, ...]]) -> tuple[str, ...]:
    count = sum(len(places) for places in without.values())
    return (f"Outliers in norm left out: {count}." if count else "No token stands out in norm, so none was left out.",)


def pull(link: Link, r: Tensor, heads: str = "mean", discard: float = 0.0, without: tuple[int, ...] = ()) -> Tensor:
    """Return r @ A, [N_read] for r [N_written], rows of A fused over heads, thinned out and summing to 1.

    `without` are places of the tokens read at which nothing may look.
    """
    step = link.step
    if isinstance(step, Pool) or (heads == "mean" and discard == 0 and not without):
        return step.pull(r)
    if isinstance(step, AxialAttention):
        one = mixed(step, heads)
        height = one.height.clone()  # [cols, 1, rows, rows]: this step reads the tokens, the width step what it wrote
        for place in without:
            height[place % step.grid[1], :, :, place // step.grid[1]] = 0.0
        height, width = (thinned(a, discard, torch.arange(a.shape[-1])) for a in (height, one.width))
        return AxialAttention(height, width, step.pool).pull(r)
    assert isinstance(step, Attention)
    pulled = r.new_zeros(step.shape[1])
    itself = link.reads.name == link.writes.name
    for rows in r.nonzero()[:, 0].split(BLOCK):
        fused = fuse(step.weights(rows), heads)  # [rows, N_read]
        fused[:, list(without)] = 0.0
        thin = thinned(fused, discard, rows if itself else None)
        pulled += (r[rows].to(thin) @ thin).to(r)
    return pulled


def thinned(fused: Tensor, discard: float, diagonal: Tensor | None) -> Tensor:
    """Return rows [..., rows, N] without their smallest `discard` share of entries, each summing to 1 again.

    `diagonal` [rows] is each row's own column; it is never taken out, nor is the largest entry.
    """
    count = min(int(discard * fused.shape[-1]), fused.shape[-1] - 1)
    if count > 0:
        rank = fused.clone()
        if diagonal is not None:
            rank[..., torch.arange(len(diagonal)), diagonal] = float("inf")
        smallest = rank.topk(count, dim=-1, largest=False).indices  # [..., rows, count]
        fused = fused.scatter(-1, smallest, 0.0)
    sums = fused.sum(-1, keepdim=True)  # [..., rows, 1]
    still = torch.full_like(fused, 1.0 / fused.shape[-1])  # where nothing is left: stay, or look everywhere alike
    if diagonal is not None:
        still = F.one_hot(diagonal, fused.shape[-1]).to(fused).expand_as(fused)
    return torch.where(sums > 0, fused / sums, still)


METHOD = Method(
    name="rollout",
    title="Attention rollout",
    needs="trace",
    by_class=False,
    description="Follows attention through all layers, half of it staying on the residual path; it does not know which "
    "class you picked.",
    run=explain,
    options=(
        Option("residual", "The residual weight", 0.5, help="How much stays on the skip path of each layer."),
        Option("heads", "The mix of heads", "mean", ("mean", "max", "min")),
        Option("discard", "The discard ratio", 0.0, help="The smallest entries of each row, taken out."),
        Option("start_layer", "The start layer", 0, low=0, high=99, help="How many layers are left out."),
        Option("without_artefacts", "Without artefact tokens", False, help="Nothing may look at outliers in norm."),
    ),
    starts=last_tokens,
)
