"""k-means of tokens: an unsupervised segmentation of a picture, or of several with the same labels."""

from collections.abc import Sequence

import numpy as np

from playground import checks
from playground.embeddings.values import checked_sets, split, unit

MOST_CLUSTERS = 32
MOST_STEPS = 100
MANY, THIN = 1000, 5  # of so many tokens every fifth alone first moves the centres to near where all of them rest
LAST_STEPS = 12  # of all of them then, so that a click is answered within 50 ms


def kmeans(values: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return a label 0..count-1 for every token, int64 [N], for values [N, D]; label 0 has the most tokens.

    k-means on tokens of length 1, which orders by cosine (spherical k-means, Dhillon and Modha 2001), started by
    k-means++ (Arthur and Vassilvitskii 2007). The same seed gives the same labels. More than MANY tokens may stop a
    few changes before they settle. Raises ValueError.
    """
    return kmeans_sets([values], count, seed)[0]


def kmeans_sets(sets: Sequence[np.ndarray], count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return labels like `kmeans` for several sets [N_i, D] clustered together, int64 [N_i] each."""
    found = checked_sets(sets)
    tokens = unit(np.concatenate(found)).astype(np.float32)  # [N, D]
    count = checks.whole(count, "The number of clusters", 1, min(MOST_CLUSTERS, len(tokens)))
    rng = np.random.default_rng(checks.whole(seed, "The seed", 0, 2**31 - 1))
    centres = _spread(tokens, count, rng)
    most = MOST_STEPS
    if len(tokens) > MANY:
        _, centres = _settled(tokens[::THIN], centres, MOST_STEPS)
        most = LAST_STEPS
    labels, _ = _settled(tokens, centres, most)
    return split(_by_size(labels, count), found)


def _settled(tokens: np.ndarray, centres: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return every token's cluster [N] and the centres [k, D] once no token changes any more, or after `most` steps."""
    labels = np.full(len(tokens), -1)
    for _ in range(most):
        fits = tokens @ centres.T - (centres**2).sum(1) / 2  # [N, k], largest at the nearest centre
        nearest = fits.argmax(1)
        if (nearest == labels).all():
            break
        labels = nearest
        centres = _means(tokens, labels, fits.max(1), len(centres))
    return labels, centres


def _means(tokens: np.ndarray, labels: np.ndarray, fit: np.ndarray, count: int) -> np.ndarray:
    """Return the mean of every cluster [k, D]; an empty one begins anew at a token that fits its own worst."""
    members = labels == np.arange(count)[:, None]  # [k, N]
    sizes = members.sum(1)
    centres = members.astype(np.float32) @ tokens / np.maximum(sizes, 1)[:, None]
    empty = np.flatnonzero(sizes == 0)
    centres[empty] = tokens[np.argsort(fit, kind="stable")[: len(empty)]]
    return centres


def _spread(tokens: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` tokens [k, D], each with a chance proportional to its squared distance from those drawn before."""
    lengths = (tokens**2).sum(1)  # [N], 1, or 0 for a token of zeros
    chosen = [int(rng.integers(len(tokens)))]
    distance = np.full(len(tokens), np.inf)
    while len(chosen) < count:
        last = tokens[chosen[-1]]
        distance = np.minimum(distance, (lengths + last @ last - 2 * tokens @ last).clip(0))
        distance[chosen] = 0  # rounding must not draw a token twice
        total = distance.sum()
        chosen.append(int(rng.choice(len(tokens), p=distance / total)) if total > 0 else int(rng.integers(len(tokens))))
    return tokens[chosen].copy()


def _by_size(labels: np.ndarray, count: int) -> np.ndarray:
    """Number the clusters by size, the largest first; equal sizes by their first token."""
    sizes = np.bincount(labels, minlength=count)
    first = [int(np.argmax(labels == k)) if sizes[k] else len(labels) for k in range(count)]
    order = sorted(range(count), key=lambda k: (-sizes[k], first[k]))
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return rank[labels]
