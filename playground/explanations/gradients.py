"""Attention weighted by its gradient, in blocks of rows: the weights' gradient is never a whole matrix.

A fused call gives out = A v, so dy/dA = dy/dout v^T: one product per block of rows, from tensors of size N d. The two
attentions of an axial block are weighted one by one; lines are short, so their weights and gradients are whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from playground.explanations.attention import BLOCK
from playground.explanations.nouns import Target
from playground.explanations.targets import attention_links, score_of
from playground.trace import Attention, AxialAttention, Graph, Link, Pool, Trace


@dataclass(frozen=True)
class Graded:
    """A step with its gradient: `gradient` is that of the call's `out` [heads, N_written, d], or of stored weights."""

    step: Attention
    gradient: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """(N_written, N_read)."""
        return self.step.shape

    def of_weights(self, rows: Tensor) -> Tensor:
        """Return dy/dA for the chosen rows, [heads, rows, N_read]."""
        part = self.gradient[:, rows]
        return part if self.step.value is None else part @ self.step.value.mT

    def rows(self, rows: Tensor) -> Tensor:
        """Return the heads' mean of the positive part of gradient times attention, [rows, N_read].

        Source: Chefer et al. 2021 (arXiv 2103.15679), equation 5; clamped in each head before the mean.
        """
        return (self.of_weights(rows) * self.step.weights(rows)).clamp_min(0).mean(0)

    def blocks(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the chosen rows block by block: their indices and `rows` of them."""
        for part in rows.split(BLOCK):
            yield part, self.rows(part)

    def pull(self, r: Tensor) -> Tensor:
        """Return r @ `rows` for r [N_written], [N_read]; rows without weight in r are left out."""
        pulled = r.new_zeros(self.step.shape[1])
        for part, rows in self.blocks(r.nonzero()[:, 0]):
            pulled += (r[part].to(rows) @ rows).to(r)
        return pulled

    def push(self, c: Tensor) -> Tensor:
        """Return `rows` @ c for c [N_read], [N_written]."""
        return torch.cat([(rows @ c.to(rows)).to(c) for _, rows in self.blocks(torch.arange(self.step.shape[0]))])


Weighted = Graded | AxialAttention  # both have pull and push


def graph_of(trace: Trace) -> Graph:
    """Return the graph of a trace that has one; raises ValueError for a trace made without."""
    if trace.graph is None:
        raise ValueError("This method asks for gradients, so the model has to run once more with them.")
    return trace.graph


def graded(trace: Trace, target: Target) -> dict[int, Weighted]:
    """Return every attention of the trace with the gradient of the target's logit, keyed by id of its link.

    The two attentions of an axial block follow each other without a skip path between them, so the block's weighted
    attention is their product, with its pooling. Source for axial blocks: ours, equation 5 of Chefer et al. twice.
    """
    graph = graph_of(trace)
    attention_links(trace)
    asked = [
        (link, out if isinstance(out, tuple) else (out,))
        for link, out in zip(trace.links, graph.outs, strict=True)
        if out is not None
    ]
    assert len(asked) == sum(not isinstance(link.step, Pool) for link in trace.links)
    flat = [out for _, outs in asked for out in outs]
    found = torch.autograd.grad(score_of(graph.logits, target), flat, retain_graph=True, allow_unused=True)
    gradients = iter([torch.zeros_like(out) if g is None else g for out, g in zip(flat, found, strict=True)])
    return {id(link): _graded(link, [next(gradients).cpu() for _ in outs]) for link, outs in asked}


def _graded(link: Link, gradients: list[Tensor]) -> Weighted:
    if isinstance(link.step, AxialAttention):
        pair = zip((link.step.height, link.step.width), gradients, strict=True)  # each [lines, heads, L, L]
        height, width = ((weights * gradient).clamp_min(0).mean(1, keepdim=True) for weights, gradient in pair)
        return AxialAttention(height, width, link.step.pool)
    assert isinstance(link.step, Attention)
    (gradient,) = gradients
    return Graded(link.step, gradient[0].float())
