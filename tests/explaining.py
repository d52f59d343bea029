"""Traces for tests of explanation methods: made by hand from weights, or by small random models."""

from collections.abc import Sequence as Many

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from playground.explanations import Access, Map, Target, explain
from playground.image import Preprocess, View, view
from playground.models import family_of, heads
from playground.models.card import Card
from playground.models.preprocess import preprocess_of
from playground.trace import Attention, Link, Sequence, Tokens, Trace

CPU = torch.device("cpu")


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def attention(heads: int, count: int, seed: int = 0, read: int | None = None) -> Tensor:
    """Random attention weights, float64 [heads, count, read]."""
    return random(heads, count, count if read is None else read, seed=seed).mul(2).softmax(-1)


def blank_view(rows: int, cols: int) -> View:
    return view(Image.new("RGB", (cols, rows)), Preprocess("squash", (rows, cols)))


def by_hand(
    layers: Many[Tensor],
    grid: tuple[int, int],
    prefix: tuple[str, ...] = (),
    readout: Tensor | None = None,
    cell: int = 16,
    tokens: Many[Tensor] = (),
) -> Trace:
    """A trace whose layers attend with the given weights, each [heads, N, N], on patches of `cell` pixels."""
    patches = Sequence("patches", len(prefix) + grid[0] * grid[1], grid, prefix)
    links = [Link(f"block {i + 1}", i, patches, patches, Attention(stored=a)) for i, a in enumerate(layers)]
    if readout is None:
        readout = torch.zeros(patches.count)
        readout[0 if prefix else slice(None)] = 1.0 if prefix else 1.0 / patches.count
    levels = tuple(Tokens(f"block {i + 1}", patches, values) for i, values in enumerate(tokens))
    blank = blank_view(grid[0] * cell, grid[1] * cell)
    return Trace("by hand", blank, torch.zeros(3), tokens=levels, links=tuple(links), readout=readout)


def card(family: str, architecture: str, options: dict[str, object], preprocess: Preprocess | None = None) -> Card:
    detects = family == "detr"
    return Card(
        name="small", title="small", family=family, task="detection" if detects else "classification",  # type: ignore[arg-type]
        architecture=architecture, labels=tuple("abcde") if family in ("axial", "detr") else "none", source="local",
        license="none", options=options, preprocess=preprocess,
    )  # fmt: skip


SMALL = {
    "vit": card("vit", "vit_tiny_patch16_224", {"depth": 3, "img_size": (48, 80), "num_classes": 5},
                Preprocess("squash", (48, 80))),
    "registers": card("vit", "vit_little_patch16_reg4_gap_256",
                      {"depth": 3, "embed_dim": 96, "num_heads": 3, "img_size": 64, "num_classes": 5},
                      Preprocess("squash", (64, 64))),
    "distilled": card("vit", "deit_tiny_distilled_patch16_224", {"depth": 2, "img_size": 64, "num_classes": 5},
                      Preprocess("squash", (64, 64))),
    "pooled": card("vit", "vit_base_patch16_siglip_224",
                   {"depth": 2, "embed_dim": 96, "num_heads": 3, "img_size": 64, "num_classes": 5},
                   Preprocess("squash", (64, 64))),
    "side by side": card("vit", "vit_small_patch16_18x2_224",
                         {"depth": 2, "embed_dim": 96, "num_heads": 3, "img_size": 64, "num_classes": 5},
                         Preprocess("squash", (64, 64))),
    "coatnet": card("coatnet", "coatnet_nano_rw_224", {"img_size": 64, "num_classes": 5},
                    Preprocess("squash", (64, 64))),
    "axial": card("axial", "axial", {"layers": (1, 2), "width": 0.25, "num_classes": 5, "spans": (16, 16),
                  "strides": (1, 2), "stem": "convs"}, Preprocess("squash", (64, 80))),
    "detr": card("detr", "detr", {"backbone": "resnet10t", "num_classes": 5, "num_queries": 6, "d_model": 64,
                 "nhead": 4, "enc": 2, "dec": 3, "ffn": 64}, Preprocess("detr", shortest=96, longest=160)),
    "panoptic": card("detr", "detr", {"backbone": "resnet10t", "num_classes": 5, "num_queries": 4, "d_model": 128,
                     "nhead": 8, "enc": 1, "dec": 1, "ffn": 64, "panoptic": True},
                     Preprocess("detr", shortest=96, longest=160)),
    "beit": card("timm", "beit_base_patch16_224", {"depth": 2, "embed_dim": 96, "num_heads": 3, "num_classes": 5}),
    "resnet": card("timm", "resnet10t", {"num_classes": 5}),
    "pvt": card("timm", "pvt_v2_b0", {"num_classes": 5}),
}  # fmt: skip


def noise(rows: int = 60, cols: int = 100, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (rows, cols, 3), dtype=np.uint8))


def model_of(name: str) -> nn.Module:
    """A small random model whose answer depends on the picture in every part."""
    torch.manual_seed(0)
    model = family_of(SMALL[name]).build(SMALL[name]).eval().requires_grad_(False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and not bool(module.weight.any()):
            nn.init.ones_(module.weight)  # blocks that start as their skip path would hide their attention
        if isinstance(module, nn.Linear) and not bool(module.weight.any()):
            nn.init.normal_(module.weight, std=0.1)
    return model


def traced(name: str, graph: bool = False, seed: int = 0, model: nn.Module | None = None) -> Trace:
    """A picture of noise through a small random model."""
    chosen = SMALL[name]
    seen = view(noise(seed=seed), preprocess_of(chosen))
    return family_of(chosen).trace(model_of(name) if model is None else model, seen, chosen, CPU, graph)


def access(name: str, model: nn.Module | None = None) -> Access:
    model = model_of(name) if model is None else model
    return Access(
        heads.forward(model), heads.reader(model, SMALL[name]), heads.box_reader(model), terms=heads.axial_terms(model)
    )


def whole(made: Map) -> np.ndarray:
    """The map with the prefix before it, as one vector [N]."""
    return np.concatenate([[value for _, value in made.apart], made.values.ravel()])


def rollout(trace: Trace, target: Target | None = None, **options: object) -> np.ndarray:
    return whole(explain("rollout", trace, target, options))
