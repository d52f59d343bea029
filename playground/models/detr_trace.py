"""DETR's forward pass as a trace: memory after every encoder layer, object queries after every decoder layer."""

from typing import Any

import torch
from torch import Tensor

from playground.image import View
from playground.models.card import Card
from playground.models.detr import DETR, confident
from playground.models.tracing import attention_of, batch_of
from playground.record import Call, record
from playground.trace import Feature, Graph, Link, Sequence, Tokens, Trace


def trace(model: DETR, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
    """Run one picture; masks are drawn for the confident queries alone, the only ones that the answer uses.

    Source: "End-to-End Object Detection with Transformers" (Carion et al. 2020), section 3.2 and figure 10.
    """
    pixels = batch_of(view, device, graph)
    mask_queries = masks = mask_attention = None
    with torch.set_grad_enabled(graph), record() as calls:
        out = model(pixels, masks=False)
    encoder, decoder = len(out["encoder_tokens"]), len(out["decoder_tokens"])
    calls = calls[len(calls) - encoder - 2 * decoder :]  # a backbone may attend too; its calls come before
    if model.mask_head is not None:
        with torch.no_grad():
            mask_queries = confident(out["logits"][0], card.segments_from).nonzero()[:, 0]  # [n]
            masks = model.mask_logits(out, mask_queries)[0]  # [n, rows, cols]
            mask_attention = model.mask_attention(out, mask_queries)[0]  # [n, heads, rows, cols]
    rows, cols = out["grid"]
    memory = Sequence("memory", rows * cols, (rows, cols))
    queries = Sequence("object queries", model.num_queries)
    backbone = out["projected"][0].flatten(1).T  # [HW, D]
    return Trace(
        model=card.name,
        view=view,
        logits=out["logits"][0].detach().float().cpu(),
        boxes_cxcywh=out["boxes_cxcywh"][0].detach().float().cpu(),
        masks=None if masks is None else masks.float().cpu(),
        mask_queries=None if mask_queries is None else mask_queries.cpu(),
        mask_attention=None if mask_attention is None else mask_attention.float().cpu(),
        tokens=(
            Tokens("backbone", memory, backbone.detach().float().cpu()),
            *_levels("encoder layer", memory, out["encoder_tokens"]),
            *_levels("decoder layer", queries, out["decoder_tokens"]),
        ),
        links=_links(calls, memory, queries, encoder, decoder),
        graph=_graph(pixels, out, calls, memory) if graph else None,
        device=str(device),
    )


def _levels(name: str, sequence: Sequence, layers: tuple[Tensor, ...]) -> list[Tokens]:
    return [Tokens(f"{name} {i + 1}", sequence, x[0].detach().float().cpu()) for i, x in enumerate(layers)]


def _graph(pixels: Tensor, out: dict[str, Any], calls: list[Call], memory: Sequence) -> Graph:
    stages = [
        Feature(f"backbone stage {i + 1}", Sequence(f"backbone stage {i + 1}", x[0, 0].numel(), tuple(x.shape[2:])), x)
        for i, x in enumerate(out["features"])
    ]
    layers = [Feature(f"encoder layer {i + 1}", memory, x) for i, x in enumerate(out["encoder_tokens"])]
    projected = Feature("backbone", memory, out["projected"])
    outs = tuple(call.out for call in calls)
    return Graph(pixels, out["logits"][0], outs, (*stages, projected, *layers), out["boxes_cxcywh"][0])


def _links(calls: list[Call], memory: Sequence, queries: Sequence, encoder: int, decoder: int) -> tuple[Link, ...]:
    """Name the calls in their order: encoder layers, then for each decoder layer its self- and its cross-attention."""
    links = [Link(f"encoder layer {i + 1}", i, memory, memory, attention_of(calls[i])) for i in range(encoder)]
    for i in range(decoder):
        among, across = (attention_of(call) for call in calls[encoder + 2 * i : encoder + 2 * i + 2])
        links.append(Link(f"decoder layer {i + 1}, among queries", i, queries, queries, among))
        links.append(Link(f"decoder layer {i + 1}, into memory", i, memory, queries, across))
    return tuple(links)
