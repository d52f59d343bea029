"""Transformer relevance by the generic rules of Chefer et al., for self-attention and for encoder and decoder."""

import torch
from torch import Tensor

from playground.explanations.gradients import Graded, Weighted, graded
from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.targets import is_detector, last_tokens, one_hot, resolved
from playground.explanations.walk import Group, used, walk, walked_map
from playground.trace import Link, Trace


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return the relevance of every patch for one class, or for one class of one object query.

    Self-attention: start^T (R - I), R_0 = I, R += Abar_l R, Abar = mean over heads of max(0, dy/dA * A), y a logit;
    nothing is normalised between layers. I is left out because it says only where the walk starts: at the class token
    the map is the paper's, and over a mean of patches it would add the same to each. An axial block is one layer whose
    Abar is the product of its row's, its column's and its pooling (ours). Values >= 0, without a unit.
    Source: Chefer, Gur and Wolf 2021 (arXiv 2103.15679), equations 5 to 10.
    """
    target = resolved(trace, target)
    links, source = used(trace, settings["start_layer"])
    weighted = graded(trace, target)
    if is_detector(trace):
        assert target.query is not None
        lying = {source.name: encoder_decoder(links, weighted, target.query)}
        return walked_map("relevance", trace, source, lying, target)

    def split(group: Group, r: Tensor) -> tuple[Tensor, Tensor]:
        return r, torch.stack([weighted[id(link)].pull(r) for link in group]).sum(0)

    start = one_hot(trace, links[-1].writes, target)
    lying, carried = walk(links, start, split), walk(links, start, lambda group, r: (r, _nothing(group)))
    beside = {name: r - carried[name] for name, r in lying.items()}
    return walked_map("relevance", trace, source, beside, target)


def _nothing(group: Group) -> Tensor:
    return torch.zeros(group[0].reads.count, dtype=torch.float64)


def encoder_decoder(links: tuple[Link, ...], weighted: dict[int, Weighted], query: int) -> Tensor:
    """Return row `query` of R_qi, [HW]: how much each place of the memory matters to the query's answer.

    Encoder: R_ii += A R_ii. Decoder layer: R_qq += A R_qq and R_qi += A R_qi for attention among queries, then
    R_qi += norm(R_qq)^T A norm(R_ii) for attention into memory, norm(R) = (R - I) / rowsum + I. Only the row is
    computed: what later layers make of it is a row [Q], and norm(R_ii) is two walks through the encoder.
    """
    encoder = [weighted[id(link)] for link in links if link.writes.grid is not None]
    decoder = [link for link in links if link.writes.grid is None]
    count = decoder[0].writes.count
    beside = torch.zeros(count, count, dtype=torch.float64)  # R_qq - I, kept apart from I: it is far smaller
    onward = torch.eye(count, dtype=torch.float64)[query]  # row of the product of (I + A) of the later layers, [Q]
    into: list[tuple[Weighted, Tensor]] = []  # attention into memory with the R_qq that it meets
    among: list[Tensor] = []
    for link in decoder:
        step = weighted[id(link)]
        if link.reads.grid is None:
            assert isinstance(step, Graded)
            among.append(step.rows(torch.arange(count)).double())  # [Q, Q]
            beside = beside + among[-1] + among[-1] @ beside
        else:
            into.append((step, normalised(beside)))
    seen = torch.zeros(into[0][0].shape[1], dtype=torch.float64)  # [HW]
    for (step, met), mixed in zip(reversed(into), reversed(among), strict=True):
        seen = seen + step.pull(onward @ met.T)
        onward = onward + onward @ mixed
    return _through_encoder(encoder, seen)


def normalised(beside: Tensor) -> Tensor:
    """Return (R - I) / rowsum(R - I) + I for R - I [N, N]; a row with nothing beside I stays I (equations 8, 9)."""
    return beside / _guarded(beside.sum(-1, keepdim=True)) + torch.eye(len(beside), dtype=beside.dtype)


def _through_encoder(encoder: list[Weighted], r: Tensor) -> Tensor:
    """Return r @ norm(R_ii) for r [HW], R_ii = product of (I + A) over the encoder's layers; no [HW, HW] is made."""
    sums = torch.zeros_like(r)  # rowsum(R_ii - I)
    for step in encoder:
        sums = sums + step.push(1 + sums)
    share = r / _guarded(sums)
    beside = torch.zeros_like(r)  # share @ (R_ii - I)
    for step in reversed(encoder):
        beside = beside + step.pull(share + beside)
    return r + beside


def _guarded(sums: Tensor) -> Tensor:
    return sums.clamp_min(torch.finfo(sums.dtype).tiny)


METHOD = Method(
    name="relevance",
    title="Transformer relevance",
    needs="gradient",
    by_class=True,
    description="What speaks for the class you picked, by attention times its gradient through all layers.",
    run=explain,
    options=(
        Option(
            "start_layer",
            "The start layer",
            0,
            low=0,
            high=99,
            help="How many layers are left out; its authors advise more where maps spread too far.",
        ),
    ),
    starts=last_tokens,
)
