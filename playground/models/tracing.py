"""What the tracers of all families share: a batch of one, and calls of the recorder as steps of a trace."""

from collections.abc import Sequence

import torch
from torch import Tensor

from playground.image import View
from playground.models.card import Card
from playground.record import Call
from playground.trace import Attention, Feature, Graph, Tokens


def batch_of(view: View, device: torch.device, graph: bool = False) -> Tensor:
    """Return the view's pixels as a batch of one, [1, 3, H, W], on the device; with `graph` gradients flow to them."""
    pixels = torch.from_numpy(view.pixels).unsqueeze(0).to(device)  # [1, 3, H, W]
    return pixels.clone().requires_grad_() if graph else pixels


def graph_of(
    pixels: Tensor,
    logits: Tensor,
    outs: Sequence[Tensor | tuple[Tensor, ...] | None],
    features: Sequence[tuple[Tokens, Tensor]],
) -> Graph | None:
    """Return the graph of a pass made with one; each of the `features` is named by its tokens."""
    if not logits.requires_grad:
        return None
    named = tuple(Feature(tokens.name, tokens.sequence, tensor) for tokens, tensor in features if tokens.sequence.grid)
    return Graph(pixels, logits[0], tuple(outs), named)


def attention_of(call: Call) -> Attention:
    """Return the one picture's attention of a recorded call, moved to the CPU."""
    assert call.shape[0] == 1 and len(call.shape) == 4, call.shape
    if call.stored is not None:
        return Attention(stored=call.stored[0].cpu())
    assert call.q is not None and call.k is not None
    bias = None if call.bias is None else call.bias.cpu()
    if bias is not None and bias.dim() == 4:
        bias = bias[0]
    value = None if call.value is None else call.value[0].cpu()
    return Attention(q=call.q[0].cpu(), k=call.k[0].cpu(), bias=bias, scale=call.scale, value=value)


def class_logits(logits: Tensor, card: Card) -> Tensor | None:
    """Return the logits of one picture as float32 [C] on the CPU, or None for a model without a classifier."""
    return None if card.task == "features" else logits[0].detach().float().cpu()
