"""CoAtNet: convolution stages, then attention stages with a learned relative bias, on timm's MaxxVit class."""

from typing import Any

import timm
import torch
from timm.layers import to_2tuple
from timm.models.maxxvit import TransformerBlock2d
from torch import Tensor, nn

from playground.image import View
from playground.models.card import Card
from playground.models.tracing import attention_of, batch_of, class_logits, graph_of
from playground.record import Call, record
from playground.trace import Link, Pool, Sequence, Tokens, Trace

SIDE = 224  # pixels, where a card says nothing


def build(card: Card) -> nn.Module:
    """Return timm's model of this card without pretrained weights.

    Our own option "same_grid" is the place, from 0, of the first stage of attention, which then works on the grid of
    the stage before it: in CoAtNet-6 and -7 (the paper's tables 11 and 12) S3 is convolution and then attention.
    """
    options = dict(card.options)
    place = options.pop("same_grid", None)
    if place is None:
        return timm.create_model(card.architecture, pretrained=False, **options)
    rows, cols = to_2tuple(options.pop("img_size", SIDE))
    # with one halving less, tables of positions are as large as for a picture of twice the side
    model = timm.create_model(card.architecture, pretrained=False, img_size=(2 * rows, 2 * cols), **options)
    first = model.stages[place].blocks[0]
    first.shortcut.pool = first.norm1.down.pool = nn.Identity()
    return model


def rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state unchanged: files of this family carry timm's names."""
    return state


def trace(model: Any, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
    """Run one picture stage by stage, block by block, keeping tokens and attention calls.

    Convolution stages leave tokens but no links: they have no attention to show.
    Source: "CoAtNet" (Dai et al. 2021), equations 3 and 4.
    """
    tokens: list[Tokens] = []
    links: list[Link] = []
    pixels = batch_of(view, device, graph)
    with torch.set_grad_enabled(graph), record() as calls:
        x = model.stem(pixels)  # [1, C, H, W]
        tokens.append(_tokens("stem", x))
        features = [x]
        for s, stage in enumerate(model.stages):
            for b, block in enumerate(stage.blocks):
                before, seen = x, len(calls)
                x = block(x)  # [1, C, H, W]
                name = f"stage {s + 1}, block {b + 1}"
                tokens.append(_tokens(name, x, f"stage {s + 1}"))
                features.append(x)
                if isinstance(block, TransformerBlock2d):
                    links += _links(name, _last_layer(links) + 1, before, tokens[-1].sequence, s, calls[seen:])
        logits = model.forward_head(model.norm(x))
    last = tokens[-1].sequence
    attended = iter(call.out for call in calls)
    outs = [None if isinstance(link.step, Pool) else next(attended) for link in links]
    return Trace(
        model=card.name,
        view=view,
        logits=class_logits(logits, card),
        tokens=tuple(tokens),
        links=tuple(links),
        readout=torch.full((last.count,), 1.0 / last.count),  # the head averages over the last grid
        graph=graph_of(pixels, logits, outs, list(zip(tokens, features, strict=True))),
        device=str(device),
    )


def _tokens(name: str, x: Tensor, sequence: str | None = None) -> Tokens:
    _, channels, rows, cols = x.shape
    values = x[0].reshape(channels, rows * cols).T  # [N, C]
    return Tokens(name, Sequence(sequence or name, rows * cols, (rows, cols)), values.detach().float().cpu())


def _last_layer(links: list[Link]) -> int:
    return links[-1].layer if links else -1


def _links(name: str, layer: int, before: Tensor, writes: Sequence, stage: int, calls: list[Call]) -> list[Link]:
    """Return the block's steps: pooling from a finer grid (equation 4 pools before it attends), then attention."""
    assert len(calls) == 1 and writes.grid is not None
    steps = [Link(name, layer, writes, writes, attention_of(calls[0]))]
    fine = (before.shape[2], before.shape[3])
    if fine != writes.grid:
        reads = Sequence(f"stage {stage}", fine[0] * fine[1], fine)
        steps.insert(0, Link(f"{name}, pooling", layer, reads, writes, Pool(fine, writes.grid), skip=False))
    return steps
