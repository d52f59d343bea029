"""The recipes: how each bundled checkpoint was made, one frozen dataclass each. Times are minutes of wall clock."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import timm
import torch
from timm.layers import resample_abs_pos_embed
from timm.models.maxxvit import checkpoint_filter_fn
from torch import Tensor, nn

from playground.datasets.shapes import NAMES as SHAPES
from playground.models.axial import AxialResNet
from playground.models.card import Family
from playground.models.detr import DETR
from playground.training.classify import Augment
from playground.training.loop import Stage
from playground.training.recipe import ClassifierRecipe, DetectorRecipe, Phase, Recipe, ShapesRecipe

COMMON_HELD_OUT = 0.04  # share of the training photos kept for calibration


THINGS = (
    *("bus", "car", "train", "tractor", "tower", "umbrella"),
    *("bear", "butterfly", "cat", "dog", "elephant", "goldfish", "ladybug", "lion", "monkey / ape", "penguin"),
    *("banana", "orange", "pizza", "teddy bear"),
)

# The CoAtNet that classifies photos, and that looks at scenes for DETR.
COATNET: dict[str, Any] = {
    "embed_dim": (64, 160, 288),
    "depths": (2, 4, 2),
    "block_type": ("C", "T", "T"),
    "stem_width": (32, 64),
    "conv_act_layer": "silu",
}

# On a GPU photos are seen so often that they must vary more.
STRONG = Augment(least_area=0.4, aspect=1.33, colour=0.25, mix=0.5)


def _classifier_on_gpu(minutes: float, lr: float, size: int = 64, **others: Any) -> dict[str, Any]:
    """What the classifiers share on a GPU: one size, so that their networks are compiled once; milder at the end."""
    stages = (Stage(0.85, size, 512), Stage(1.0, size, 512, strength=0.4))
    return {"minutes": minutes, "lr": lr, "stages": stages, "augment": STRONG, "trust": 0.7, **others}


@dataclass(frozen=True)
class EverydayCoAtNet(ClassifierRecipe):
    """CoAtNet with one convolution stage and two attention stages on 64 px (grids 16x16, 8x8, 4x4), 3.5 M parameters.

    On two cores small pictures come first: a third of the time at 32 px, then 48, then 64; relative bias tables are
    resampled in between. On a GPU all are of 64 px.
    """

    name: str = "everyday-coatnet"
    title: str = "CoAtNet, 80 everyday classes"
    family: Family = "coatnet"
    architecture: str = "coatnet_0_224"
    options: Mapping[str, Any] = field(
        default_factory=lambda: COATNET | {"img_size": 64, "num_classes": 80, "drop_path_rate": 0.05}
    )
    stages: tuple[Stage, ...] = (Stage(0.3, 32, 64), Stage(0.62, 48, 64), Stage(1.0, 64, 64))
    minutes: float = 76
    lr: float = 2e-3
    teacher: str = "everyday-resnet"
    channels_last: bool = True
    gpu: Mapping[str, Any] = field(default_factory=lambda: _classifier_on_gpu(6.9, 2e-3))
    paper: str = "https://arxiv.org/abs/2106.04803"


@dataclass(frozen=True)
class EverydayViT(ClassifierRecipe):
    """A plain vision transformer on patches of 4 px (16x16 grid at 64 px), class token, 8 blocks of width 192, 3.6 M.

    On two cores small pictures come first (32 px, 8x8 patches), then 64 px with three of four patches left out, then
    whole; positions are resampled in between. On a GPU all are whole and of 64 px.
    """

    name: str = "everyday-vit"
    title: str = "ViT, 80 everyday classes"
    family: Family = "vit"
    architecture: str = "vit_tiny_patch16_224"
    options: Mapping[str, Any] = field(
        default_factory=lambda: {"img_size": 64, "patch_size": 4, "num_classes": 80, "embed_dim": 192, "depth": 8}
    )
    stages: tuple[Stage, ...] = (Stage(0.5, 32, 64), Stage(0.87, 64, 64, keep=0.25), Stage(1.0, 64, 64))
    minutes: float = 80
    lr: float = 1.2e-3
    teacher: str = "everyday-resnet"
    gpu: Mapping[str, Any] = field(default_factory=lambda: _classifier_on_gpu(6.9, 1.5e-3))
    paper: str = "https://arxiv.org/abs/2010.11929"


@dataclass(frozen=True)
class EverydayAxial(ClassifierRecipe):
    """Axial attention after a convolution stem of stride 4 (16x16 grid at 64 px, then 8x8 and 4x4), 2.2 M.

    On two cores small pictures come first: 32 px, then 48, then 64. On a GPU all are of 64 px.
    """

    name: str = "everyday-axial"
    title: str = "Axial attention, 80 everyday classes"
    family: Family = "axial"
    architecture: str = "axial"
    options: Mapping[str, Any] = field(
        default_factory=lambda: {
            "layers": (1, 3, 3),
            "width": 0.5,
            "num_classes": 80,
            "spans": (16, 16, 8),
            "strides": (1, 2, 2),
            "heads": 4,
            "stem": "convs",
            "drop_path": 0.05,
        }
    )
    stages: tuple[Stage, ...] = (Stage(0.45, 32, 48), Stage(0.65, 48, 48), Stage(1.0, 64, 48))
    minutes: float = 70
    lr: float = 1.5e-3
    teacher: str = "everyday-resnet"
    gpu: Mapping[str, Any] = field(default_factory=lambda: _classifier_on_gpu(6.9, 2e-3))
    paper: str = "https://arxiv.org/abs/2003.07853"


@dataclass(frozen=True)
class EverydayResNet(ClassifierRecipe):
    """ResNet-18 (11 M) on photos drawn out to 128 px: the classifiers' teacher, and a baseline without attention.

    Not bundled. Everyday's photos, 1.6 minutes on an NVIDIA H200: top-1 61.2 %, top-5 84.5 %.
    """

    name: str = "everyday-resnet"
    title: str = "ResNet, 80 everyday classes"
    family: Family = "timm"
    architecture: str = "resnet18"
    options: Mapping[str, Any] = field(default_factory=lambda: {"num_classes": 80})
    stages: tuple[Stage, ...] = (Stage(0.5, 64, 128), Stage(0.8, 96, 128), Stage(1.0, 128, 128))
    minutes: float = 60
    lr: float = 2e-3
    augment: Augment = field(default_factory=lambda: Augment(least_area=0.35, aspect=1.2, colour=0.2))
    channels_last: bool = True
    bundled: bool = False
    gpu: Mapping[str, Any] = field(default_factory=lambda: _classifier_on_gpu(1.6, 2e-3, 128, smoothing=0.1))
    paper: str = "https://arxiv.org/abs/1512.03385"


@dataclass(frozen=True)
class EverydayDETR(DetectorRecipe):
    """DETR on 128 px scenes (8x8 memory), everyday-coatnet as its backbone, width 128, 3 + 3 layers, 25 queries, 4.5 M.

    The backbone is left as it is and its features of 14,000 scenes are stored, so that the transformer sees many times
    as many a second. The class weighs five times as much in matching, so that of several queries on one object the
    surest keeps it. While training, groups of queries are matched each by itself; the first group is kept.
    """

    name: str = "everyday-detr"
    title: str = "DETR, 20 everyday things"
    family: Family = "detr"
    architecture: str = "detr"
    options: Mapping[str, Any] = field(
        default_factory=lambda: {
            "backbone": "coatnet_0_224",
            "backbone_options": COATNET | {"img_size": 128, "out_indices": (0, 1, 2, 3)},
            "num_classes": 20,
            "num_queries": 25,
            "d_model": 128,
            "nhead": 4,
            "enc": 3,
            "dec": 3,
            "ffn": 384,
            "frozen_norm": False,
            "dropout": 0.0,
            "position_at_input": True,
        }
    )
    stages: tuple[Stage, ...] = (Stage(1.0, 128, 16),)
    minutes: float = 60
    lr: float = 5e-4
    weight_decay: float = 1e-3
    clip: float = 1.0
    names: tuple[str, ...] = THINGS
    backbone: str = "everyday-coatnet"
    phases: tuple[Phase, ...] = (Phase("frozen", 1.0, (Stage(1.0, 128, 16),), 5e-4, 2, scenes=14_000, class_cost=5.0),)
    channels_last: bool = True
    paper: str = "https://arxiv.org/abs/2005.12872"


def _panoptic_options(queries: int, channels: tuple[int, ...], enc: int, dec: int) -> dict[str, Any]:
    """A small DETR with masks: the first three stages of a narrow ResNet-18, width 128, 8 heads."""
    return {
        "backbone": "resnet18",
        "backbone_options": {"channels": channels, "output_stride": 8, "out_indices": (0, 1, 2, 3)},
        "num_classes": len(SHAPES),
        "num_queries": queries,
        "d_model": 128,
        "nhead": 8,
        "enc": enc,
        "dec": dec,
        "ffn": 384,
        "panoptic": True,
        "frozen_norm": False,
        "dropout": 0.0,
        "position_at_input": True,
    }


@dataclass(frozen=True)
class ShapesPanoptic(ShapesRecipe):
    """DETR with masks on drawn scenes of 96 px (12x12 memory), three stages of a narrow ResNet-18, 2 + 3 layers, 2.1 M.

    From nothing: small scenes and batches first (64 px, 8x8 memory), then whole ones.
    50 minutes on one thread of a busy Intel Xeon: mAP50 81.4 %, mAP 61.6 %, PQ 66.6 % (things 49.1 %, stuff 92.7 %);
    3.7 minutes on an NVIDIA H200 that others shared, in fewer, larger steps: 79.6 %, 59.7 %, 55.1 % (49.8 %, 63.1 %).
    """

    name: str = "shapes-detr-panoptic"
    title: str = "DETR with masks, drawn shapes"
    family: Family = "detr"
    architecture: str = "detr"
    options: Mapping[str, Any] = field(default_factory=lambda: _panoptic_options(20, (32, 64, 128, 256), 2, 3))
    stages: tuple[Stage, ...] = (Stage(0.4, 64, 8), Stage(0.65, 64, 16), Stage(1.0, 96, 16))
    minutes: float = 50
    lr: float = 1e-3
    weight_decay: float = 1e-3
    channels_last: bool = True
    gpu: Mapping[str, Any] = field(
        default_factory=lambda: {
            "minutes": 3.7,
            "lr": 1.2e-3,
            "ema": 0.999,
            "masks": 64,
            "stages": (Stage(1.0, 96, 128),),
        }
    )
    paper: str = "https://arxiv.org/abs/2005.12872"


@dataclass(frozen=True)
class ShapesTiny(ShapesRecipe):
    """A first training of one's own: DETR with masks on drawn scenes of 64 px, up to three plain things, 2 + 2 layers.

    From nothing, in five minutes on two cores; nothing to download.
    """

    name: str = "shapes-tiny"
    title: str = "Tiny DETR with masks, drawn shapes"
    family: Family = "detr"
    architecture: str = "detr"
    options: Mapping[str, Any] = field(default_factory=lambda: _panoptic_options(12, (24, 48, 96, 192), 2, 2))
    stages: tuple[Stage, ...] = (Stage(1.0, 64, 8),)
    minutes: float = 5
    lr: float = 1e-3
    weight_decay: float = 1e-3
    channels_last: bool = True
    things: int = 3
    plain: bool = True
    paper: str = "https://arxiv.org/abs/2005.12872"


RECIPES: tuple[Recipe, ...] = (
    *(EverydayCoAtNet(), EverydayViT(), EverydayAxial(), EverydayResNet(), EverydayDETR()),
    *(ShapesPanoptic(), ShapesTiny()),
)


def find(name: str) -> Recipe:
    """The recipe of this name. Raises ValueError with the names there are."""
    for recipe in RECIPES:
        if recipe.name == name:
            return recipe
    known = ", ".join(recipe.name for recipe in RECIPES)
    raise ValueError(f"There is no recipe called {name[:64]!r}; choose one of {known}.")


def build(recipe: Recipe, size: int, groups: int = 1) -> nn.Module:
    """The recipe's network for an input size, not trained; a detector with this many groups of queries."""
    options = dict(recipe.options)
    if recipe.family == "detr":
        return DETR(**options, query_groups=groups)
    if recipe.family == "axial":
        return AxialResNet(**options)
    if "img_size" in options:
        options["img_size"] = size
    return timm.create_model(recipe.architecture, pretrained=False, **options)


