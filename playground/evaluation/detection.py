"""Average precision of boxes, and the scores from which boxes are right or best shown, in plain numpy."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from playground.datasets.nouns import Truth
from playground.evaluation.classification import unsure_threshold

IOU_THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
RECALLS = np.linspace(0, 1, 101)
SIZES = {"": (0, 1e10), "small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, 1e10)}  # areas in pixels


@dataclass(frozen=True)
class Found:
    """The detections of one picture: labels [n], scores [n], boxes_xyxy [n, 4]."""

    labels: np.ndarray
    scores: np.ndarray
    boxes_xyxy: np.ndarray


def iou(a: np.ndarray, b: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """[N, 4] and [M, 4] corner boxes -> [N, M] intersection over union, 0..1; over the area of `a` alone where b is a
    crowd [M]."""
    low, high = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = np.clip(high - low, 0, None).prod(-1)
    union = _areas(a)[:, None] + _areas(b)[None] - both
    if crowd is not None:
        union = np.where(crowd[None], _areas(a)[:, None], union)
    return both / np.maximum(union, 1e-12)


def average_precision(found: Sequence[Found], truths: Sequence[Truth], classes: int) -> dict[str, float]:
    """COCO's box measure, 0..1: "mAP" over IoU 0.50..0.95, "mAP50", "mAP75"; "mAP small", "mAP medium", "mAP large" by
    area (32 and 96 pixels squared); "AP/<index>" and "AP50/<index>" for each class that occurs.

    101-point interpolated precision, greedy matching by score, at most 100 detections a picture and class, mean over
    classes with objects; boxes around crowds are neither wanted nor wrong. NaN where nothing is wanted.
    """
    assert len(found) == len(truths)
    table = np.full((classes, len(SIZES), len(IOU_THRESHOLDS)), np.nan)
    for label in range(classes):
        pairs = [_of_class(answer, truth, label) for answer, truth in zip(found, truths, strict=True)]
        for column, bounds in enumerate(SIZES.values()):
            table[label, column] = _class_precision([pair for pair in pairs if pair is not None], bounds)
    all_sizes = table[:, 0]  # [classes, 10]
    results = {"mAP": _mean(all_sizes), "mAP50": _mean(all_sizes[:, 0]), "mAP75": _mean(all_sizes[:, 5])}
    results |= {f"mAP {name}": _mean(table[:, column]) for column, name in enumerate(SIZES) if name}
    occurs = np.flatnonzero(~np.isnan(all_sizes[:, 0]))
    results |= {f"AP/{label}": float(all_sizes[label].mean()) for label in occurs}
    return results | {f"AP50/{label}": float(all_sizes[label, 0]) for label in occurs}


@dataclass(frozen=True)
class _Pair:
    """One class in one picture: detections best first, scores [D] and areas [D]; objects with overlap [D, G]."""

    scores: np.ndarray
    areas: np.ndarray
    overlap: np.ndarray
    object_areas: np.ndarray
    crowd: np.ndarray


def _of_class(answer: Found, truth: Truth, label: int) -> _Pair | None:
    """What a picture says about a class; None when nothing does."""
    keep, wanted = np.flatnonzero(answer.labels == label), np.flatnonzero(truth.labels == label)
    if not len(keep) and not len(wanted):
        return None
    keep = keep[np.argsort(-answer.scores[keep], kind="stable")][:100]
    boxes, objects = answer.boxes_xyxy[keep], truth.boxes_xyxy[wanted]
    crowd = np.zeros(len(wanted), bool) if truth.crowd is None else truth.crowd[wanted]
    areas = _areas(objects) if truth.areas is None else truth.areas[wanted]
    return _Pair(answer.scores[keep], _areas(boxes), iou(boxes, objects, crowd), areas, crowd)


def _class_precision(pairs: Sequence[_Pair], bounds: tuple[float, float]) -> np.ndarray:
    """Average precision of one class at each IoU threshold for objects of one range of areas, [10]."""
    low, high = bounds
    scores, hits, ignored, total = [], [], [], 0
    for pair in pairs:
        unwanted = pair.crowd | (pair.object_areas < low) | (pair.object_areas > high)
        hit, ignore = _matched(pair.overlap, unwanted, pair.crowd)
        outside = (pair.areas < low) | (pair.areas > high)
        scores.append(pair.scores)
        hits.append(hit & ~ignore)
        ignored.append(ignore | (~hit & outside[:, None]))
        total += int((~unwanted).sum())
    if not total:
        return np.full(len(IOU_THRESHOLDS), np.nan)
    order = np.argsort(-np.concatenate(scores), kind="stable")
    right, left_out = np.concatenate(hits)[order], np.concatenate(ignored)[order]  # [D, 10]
    good, bad = right.cumsum(0), (~right & ~left_out).cumsum(0)
    recall = good / total
    precision = good / np.maximum(good + bad, 1e-12)
    precision = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    values = np.zeros(len(IOU_THRESHOLDS))
    for column in range(len(IOU_THRESHOLDS)):
        at = np.searchsorted(recall[:, column], RECALLS, side="left")
        reached = at < len(order)
        values[column] = precision[at[reached], column].sum() / len(RECALLS)
    return values


def _matched(overlap: np.ndarray, unwanted: np.ndarray, crowd: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which detections (rows, best first) take an object, and which of these an unwanted one: bool [D, 10] each.

    A detection takes the free wanted object that it overlaps most, else an unwanted one; crowds are never used up.
    """
    count, objects = overlap.shape
    hit, ignore = np.zeros((2, count, len(IOU_THRESHOLDS)), bool)
    if not objects:
        return hit, ignore
    taken = np.zeros((len(IOU_THRESHOLDS), objects), bool)
    levels = np.arange(len(IOU_THRESHOLDS))
    least = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[:, None]
    for row, values in enumerate(overlap):
        fits = (values >= least) & (~taken | crowd)  # [10, G]
        rank = np.where(fits, values + 2 * ~unwanted, -1.0)  # any wanted object goes before any unwanted one
        best = objects - 1 - rank[:, ::-1].argmax(1)  # of equals the last, as COCO's code
        found = rank[levels, best] >= 0
        taken[levels[found], best[found]] = True
        hit[row], ignore[row] = found, found & unwanted[best]
    return hit, ignore


