"""Axial-DeepLab's position-sensitive axial attention as a classifier (Wang et al. 2020, arXiv 2003.07853).

A picture of HW positions is attended along its columns and then along its rows: H + W keys a position in place of HW.
The family has a convolutional stem and 26 or 50 layers, in widths S, M and L; parameters bear the names of the authors'
PyTorch release, its spelling of `hight_block` included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from playground.models.card import Card

EXPANSION = 2
Axis = Literal["height", "width"]


@dataclass(frozen=True)
class AttentionCall:
    """One axial attention in call order: where it stands and on which grid (rows, cols) it works.

    `stride` is the average pooling that follows it (1: none); only the width step of a stage's first block pools.
    """

    stage: int
    block: int
    axis: Axis
    grid: tuple[int, int]
    stride: int


class AxialAttention(nn.Module):
    """Attention along one axis with relative positions in queries, keys and values; paper, equation 4.

    y_o = sum_p softmax_p(q_o.k_p + q_o.rq_{o-p} + k_p.rk_{p-o}) (v_p + rv_{o-p}), p on the line of o. Batch norm on
    each of the three terms takes the place of the usual 1/sqrt(d). `span` is the line length that `relative` is made
    for.
    """

    def __init__(self, dim: int, heads: int, span: int, axis: Axis, stride: int = 1) -> None:
        super().__init__()
        self.heads = heads
        self.axis = axis
        self.stride = stride
        self.split = (dim // heads // 2, dim // heads // 2, dim // heads)  # channels of q, k, v in a head
        self.qkv_transform = nn.Conv1d(dim, 2 * dim, 1, bias=False)
        self.bn_qkv = nn.BatchNorm1d(2 * dim)
        self.bn_similarity = nn.BatchNorm2d(3 * heads)
        self.bn_output = nn.BatchNorm1d(2 * dim)
        self.relative = nn.Parameter(torch.randn(2 * dim // heads, 2 * span - 1) * (dim // heads) ** -0.5)
        nn.init.normal_(self.qkv_transform.weight, std=dim**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, C, rows', cols'] for x [B, C, rows, cols]; pooled by `stride` after the attention."""
        lines = self._lines(x)  # [B, lines, C, L]
        q, k, v = self._project(lines)
        rq, rk, rv = self._positions(lines.shape[-1])
        logits = self._terms(q, k, rq, rk).sum(dim=1)  # [B*lines, heads, L, L]
        weights = F.softmax(logits, dim=-1)  # [B*lines, heads, L, L]
        content = torch.einsum("bhij,bhcj->bhci", weights, v)  # [B*lines, heads, c, L]
        position = torch.einsum("bhij,cij->bhci", weights, rv)  # [B*lines, heads, c, L]
        pair = torch.stack((content, position), dim=3)  # [B*lines, heads, c, 2, L]
        out = self.bn_output(pair.flatten(1, 3))  # [B*lines, 2C, L]
        out = out.unflatten(1, (-1, 2)).sum(dim=2)  # [B*lines, C, L]
        out = out.unflatten(0, lines.shape[:2])  # [B, lines, C, L]
        out = out.permute(0, 2, 3, 1) if self.axis == "height" else out.transpose(1, 2)  # [B, C, rows, cols]
        return F.avg_pool2d(out, self.stride, ceil_mode=True) if self.stride > 1 else out

    def terms(self, x: Tensor) -> Tensor:
        """Return the three normalised terms of the logits, [B*lines, 3, heads, L, L], for x [B, C, rows, cols].

        In order: content q.k, query with position q.rq, key with position k.rk. Their sum over dimension 1 is what the
        softmax sees. Rows are queries, columns keys.
        """
        q, k, _ = self._project(self._lines(x))
        rq, rk, _ = self._positions(q.shape[-1])
        return self._terms(q, k, rq, rk)

    def _lines(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 1, 2) if self.axis == "height" else x.transpose(1, 2)  # [B, lines, C, L]

    def _project(self, lines: Tensor) -> tuple[Tensor, ...]:
        qkv = self.bn_qkv(self.qkv_transform(lines.flatten(0, 1)))  # [B*lines, 2C, L]
        return qkv.unflatten(1, (self.heads, -1)).split(self.split, dim=2)  # each [B*lines, heads, c, L]

    def _terms(self, q: Tensor, k: Tensor, rq: Tensor, rk: Tensor) -> Tensor:
        content = torch.einsum("bhci,bhcj->bhij", q, k)  # [B*lines, heads, L, L]
        by_query = torch.einsum("bhci,cij->bhij", q, rq)  # [B*lines, heads, L, L]
        by_key = torch.einsum("bhcj,cji->bhij", k, rk)  # [B*lines, heads, L, L]
        normed = self.bn_similarity(torch.cat((content, by_query, by_key), dim=1))  # [B*lines, 3*heads, L, L]
        return normed.unflatten(1, (3, self.heads))

    def _positions(self, length: int) -> tuple[Tensor, ...]:
        """Read `relative` for lines of `length`: its centre up to the span, stretched linearly about it beyond."""
        table: Tensor = self.relative  # [2C/heads, 2*span-1]
        if length > (table.shape[1] + 1) // 2:
            table = F.interpolate(table[None], size=2 * length - 1, mode="linear", align_corners=True)[0]
        index = torch.arange(length, device=table.device)
        index = index[:, None] - index[None, :] + table.shape[1] // 2  # [L, L]; the centre is distance 0
        return table[:, index].split(self.split, dim=0)  # each [c, L, L]


