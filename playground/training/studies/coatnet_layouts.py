"""Where convolution should give way to attention: Dai et al. 2021 (CoAtNet), section 2.2.2, figure 1 in small."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import timm
from torch import nn

from playground.evaluation.study import Axis, Series
from playground.training.loop import Run
from playground.training.studies.bench import Bench, parameters, run_stages, task, top1, training_loss
from playground.training.studies.plan import Job, Measured, Plan

SIZE = 64
LOOKS = (0.34, 0.67, 1.0)  # of the photos seen
STAGES = ("C-C-C-C", "C-C-C-T", "C-C-T-T", "C-T-T-T")
RELATIVE = "ViT with relative attention"


def build(name: str, classes: int) -> nn.Module:
    """Four stages on grids of 16, 8, 4 and 2 cells a side, or a ViT with relative positions on patches of 8 px."""
    if name == RELATIVE:
        options: dict[str, Any] = {"img_size": SIZE, "patch_size": 8, "embed_dim": 96, "depth": 5, "num_heads": 4}
        return timm.create_model("vit_relpos_small_patch16_224", num_classes=classes, **options)
    options = {"embed_dim": (32, 64, 96, 128), "depths": (1, 1, 2, 1), "stem_width": (16, 24), "conv_act_layer": "silu"}
    return timm.create_model(
        "coatnet_0_224", img_size=SIZE, num_classes=classes, block_type=tuple(name.split("-")), **options
    )


def run(bench: Bench, seed: int, name: str) -> Measured:
    """Train one layout; at each look its training loss and its accuracy on the validation part."""
    points: Measured = []

    def look(run: Run, share: float) -> None:
        accuracy = top1(run.ema, bench.validation, SIZE)
        points.append((training_loss(run.ema, bench.train, SIZE), accuracy, len(bench.validation)))

    learner = task(bench, lambda _: build(name, len(bench.train.classes)), np.arange(len(bench.train)))
    run_stages(learner, SIZE, bench.photos_seen, seed, LOOKS, look)
    return points


def finding(series: Mapping[str, Series]) -> str:
    """The order in which the layouts generalise and in which they fit, beside the paper's."""
    best = {name: max(one.points, key=lambda p: -p.x) for name, one in series.items()}
    general = sorted(best, key=lambda name: -best[name].y)
    fitted = sorted(best, key=lambda name: best[name].x)
    said = ", ".join(f"{name} {best[name].told(' %')}" for name in general)
    agrees = general[-1] == RELATIVE and general[0] in STAGES[:3]
    return (
        f"Accuracy at the end: {said}; {fitted[0]} fits the training photos best (loss {best[fitted[0]].x:.2f}). "
        f"The paper's order of generalisation (C-C-C-C, C-C-C-T and C-C-T-T near each other, then C-T-T-T, the pure "
        f"ViT last) {'holds at its ends' if agrees else 'does not reproduce'} in so short a training."
    )


def facts(bench: Bench) -> dict[str, Any]:
    """Settings worth knowing."""
    classes = len(bench.train.classes)
    sizes = {name: parameters(build(name, classes)) for name in (*STAGES, RELATIVE)}
    return {"pixels a side": SIZE, "classes": classes, "looked at after shares": list(LOOKS), "parameters": sizes}


LAYOUTS = Plan(
    name="coatnet-layouts",
    title="Where should convolution give way to attention?",
    question="Which layout fits the photos it learns from, and which answers best on others?",
    x=Axis("loss on training photos", "nats"),
    y=Axis("top-1 on the validation part", "%"),
    photos=12_000,
    jobs=tuple(Job(name, name, partial(run, name=name)) for name in (*STAGES, RELATIVE)),
    finding=finding,
    facts=facts,
)
