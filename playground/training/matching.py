"""DETR's set loss: queries matched to objects one to one; class, box and overlap losses (Carion et al. 2020, 3.1)."""

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
def match(
    logits: Tensor, boxes_cxcywh: Tensor, targets: list[Target], class_cost: float = COST["class"]
) -> list[tuple[Tensor, Tensor]]:
    """For each picture the matched (query, object) indices, by the cheapest assignment.

    logits [B, Q, C+1], boxes_cxcywh [B, Q, 4]; cost: -p[class] + 5 L1 - 2 GIoU (paper, equation 1 and appendix A.2).
    A higher `class_cost` lets the surest of several queries on one object keep it, so that the others give it up.
    """
    labels = pad_sequence([target.labels for target in targets], batch_first=True)  # [B, T]
    boxes = pad_sequence([target.boxes_cxcywh for target in targets], batch_first=True)  # [B, T, 4]
    probabilities = logits.float().softmax(-1)
    chosen = labels[:, None].expand(-1, logits.shape[1], -1)  # [B, Q, T]
    cost = -class_cost * probabilities.gather(-1, chosen)
    cost = cost + COST["box"] * (boxes_cxcywh[:, :, None] - boxes[:, None]).abs().sum(-1)
    cost = cost - COST["giou"] * giou(to_xyxy(boxes_cxcywh)[:, :, None], to_xyxy(boxes)[:, None])
    table, pairs = cost.cpu().numpy(), []
    for number, target in enumerate(targets):
        queries, objects = linear_sum_assignment(table[number, :, : len(target.labels)])
        pairs.append((torch.as_tensor(queries, device=logits.device), torch.as_tensor(objects, device=logits.device)))
    return pairs


def layer_losses(
    logits: Tensor, boxes_cxcywh: Tensor, targets: list[Target], class_cost: float = COST["class"]
) -> dict[str, Tensor]:
    """One decoder layer's unweighted losses: "class" (cross-entropy, no-object at 0.1), "box" (L1) and "giou"."""
    pairs = match(logits, boxes_cxcywh, targets, class_cost)
    picture = torch.cat([torch.full_like(queries, number) for number, (queries, _) in enumerate(pairs)])
    query = torch.cat([queries for queries, _ in pairs])
    nothing = logits.shape[-1] - 1
    wanted = torch.full(logits.shape[:2], nothing, dtype=torch.int64, device=logits.device)  # [B, Q]
    wanted[picture, query] = torch.cat([t.labels[objects] for t, (_, objects) in zip(targets, pairs, strict=True)])
    weight = logits.new_ones(nothing + 1)
    weight[nothing] = NO_OBJECT_WEIGHT
    boxes = torch.cat([t.boxes_cxcywh[objects] for t, (_, objects) in zip(targets, pairs, strict=True)])
    found = boxes_cxcywh[picture, query]  # [T, 4]
    count = max(sum(len(t.labels) for t in targets), 1)
    return {
        "class": F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), weight),
        "box": (found - boxes).abs().sum() / count,
        "giou": (1 - giou(to_xyxy(found), to_xyxy(boxes))).sum() / count,
    }


def set_loss(
    layers: list[tuple[Tensor, Tensor]],
    targets: list[Target],
    groups: int = 1,
    class_cost: float = COST["class"],
) -> Tensor:
    """Weighted loss summed over decoder layers; each gives (logits [B, G*Q, C+1], boxes_cxcywh [B, G*Q, 4]).

    Several groups of queries are matched each by itself and the losses averaged (Group DETR, Chen et al. 2022).
    """
    repeated = [target for target in targets for _ in range(groups)]
    total = layers[0][0].new_zeros(())
    for logits, boxes in layers:
        logits = logits.float().unflatten(1, (groups, -1)).flatten(0, 1)  # [B*G, Q, C+1]
        boxes = boxes.float().unflatten(1, (groups, -1)).flatten(0, 1)  # [B*G, Q, 4]
        losses = layer_losses(logits, boxes, repeated, class_cost)
        total = total + sum(WEIGHT[name] * value for name, value in losses.items())
    return total
