"""The nouns: what one picture through one model leaves behind.

Names and shapes used everywhere (one picture, so no batch axis):

    B, N, D      batch, tokens, channels
    H, W         rows and columns of a picture or grid, always in that order
    pixels       [3, H, W] float32, normalised as the model wants it
    tokens       [N, D], prefix tokens (class, distillation, registers) first, then the grid row by row
    A            attention weights [heads, N_written, N_read]; a row is one output token, rows sum to 1
    map          [rows, cols] float32 numpy on the model's own grid
    boxes_xyxy   [n, 4] left, top, right, bottom in pixels of the upload
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from playground.image import View

CACHED = 2**19  # weights of several heads computed together in a walk, at most: 2 MiB


@dataclass(frozen=True)
class ClassScore:
    """One class of an answer; `score` is a probability, 0 to 1."""

    label: str
    score: float
    index: int


@dataclass(frozen=True)
class Box:
    """One found object; `box_xyxy` in pixels of the upload, `query` the DETR query that found it."""

    label: str
    score: float
    box_xyxy: tuple[float, float, float, float]
    index: int
    query: int


@dataclass(frozen=True)
class Segment:
    """One region of a panoptic answer; `id` is its value in the segment map, `area` its share of the picture."""

    id: int
    label: str
    score: float
    area: float
    is_thing: bool


@dataclass(frozen=True)
class Prediction:
    """What a model answers about one picture: classes, or boxes, or boxes and segments.

    `segment_map` is int32 [rows, cols] over the whole upload, 0 where nothing was found.
    `unsure` is true when the best class scores below the threshold measured for this model; `shown_from` is the score
    from which its boxes count as found, 0..1, also measured.
    """

    model: str
    task: str
    classes: tuple[ClassScore, ...]
    boxes: tuple[Box, ...]
    segments: tuple[Segment, ...]
    segment_map: np.ndarray | None
    unsure: bool
    seconds: float
    device: str
    notes: tuple[str, ...]
    picture_size: tuple[int, int]
    shown_from: float = 0.5

    def above(self, threshold: float | None = None) -> "Prediction":
        """Return the same answer with only the boxes that score at least `threshold`, by default `shown_from`."""
        least = self.shown_from if threshold is None else threshold
        return replace(self, boxes=tuple(box for box in self.boxes if box.score >= least))


@dataclass(frozen=True)
class Sequence:
    """A named row of tokens and where it lies.

    `grid` is (rows, cols) of the tokens behind the prefix, or None when they have no place on the picture
    (object queries). `prefix` names the tokens before the grid; `count` is the length of the whole sequence.
    """

    name: str
    count: int
    grid: tuple[int, int] | None = None
    prefix: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.grid is not None:
            assert len(self.prefix) + self.grid[0] * self.grid[1] == self.count, (self.name, self.count, self.grid)


@dataclass(frozen=True)
class Tokens:
    """The tokens of `sequence` after the step called `name`; `values` is [N, D] on the CPU."""

    name: str
    sequence: Sequence
    values: Tensor


@dataclass(frozen=True)
class Attention:
    """One attention call, kept as queries and keys; weights are computed for the rows and heads looked at.

    q [heads, N_written, d], k [heads, N_read, d] and an additive bias that broadcasts to
    [heads, N_written, N_read]; or, for models that write the softmax out themselves, `stored` weights.
    `value` [heads, N_read, d] is kept beside a graph alone: gradients of the weights are made of it.
    """

    q: Tensor | None = None
    k: Tensor | None = None
    bias: Tensor | None = None
    scale: float = 1.0
    stored: Tensor | None = None
    value: Tensor | None = None

    @property
    def heads(self) -> int:
        held = self.q if self.q is not None else self.stored
        assert held is not None
        return held.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(N_written, N_read)."""
        if self.stored is not None:
            return self.stored.shape[1], self.stored.shape[2]
        assert self.q is not None and self.k is not None
        return self.q.shape[1], self.k.shape[1]

    def weights(self, rows: slice | list[int] | Tensor | None = None, heads: slice | list[int] | None = None) -> Tensor:
        """Return softmax(scale q k^T + bias) for the chosen rows and heads, [heads, rows, N_read], rows sum to 1.

        Source: "Attention Is All You Need", equation 1.
        """
        rows = slice(None) if rows is None else rows
        heads = slice(None) if heads is None else heads
        if self.stored is not None:
            return self.stored[heads][:, rows]  # [heads, rows, N_read]
        assert self.q is not None and self.k is not None
        logits = self.scale * self.q[heads][:, rows] @ self.k[heads].mT  # [heads, rows, N_read]
        if self.bias is not None:
            full = self.bias.expand(self.heads, *self.shape)  # [heads, N_written, N_read], a view
            logits = logits + full[heads][:, rows]
        return logits.softmax(-1)

    def pull(self, r: Tensor, block: int = 256) -> Tensor:
        """Return r @ mean over heads of A, [N_read] for r [N_written], in blocks of rows: memory O(N).

        Blocks are cut to what a processor's cache holds, in heads too, and rows to which r gives no weight are left
        out. Source: one step of the backward walk of attention rollout (Abnar and Zuidema 2020), ours in this form.
        """
        pulled = r.new_zeros(self.shape[1])
        together = max(1, CACHED // (min(block, self.shape[0]) * self.shape[1]))  # heads at once
        for rows in r.nonzero()[:, 0].split(block):
            for head in range(0, self.heads, together):
                weights = self.weights(rows, slice(head, head + together))  # [heads, rows, N_read]
                pulled += (r[rows].to(weights) @ weights).sum(0).to(r)  # [N_read]
        return pulled / self.heads


@dataclass(frozen=True)
class Pool:
    """Average pooling from one grid to a coarser one: each written token reads an equal share of its window."""

    fine: tuple[int, int]
    coarse: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int]:
        return self.coarse[0] * self.coarse[1], self.fine[0] * self.fine[1]

    def pull(self, r: Tensor) -> Tensor:
        """Return r [coarse] spread evenly over the windows, [fine]; the sum is kept."""
        window = self._windows().to(r.device)  # [fine]
        sizes = torch.bincount(window, minlength=r.numel()).to(r)  # [coarse]
        return (r / sizes)[window]  # [fine]

    def push(self, values: Tensor) -> Tensor:
        """Return the mean of values [fine] over each window, [coarse]: the transpose of `pull`."""
        window = self._windows().to(values.device)  # [fine]
        total = values.new_zeros(self.shape[0]).index_add(0, window, values)  # [coarse]
        return total / torch.bincount(window, minlength=self.shape[0]).to(values)

    def _windows(self) -> Tensor:
        """Return the window that each fine token falls into, [fine]."""
        rows, cols = (torch.arange(f) * c // f for f, c in zip(self.fine, self.coarse, strict=True))
        return (rows[:, None] * self.coarse[1] + cols[None, :]).reshape(-1)


@dataclass(frozen=True)
class AxialAttention:
    """Two attentions in a row: every column within itself ("height"), then every row within itself ("width").

    `height` is [cols, heads, rows, rows] and `width` [rows, heads, cols, cols]; `pool` follows where a block strides.
    """

    height: Tensor
    width: Tensor
    pool: Pool | None = None

    @property
    def heads(self) -> int:
        return self.height.shape[1]

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, cols) on which both attentions work."""
        return self.width.shape[0], self.height.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        """(N_written, N_read)."""
        count = self.grid[0] * self.grid[1]
        return (self.pool.shape[0] if self.pool else count), count

    def pull(self, r: Tensor) -> Tensor:
        """Return r @ (pool, width, height) for r [N_written], [N_read], in O(HW(H + W)); no HW x HW matrix is built.

        Source: Axial-DeepLab (Wang et al. 2020), equations 3 and 4, walked backwards; ours in this form.
        """
        if self.pool:
            r = self.pool.pull(r)  # [rows * cols]
        along = r.reshape(self.grid)  # [rows, cols]
        along = (along.unsqueeze(1) @ self.width.mean(1).to(r)).squeeze(1)  # [rows, cols]
        down = (along.T.unsqueeze(1) @ self.height.mean(1).to(r)).squeeze(1)  # [cols, rows]
        return down.T.reshape(-1)  # [rows * cols]

    def push(self, values: Tensor) -> Tensor:
        """Return (pool, width, height) @ values for values [N_read], [N_written]: the transpose of `pull`."""
        down = self.height.mean(1).to(values) @ values.reshape(self.grid).T.unsqueeze(-1)  # [cols, rows, 1]
        along = self.width.mean(1).to(values) @ down.transpose(0, 1)  # [rows, cols, 1]
        return self.pool.push(along.reshape(-1)) if self.pool else along.reshape(-1)  # [N_written]


@dataclass(frozen=True)
class Link:
    """One step by which tokens are made of tokens: `writes` = mix of `reads` through `step`.

    `layer` counts the blocks of its kind from 0; `skip` says that a residual path runs beside the step.
    """

    name: str
    layer: int
    reads: Sequence
    writes: Sequence
    step: Attention | AxialAttention | Pool
    skip: bool = True

    def __post_init__(self) -> None:
        assert self.step.shape == (self.writes.count, self.reads.count), (self.name, self.step.shape)

    def pull_skip(self, r: Tensor) -> Tensor:
        """Return r [N_written] carried back along the residual path, [N_read].

        The path is the identity, or where the grid gets coarser the convolution that reads every s-th position.
        """
        if self.reads.count == self.writes.count:
            return r
        assert self.reads.grid is not None and self.writes.grid is not None
        fine = r.new_zeros(self.reads.grid)  # [rows, cols]
        strides = (-(-f // c) for f, c in zip(self.reads.grid, self.writes.grid, strict=True))
        rows, cols = strides
        fine[::rows, ::cols] = r.reshape(self.writes.grid)
        return fine.reshape(-1)  # [N_read]


@dataclass(frozen=True)
class Feature:
    """A grid of features inside the autograd graph: `tensor` is [1, N, D], prefix first, or [1, C, rows, cols]."""

    name: str
    sequence: Sequence
    tensor: Tensor


@dataclass(frozen=True)
class Graph:
    """What gradients are asked of: tensors of the same pass, still in the autograd graph, on the model's device.

    `pixels` [1, 3, H, W]; `logits` and `boxes_cxcywh` as in the trace; `outs` one for each link: what a fused call
    gave, [1, heads, N_written, d], or the weights that the model wrote out itself: a pair of them where the step is
    axial, shaped as its `height` and `width`. None where a step has neither.
    """

    pixels: Tensor
    logits: Tensor
    outs: tuple[Tensor | tuple[Tensor, ...] | None, ...]
    features: tuple[Feature, ...] = ()
    boxes_cxcywh: Tensor | None = None


@dataclass(frozen=True)
class Trace:
    """One picture through one model, kept whole. Tensors but those of `graph` are float32 on the CPU, no gradient.

    `logits` is [C] for a classifier, [Q, C + 1] for a detector, None for a model without a head.
    `boxes_cxcywh` is [Q, 4] in 0..1 of the view; `masks` [n, h, w] are logits of the queries `mask_queries` [n], and
    `mask_attention` [n, heads, rows, cols] is where these look to draw them: the maps of a query sum to 1 together.
    `readout` weights the final tokens that the head reads ([N], sums to 1), None where each query answers itself.
    `unread` says in a sentence what of this model's attention has no readable map, or is empty.
    `graph` is there when the trace was made for gradients.
    """

    model: str
    view: View
    logits: Tensor | None
    boxes_cxcywh: Tensor | None = None
    masks: Tensor | None = None
    mask_queries: Tensor | None = None
    mask_attention: Tensor | None = None
    tokens: tuple[Tokens, ...] = ()
    links: tuple[Link, ...] = ()
    readout: Tensor | None = None
    unread: str = ""
    graph: Graph | None = None
    seconds: float = 0.0
    device: str = "cpu"

    def sequences(self) -> Iterator[Sequence]:
        """Yield every sequence once, in the order in which the model makes them."""
        seen: dict[str, Sequence] = {}
        for part in (
            *[t.sequence for t in self.tokens],
            *[s for link in self.links for s in (link.reads, link.writes)],
        ):
            if part.name not in seen:
                seen[part.name] = part
                yield part

    def nbytes(self) -> int:
        """Return the bytes held by this trace's arrays, each storage counted once."""
        held: dict[int, int] = {id(self.view.pixels): self.view.pixels.nbytes}
        tensors = [self.logits, self.boxes_cxcywh, self.masks, self.mask_attention, *[t.values for t in self.tokens]]
        for link in self.links:
            tensors += [value for value in vars(link.step).values() if isinstance(value, Tensor)]
        for tensor in tensors:
            if tensor is not None:
                held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return sum(held.values())
