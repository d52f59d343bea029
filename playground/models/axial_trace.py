"""An axial network's forward pass as a trace: tokens after every block, column and row attention of every block."""

from itertools import pairwise

import torch
from torch import Tensor

from playground.image import View
from playground.models.axial import AxialResNet
from playground.models.card import Card
from playground.models.tracing import batch_of, class_logits, graph_of
from playground.record import record
from playground.trace import AxialAttention, Link, Pool, Sequence, Tokens, Trace


def trace(model: AxialResNet, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
    """Run one picture; each block becomes one link of its column attention, row attention and pooling.

    Source: Axial-DeepLab (Wang et al. 2020), equations 3 and 4 and figure 2.
    """
    pixels = batch_of(view, device, graph)
    with torch.set_grad_enabled(graph), record() as calls:
        logits, states = model.forward_intermediates(pixels)
    blocks = model.attention_calls((view.pixels.shape[1], view.pixels.shape[2]))[::2]
    names = ["stem", *(f"stage {block.stage + 1}, block {block.block + 1}" for block in blocks)]
    tokens = tuple(_tokens(name, state) for name, state in zip(names, states, strict=True))
    links = tuple(
        _link(i, reads, writes, [calls[2 * i + j].weights().cpu() for j in (0, 1)])
        for i, (reads, writes) in enumerate(pairwise(tokens))
    )
    last = tokens[-1].sequence
    outs = [
        tuple(call.out for call in pair if call.out is not None) for pair in zip(calls[::2], calls[1::2], strict=True)
    ]
    return Trace(
        model=card.name,
        view=view,
        logits=class_logits(logits, card),
        tokens=tokens,
        links=links,
        readout=torch.full((last.count,), 1.0 / last.count),  # the head averages over the last grid
        graph=graph_of(pixels, logits, outs, list(zip(tokens, states, strict=True))),
        device=str(device),
    )


def _tokens(name: str, state: Tensor) -> Tokens:
    _, channels, rows, cols = state.shape
    values = state[0].reshape(channels, rows * cols).T  # [N, C]
    return Tokens(
        name, Sequence(f"{rows} × {cols} positions", rows * cols, (rows, cols)), values.detach().float().cpu()
    )


def _link(layer: int, reads: Tokens, writes: Tokens, weights: list[Tensor]) -> Link:
    """Return one block's link; `weights`: height [cols, heads, rows, rows] and width [rows, heads, cols, cols]."""
    fine, coarse = reads.sequence.grid, writes.sequence.grid
    assert fine is not None and coarse is not None
    step = AxialAttention(weights[0], weights[1], None if fine == coarse else Pool(fine, coarse))
    return Link(writes.name, layer, reads.sequence, writes.sequence, step)
