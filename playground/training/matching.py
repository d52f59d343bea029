"""DETR's set loss: queries matched to objects one to one; class, box and overlap losses (Carion et al. 2020, 3.1)."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

NO_OBJECT_WEIGHT = 0.1
COST = {"class": 1.0, "box": 5.0, "giou": 2.0}
WEIGHT = {"class": 1.0, "box": 5.0, "giou": 2.0}


@dataclass(frozen=True)
class Target:
    """What one picture holds: labels [n] int64, boxes_cxcywh [n, 4] as shares of the picture."""

    labels: Tensor
    boxes_cxcywh: Tensor


@dataclass(frozen=True)
class Targets:
    """What a batch of pictures holds, padded to its fullest one (to one object when there is none), so that nothing is
    done picture by picture.

    labels [B, T] int64, boxes_cxcywh [B, T, 4]; `counts` says how many of the T rows are objects, for each picture.
    """

    labels: Tensor
    boxes_cxcywh: Tensor
    counts: tuple[int, ...]

    @classmethod
    def of(cls, targets: Sequence[Target]) -> "Targets":
        """The targets of single pictures, together."""
        labels = pad_sequence([target.labels for target in targets], batch_first=True)
        boxes = pad_sequence([target.boxes_cxcywh for target in targets], batch_first=True)
        counts = tuple(len(target.labels) for target in targets)
        if not any(counts):
            labels, boxes = labels.new_zeros(len(counts), 1), boxes.new_zeros(len(counts), 1, 4)
        return cls(labels, boxes, counts)

    def to(self, device: str) -> "Targets":
        """The same on another device."""
        return Targets(self.labels.to(device), self.boxes_cxcywh.to(device), self.counts)

    def repeated(self, times: int) -> "Targets":
        """Every picture `times` times in a row: [B * times, T]."""
        counts = tuple(count for count in self.counts for _ in range(times))
        return Targets(self.labels.repeat_interleave(times, 0), self.boxes_cxcywh.repeat_interleave(times, 0), counts)


def to_xyxy(boxes_cxcywh: Tensor) -> Tensor:
    """Centre and extent [..., 4] -> corners [..., 4]."""
    centre, extent = boxes_cxcywh[..., :2], boxes_cxcywh[..., 2:]
    return torch.cat([centre - extent / 2, centre + extent / 2], -1)


def to_cxcywh(boxes_xyxy: Tensor) -> Tensor:
    """Corners [..., 4] -> centre and extent [..., 4]."""
    low, high = boxes_xyxy[..., :2], boxes_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], -1)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of corner boxes that broadcast, in -1..1 (Rezatofighi et al. 2019, algorithm 1)."""
    both = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - both
    return both / union.clamp(min=1e-9) - (hull - union) / hull.clamp(min=1e-9)


@torch.no_grad()
def match(logits: Tensor, boxes_cxcywh: Tensor, targets: Targets, class_cost: float = COST["class"]) -> Tensor:
    """The query of each object by the cheapest assignment, [B, T] int64; -1 for padding and for objects that no query
    is left for.

    logits [B, Q, C+1], boxes_cxcywh [B, Q, 4]; cost: -p[class] + 5 L1 - 2 GIoU (paper, equation 1 and appendix A.2).
    A higher `class_cost` lets the surest of several queries on one object keep it, so that the others give it up.
    """
    probabilities = logits.float().softmax(-1)
    chosen = targets.labels[:, None].expand(-1, logits.shape[1], -1)  # [B, Q, T]
    cost = -class_cost * probabilities.gather(-1, chosen)
    cost = cost + COST["box"] * (boxes_cxcywh[:, :, None] - targets.boxes_cxcywh[:, None]).abs().sum(-1)
    cost = cost - COST["giou"] * giou(to_xyxy(boxes_cxcywh)[:, :, None], to_xyxy(targets.boxes_cxcywh)[:, None])
    table = cost.float().cpu().numpy()
    found = torch.full(targets.labels.shape, -1)
    of = found.numpy()
    for number, count in enumerate(targets.counts):
        queries, objects = linear_sum_assignment(table[number, :, :count])
        of[number, objects] = queries
    return found.to(logits.device)


