"""Principal components of tokens, fitted over one or several sets at once, and their colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from playground import checks
from playground.embeddings.values import checked, checked_sets, split


@dataclass(frozen=True, eq=False)
class Projection:
    """`mean` [D], orthonormal `basis` [k, D], the share of variance `explained` [k], and `scores` [N_i, k] a set.

    The sign of a component is fixed: its entry of the largest size is positive.
    """

    mean: np.ndarray
    basis: np.ndarray
    explained: np.ndarray
    scores: tuple[np.ndarray, ...]

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the scores float32 [N, k] of other tokens [N, D] in the same components."""
        found = checked(values)
        if found.shape[1] != self.mean.size:
            raise ValueError(f"These tokens have {found.shape[1]} channels and the components {self.mean.size}.")
        return ((found - self.mean) @ self.basis.T).astype(np.float32)


def fit(sets: Sequence[np.ndarray], components: int = 3) -> Projection:
    """Return the principal components of all sets together, each [N_i, D].

    One fit for several layers or pictures makes their scores comparable. Components without any variance have an
    explained share of 0. Raises ValueError. Source: Pearson 1901; Jolliffe, "Principal Component Analysis", 2.1.
    """
    found = checked_sets(sets)
    whole = np.concatenate(found)  # [N, D]
    count, width = whole.shape
    components = checks.whole(components, "components", 1, width)
    mean = whole.mean(0)
    centred = whole - mean
    if count < width:  # the smaller of the two symmetric matrices has the same eigenvalues
        shares, vectors = _largest(centred @ centred.T, min(components, count))
        basis = centred.T @ vectors / np.sqrt(np.maximum(shares, np.finfo(np.float64).tiny))  # [D, k]
        basis = np.concatenate([basis, np.zeros((width, components - basis.shape[1]))], axis=1)
        basis = np.linalg.qr(basis)[0]  # exact where a share is next to 0
        shares = np.pad(shares, (0, components - shares.size))
    else:
        shares, basis = _largest(centred.T @ centred, components)
    basis = _signed(basis.T)  # [k, D]
    total = float((centred**2).sum())
    explained = np.clip(shares, 0.0, None) / total if total > 0 else np.zeros(components)
    scores = split((centred @ basis.T).astype(np.float32), found)
    return Projection(mean, basis, explained, scores)


def colours(projection: Projection, low: float = 2.0, high: float = 98.0) -> tuple[np.ndarray, ...]:
    """Return the first three components of every set as red, green and blue, uint8 [N_i, 3].

    The percentiles `low` and `high` of all sets together become 0 and 255, so that equal colours mean equal scores
    and a few tokens of extreme length do not take the whole scale. As in DINOv2 (Oquab et al. 2023), figure 1, with
    percentiles in place of extremes.
    """
    if projection.basis.shape[0] < 3:
        raise ValueError("Colours need three components; fit three of them.")
    if not (0 <= low < high <= 100):
        raise ValueError("The percentiles must lie between 0 and 100, the lower one first.")
    whole = np.concatenate(projection.scores)[:, :3]
    bottom, top = np.percentile(whole, (low, high), axis=0)  # each [3]
    span = top - bottom
    scaled = np.where(span > 0, (whole - bottom) / np.where(span > 0, span, 1.0), 0.5)
    return split(np.rint(scaled.clip(0.0, 1.0) * 255).astype(np.uint8), projection.scores)


def _largest(matrix: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `count` largest eigenvalues and their vectors [n, count] of a symmetric matrix, largest first."""
    values, vectors = np.linalg.eigh(matrix)  # smallest first
    return values[: -count - 1 : -1], vectors[:, : -count - 1 : -1]


def _signed(basis: np.ndarray) -> np.ndarray:
    largest = np.take_along_axis(basis, np.abs(basis).argmax(1)[:, None], axis=1)  # [k, 1]
    return basis * np.where(largest < 0, -1.0, 1.0)
