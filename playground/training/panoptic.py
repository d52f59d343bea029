"""The panoptic task: things and stuff of drawn scenes; boxes, classes and masks in one loss.

Two aids make a small detector learn fast: groups of queries (Chen et al. 2023, arXiv 2207.13085), and every memory
cell answers too, through the same heads, for the segment that it lies in (`matching.dense_loss`).
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from playground.datasets.shapes import THINGS, ShapesMaker, ShapesScene
from playground.evaluation.detection import Found, Truth, average_precision
from playground.models.detr import DETR, detect
from playground.training.classify import normalised, to_float
from playground.training.detection import SceneTask, as_found, with_targets
from playground.training.matching import Targets, dense_loss, match, set_loss
from playground.training.parallel import plain


def with_segments(scenes: Sequence[ShapesScene]) -> tuple[Tensor, Targets, Tensor]:
    """Images, Targets and maps of segments [B, S, S] of scenes, on the CPU."""
    return *with_targets(scenes), torch.from_numpy(np.stack([scene.segments for scene in scenes]))


class PanopticDetection(SceneTask[ShapesScene]):
    """Scenes -> classes, boxes and masks. `masks_at_once` matched queries draw their masks in each step."""

    collated = staticmethod(with_segments)

    def __init__(
        self,
        maker: ShapesMaker,
        held_out: Sequence[ShapesScene],
        build: Callable[[int], nn.Module],
        groups: int = 1,
        masks_at_once: int = 32,
        device: str = "cpu",
        channels_last: bool = False,
    ) -> None:
        super().__init__(maker, held_out, build, groups, device, channels_last)
        self.masks_at_once = masks_at_once

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """(pixels [B, 3, size, size], Targets, segments [B, size, size], the order [B, T] of masks to draw)."""
        pixels, targets, (segments,) = self.drawn(size, count, generator)
        order = torch.rand(targets.labels.shape, generator=generator)
        return pixels, targets, segments, order.to(self.device)

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        """DETR's set loss on every decoder layer, the dense loss on the memory, focal and dice loss on masks."""
        pixels, targets, segments, order = batch
        assert isinstance(targets, Targets) and isinstance(segments, Tensor) and isinstance(order, Tensor)
        out = model(pixels, masks=False)
        layers = [(layer["logits"], layer["boxes_cxcywh"]) for layer in (*out["aux"], out)]
        total = set_loss(layers, targets, self.query_groups)
        detr = plain(model)
        assert isinstance(detr, DETR)
        total = total + dense_loss(detr.heads(out["memory"]), segment_at(segments, out["grid"]), targets)
        if self.masks_at_once:
            total = total + self._mask_loss(detr, out, targets, segments, order)
        return total

    def _mask_loss(self, model: DETR, out: dict, targets: Targets, segments: Tensor, order: Tensor) -> Tensor:
        """Masks of some of the first group's matched queries."""
        first = model.num_queries
        queries = match(out["logits"][:, :first].float(), out["boxes_cxcywh"][:, :first].float(), targets)  # [B, T]
        matched = sum(min(count, first) for count in targets.counts)
        order = torch.where(queries >= 0, order, 2.0).flatten()
        chosen = order.topk(min(self.masks_at_once, matched), largest=False).indices
        pictures, objects = chosen // queries.shape[1], chosen % queries.shape[1]
        drawn = model.chosen_mask_logits(out, pictures, queries.flatten()[chosen]).float()  # [n, rows, cols]
        wanted = (segments[pictures] == objects[:, None, None] + 1).float()  # [n, S, S]
        rows, cols = drawn.shape[-2:]
        return mask_loss(drawn, F.adaptive_avg_pool2d(wanted, (rows, cols)))

    @torch.inference_mode()
    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        """mAP and mAP50 of things on held-out scenes."""
        results = average_precision(*things_found(model, self.held_out, self.device), len(THINGS))
        return {"mAP": results["mAP"], "mAP50": results["mAP50"]}


def segment_at(segments: Tensor, grid: tuple[int, int]) -> Tensor:
    """The number from 0 of the segment at each memory cell's centre, [B, HW], for maps [B, S, S] that count from 1."""
    rows, cols = (
        ((torch.arange(count, device=segments.device) + 0.5) * side / count).long()
        for count, side in zip(grid, segments.shape[1:], strict=True)
    )
    return segments[:, rows[:, None], cols[None]].flatten(1).long() - 1


def mask_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Focal loss (Lin et al. 2017, equation 5, alpha 0.25, gamma 2) plus dice loss (Milletari et al. 2016), as DETR
    weighs them: 1 and 1. logits [n, rows, cols]; shares of each pixel that belong to the mask, 0..1."""
    if not len(logits):
        return logits.sum()
    p = logits.sigmoid()
    agreement = p * shares + (1 - p) * (1 - shares)
    weight = 0.25 * shares + 0.75 * (1 - shares)
    focal = weight * (1 - agreement) ** 2 * F.binary_cross_entropy_with_logits(logits, shares, reduction="none")
    both, total = (p * shares).sum((1, 2)), p.sum((1, 2)) + shares.sum((1, 2))
    return focal.mean() * 1.0 + (1 - (2 * both + 1) / (total + 1)).mean()


@torch.inference_mode()
def things_found(
    model: nn.Module, scenes: Sequence[ShapesScene], device: str, count: int = 50
) -> tuple[list[Found], list[Truth]]:
    """What the model found and what there is, things alone, as average precision wants them."""
    found: list[Found] = []
    for start in range(0, len(scenes), count):
        images = np.stack([scene.image for scene in scenes[start : start + count]])
        out = model(normalised(to_float(images, device), images.shape[1]), masks=False)
        answer = detect(out["logits"].float(), out["boxes_cxcywh"].float(), images.shape[1:3])
        found += as_found(answer, images.shape[1])
    return [_things(one) for one in found], [Truth(s.labels[s.is_thing], s.boxes_xyxy[s.is_thing]) for s in scenes]


def _things(found: Found) -> Found:
    keep = found.labels < len(THINGS)
    return Found(found.labels[keep], found.scores[keep], found.boxes_xyxy[keep])
