"""From a trace to an answer in words: classes, boxes in pixels of the upload, segments."""

import numpy as np

from playground.models.card import Card
from playground.models.detr import detect, panoptic
from playground.models.labels import LAST_THING, labels
from playground.trace import Box, ClassScore, Segment, Trace

LONGEST_MAP = 1333  # pixels of the longer side of a segment map; an upload may have many more


def classes_of(trace: Trace, card: Card, top_k: int) -> tuple[ClassScore, ...]:
    """Return the `top_k` best classes (all, if there are fewer), best first; () for a detector.

    Scores are softmax(logits / temperature) with the card's fitted temperature (Guo et al. 2017, equation 9).
    """
    if card.task != "classification" or trace.logits is None:
        return ()
    names = labels(card)
    scores = (trace.logits / card.temperature).softmax(-1)  # [C]
    best = scores.topk(min(top_k, len(scores)))
    return tuple(
        ClassScore(_name(names, index), score, index)
        for score, index in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    )


def objects_of(
    trace: Trace, card: Card, threshold: float
) -> tuple[tuple[Box, ...], tuple[Segment, ...], np.ndarray | None]:
    """Return boxes scoring at least `threshold`, best first, and a panoptic model's segments with their map."""
    if trace.logits is None or trace.boxes_cxcywh is None:
        return (), (), None
    boxes = _boxes(trace, card, threshold)
    segments, segment_map = _segments(trace, card) if trace.masks is not None else ((), None)
    return boxes, segments, segment_map


def _boxes(trace: Trace, card: Card, threshold: float) -> tuple[Box, ...]:
    assert trace.logits is not None and trace.boxes_cxcywh is not None
    names = labels(card)
    found = detect(trace.logits, trace.boxes_cxcywh, (trace.view.image.height, trace.view.image.width))
    corners = trace.view.to_upload(found.boxes_xyxy.numpy().astype(np.float64))  # [Q, 4]
    kept = [q for q in found.scores.argsort(descending=True).tolist() if found.scores[q] >= threshold]
    indices = found.labels.tolist()
    return tuple(
        Box(_name(names, indices[q]), float(found.scores[q]), tuple(corners[q].tolist()), indices[q], q) for q in kept
    )


def _segments(trace: Trace, card: Card) -> tuple[tuple[Segment, ...], np.ndarray]:
    assert trace.logits is not None and trace.masks is not None and trace.mask_queries is not None
    names = labels(card)
    chosen = trace.logits[trace.mask_queries]  # [n, C + 1]
    seen = (trace.view.image.height, trace.view.image.width)
    width, height = trace.view.picture_size
    shrink = min(1.0, LONGEST_MAP / max(width, height))
    target = (max(1, round(height * shrink)), max(1, round(width * shrink)))
    things = LAST_THING + 1 if card.things is None else card.things
    segment_map, found = panoptic(chosen, trace.masks, seen, target, card.segments_from, things=things)
    return tuple(
        Segment(part.id, _name(names, part.label), part.score, part.area / segment_map.size, part.is_thing)
        for part in found
    ), segment_map


def _name(names: tuple[str | None, ...], index: int) -> str:
    return (names[index] if index < len(names) else None) or f"class {index}"
