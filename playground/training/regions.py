"""The panoptic answer to drawn scenes, by the rule that the page follows, and how good it is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from playground.datasets.nouns import Segmented
from playground.datasets.shapes import NAMES, THINGS, ShapesScene
from playground.evaluation.panoptic import PanopticQuality
from playground.models.card import Card
from playground.models.detr import DETR, PanopticSegment, confident, panoptic
from playground.training.classify import normalised, to_float

ABOVE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9)  # scores from which queries may contest the pixels


@dataclass(frozen=True)
class Drawn:
    """A detector's answer to a scene: logits [n, C+1] and mask logits [n, rows, cols] of the queries that may count."""

    logits: Tensor
    masks: Tensor

    def segmented(self, size: tuple[int, int], above: float) -> tuple[np.ndarray, tuple[PanopticSegment, ...]]:
        """The map int32 [S, S] and its segments by the rule that the page follows, of queries scoring `above` this."""
        return panoptic(self.logits, self.masks, size, size, above, things=len(THINGS))


@torch.inference_mode()
def answers(
    model: DETR, shown: Sequence[ShapesScene], device: str, least: float = Card.segments_from, count: int = 50
) -> list[Drawn]:
    """The answer to each scene, of queries that score above `least`."""
    found = []
    for start in range(0, len(shown), count):
        part = shown[start : start + count]
        images = np.stack([scene.image for scene in part])
        out = model(normalised(to_float(images, device), images.shape[1]), masks=False)
        logits: Tensor = out["logits"].float()
        pictures, queries = torch.stack([confident(one, least) for one in logits]).nonzero(as_tuple=True)
        masks = model.chosen_mask_logits(out, pictures, queries).float()  # [n, rows, cols]
        for number in range(len(part)):
            mine = pictures == number
            found.append(Drawn(logits[number, queries[mine]].cpu(), masks[mine].cpu()))
    return found


def panoptic_quality(shown: Sequence[ShapesScene], found: Sequence[Drawn], above: float) -> np.ndarray:
    """PQ, SQ and RQ of each class, [C, 3] in 0..1, NaN for a class that neither occurs nor is answered."""
    quality = PanopticQuality(len(NAMES))
    for scene, drawn in zip(shown, found, strict=True):
        truth = _segments(scene.segments, range(1, len(scene.labels) + 1), scene.labels)
        rows, cols = scene.segments.shape
        answer, parts = drawn.segmented((rows, cols), above)
        quality.add(truth, _segments(answer, [part.id for part in parts], [part.label for part in parts]))
    return quality.each()


def best_segments_from(model: DETR, shown: Sequence[ShapesScene], device: str) -> float:
    """The score of ABOVE that gives the best mean PQ on these scenes."""
    found = answers(model, shown, device, min(ABOVE))
    return max(ABOVE, key=lambda above: float(np.nanmean(panoptic_quality(shown, found, above)[:, 0])))


def _segments(ids: np.ndarray, numbers: Sequence[int], labels: Sequence[int] | np.ndarray) -> Segmented:
    """A map and its segments, none of them a crowd."""
    return Segmented(ids, np.array(numbers, np.int64), np.array(labels, np.int64), np.zeros(len(labels), bool))
