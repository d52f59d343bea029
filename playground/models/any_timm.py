"""Every other classifier of timm: what its attention calls show is read from their shapes, and the rest is said."""

from collections.abc import Iterable, Mapping
from typing import Any

import timm
import torch
from torch import Tensor, nn

from playground.image import View
from playground.models.card import Card
from playground.models.tracing import attention_of, batch_of, class_logits, graph_of
from playground.record import Call, record
from playground.trace import Link, Sequence, Tokens, Trace


def build(card: Card) -> nn.Module:
    """Return timm's model of this card without pretrained weights."""
    return timm.create_model(card.architecture, pretrained=False, **card.options)


def rename(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the state unchanged: files of this family carry timm's names."""
    return state


def trace(model: Any, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
    """Run one picture; keep the feature maps that timm offers and the attention calls that read whole grids."""
    pixels = batch_of(view, device, graph)
    with torch.set_grad_enabled(graph), record() as calls:
        logits, maps = _forward(model, pixels)
    tokens = tuple(_tokens(f"features {i + 1}", m) for i, m in enumerate(maps))
    grids = {t.sequence.count: t.sequence.grid for t in tokens if t.sequence.grid}
    prefix = int(getattr(model, "num_prefix_tokens", 0))
    links = tuple(_links(calls, grids, prefix))
    return Trace(
        model=card.name,
        view=view,
        logits=class_logits(logits, card),
        tokens=tokens,
        links=links,
        readout=_readout(model, links),
        unread=_unread(len(calls), len(links)),
        graph=graph_of(pixels, logits, [calls[link.layer].out for link in links], list(zip(tokens, maps, strict=True))),
        device=str(device),
    )


def _forward(model: Any, pixels: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Return logits and feature maps [1, C, h, w] from one forward pass."""
    if not hasattr(model, "forward_intermediates"):
        return model(pixels), []
    try:
        final, maps = model.forward_intermediates(pixels)
    except (AssertionError, NotImplementedError):  # how architectures of timm refuse feature maps
        return model(pixels), []
    return model.forward_head(final), [m for m in maps if isinstance(m, Tensor) and m.dim() == 4]


def _tokens(name: str, feature_map: Tensor) -> Tokens:
    _, channels, rows, cols = feature_map.shape
    values = feature_map[0].reshape(channels, rows * cols).T  # [N, C]
    return Tokens(name, Sequence(f"{rows} × {cols} grid", rows * cols, (rows, cols)), values.detach().float().cpu())


def _links(calls: list[Call], grids: Mapping[int, tuple[int, int] | None], prefix: int) -> Iterable[Link]:
    """Yield a link for each call of one whole picture whose written tokens lie on a known grid."""
    for i, call in enumerate(calls):
        if len(call.shape) != 4 or call.shape[0] != 1:
            continue
        written, read = (_sequence(n, grids, prefix) for n in call.shape[-2:])
        if written.grid is not None:
            yield Link(f"attention {i + 1}", i, read, written, attention_of(call))


def _sequence(count: int, grids: Mapping[int, tuple[int, int] | None], prefix: int) -> Sequence:
    for skip in {0, prefix}:
        grid = grids.get(count - skip)
        if grid:
            return Sequence(f"{grid[0]} × {grid[1]} tokens", count, grid, tuple(f"prefix {i + 1}" for i in range(skip)))
    return Sequence(f"{count} tokens", count)


def _readout(model: Any, links: tuple[Link, ...]) -> Tensor | None:
    """Return what the head reads of the last tokens, [N]: the class token where the model says so, or all patches."""
    if not links:
        return None
    last = links[-1].writes
    weight = torch.zeros(last.count)
    first = len(last.prefix)
    by_class_token = first > 0 and getattr(model, "global_pool", "") == "token"
    weight[slice(0, 1) if by_class_token else slice(first, None)] = 1.0
    return weight / weight.sum()


def _unread(calls: int, links: int) -> str:
    if not calls:
        return "This architecture has no attention over positions, so there is no attention map to show."
    if not links:
        return "This architecture attends inside windows or across channels, which has no single map of the picture."
    if links < calls:
        return f"{calls - links} of {calls} attention calls work inside windows or across channels and are left out."
    return ""
