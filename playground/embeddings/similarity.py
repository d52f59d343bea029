"""How alike tokens are, within a picture, between pictures, and between layers."""

import numpy as np
import torch
from torch import Tensor

from playground import checks
from playground.cka import cka_matrix
from playground.embeddings.tokens import grid_tokens, layers
from playground.embeddings.values import checked, unit
from playground.trace import Trace


def cosine(values: np.ndarray, index: int) -> np.ndarray:
    """Return cos(token, every token) as float32 [N], -1..1, for the token `index` of values [N, D]."""
    return between(values, index, values)


def between(values: np.ndarray, index: int, others: np.ndarray) -> np.ndarray:
    """Return cos(token `index` of values [N, D], every one of others [M, D]) as float32 [M], -1..1.

    The same layer of a second picture gives its correspondences. A token of zeros is like no other: 0.
    Raises ValueError for an index outside the tokens and for others of another width.
    """
    one, many = checked(values), checked(others, "The other tokens")
    index = checks.whole(index, "The token", 0, len(one) - 1)
    if one.shape[1] != many.shape[1]:
        raise ValueError(
            f"Tokens of {one.shape[1]} and {many.shape[1]} channels cannot be compared; choose layers of equal width."
        )
    return (unit(many) @ unit(one[index])).clip(-1.0, 1.0).astype(np.float32)


def nearest(values: np.ndarray, index: int, others: np.ndarray, count: int) -> tuple[tuple[int, float], ...]:
    """Return the `count` tokens of others [M, D] most like the token `index`: (index, cosine), most alike first.

    Where `others` is the same array, the token itself is left out. Fewer are returned where there are fewer.
    """
    count = checks.whole(count, "count", 1, 1000)
    found = between(values, index, others)
    order = np.argsort(-found, kind="stable")
    if others is values:
        order = order[order != index]
    return tuple((int(i), float(found[i])) for i in order[:count])


def layer_cka(trace: Trace) -> np.ndarray:
    """Return linear CKA of the patch tokens of every two of `layers(trace)`, float32 [L, L], 0..1, 1 on the diagonal.

    Where two layers have different grids, the finer is averaged onto the coarser one (ours).
    Source: Kornblith et al. 2019 (arXiv 1905.00414), section 3.
    """
    levels = [grid_tokens(trace, i) for i in range(len(layers(trace)))]
    grids = [level.grid for level in levels]
    values = np.eye(len(levels), dtype=np.float32)
    for grid in sorted(set(grids)):
        finer = [i for i, other in enumerate(grids) if other[0] >= grid[0] and other[1] >= grid[1]]
        found = cka_matrix([_pooled(levels[i].values, grids[i], grid) for i in finer]).numpy()
        for a, i in enumerate(finer):
            for b, j in enumerate(finer):
                if i != j and grid in (grids[i], grids[j]):
                    values[i, j] = found[a, b]
    return values


def norms(trace: Trace) -> tuple[np.ndarray, ...]:
    """Return the length of every patch token over its channels, float32 [rows, cols] for each of `layers(trace)`."""
    levels = [grid_tokens(trace, i) for i in range(len(layers(trace)))]
    return tuple(np.linalg.norm(level.values, axis=1).reshape(level.grid) for level in levels)


def _pooled(values: np.ndarray, grid: tuple[int, int], wanted: tuple[int, int]) -> Tensor:
    tokens = torch.from_numpy(values)  # [N, D]
    if grid == wanted:
        return tokens
    image = tokens.T.reshape(1, -1, *grid)  # [1, D, rows, cols]
    return torch.nn.functional.adaptive_avg_pool2d(image, wanted)[0].flatten(1).T
