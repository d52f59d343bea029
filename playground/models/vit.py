"""Vision transformers: timm's VisionTransformer (ViT, DeiT, DINOv2) and Eva (EVA-02, DINOv3)."""

from typing import Any

import timm
import torch
from timm.models.deit import VisionTransformerDistilled
from torch import Tensor, nn

from playground.image import View
from playground.models.card import Card
from playground.models.tracing import attention_of, batch_of, class_logits, graph_of
from playground.record import record
from playground.trace import Link, Sequence, Tokens, Trace


def build(card: Card) -> nn.Module:
    """Return timm's model of this card without pretrained weights."""
    return timm.create_model(card.architecture, pretrained=False, **card.options)


def rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state unchanged: files of this family carry timm's names."""
    return state


def trace(model: Any, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
    """Run one picture and keep the tokens after every block and every attention call, on wish with their graph.

    Source: "An Image is Worth 16x16 Words" (Dosovitskiy et al. 2021), equations 1 to 4.
    """
    pixels = batch_of(view, device, graph)
    with torch.set_grad_enabled(graph), record() as calls:
        final, levels = model.forward_intermediates(pixels, return_prefix_tokens=True, output_fmt="NLC")
        logits = model.forward_head(final)
    prefix = prefix_names(model)
    grid = tuple(model.patch_embed.dynamic_feat_size(tuple(pixels.shape[-2:])))
    patches = Sequence("patches", final.shape[1], grid, prefix)
    per_block = len(calls) // len(model.blocks)  # 1; blocks with attentions side by side make 2; a pooling head adds 1
    in_blocks = calls[: per_block * len(model.blocks)]
    links = tuple(
        Link(f"block {i // per_block + 1}", i // per_block, patches, patches, attention_of(call))
        for i, call in enumerate(in_blocks)
    )
    outputs = [_whole(level[0] if prefix else level) for level in levels]  # each [1, N, D]
    tokens = tuple(Tokens(f"block {i + 1}", patches, x[0].detach().cpu()) for i, x in enumerate(outputs))
    pooling = calls[len(in_blocks) :]
    return Trace(
        model=card.name,
        view=view,
        logits=class_logits(logits, card),
        tokens=tokens,
        links=links,
        readout=readout(model, patches, pooling[-1].weights()[0].mean((0, 1)).cpu() if pooling else None),
        graph=graph_of(pixels, logits, [call.out for call in in_blocks], list(zip(tokens, outputs, strict=True))),
        device=str(device),
    )


def _whole(patches: Tensor) -> Tensor:
    """Return the block's output that timm sliced these patches out of: the tensor that the graph knows."""
    return patches if patches._base is None else patches._base


def prefix_names(model: Any) -> tuple[str, ...]:
    """Name the tokens before the patches, in timm's order: class, distillation, registers."""
    named = ["class"] if getattr(model, "cls_token", None) is not None else []
    if getattr(model, "dist_token", None) is not None:
        named.append("distillation")
    registers = model.num_prefix_tokens - len(named)
    return (*named, *(f"register {i + 1}" for i in range(registers)))


def readout(model: Any, tokens: Sequence, pooled: Tensor | None = None) -> Tensor:
    """Return how much of each final token the head reads, [N], summing to 1.

    The class token; the mean of class and distillation token (DeiT); the mean of the patches; or, for a pooling
    head with attention of its own, that attention `pooled` [N or N - prefix].
    """
    weight = torch.zeros(tokens.count)
    skip = len(tokens.prefix)
    if pooled is not None:
        weight[tokens.count - pooled.numel() :] = pooled
    elif isinstance(model, VisionTransformerDistilled):
        weight[:2] = 0.5
    elif model.global_pool == "token" and skip:
        weight[0] = 1.0
    else:
        first = 0 if getattr(model, "pool_include_prefix", False) else skip
        weight[first:] = 1.0 / (tokens.count - first)
    return weight
