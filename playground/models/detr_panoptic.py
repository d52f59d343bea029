"""DETR's panoptic head: a mask for each query, and the rule that makes one map of them (paper, section 4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

QUERIES_AT_ONCE = 25  # bounds the memory of the finest maps; any number gives the same masks
LAST_THING = 90  # COCO: ids to 90 are things, above are stuff


class BoxAttention(nn.Module):
    """Where each query looks on the memory: one map a head, the softmax shared by all heads and positions."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_linear = nn.Linear(dim, dim)
        self.k_linear = nn.Linear(dim, dim)
        for linear in (self.q_linear, self.k_linear):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, queries: Tensor, memory: Tensor, padding: Tensor | None) -> Tensor:
        """Return maps [B, Q, heads, rows, cols] for queries [B, Q, D] and memory [B, D, rows, cols].

        padding [B, rows*cols] is True outside the picture, or None. A query's maps sum to 1 over heads, rows and cols
        together.
        """
        q = self.q_linear(queries).unflatten(-1, (self.heads, -1))  # [B, Q, heads, d]
        k = F.conv2d(memory, self.k_linear.weight[:, :, None, None], self.k_linear.bias)  # [B, D, rows, cols]
        k = k.unflatten(1, (self.heads, -1)).flatten(3)  # [B, heads, d, HW]
        logits = torch.einsum("bqhd,bhdn->bqhn", q * q.shape[-1] ** -0.5, k)  # [B, Q, heads, HW]
        if padding is not None:
            logits = logits.masked_fill(padding[:, None, None], float("-inf"))
        weights = F.softmax(logits.flatten(2), dim=-1)  # [B, Q, heads*HW]
        return weights.unflatten(2, (self.heads, *memory.shape[-2:]))  # [B, Q, heads, rows, cols]