def _areas(boxes: np.ndarray) -> np.ndarray:
    return (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(-1)


def _mean(values: np.ndarray) -> float:
    """The mean of what is there; NaN when nothing is."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")


def confusions(
    found: Sequence[Found], truths: Sequence[Truth], threshold: float, most: int = 10
) -> list[tuple[int, int, int, int]]:
    """The most frequent mistakes with objects: (true class, answered class, how often, of how many objects).

    An object is answered by the surest box of at least `threshold` that overlaps it with an IoU of at least 0.5, its
    own class going first; -1 where there is none. Crowds are left out.
    """
    told: Counter[tuple[int, int]] = Counter()
    objects: Counter[int] = Counter()
    for answer, truth in zip(found, truths, strict=True):
        sure = answer.scores >= threshold
        scores, labels = answer.scores[sure], answer.labels[sure]
        overlap = iou(truth.boxes_xyxy, answer.boxes_xyxy[sure])
        for row, label in enumerate(truth.labels.tolist()):
            if truth.crowd is not None and truth.crowd[row]:
                continue
            objects[label] += 1
            there = np.flatnonzero(overlap[row] >= 0.5)
            if not (labels[there] == label).any():
                told[label, int(labels[there[scores[there].argmax()]]) if len(there) else -1] += 1
    return [(true, said, times, objects[true]) for (true, said), times in told.most_common(most)]


def detection_threshold(found: Sequence[Found], truths: Sequence[Truth], precision: float) -> float:
    """The least score from which on boxes are right (class, and IoU of at least 0.5) at this precision; 1.0 if none."""
    return unsure_threshold(*_judged(found, truths), precision)


def best_f1(found: Sequence[Found], truths: Sequence[Truth]) -> tuple[float, float] | None:
    """The least score of a box to show for the best F1, and that F1; None when no box is right.

    A box is right when class and place (IoU of at least 0.5) are those of an object that no surer box has taken. F1 is
    2 right / (boxes shown + objects), over all pictures and classes together.
    """
    scores, right = _judged(found, truths)
    order = np.argsort(-scores, kind="stable")
    objects = sum(len(truth.labels) for truth in truths)
    f1 = 2 * np.cumsum(right[order]) / (np.arange(1, len(order) + 1) + objects)
    if not f1.any():
        return None
    ends = np.flatnonzero(np.diff(scores[order], append=-1.0))  # boxes of one score are shown together
    best = ends[f1[ends].argmax()]
    return float(scores[order[best]]), float(f1[best])


def _judged(found: Sequence[Found], truths: Sequence[Truth]) -> tuple[np.ndarray, np.ndarray]:
    """Scores of all boxes [D] and which are right [D] bool, by class and an IoU of at least 0.5; crowds count as one
    object."""
    scores, right = [], []
    for answer, truth in zip(found, truths, strict=True):
        order = np.argsort(-answer.scores, kind="stable")
        overlap = iou(answer.boxes_xyxy[order], truth.boxes_xyxy)
        overlap = np.where(answer.labels[order][:, None] == truth.labels[None], overlap, 0.0)
        scores.append(answer.scores[order])
        nothing = np.zeros(overlap.shape[1], bool)
        right.append(_matched(overlap, nothing, nothing)[0][:, 0])
    return np.concatenate(scores), np.concatenate(right)
