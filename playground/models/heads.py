"""What a model's head would read in any tokens: the final norm and the head, without the layers before them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from playground.models.axial import AxialResNet
from playground.models.card import Card
from playground.models.detr import DETR
from playground.record import silence

Reader = Callable[[Tensor], Tensor]


def reader(model: Any, card: Card) -> Reader | None:
    """Return a function from sequences [n, T, D], as they leave a block, to logits [n, C] on the CPU.

    A sequence is pooled as the head pools; T copies of one token give what the head reads in that token. None for
    architectures whose head is not known, and for models without one.
    """
    if card.task == "features":
        return None
    heads: dict[str, Reader] = {
        "vit": lambda x: model.forward_head(model.norm(x)),
        "coatnet": lambda x: model.forward_head(model.norm(x.mT.unsqueeze(-1))),  # [n, D, T, 1]
        "axial": lambda x: model.forward_head(x.mT.unsqueeze(-1)),  # [n, D, T, 1]
        "detr": lambda x: model.heads(x)["logits"][:, 0],
    }
    return _on_device(model, heads[card.family]) if card.family in heads else None


def box_reader(model: Any) -> Reader | None:
    """Return a function from a detector's states [n, 1, D] after a decoder layer to boxes_cxcywh [n, 4], else None."""
    if not isinstance(model, DETR):
        return None
    return _on_device(model, lambda x: model.heads(x)["boxes_cxcywh"][:, 0])


def axial_terms(model: Any) -> Callable[[int, Tensor], tuple[Tensor, Tensor]] | None:
    """Return a function from a block's number and its input [1, C, rows, cols] to the terms of its logits on the CPU.

    Column step and row step, each [lines, 3, heads, L, L]; None for a model without axial attention.
    """
    if not isinstance(model, AxialResNet):
        return None
    blocks: list[Any] = [block for stage in model.stages for block in stage]

    def terms(block: int, state: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            height, width = blocks[block].terms(state.to(next(model.parameters()).device))
        return height.float().cpu(), width.float().cpu()

    return terms


def forward(model: Any) -> Reader:
    """Return a function from pixels [n, 3, H, W] to logits [n, C], a detector's [n, Q, C + 1], on the CPU."""
    if isinstance(model, DETR):
        return _on_device(model, lambda x: model(x, masks=False)["logits"])
    return _on_device(model, model)


def silenced(model: Any) -> Callable[[Tensor, Sequence[tuple[int, int]]], Tensor]:
    """Return a function like `forward` that takes for each picture the (attention call, head) to leave out."""
    run = forward(model)

    def without(pixels: Tensor, heads: Sequence[tuple[int, int]]) -> Tensor:
        with silence(heads):
            return run(pixels)

    return without


def _on_device(model: Any, run: Callable[[Tensor], Tensor]) -> Reader:
    device = next(model.parameters()).device

    def there_and_back(x: Tensor) -> Tensor:
        with torch.no_grad():
            return run(x.to(device)).float().cpu()

    return there_and_back