def layer_losses(
    logits: Tensor, boxes_cxcywh: Tensor, targets: Targets, class_cost: float = COST["class"]
) -> dict[str, Tensor]:
    """The unweighted losses of answers [B, Q, ...]: "class" (cross-entropy, no-object at 0.1), "box" (L1), "giou"."""
    queries = match(logits, boxes_cxcywh, targets, class_cost)  # [B, T]
    matched = queries >= 0
    nothing, spare = logits.shape[-1] - 1, logits.shape[1]  # the class of no object; a place for what is not matched
    wanted = torch.full((len(logits), spare + 1), nothing, dtype=torch.int64, device=logits.device)
    wanted.scatter_(1, torch.where(matched, queries, spare), targets.labels)
    weight = logits.new_ones(nothing + 1)
    weight[nothing] = NO_OBJECT_WEIGHT
    found = boxes_cxcywh.gather(1, queries.clamp(min=0)[..., None].expand(-1, -1, 4))  # [B, T, 4]
    apart = (found - targets.boxes_cxcywh).abs().sum(-1)
    overlap = giou(to_xyxy(found), to_xyxy(targets.boxes_cxcywh))
    count = max(sum(targets.counts), 1)
    return {
        "class": F.cross_entropy(logits.flatten(0, 1), wanted[:, :spare].flatten(), weight),
        "box": (matched * apart).sum() / count,
        "giou": (matched * (1 - overlap)).sum() / count,
    }


def set_loss(
    layers: Sequence[tuple[Tensor, Tensor]], targets: Targets, groups: int = 1, class_cost: float = COST["class"]
) -> Tensor:
    """Weighted loss summed over decoder layers; each gives (logits [B, G*Q, C+1], boxes_cxcywh [B, G*Q, 4]).

    Several groups of queries are matched each by itself and the losses averaged (Group DETR, Chen et al. 2022). All
    layers are matched at once: each has as many objects, so the sum over layers is their mean times their number.
    """
    logits, boxes = (
        torch.stack([layer[part].float() for layer in layers], 1).unflatten(2, (groups, -1)).flatten(0, 2)
        for part in (0, 1)
    )  # [B*L*G, Q, ...]
    losses = layer_losses(logits, boxes, targets.repeated(len(layers) * groups), class_cost)
    total = logits.new_zeros(())
    for name, value in losses.items():
        total = total + len(layers) * WEIGHT[name] * value
    return total


def smallest_around(targets: Targets, grid: tuple[int, int]) -> Tensor:
    """The object of the smallest box around each memory cell's centre, [B, HW]; -1 where there is none."""
    boxes = to_xyxy(targets.boxes_cxcywh)[:, None]  # [B, 1, T, 4]
    rows, cols = ((torch.arange(count, device=boxes.device) + 0.5) / count for count in grid)
    centres = torch.stack(torch.meshgrid(cols, rows, indexing="xy"), -1).flatten(0, 1)[None, :, None]  # [1, HW, 1, 2]
    inside = ((centres > boxes[..., :2]) & (centres < boxes[..., 2:])).all(-1)  # [B, HW, T]; padding holds nothing
    area = (boxes[..., 2:] - boxes[..., :2]).prod(-1).expand_as(inside)
    least, which = torch.where(inside, area, 2.0).min(-1)
    return torch.where(least <= 1, which, -1)


def dense_loss(cells: dict[str, Tensor], there: Tensor, targets: Targets) -> Tensor:
    """What each memory cell says of the object that it lies in: class, box and overlap, weighted as for queries (dense
    supervision of the encoder, as in Zong et al. 2023, arXiv 2211.12860).

    cells: logits [B, HW, C+1] and boxes_cxcywh [B, HW, 4]; there [B, HW]: the object of each cell, -1 for none. Every
    object counts alike, however large, and so does a picture's ground without objects, which has a class alone.
    """
    found, logits = cells["boxes_cxcywh"].float(), cells["logits"].float()
    within, object_ = there >= 0, there.clamp(min=0)
    labels = torch.where(within, targets.labels.gather(1, object_), logits.shape[-1] - 1)  # [B, HW]
    boxes = targets.boxes_cxcywh.gather(1, object_[..., None].expand(-1, -1, 4))  # [B, HW, 4]
    counts = F.one_hot(there + 1, targets.labels.shape[1] + 1).sum(1)  # [B, 1 + T]
    weight = 1 / counts.gather(1, there + 1)  # [B, HW]
    weight = weight / weight.sum()
    placed = weight * within
    return (
        WEIGHT["class"] * (weight * F.cross_entropy(logits.mT, labels, reduction="none")).sum()
        + WEIGHT["box"] * (placed * (found - boxes).abs().sum(-1)).sum()
        + WEIGHT["giou"] * (placed * (1 - giou(to_xyxy(found), to_xyxy(boxes)))).sum()
    )
