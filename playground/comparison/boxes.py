"""Boxes as left, top, right, bottom in pixels: how far they overlap, and which of two lists belong together."""

from collections.abc import Sequence
from dataclasses import dataclass

from playground.trace import Box

XYXY = tuple[float, float, float, float]


@dataclass(frozen=True)
class Pair:
    """Two models' boxes of one label that lie on each other by `iou`, 0 to 1."""

    one: Box
    other: Box
    iou: float


def iou(a: XYXY, b: XYXY) -> float:
    """Return intersection over union, 0 to 1; 0 for boxes without extent."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(wide, 0.0) * max(high, 0.0)
    either = area(a) + area(b) - both
    return both / either if either > 0 else 0.0


def area(box: XYXY) -> float:
    """Return the pixels that a box covers."""
    return (box[2] - box[0]) * (box[3] - box[1])


def reaches(box: XYXY, point: Sequence[float]) -> bool:
    """Whether the point (x, y) lies in the box."""
    return box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3]


def matched(ones: Sequence[Box], others: Sequence[Box], least: float = 0.5) -> tuple[Pair, ...]:
    """Return the boxes of equal label that overlap by `least` or more, each used once, best overlaps first.

    Labels are equal when they are the same words, whatever their case. Ours; IoU 0.5 as in PASCAL VOC.
    """
    pairs = [
        Pair(one, other, overlap)
        for one in ones
        for other in others
        if same(one.label, other.label) and (overlap := iou(one.box_xyxy, other.box_xyxy)) >= least
    ]
    taken: set[tuple[int, int]] = set()
    found = []
    for pair in sorted(pairs, key=lambda pair: -pair.iou):
        keys = {(0, id(pair.one)), (1, id(pair.other))}
        if not keys & taken:
            taken |= keys
            found.append(pair)
    return tuple(found)


def same(one: str, other: str) -> bool:
    """Whether two models mean one class by these labels."""
    return one.casefold().strip() == other.casefold().strip()
