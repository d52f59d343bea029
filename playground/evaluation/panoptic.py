"""Panoptic quality: how well segments are found and drawn (Kirillov et al. 2019, arXiv 1801.00868), in plain numpy."""

from dataclasses import dataclass

import numpy as np

from playground.datasets.nouns import Segmented


@dataclass(frozen=True)
class Quality:
    """Means over classes that occur or were answered, 0..1: `pq` = `sq` x `rq` holds for each class, not for means."""

    pq: float
    sq: float
    rq: float
    classes: int


class PanopticQuality:
    """Adds up pictures; then `of(classes)`.

    A segment is found when one of its class overlaps it with an IoU above 0.5 (at most one can: section 4.1). Pixels
    that belong to no segment count for nobody; answers mostly on such pixels, or on a crowd of their class, are not
    wrong (section 4.2, as in the authors' panopticapi).
    """

    def __init__(self, classes: int) -> None:
        self.overlap, self.hits, self.wrong, self.missed = (np.zeros(classes) for _ in range(4))

    def add(self, truth: Segmented, answer: Segmented) -> None:
        """Add one picture; both maps have one size and their labels index the same classes."""
        assert truth.ids.shape == answer.ids.shape
        both = _common(truth, answer)  # [truth + 1, answer + 1], the last: no segment
        true_area, area = both[:-1].sum(1), both[:, :-1].sum(0)
        union = true_area[:, None] + area[None] - both[:-1, :-1] - both[-1, :-1][None]
        iou = both[:-1, :-1] / np.maximum(union, 1)
        match = (iou > 0.5) & (truth.labels[:, None] == answer.labels[None]) & ~truth.crowd[:, None]
        rows, cols = np.nonzero(match)
        np.add.at(self.overlap, truth.labels[rows], iou[rows, cols])
        np.add.at(self.hits, truth.labels[rows], 1)
        np.add.at(self.missed, truth.labels[~match.any(1) & ~truth.crowd], 1)
        same_crowd = truth.crowd[:, None] & (truth.labels[:, None] == answer.labels[None])
        excused = both[-1, :-1] + (both[:-1, :-1] * same_crowd).sum(0)
        np.add.at(self.wrong, answer.labels[~match.any(0) & (2 * excused <= area) & (area > 0)], 1)

    def merge(self, other: "PanopticQuality") -> None:
        """Add what another has added up."""
        for mine, theirs in zip(self._sums(), other._sums(), strict=True):
            mine += theirs

    def _sums(self) -> tuple[np.ndarray, ...]:
        return self.overlap, self.hits, self.wrong, self.missed

    def each(self) -> np.ndarray:
        """PQ, SQ and RQ of each class, [C, 3]; NaN for a class that neither occurs nor was answered (equation 2)."""
        count = self.hits + (self.wrong + self.missed) / 2
        with np.errstate(invalid="ignore"):
            pq = self.overlap / np.where(count > 0, count, np.nan)
            rq = self.hits / np.where(count > 0, count, np.nan)
        sq = np.where(np.isnan(pq), np.nan, self.overlap / np.maximum(self.hits, 1))
        return np.stack([pq, sq, rq], axis=1)

    def of(self, chosen: np.ndarray) -> Quality | None:
        """The means over the chosen classes, bool [C]; None when none of them was seen."""
        table = self.each()[chosen]
        table = table[~np.isnan(table[:, 0])]
        if not len(table):
            return None
        pq, sq, rq = (float(value) for value in table.mean(0))
        return Quality(pq, sq, rq, len(table))


def _common(truth: Segmented, answer: Segmented) -> np.ndarray:
    """Pixels that each true and each answered segment share, [truth + 1, answer + 1]; the last are those of none."""
    rows, cols = (_places(one) for one in (truth, answer))
    wide = len(answer.numbers) + 1
    counts = np.bincount((rows * wide + cols).ravel(), minlength=(len(truth.numbers) + 1) * wide)
    return counts.reshape(-1, wide).astype(np.float64)


def _places(segmented: Segmented) -> np.ndarray:
    """For each pixel the place of its segment in `numbers`, their count for none, int64 [H, W]."""
    count = len(segmented.numbers)
    if not count:
        return np.zeros(segmented.ids.shape, np.int64)
    order = np.argsort(segmented.numbers)
    at = np.minimum(np.searchsorted(segmented.numbers[order], segmented.ids), count - 1)
    return np.where(segmented.numbers[order][at] == segmented.ids, order[at], count)
