"""k-means of tokens: an unsupervised segmentation of a picture, or of several with the same labels."""

from collections.abc import Sequence

import numpy as np

from playground import checks
from playground.embeddings.values import checked_sets, split, unit

MOST_CLUSTERS = 32
MOST_STEPS = 100


def kmeans(values: np.ndarray, count: int, seed: int = 0) -> np.ndarray:
    """Return a label 0..count-1 for every token, int64 [N], for values [N, D]; label 0 has the most tokens.

    k-means on tokens of length 1, which orders by cosine (spherical k-means, Dhillon and Modha 2001), started by
    k-means++ (Arthur and Vassilvitskii 2007). The same seed gives the same labels. Raises ValueError.
    """
    return kmeans_sets([values], count, seed)[0]


def kmeans_sets(sets: Sequence[np.ndarray], count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return labels like `kmeans` for several sets [N_i, D] clustered together, int64 [N_i] each."""
    found = checked_sets(sets)
    tokens = unit(np.concatenate(found))  # [N, D]
    count = checks.whole(count, "The number of clusters", 1, min(MOST_CLUSTERS, len(tokens)))
    rng = np.random.default_rng(checks.whole(seed, "The seed", 0, 2**31 - 1))
    centres = _spread(tokens, count, rng)
    labels = np.full(len(tokens), -1)
    for _ in range(MOST_STEPS):
        distance = ((centres**2).sum(1) - 2 * tokens @ centres.T) + 1.0  # [N, k], squared
        nearest = distance.argmin(1)
        if (nearest == labels).all():
            break
        labels = nearest
        far = distance[np.arange(len(tokens)), labels]
        for k in range(count):
            chosen = labels == k
            if chosen.any():
                centres[k] = tokens[chosen].mean(0)
            else:  # an empty cluster begins anew at the token that fits worst
                centres[k] = tokens[far.argmax()]
                far[far.argmax()] = -1.0
    return split(_by_size(labels, count), found)


def _spread(tokens: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw `count` tokens [k, D], each with a chance proportional to its squared distance from those drawn before."""
    chosen = [int(rng.integers(len(tokens)))]
    distance = ((tokens - tokens[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count:
        total = distance.sum()
        place = int(rng.choice(len(tokens), p=distance / total)) if total > 0 else int(rng.integers(len(tokens)))
        chosen.append(place)
        distance = np.minimum(distance, ((tokens - tokens[place]) ** 2).sum(1))
    return tokens[chosen].copy()


def _by_size(labels: np.ndarray, count: int) -> np.ndarray:
    """Number the clusters by size, the largest first; equal sizes by their first token."""
    sizes = np.bincount(labels, minlength=count)
    first = [int(np.argmax(labels == k)) if sizes[k] else len(labels) for k in range(count)]
    order = sorted(range(count), key=lambda k: (-sizes[k], first[k]))
    rank = np.empty(count, dtype=np.int64)
    rank[order] = np.arange(count)
    return rank[labels]