def fit(state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """A state of the same network at another input size: position embeddings and relative tables are resampled."""
    wanted = model.state_dict()
    if any(name.endswith("relative_position_bias_table") for name in state):
        return checkpoint_filter_fn(state, model)
    if "pos_embed" in state and state["pos_embed"].shape != wanted["pos_embed"].shape:
        side = round((wanted["pos_embed"].shape[1] - 1) ** 0.5)  # training pictures are square
        state = state | {"pos_embed": resample_abs_pos_embed(state["pos_embed"], [side, side], num_prefix_tokens=1)}
    return state


def with_groups(state: dict[str, Tensor], queries: int) -> dict[str, Tensor]:
    """A detector's state with this many queries: the first ones, repeated with a little noise when there are fewer."""
    given = state["query_embed.weight"]
    if len(given) < queries:
        noise = torch.Generator().manual_seed(0)
        more = given.repeat(-(-queries // len(given)), 1)
        more[len(given) :] += 0.1 * torch.randn(more[len(given) :].shape, generator=noise)
        given = more
    return state | {"query_embed.weight": given[:queries].clone()}


def backbone_state(state: dict[str, Tensor], model: DETR) -> dict[str, Tensor]:
    """A detector's own state with a classifier's weights in its backbone; the classifier's head is dropped."""
    own = model.state_dict()
    as_features = {re.sub(r"^stages\.(\d+)\.", r"stages_\1.", name): value for name, value in state.items()}  # timm's
    fitting = {name: value for name, value in as_features.items() if f"backbone.{name}" in own}
    given = {f"backbone.{name}": value for name, value in fit(fitting, model.backbone).items()}
    lacking = [name for name in own if name.startswith("backbone.") and name not in given]
    if lacking or any(own[name].shape != value.shape for name, value in given.items()):
        raise ValueError("The backbone's weights are of another network; train it again with its own recipe.")
    return own | {
        name: value.to(torch.float32) if value.is_floating_point() else value for name, value in given.items()
    }
