"""Whether attention becomes alike in deep ViTs: Zhou et al. 2021 (DeepViT, arXiv 2103.11886), figure 1, in small."""

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import timm
import torch
from torch import Tensor, nn

from playground.datasets.everyday import Photos
from playground.evaluation.study import Axis, Series
from playground.record import record
from playground.training.classify import normalised, to_float
from playground.training.studies.bench import Bench, learn, parameters, task
from playground.training.studies.plan import Job, Measured, Plan, verdict

SIZE = 32
DEPTHS = (3, 6, 12)
SHOWN = 100  # validation photos


def build(depth: int, classes: int) -> nn.Module:
    """Patches of 4 px, width 64."""
    options = {"img_size": SIZE, "patch_size": 4, "embed_dim": 64, "num_heads": 4, "depth": depth}
    return timm.create_model("vit_tiny_patch16_224", num_classes=classes, **options)


@torch.inference_mode()
def attention_maps(model: nn.Module, photos: Photos) -> Tensor:
    """Attention of every layer to the photos, [layers, B, heads, N, N]."""
    model.eval()
    pixels = normalised(to_float(photos.images), SIZE)
    with record() as calls:
        model(pixels)
    seen = [(call.q, call.k, call.scale) for call in calls]
    return torch.stack([(q @ k.mT * scale).softmax(-1) for q, k, scale in seen if q is not None and k is not None])


def similarity(maps: Tensor) -> Tensor:
    """Cosine similarity of the attention of two layers, [layers, layers] in 0..1: of each token's row of weights with
    the other layer's row, meaned over photos, heads and tokens (the paper's equation 1)."""
    rows = nn.functional.normalize(maps.float(), dim=-1)  # [L, B, heads, N, N]
    return torch.einsum("abhqk,cbhqk->ac", rows, rows) / rows[0, ..., 0].numel()


def run(bench: Bench, seed: int, depth: int) -> Measured:
    """Train one depth; the mean similarity of layers by their distance."""
    small = bench.at(SIZE)
    learner = task(small, lambda _: build(depth, len(small.train.classes)), np.arange(len(small.train)))
    model = learn(learner, SIZE, bench.photos_seen, seed).ema
    shown = small.validation.take(np.arange(min(SHOWN, len(small.validation))))
    table = similarity(attention_maps(model, shown))
    return [(apart, float(table.diagonal(apart).mean()), len(shown)) for apart in range(1, depth)]


def finding(series: Mapping[str, Series]) -> str:
    """Whether neighbours are more alike in deeper networks."""
    near = {name: one.points[0] for name, one in series.items()}
    shallow, *_, deep = near.values()
    rising = all(one.y < other.y for one, other in pairwise(near.values()))
    said = ", ".join(f"{point.told(digits=2)} with {name}" for name, point in near.items())
    return (
        f"Neighbouring layers attend alike by {said}. The paper's claim that attention grows more alike with depth "
        f"{verdict(rising, shallow.reaches(deep))}, with these small, briefly trained networks."
    )


def facts(bench: Bench) -> dict[str, Any]:
    """Settings worth knowing."""
    classes = len(bench.train.classes)
    sizes = {f"{depth} layers": parameters(build(depth, classes)) for depth in DEPTHS}
    return {"pixels a side": SIZE, "classes": classes, "parameters": sizes}


DEPTH = Plan(
    name="depth",
    title="Does attention grow alike in deep networks?",
    question="How similar are the attention maps of two layers, by their distance, in networks of growing depth?",
    x=Axis("distance between two layers", "layers"),
    y=Axis("cosine similarity of their attention", ""),
    photos=12_000,
    jobs=tuple(Job(f"{depth} layers", f"{depth} layers", partial(run, depth=depth)) for depth in DEPTHS),
    finding=finding,
    facts=facts,
)
