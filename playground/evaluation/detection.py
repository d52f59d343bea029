"""Average precision of boxes, and the score from which boxes are right, in plain numpy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from playground.datasets.nouns import Truth
from playground.evaluation.classification import unsure_threshold

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Found:
    """The detections of one picture: labels [n], scores [n], boxes_xyxy [n, 4]."""

    labels: np.ndarray
    scores: np.ndarray
    boxes_xyxy: np.ndarray


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """[N, 4] and [M, 4] corner boxes -> [N, M] intersection over union, 0..1."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    areas = [(x[:, 2:] - x[:, :2]).clip(0).prod(-1) for x in (a, b)]
    return both / np.maximum(areas[0][:, None] + areas[1][None] - both, 1e-12)


def average_precision(found: Sequence[Found], truths: Sequence[Truth], classes: int) -> dict[str, float]:
    """COCO's box measure: "mAP" over IoU 0.50..0.95, "mAP50", "mAP75", and "AP50/<index>" for each class that occurs.

    101-point interpolated precision, greedy matching by score, at most 100 detections a picture and class, mean over
    classes with objects.
    """
    assert len(found) == len(truths)
    table = np.full((classes, len(IOU_THRESHOLDS)), np.nan)
    for label in range(classes):
        total = sum(int((truth.labels == label).sum()) for truth in truths)
        if total:
            table[label] = _class_precision(found, truths, label, total)
    results = {
        "mAP": float(np.nanmean(table)),
        "mAP50": float(np.nanmean(table[:, 0])),
        "mAP75": float(np.nanmean(table[:, 5])),
    }
    return results | {f"AP50/{label}": float(row[0]) for label, row in enumerate(table) if not np.isnan(row[0])}


def _class_precision(found: Sequence[Found], truths: Sequence[Truth], label: int, total: int) -> np.ndarray:
    """Average precision of one class at each IoU threshold, [10]."""
    scores, hits = [], []
    for answer, truth in zip(found, truths, strict=True):
        keep = np.flatnonzero(answer.labels == label)
        keep = keep[np.argsort(-answer.scores[keep], kind="stable")][:100]
        overlap = iou(answer.boxes_xyxy[keep], truth.boxes_xyxy[truth.labels == label])
        scores.append(answer.scores[keep])
        hits.append(np.stack([_greedy(overlap, threshold) for threshold in IOU_THRESHOLDS], axis=1))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    right = np.concatenate(hits)[order].cumsum(0)  # [D, 10]
    recall = right / total
    precision = right / np.arange(1, len(right) + 1)[:, None]
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    values = []
    for column in range(len(IOU_THRESHOLDS)):
        at = np.searchsorted(recall[:, column], RECALLS - 1e-12, side="left")
        values.append(
            np.where(at < len(right), precision[np.minimum(at, max(len(right) - 1, 0)), column], 0).mean()
            if len(right)
            else 0.0
        )
    return np.array(values)


def _greedy(overlap: np.ndarray, threshold: float) -> np.ndarray:
    """Which detections (rows, best first) take a still free object with at least this overlap, [D] bool."""
    taken = np.zeros(overlap.shape[1], bool)
    hit = np.zeros(len(overlap), bool)
    for row, values in enumerate(overlap):
        free = np.where(taken, -1.0, values)
        if len(free) and (best := int(free.argmax())) >= 0 and free[best] >= threshold:
            taken[best] = hit[row] = True
    return hit


def detection_threshold(found: Sequence[Found], truths: Sequence[Truth], precision: float) -> float:
    """The least score from which on boxes are right (class, and IoU of at least 0.5) at this precision; 1.0 if none."""
    scores, right = [], []
    for answer, truth in zip(found, truths, strict=True):
        order = np.argsort(-answer.scores, kind="stable")
        overlap = iou(answer.boxes_xyxy[order], truth.boxes_xyxy)
        overlap = np.where(answer.labels[order][:, None] == truth.labels[None], overlap, 0.0)
        scores.append(answer.scores[order])
        right.append(_greedy(overlap, 0.5))
    return unsure_threshold(np.concatenate(scores), np.concatenate(right), precision)
