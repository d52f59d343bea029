"""The position-sensitive terms of axial attention apart: content, query with position, key with position."""

from dataclasses import dataclass

import torch
from torch import Tensor

from playground.explanations.nouns import Access
from playground.explanations.targets import attention_links, chosen, link_names
from playground.trace import AxialAttention, Trace

NAMES = ("q · k", "q · r", "k · r")


@dataclass(frozen=True, eq=False)
class Terms:
    """One axial block taken apart.

    `whole` is what the block attends; `alone` the softmax of each of NAMES by itself, its two steps composed as the
    whole's. `column` and `row` [heads, 3]: the share 0..1 of the spread of the logits that comes of each term.
    """

    whole: AxialAttention
    alone: tuple[AxialAttention, ...]
    column: tuple[tuple[float, ...], ...]
    row: tuple[tuple[float, ...], ...]


def position_terms(trace: Trace, layer: int | None, access: Access | None) -> Terms:
    """Return the terms of one axial block, read by the model in the tokens that the block was given.

    Logits are q.k + q.r + k.r, each batch-normalised: Axial-DeepLab (Wang et al. 2020), equation 4. Shares are
    variances over the keys, mean over queries and lines, each over the sum of the three: ours. Raises ValueError for
    a model without axial attention.
    """
    layer = chosen(link_names(trace), layer)
    step = attention_links(trace)[layer].step
    if not isinstance(step, AxialAttention):
        raise ValueError("This attention has no terms with positions to take apart; axial attention has.")
    if access is None or access.terms is None:
        raise ValueError("The terms are read with the model's own layer, so it needs the model beside its trace.")
    tokens = trace.tokens[layer]  # what the block reads: tokens stand after the stem and after every block
    height, width = access.terms(layer, tokens.values.T.reshape(1, -1, *step.grid))  # [lines, 3, heads, L, L]
    alone = tuple(
        AxialAttention(height[:, i].softmax(-1), width[:, i].softmax(-1), step.pool) for i in range(len(NAMES))
    )
    return Terms(step, alone, _shares(height), _shares(width))


def _shares(terms: Tensor) -> tuple[tuple[float, ...], ...]:
    spread = terms.double().var(-1).mean((0, 3)).T  # [heads, 3]
    share = spread / spread.sum(-1, keepdim=True).clamp_min(torch.finfo(spread.dtype).tiny)
    return tuple(tuple(head) for head in share.tolist())
