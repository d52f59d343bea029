"""The head atlas: how far each head looks, how evenly, and how much of it goes to tokens without a place."""

from dataclasses import dataclass

import torch
from torch import Tensor

from playground.explanations.attention import BLOCK
from playground.explanations.nouns import Access, Cancelled, Target
from playground.explanations.places import stride_of
from playground.explanations.targets import attention_links, resolved, score_of
from playground.trace import Attention, AxialAttention, Link, Sequence, Trace


@dataclass(frozen=True)
class Head:
    """One head of one layer, measured on one picture.

    `distance` in pixels of the view, None where written tokens have no place (object queries); `entropy` 0 (one key)
    to 1 (all keys alike); `prefix` the share 0..1 of the patches' attention that class and register tokens get, each
    by name. `layer` and `head` are what a Target takes. `axis` is "" or, of axial attention, "column" or "row".
    """

    name: str
    layer: int
    head: int
    distance: float | None
    entropy: float
    prefix: tuple[tuple[str, float], ...]
    axis: str = ""


def atlas(trace: Trace) -> tuple[Head, ...]:
    """Return every head of the model, layer by layer; raises ValueError where there is no attention.

    Distance: mean over patches q of sum_k w_qk |g_q - g_k|, Euclidean, w renormalised over the patches alone; along
    the line for axial attention. Entropy: -sum_k w log w / log K, K the keys that are not masked.
    Source: Dosovitskiy et al. 2021, figure 7, right, and section D.7; entropy and shares are ours.
    """
    found: list[Head] = []
    for layer, link in enumerate(attention_links(trace)):
        if isinstance(link.step, AxialAttention):
            found += _axial(trace, link, layer)
        else:
            found += _heads(trace, link, layer)
    return tuple(found)


def effects(trace: Trace, target: Target, access: Access, heads: tuple[Head, ...]) -> tuple[float, ...]:
    """Return for each head of the atlas what p(class) loses when the head gives nothing, -1..1.

    One run of the model for each head. Source: ours, after Michel et al. 2019 (arXiv 1905.10650), section 2.2.
    """
    if access.silenced is None or trace.unread:
        raise ValueError("Heads of this model cannot be taken out one by one.")
    silenced, target = access.silenced, resolved(trace, target)
    axial = any(head.axis for head in heads)
    calls = [(2 * h.layer + (h.axis == "row") if axial else h.layer, h.head) for h in heads]
    pixels = torch.from_numpy(trace.view.pixels)[None]  # [1, 3, H, W]
    whole = float(score_of(access.forward(pixels)[0].double().softmax(-1), target))
    lost: list[float] = []
    for start in range(0, len(calls), access.batch):
        if access.cancelled():
            raise Cancelled
        chosen = calls[start : start + access.batch]
        logits = silenced(pixels.expand(len(chosen), -1, -1, -1), chosen).double()
        lost += [whole - float(score_of(each.softmax(-1), target)) for each in logits]
        access.progress(len(lost) / len(calls))
    return tuple(lost)


def _heads(trace: Trace, link: Link, layer: int) -> list[Head]:
    step = link.step
    assert isinstance(step, Attention)
    skip = len(link.writes.prefix)
    queries = torch.arange(skip, link.writes.count)
    keys = slice(len(link.reads.prefix), None)
    near = _places(trace, link.reads)
    far = _places(trace, link.writes)
    distance = torch.zeros(step.heads, dtype=torch.float64)
    entropy = torch.zeros(step.heads, dtype=torch.float64)
    prefix = torch.zeros(step.heads, len(link.reads.prefix), dtype=torch.float64)
    for rows in queries.split(BLOCK):
        weights = step.weights(rows).double()  # [heads, rows, N_read]
        entropy += evenness(weights, _open_keys(step, rows)).sum(-1)
        prefix += weights[..., : len(link.reads.prefix)].sum(1)
        if near is not None and far is not None:
            among = weights[..., keys]  # [heads, rows, K]
            among = among / among.sum(-1, keepdim=True).clamp_min(torch.finfo(among.dtype).tiny)
            distance += (among * torch.cdist(far[rows - skip], near)).sum((1, 2))
    placed = near is not None and far is not None
    count = len(queries)
    return [
        Head(
            link.name, layer, h, float(distance[h]) / count if placed else None, float(entropy[h]) / count,
            tuple(zip(link.reads.prefix, (prefix[h] / count).tolist(), strict=True)),
        )
        for h in range(step.heads)
    ]  # fmt: skip


def _axial(trace: Trace, link: Link, layer: int) -> list[Head]:
    step = link.step
    assert isinstance(step, AxialAttention)
    found = []
    for axis, weights, stride in zip(
        ("column", "row"), (step.height, step.width), stride_of(trace.view, step.grid), strict=True
    ):
        weights = weights.double()  # [lines, heads, L, L]
        place = torch.arange(weights.shape[-1], dtype=torch.float64) * stride
        apart = (place[:, None] - place[None, :]).abs()  # [L, L]
        distance = (weights * apart).sum(-1).mean((0, 2))  # [heads]
        entropy = evenness(weights, torch.tensor(weights.shape[-1])).mean((0, 2))  # [heads]
        found += [Head(link.name, layer, h, float(distance[h]), float(entropy[h]), (), axis) for h in range(step.heads)]
    return found


def evenness(weights: Tensor, keys: Tensor) -> Tensor:
    """Return the entropy of each row of weights [..., N] over log(keys), 0..1; keys broadcasts to [...]."""
    entropy = -torch.xlogy(weights, weights).sum(-1)
    return entropy / keys.to(entropy).clamp_min(2).log()


def _open_keys(step: Attention, rows: Tensor) -> Tensor:
    """Return how many keys each row may look at, [heads or 1, rows or 1]."""
    if step.bias is None or step.stored is not None:
        return torch.tensor(step.shape[1])
    open_keys = ~torch.isneginf(
        step.bias.expand(-1, *step.shape) if step.bias.dim() == 3 else step.bias.expand(1, *step.shape)
    )
    return open_keys[:, rows].sum(-1)


def _places(trace: Trace, sequence: Sequence) -> Tensor | None:
    """Return where each patch of a sequence lies in pixels of the view, [rows * cols, 2], or None."""
    if sequence.grid is None:
        return None
    down, across = stride_of(trace.view, sequence.grid)
    rows, cols = (torch.arange(n, dtype=torch.float64) for n in sequence.grid)
    return torch.cartesian_prod(rows * down, cols * across).reshape(-1, 2)