class MaskHead(nn.Module):
    """A small feature pyramid that draws each query's maps at the finest level: 3x3 convolutions with group norm."""

    def __init__(self, dim: int, heads: int, finer: Sequence[int]) -> None:
        super().__init__()
        first = dim + heads
        widths = (first, dim // 2, dim // 4, dim // 8, dim // 16)
        inputs = (first, *widths[:-1])
        for index, (inside, outside) in enumerate(zip(inputs, widths, strict=True), start=1):
            self.add_module(f"lay{index}", nn.Conv2d(inside, outside, 3, padding=1))
            self.add_module(f"gn{index}", nn.GroupNorm(8, outside))
        self.out_lay = nn.Conv2d(widths[-1], 1, 3, padding=1)
        for index, (channels, outside) in enumerate(zip(finer, widths[1:4], strict=True), start=1):
            self.add_module(f"adapter{index}", nn.Conv2d(channels, outside, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_uniform_(module.weight, a=1)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, projected: Tensor, maps: Tensor, finer: Sequence[Tensor]) -> Tensor:
        """Return mask logits [B, Q, rows', cols'] for projected [B, D, rows, cols], maps [B, Q, heads, rows, cols].

        `finer` holds three levels of backbone features, coarse to fine; the last sets rows' and cols'.
        """
        pictures = []
        for index in range(projected.shape[0]):
            levels = self._adapted([level[index, None] for level in finer])
            parts = maps[index].split(QUERIES_AT_ONCE)  # each [q, heads, rows, cols]
            drawn = [self._draw(projected[index, None], part, levels) for part in parts]
            pictures.append(torch.cat(drawn))  # [Q, rows', cols']
        return torch.stack(pictures)

    def draw(self, projected: Tensor, maps: Tensor, finer: Sequence[Tensor]) -> Tensor:
        """Return mask logits [q, rows', cols'] of q queries, each with its own projected [q, D, rows, cols] and finer
        features [q, C, finer]; maps [q, heads, rows, cols]."""
        return self._draw(projected, maps, self._adapted(finer))

    def _adapted(self, finer: Sequence[Tensor]) -> list[Tensor]:
        return [self.get_submodule(f"adapter{n}")(level) for n, level in enumerate(finer, start=1)]

    def _draw(self, projected: Tensor, maps: Tensor, levels: Sequence[Tensor]) -> Tensor:
        """Draw q maps; projected and levels have one picture for all, or one for each."""
        shared = projected.expand(maps.shape[0], -1, -1, -1)  # [q, D, rows, cols]
        x = self._step(1, torch.cat((shared, maps), dim=1))  # [q, D+heads, rows, cols]
        x = self._step(2, x)  # [q, D/2, rows, cols]
        for index, level in enumerate(levels):
            x = level + F.interpolate(x, size=level.shape[-2:], mode="nearest")  # [q, D/2^(index+1), finer]
            x = self._step(index + 3, x)  # [q, D/2^(index+2), finer]
        return self.out_lay(x)[:, 0]  # [q, rows', cols']

    def _step(self, index: int, x: Tensor) -> Tensor:
        return F.relu(self.get_submodule(f"gn{index}")(self.get_submodule(f"lay{index}")(x)))


@dataclass(frozen=True)
class PanopticSegment:
    """One region: `id` is its value in the map (from 1), `label` a class index, `area` its pixels, `query` its own."""

    id: int
    label: int
    score: float
    area: int
    is_thing: bool
    query: int


def confident(logits: Tensor, threshold: float = 0.85) -> Tensor:
    """Return the choice [Q] of queries in logits [Q, C+1] that answer a class, not no-object, above `threshold`."""
    scores, labels = logits.softmax(-1).max(-1)  # [Q]
    return (labels != logits.shape[-1] - 1) & (scores > threshold)


def panoptic(
    logits: Tensor,
    masks: Tensor,
    size: tuple[int, int],
    target: tuple[int, int],
    threshold: float = 0.85,
    smallest: int = 4,
    things: int = LAST_THING + 1,
) -> tuple[np.ndarray, tuple[PanopticSegment, ...]]:
    """Make one map of the masks: int32 [rows, cols] of `target` (0: nothing) and its segments.

    logits [Q, C+1], masks [Q, h, w] logits, `size` (rows, cols) of the picture that the network saw, `target` of the
    answer; class numbers below `things` are things, the others stuff. Confident queries contest each pixel; queries of
    one stuff class share the first one's name. While a mask holds `smallest` pixels or fewer, such masks go and the
    rest contest again, now without sharing: so the shared ones go too. This is the rule of the authors' release, ids
    and pixels alike.
    """
    queries = confident(logits, threshold).nonzero()[:, 0]  # [n]
    scores, labels = logits[queries].softmax(-1).max(-1)  # [n]
    masks = masks[queries]  # [n, h, w]
    if len(queries) == 0:
        return np.zeros(target, np.int32), ()
    masks = F.interpolate(masks[:, None].float(), size=size, mode="bilinear", align_corners=False)[
        :, 0
    ]  # [n, rows, cols]
    winners, areas = _contest(masks, target, _same_stuff(labels, things))
    while bool((areas <= smallest).any()):
        keep = torch.from_numpy(areas > smallest).to(masks.device)  # [n]
        queries, scores, labels, masks = queries[keep], scores[keep], labels[keep], masks[keep]
        if len(queries) == 0:
            return np.zeros(target, np.int32), ()
        winners, areas = _contest(masks, target, np.arange(len(queries)))
    segments = [
        PanopticSegment(
            n + 1, int(labels[n]), float(scores[n]), int(areas[n]), int(labels[n]) < things, int(queries[n])
        )
        for n in range(len(queries))
    ]
    return winners + np.int32(1), tuple(segments)


def _same_stuff(labels: Tensor, things: int) -> np.ndarray:
    """Return for each mask the mask whose name it takes: itself, or the first of its stuff class."""
    first: dict[int, int] = {}
    known = labels.tolist()
    return np.array([n if label < things else first.setdefault(label, n) for n, label in enumerate(known)])


def _contest(masks: Tensor, target: tuple[int, int], names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the winner of each pixel, int32 [rows, cols] of `target`, and the pixels [n] that each mask won."""
    best = names[masks.softmax(0).argmax(0).cpu().numpy()].astype(np.int32)  # [rows, cols]
    resized = Image.fromarray(best, mode="I").resize((target[1], target[0]), Image.Resampling.NEAREST)
    winners = np.asarray(resized, np.int32)
    return winners, np.bincount(winners.ravel(), minlength=len(names))
