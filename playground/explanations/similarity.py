"""How alike layers are: their attention (does it collapse?) and their features."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from playground.cka import cka, cka_matrix
from playground.explanations.artefacts import levels_with_grid
from playground.explanations.targets import attention_links
from playground.trace import Attention, AxialAttention, Link, Trace

__all__ = ["Similarity", "attention_similarity", "cka", "feature_similarity"]

MOST_TOKENS = 1100  # whole matrices of attention are compared up to this many tokens


@dataclass(frozen=True, eq=False)
class Similarity:
    """How alike every two layers are: `values` float32 [layers, layers], 1 for the same."""

    names: tuple[str, ...]
    values: np.ndarray


def attention_similarity(trace: Trace, centred: bool = False) -> Similarity:
    """Return the mean over heads h and tokens t of cos(A^p_h[:, t], A^q_h[:, t]) for layers p and q, -1..1.

    Columns: what a token gives to all outputs. Attention is positive, which alone makes cosines high; `centred`
    subtracts 1/N first. Layers compared are those among the same tokens as the most layers.
    Source: DeepViT (Zhou et al. 2021, arXiv 2103.11886), equation 2; the centred form is ours.
    """
    links = _comparable(trace)
    columns = [_columns(link, centred) for link in links]  # each [heads, N, N], unit columns
    values = np.eye(len(links), dtype=np.float32)
    for p, q in combinations(range(len(links)), 2):
        values[p, q] = values[q, p] = float((columns[p] * columns[q]).sum(1).mean())
    return Similarity(tuple(link.name for link in links), values)


def feature_similarity(trace: Trace) -> Similarity:
    """Return linear CKA between the tokens of every two levels of the same sequence length, 0..1.

    1 for features that are the same up to rotation and scale. Source: Kornblith et al. 2019 (arXiv 1905.00414), 3.
    """
    levels = levels_with_grid(trace)
    count = max((t.sequence.count for t in levels), key=[t.sequence.count for t in levels].count)
    chosen = [tokens for tokens in levels if tokens.sequence.count == count]
    values = cka_matrix([tokens.values for tokens in chosen]).numpy().astype(np.float32)
    return Similarity(tuple(tokens.name for tokens in chosen), values)


def _comparable(trace: Trace) -> list[Link]:
    links = [link for link in attention_links(trace) if link.reads.name == link.writes.name]
    links = [link for link in links if isinstance(link.step, Attention)]
    if not links:
        kind = "axial attention" if any(isinstance(link.step, AxialAttention) for link in trace.links) else "this model"
        raise ValueError(f"Layers of {kind} cannot be compared, because no two attend among all the same tokens.")
    shapes = [(link.writes.name, link.step.heads) for link in links if isinstance(link.step, Attention)]
    usual = max(shapes, key=shapes.count)
    found = [link for link, shape in zip(links, shapes, strict=True) if shape == usual]
    if found[0].writes.count > MOST_TOKENS:
        raise ValueError(f"Layers are compared on at most {MOST_TOKENS} tokens, and here are {found[0].writes.count}.")
    return found


def _columns(link: Link, centred: bool) -> Tensor:
    assert isinstance(link.step, Attention)
    weights = link.step.weights().float()  # [heads, N, N]
    if centred:
        weights = weights - 1.0 / weights.shape[-1]
    return torch.nn.functional.normalize(weights, dim=1, eps=1e-12)