class AxialBlock(nn.Module):
    """Residual bottleneck whose 3x3 convolution is replaced by a height step and a width step; paper, figure 2."""

    def __init__(self, inplanes: int, planes: int, heads: int, span: int, stride: int, drop_path: float = 0.0) -> None:
        super().__init__()
        outplanes = planes * EXPANSION
        self.drop_path = drop_path
        self.conv_down = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.hight_block = AxialAttention(planes, heads, span, "height")
        self.width_block = AxialAttention(planes, heads, span, "width", stride)
        self.conv_up = nn.Conv2d(planes, outplanes, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outplanes)
        self.downsample: nn.Module | None = None
        if stride > 1 or inplanes != outplanes:
            self.downsample = nn.Sequential(
                nn.Conv2d(inplanes, outplanes, 1, stride=stride, bias=False), nn.BatchNorm2d(outplanes)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return [B, 2*planes, rows/stride, cols/stride] (rounded up) for x [B, inplanes, rows, cols]."""
        skip = x if self.downsample is None else self.downsample(x)  # [B, 2*planes, rows/stride, cols/stride]
        out = F.relu(self.bn1(self.conv_down(x)))  # [B, planes, rows, cols]
        out = F.relu(self.width_block(self.hight_block(out)))  # [B, planes, rows/stride, cols/stride]
        out = self.bn2(self.conv_up(out))  # [B, 2*planes, rows/stride, cols/stride]
        if self.training and self.drop_path > 0:
            keep = torch.rand(out.shape[0], 1, 1, 1, device=out.device) >= self.drop_path
            out = out * keep / (1 - self.drop_path)
        return F.relu(out + skip)

    def terms(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the terms of the logits, see AxialAttention, of the height step and of the width step for x."""
        inside = F.relu(self.bn1(self.conv_down(x)))  # [B, planes, rows, cols]
        return self.hight_block.terms(inside), self.width_block.terms(self.hight_block(inside))


class AxialResNet(nn.Module):
    """Axial-ResNet classifier: stem, three or four stages of axial blocks, mean over positions, linear head.

    `layers`: blocks of each stage. `width`: channel factor (S 0.5, M 0.75, L 1.0). `spans`: line length at the entry
    of each stage at the size the model is made for; other sizes read the same tables about their centre. `strides`:
    pooling of each stage. `stem`: "pool" (7x7 stride 2, max pooling; the paper's) or "convs" (three 3x3, the outer two
    with stride 2); both reduce by 4.
    """

    def __init__(
        self,
        layers: Sequence[int] = (1, 2, 4, 1),
        width: float = 0.5,
        num_classes: int = 1000,
        spans: Sequence[int] = (56, 56, 28, 14),
        strides: Sequence[int] = (1, 2, 2, 2),
        heads: int = 8,
        stem: Literal["pool", "convs"] = "pool",
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if not len(layers) == len(spans) == len(strides):
            raise ValueError("Give layers, spans and strides one number for each stage.")
        if stem not in ("pool", "convs"):
            raise ValueError(f'The stem is "pool" or "convs", not {str(stem)[:64]!r}.')
        self.stem = stem
        self.strides = tuple(strides)
        self.dropout = dropout
        planes = int(64 * width)
        self.conv1 = nn.Conv2d(3, planes, 7 if stem == "pool" else 3, 2, 3 if stem == "pool" else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        if stem == "convs":
            self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(planes)
            self.conv3 = nn.Conv2d(planes, planes, 3, 2, 1, bias=False)
            self.bn3 = nn.BatchNorm2d(planes)
        done = 0
        for stage, (count, span, stride) in enumerate(zip(layers, spans, strides, strict=True)):
            inner = int(128 * 2**stage * width)
            blocks = []
            for block in range(count):
                step = stride if block == 0 else 1
                reach = span if block == 0 else -(-span // stride)
                rate = drop_path * done / max(sum(layers) - 1, 1)
                blocks.append(AxialBlock(planes, inner, heads, reach, step, rate))
                planes = inner * EXPANSION
                done += 1
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(planes, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, AxialBlock):
                nn.init.zeros_(module.bn2.weight)  # every block starts as its skip path

    @property
    def stages(self) -> tuple[nn.Sequential, ...]:
        """The stages in order, each an nn.Sequential of AxialBlock."""
        return tuple(self.get_submodule(f"layer{stage + 1}") for stage in range(len(self.strides)))  # type: ignore[misc]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits [B, num_classes] for normalised pixels [B, 3, H, W] of any size."""
        return self.forward_intermediates(pixels)[0]

    def forward_intermediates(self, pixels: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Return logits [B, num_classes] and the states [B, C, rows, cols] after the stem and after every block."""
        x = F.relu(self.bn1(self.conv1(pixels)))  # [B, 64s, H/2, W/2]
        if self.stem == "pool":
            x = F.max_pool2d(x, 3, 2, 1)  # [B, 64s, H/4, W/4]
        else:
            x = F.relu(self.bn2(self.conv2(x)))  # [B, 64s, H/2, W/2]
            x = F.relu(self.bn3(self.conv3(x)))  # [B, 64s, H/4, W/4]
        states = [x]
        for stage in self.stages:
            for block in stage:
                x = block(x)  # [B, C, rows, cols]
                states.append(x)
        return self.forward_head(x), tuple(states)

    def forward_head(self, x: Tensor) -> Tensor:
        """Return logits [B, num_classes] for the last state x [B, C, rows, cols]."""
        return self.fc(F.dropout(x.mean(dim=(2, 3)), self.dropout, self.training))

    def attention_calls(self, size: tuple[int, int]) -> tuple[AttentionCall, ...]:
        """Name every attention of one forward pass on a view of `size` (rows, cols), in the order of the calls.

        The softmax of a height call has shape [B*cols, heads, rows, rows], of a width call [B*rows, heads, cols, cols].
        After a call with stride s the grid is pooled by the mean of s x s positions (fewer at an odd edge); the skip
        path of that block subsamples every s-th position and starts at the first.
        """
        rows, cols = (-(-n // 4) for n in size)
        calls = []
        for stage, blocks in enumerate(self.stages):
            for index in range(len(blocks)):
                stride = self.strides[stage] if index == 0 else 1
                calls.append(AttentionCall(stage, index, "height", (rows, cols), 1))
                calls.append(AttentionCall(stage, index, "width", (rows, cols), stride))
                rows, cols = -(-rows // stride), -(-cols // stride)
        return tuple(calls)


def axial26s(num_classes: int = 1000) -> AxialResNet:
    """Return Axial-ResNet-26, width S: the only member whose weights its authors released."""
    return AxialResNet((1, 2, 4, 1), 0.5, num_classes)


def axial50s(num_classes: int = 1000) -> AxialResNet:
    """Return Axial-ResNet-50, width S."""
    return AxialResNet((3, 4, 6, 3), 0.5, num_classes)


def axial50m(num_classes: int = 1000) -> AxialResNet:
    """Return Axial-ResNet-50, width M."""
    return AxialResNet((3, 4, 6, 3), 0.75, num_classes)


def axial50l(num_classes: int = 1000) -> AxialResNet:
    """Return Axial-ResNet-50, width L."""
    return AxialResNet((3, 4, 6, 3), 1.0, num_classes)


def axial_small(num_classes: int = 80, dropout: float = 0.0, drop_path: float = 0.0) -> AxialResNet:
    """Return a member of 2 M parameters for pictures of about 64 px (ours): grids 16x16, 8x8 and 4x4 at that size."""
    return AxialResNet(
        (1, 2, 3), 0.5, num_classes, (16, 16, 8), (1, 2, 2), stem="convs", dropout=dropout, drop_path=drop_path
    )


def build(card: "Card") -> AxialResNet:
    """Build the network that `card.options` describes: the arguments of AxialResNet."""
    return AxialResNet(**card.options)


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the authors' state dict without `flatten_index`, the index into `relative` that is computed here."""
    return {name: value for name, value in state.items() if not name.endswith("flatten_index")}
