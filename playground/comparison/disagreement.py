"""Where models agree and where not: what only one of them finds, how alike their maps are, one number for each pair.

Agreement counts from 0, nothing in common, to 1, the same; disagreement is what is missing from 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Generic, TypeVar

import numpy as np

from playground import checks
from playground.comparison.boxes import matched, same
from playground.comparison.rows import Row
from playground.explanations import Map
from playground.explanations.pointing import spearman
from playground.trace import Box, ClassScore, Prediction, Segment

OVERLAP = 0.5  # IoU from which two boxes or segments are the same thing
TOP = 5
LEAST_SHARED = 0.5  # of both models' probability must lie on classes that both know
MOST_CELLS = 64  # a side of the grid on which maps are held against each other
NOTHING_SHARED = "These two share no class, so their answers cannot be held against each other."
OF_OTHER_KINDS = "These two give answers of different kinds, which cannot be held against each other."

Region = tuple[float, float, float, float]
Found = TypeVar("Found", Box, Segment, ClassScore)


@dataclass(frozen=True)
class Difference(Generic[Found]):
    """What only A finds, what only B finds, and what both find, as pairs of A's and B's own; best first."""

    only_a: tuple[Found, ...]
    only_b: tuple[Found, ...]
    both: tuple[tuple[Found, Found], ...]

    @property
    def f1(self) -> float:
        """2 |both| / (|A| + |B|), 0 to 1; 1 where neither finds anything."""
        found = 2 * len(self.both) + len(self.only_a) + len(self.only_b)
        return 2 * len(self.both) / found if found else 1.0


@dataclass(frozen=True)
class Pairing:
    """How far two models agree about one picture: `value`, 0 to 1, by `measure`; None where `why` says what hinders."""

    a: str
    b: str
    value: float | None
    measure: str
    why: str = ""


def boxes(a: Prediction, b: Prediction, least: float | None = None, overlap: float = OVERLAP) -> Difference[Box]:
    """Return what two detectors find at a score of `least` or more: both, if labels are equal and IoU >= `overlap`.

    By default a box counts from the score that was measured for its own model.
    """
    least = None if least is None else checks.share(least, "The least score")
    overlap = checks.share(overlap, "The overlap")
    ones, others = a.above(least).boxes, b.above(least).boxes
    pairs = matched(ones, others, overlap)
    return _difference(ones, others, [(pair.one, pair.other) for pair in pairs])


def segments(a: Prediction, b: Prediction, overlap: float = OVERLAP) -> Difference[Segment]:
    """Return which regions two panoptic models share: of equal label with an IoU above `overlap`, at least a half.

    Regions of one answer do not overlap, so above a half each has one partner at most. Source: Kirillov et al. 2019
    (arXiv 1801.00868), section 4.1.
    """
    overlap = max(0.5, checks.share(overlap, "The overlap"))
    if a.segment_map is None or b.segment_map is None:
        raise ValueError("Only panoptic models give regions; choose two of them.")
    left, right = a.segment_map, _resized(b.segment_map, a.segment_map.shape)
    pairs = []
    for one in a.segments:
        inside = left == one.id
        for other in b.segments:
            if same(one.label, other.label):
                theirs = right == other.id
                union = int((inside | theirs).sum())
                if union and int((inside & theirs).sum()) / union > overlap:
                    pairs.append((one, other))
    return _difference(a.segments, b.segments, pairs)


def classes(a: Prediction, b: Prediction, top_k: int = TOP) -> Difference[ClassScore]:
    """Return which of their `top_k` best classes two classifiers share, by label."""
    top_k = checks.whole(top_k, "top_k", 1, 1000)
    ones, others = a.classes[:top_k], b.classes[:top_k]
    pairs = [(one, other) for one in ones for other in others if same(one.label, other.label)]
    return _difference(ones, others, pairs)


def divergence(a: Prediction, b: Prediction) -> float:
    """Return the Jensen-Shannon divergence of two classifiers' probabilities in bits, 0 alike to 1 nothing in common.

    Over the classes that both know by label, where each is scaled to sum to 1, so that no model is held to what it was
    never taught. Source: Lin 1991, "Divergence measures based on the Shannon entropy", equation 4.1. Raises ValueError
    where they share no class, or too little of what they say lies on classes that they share.
    """
    ones, others = _shares(a), _shares(b)
    shared = sorted(ones.keys() & others.keys())
    p, q = (np.array([held[label] for label in shared], dtype=np.float64) for held in (ones, others))
    if not shared:
        raise ValueError(NOTHING_SHARED)
    least = min(p.sum(), q.sum())
    if least < LEAST_SHARED:
        raise ValueError(f"Only {least:.0%} of what one of these two says is about classes that both know.")
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return float(np.clip((_information(p, middle) + _information(q, middle)) / 2, 0.0, 1.0))


def agreement(rows: Sequence[Row]) -> tuple[Pairing, ...]:
    """Return how far each two of the models that answered agree about the picture, in the order of the rows."""
    answers = [row.prediction for row in rows if row.prediction is not None]
    return tuple(pairing(a, b) for a, b in combinations(answers, 2))


def pairing(a: Prediction, b: Prediction) -> Pairing:
    """Return how far two answers agree: 1 - Jensen-Shannon divergence of classes, or F1 of regions or boxes."""
    try:
        if a.segment_map is not None and b.segment_map is not None:
            return Pairing(a.model, b.model, segments(a, b).f1, "F1 of regions")
        if a.classes and b.classes:
            return Pairing(a.model, b.model, 1 - divergence(a, b), "1 - Jensen-Shannon divergence")
        if {a.task, b.task} <= {"detection", "panoptic"}:
            return Pairing(a.model, b.model, boxes(a, b).f1, "F1 of boxes")
    except ValueError as error:
        return Pairing(a.model, b.model, None, "", str(error))
    return Pairing(a.model, b.model, None, "", OF_OTHER_KINDS)


def map_correlation(a: Map, b: Map) -> float:
    """Return the rank correlation of two maps, -1 to 1, of any grids: where they lie over each other on the picture.

    Both are read on one grid over the part of the picture that both cover, as fine as the finer of them, the nearest
    cell each. Spearman's rho, as Adebayo et al. 2018 (arXiv 1810.03292) compare maps; the common grid is ours.
    Raises ValueError where the maps share no place.
    """
    x0, y0, x1, y1 = shared_region(a, b)
    cols = max(_cells_between(made, x0, x1, 1) for made in (a, b))
    rows = max(_cells_between(made, y0, y1, 0) for made in (a, b))
    one, other = (read_on(made, (x0, y0, x1, y1), (rows, cols)) for made in (a, b))
    return spearman(one, other)


def shared_region(a: Map, b: Map) -> Region:
    """Return the part (x0, y0, x1, y1) of the picture that both maps cover. Raises ValueError where there is none."""
    x0, y0 = max(a.region_xyxy[0], b.region_xyxy[0]), max(a.region_xyxy[1], b.region_xyxy[1])
    x1, y1 = min(a.region_xyxy[2], b.region_xyxy[2]), min(a.region_xyxy[3], b.region_xyxy[3])
    if x1 <= x0 or y1 <= y0:
        raise ValueError("These two maps lie on different parts of the picture; choose models that see the same part.")
    return x0, y0, x1, y1


def read_on(made: Map, region_xyxy: Region, grid: tuple[int, int]) -> np.ndarray:
    """Return the map on a grid (rows, cols) over a part of the picture, float64: the cell at the middle of each."""
    x0, y0, x1, y1 = made.region_xyxy
    left, top, right, bottom = region_xyxy
    high, wide = made.values.shape
    ys, xs = (
        low + (np.arange(n) + 0.5) * (end - low) / n
        for n, low, end in zip(grid, (top, left), (bottom, right), strict=True)
    )
    down = np.clip(((ys - y0) / (y1 - y0) * high).astype(int), 0, high - 1)
    along = np.clip(((xs - x0) / (x1 - x0) * wide).astype(int), 0, wide - 1)
    return made.values[np.ix_(down, along)].astype(np.float64)


def _difference(
    ones: Sequence[Found], others: Sequence[Found], pairs: Sequence[tuple[Found, Found]]
) -> Difference[Found]:
    left, right = {id(one) for one, _ in pairs}, {id(other) for _, other in pairs}
    return Difference(
        tuple(one for one in ones if id(one) not in left),
        tuple(other for other in others if id(other) not in right),
        tuple(pairs),
    )


def _shares(answer: Prediction) -> dict[str, float]:
    """Return each class's probability by its label; of classes of one label, their sum."""
    found: dict[str, float] = {}
    for entry in answer.classes:
        label = entry.label.casefold().strip()
        found[label] = found.get(label, 0.0) + entry.score
    return found


def _information(p: np.ndarray, q: np.ndarray) -> float:
    """Return sum p log2(p / q), where p is above zero."""
    there = p > 0
    return float((p[there] * np.log2(p[there] / q[there])).sum())


def _resized(ids: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if ids.shape == shape:
        return ids
    rows, cols = (((np.arange(n) + 0.5) * m / n).astype(int) for n, m in zip(shape, ids.shape, strict=True))
    return ids[np.ix_(rows, cols)]


def _cells_between(made: Map, low: float, high: float, axis: int) -> int:
    """Return how many cells of a map lie between two places, counted along its rows (0) or columns (1)."""
    first, last = made.region_xyxy[1 - axis], made.region_xyxy[3 - axis]
    return max(1, min(MOST_CELLS, round(made.values.shape[axis] * (high - low) / (last - first))))
