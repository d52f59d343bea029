"""Measures of class scores in plain numpy: top-k, each class, calibration, the "not sure" threshold."""

import numpy as np


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """[N, C] logits -> probabilities at a temperature."""
    scaled = logits.astype(np.float64) / temperature
    scaled = np.exp(scaled - scaled.max(1, keepdims=True))
    return scaled / scaled.sum(1, keepdims=True)


def top_k(logits: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Share of rows whose label is among the k largest logits, 0..1."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    return float((best == labels[:, None]).any(1).mean())


def per_class(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Top-1 of each class [C], 0..1; NaN for a class without pictures."""
    right = logits.argmax(1) == labels
    count = np.bincount(labels, minlength=logits.shape[1])
    hits = np.bincount(labels, weights=right, minlength=logits.shape[1])
    return np.where(count > 0, hits / np.maximum(count, 1), np.nan)


def confusions(answers: np.ndarray, labels: np.ndarray, most: int = 10) -> list[tuple[int, int, int, int]]:
    """The most frequent mistakes: (true class, answered class, how often, of how many), most frequent first.

    answers [N] and labels [N] are class numbers of one numbering; an answer below 0 is a class outside it.
    """
    wrong = answers != labels
    pairs, counts = np.unique(np.stack([labels[wrong], answers[wrong]]), axis=1, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:most]
    return [
        (int(pairs[0, i]), int(pairs[1, i]), int(counts[i]), int((labels == pairs[0, i]).sum())) for i in order.tolist()
    ]


def calibration_error(logits: np.ndarray, labels: np.ndarray, temperature: float = 1.0, bins: int = 15) -> float:
    """Expected calibration error, 0..1: mean gap of confidence and accuracy over bins (Guo et al. 2017, equation 3)."""
    probabilities = softmax(logits, temperature)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[which == b].sum() - right[which == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(labels))


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in 0.2..5 with the least negative log likelihood, by golden section on a log scale."""

    def cost(log_temperature: float) -> float:
        chosen = softmax(logits, float(np.exp(log_temperature)))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(chosen, 1e-300)).mean())

    low, high, ratio = np.log(0.2), np.log(5.0), (5**0.5 - 1) / 2
    for _ in range(40):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, right) if cost(left) < cost(right) else (left, high)
    return float(np.exp((low + high) / 2))


def unsure_threshold(confidence: np.ndarray, right: np.ndarray, precision: float) -> float:
    """The least confidence from which on the answers given are right at `precision`; 1.0 when none is high enough, 0.0
    when all answers together are.

    confidence [N] in 0..1, right [N] bool.
    """
    order = np.argsort(-confidence, kind="stable")
    so_far = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(so_far >= precision)
    if not len(good):
        return 1.0
    return 0.0 if good[-1] == len(order) - 1 else float(confidence[order[good[-1]]])
