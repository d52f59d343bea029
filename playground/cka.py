"""Centred kernel alignment: how alike features of the same tokens are, whatever their rotation and scale."""

from collections.abc import Sequence

import torch
from torch import Tensor

MOST_BY_TOKENS = 1500  # above, N x N Gram matrices cost more than D x D ones


def cka(x: Tensor, y: Tensor) -> float:
    """Return linear CKA of features x [N, D] and y [N, E] of the same tokens: |y^T x|^2 / (|x^T x| |y^T y|), 0..1.

    Source: Kornblith et al. 2019 (arXiv 1905.00414), section 3.
    """
    x, y = (f.double() - f.double().mean(0) for f in (x, y))
    norm = (x.T @ x).norm() * (y.T @ y).norm()
    return float((y.T @ x).norm() ** 2 / norm.clamp_min(torch.finfo(norm.dtype).tiny))


def cka_matrix(features: Sequence[Tensor]) -> Tensor:
    """Return linear CKA of every two of `features`, each [N, D_i] of the same N tokens, as float64 [L, L].

    The same as `cka` of each pair. With few tokens it is <K_i, K_j> / (|K_i| |K_j|) of the Gram matrices K = x x^T,
    each made once in float32: O(L N^2 D) in place of O(L^2 N D^2).
    """
    count = len(features)
    if count and len(features[0]) > MOST_BY_TOKENS:
        values = torch.eye(count, dtype=torch.float64)
        for i in range(count):
            for j in range(i):
                values[i, j] = values[j, i] = cka(features[i], features[j])
        return values
    grams = torch.stack([_gram(x) for x in features]) if count else torch.zeros(0, 1)  # [L, N * N], unit rows
    return (grams @ grams.T).double().clamp(0.0, 1.0)


def _gram(x: Tensor) -> Tensor:
    """Return the centred Gram matrix of x [N, D] as a unit vector [N * N]; zeros where all tokens are the same."""
    x = x.double() - x.double().mean(0)
    x = (x / x.norm().clamp_min(torch.finfo(x.dtype).tiny)).float()
    gram = (x @ x.T).flatten()
    return gram / gram.norm().clamp_min(torch.finfo(gram.dtype).tiny)
