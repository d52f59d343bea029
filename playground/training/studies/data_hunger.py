"""How accuracy grows with the photos there are: Dosovitskiy et al. 2021, figures 3 and 4, in small."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import timm
from torch import nn

from playground.evaluation.study import Axis, Series
from playground.models.axial import AxialResNet
from playground.training.studies.bench import Bench, learn, parameters, part, task, top1
from playground.training.studies.plan import Job, Measured, Plan

SIZE = 32
CLASSES = 10  # few, so that the photos repeat within an affordable training
SHARES = (5, 100, 25, 10, 50)  # % of the photos, in the order of their measuring


def vit(classes: int) -> nn.Module:
    """Patches of 4 px, four blocks of width 96."""
    options = {"img_size": SIZE, "patch_size": 4, "embed_dim": 96, "depth": 4, "num_heads": 4}
    return timm.create_model("vit_tiny_patch16_224", num_classes=classes, **options)


def coatnet(classes: int) -> nn.Module:
    """One convolution stage, two attention stages."""
    options = {"embed_dim": (32, 64, 128), "depths": (1, 2, 1), "block_type": ("C", "T", "T"), "stem_width": (16, 24)}
    return timm.create_model("coatnet_0_224", img_size=SIZE, num_classes=classes, conv_act_layer="silu", **options)


def axial(classes: int) -> nn.Module:
    """A convolution stem and three axial stages."""
    return AxialResNet((1, 1, 1), 0.375, classes, spans=(8, 8, 4), strides=(1, 2, 2), heads=4, stem="convs")


def resnet(classes: int) -> nn.Module:
    """ResNet-18, narrow."""
    return timm.create_model("resnet18", num_classes=classes, channels=(16, 32, 64, 96))


NETWORKS: dict[str, Callable[[int], nn.Module]] = {"ViT": vit, "CoAtNet": coatnet, "axial": axial, "ResNet": resnet}


def run(bench: Bench, seed: int, name: str, share: int) -> Measured:
    """Train one network on a share of the photos, and measure it on the validation part."""
    small = bench.at(SIZE, CLASSES)
    chosen = part(small.train, share / 100, seed)
    learner = task(small, lambda _: NETWORKS[name](len(small.train.classes)), chosen)
    done = learn(learner, SIZE, bench.photos_seen, seed)
    return [(share, top1(done.ema, small.validation, SIZE), len(small.validation))]


def finding(series: Mapping[str, Series]) -> str:
    """Who leads with few photos and with all, and what the network without convolutions gains."""
    few, all_of = ({name: one.points[end] for name, one in series.items()} for end in (0, -1))
    first, last = (max(found, key=lambda name: found[name].y) for found in (few, all_of))
    gap_few, gap_all = few[first].y - few["ViT"].y, all_of[last].y - all_of["ViT"].y
    turn = "narrows" if gap_all < gap_few else "does not narrow"
    return (
        f"With {SHARES[0]} % of the photos {first} leads with {few[first].told(' %')} and ViT has "
        f"{few['ViT'].told(' %')}; with all of them {last} leads with {all_of[last].told(' %')} and ViT has "
        f"{all_of['ViT'].told(' %')}. The paper's claim that a ViT catches up as photos grow: its distance {turn} "
        f"here, from {gap_few:.1f} to {gap_all:.1f} points."
    )


def facts(bench: Bench) -> dict[str, Any]:
    """Settings worth knowing."""
    small = bench.at(SIZE, CLASSES)
    classes = len(small.train.classes)
    sizes = {name: parameters(build(classes)) for name, build in NETWORKS.items()}
    return {"pixels a side": SIZE, "classes": classes, "photos at 100 %": len(small.train), "parameters": sizes}


HUNGER = Plan(
    name="data-hunger",
    title="How hungry for photos is each family?",
    question="How does accuracy grow with the photos there are, when every network sees equally many?",
    x=Axis("share of the training photos", "%"),
    y=Axis("top-1 on the validation part", "%"),
    photos=20_000,
    jobs=tuple(
        Job(name, f"{name} {share} %", partial(run, name=name, share=share)) for share in SHARES for name in NETWORKS
    ),
    finding=finding,
    facts=facts,
)
