"""What models are made of: counts equal torch's own and the published ones, stages add up, receptive fields hold."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from playground.architecture.anatomy import anatomy, dissect, own_size
from playground.architecture.costs import count
from playground.architecture.kinds import KINDS, OF_CLASS, OF_NAME, kind, walk
from playground.models import catalogue, coatnet, family_of
from playground.models.card import Card
from playground.models.weights import build_unfilled

MODELS = (  # every family, every way of attending that timm's classifiers know, none of them downloaded
    "vit-tiny-patch16-224", "vit-little-reg4", "dinov3-small", "deit-tiny-distilled", "coatnet-0-224",
    "coatnet-rmlp-2-224", "detr-resnet-50", "detr-resnet-50-panoptic", "timm/swin_tiny_patch4_window7_224.ms_in1k",
    "timm/maxvit_tiny_tf_224.in1k", "timm/xcit_nano_12_p16_224.fb_in1k", "timm/pvt_v2_b0.in1k",
    "timm/convnext_atto.d2_in1k", "timm/mixer_b16_224.goog_in21k_ft_in1k", "timm/twins_svt_small.in1k",
    "timm/resnet50.a1_in1k", "timm/regnety_002.pycls_in1k", "timm/vgg11.tv_in1k", "timm/mobilevit_xxs.cvnets_in1k",
)  # fmt: skip
AXIAL = Card(
    name="axial", title="axial", family="axial", task="classification", architecture="axial", labels="imagenet-1k",
    source="local", license="none", options={"layers": (1, 1, 1, 1)},
    preprocess=next(card for card in catalogue.HUB if card.family == "detr").preprocess,
)  # fmt: skip
PARAMETERS = {  # of the published weights
    "vit-base-patch16-224": 86_567_656,
    "vit-large-patch16-224": 304_326_632,
    "coatnet-0-224": 27_435_562,
    "detr-resnet-50": 41_524_768,
    "detr-resnet-101-dc5": 60_464_672,
    "detr-resnet-101-panoptic": 61_839_192,
    "dinov2-base-reg4": 86_582_016,
}


def cards() -> list[Card]:
    return [*(catalogue.find(name) for name in MODELS), *catalogue.bundled(), AXIAL]


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_counts_equal_torchs_own_and_every_stage_adds_up(card: Card) -> None:
    size = (64, 96) if card is AXIAL else own_size(card)
    found = count(card, size)
    model = build_unfilled(card, family_of(card).build).eval().requires_grad_(False).to("meta")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, *size, device="meta"))
    assert 2 * found.macs == counter.get_total_flops()
    assert found.parameters == sum(p.numel() for p in model.parameters())
    assert card.parameters in (None, found.parameters)
    assert sum(stage.macs for stage in found.stages) == found.macs
    assert sum(stage.parameters for stage in found.stages) == found.parameters
    assert found.stages[0].role == "stem" or card.architecture.startswith("vgg")
    assert found.stages[0].takes == (1, 3, *size)
    assert all(block.kind in KINDS for stage in found.stages for block in stage.blocks)


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS.items())
def test_parameters_are_the_published_ones(name: str, parameters: int) -> None:
    assert count(catalogue.find(name)).parameters == parameters


@pytest.mark.parametrize(
    ("name", "gigas", "within"),
    [
        ("vit-base-patch16-224", 17.56, 0.005),
        ("timm/resnet50.a1_in1k", 4.09, 0.005),
        ("timm/swin_tiny_patch4_window7_224.ms_in1k", 4.5, 0.05),
        ("detr-resnet-50", 81.2, 0.05),
        ("detr-resnet-50-dc5", 173.3, 0.05),
        ("detr-resnet-101", 144.7, 0.05),
    ],
)
def test_multiply_adds_are_the_known_ones(name: str, gigas: float, within: float) -> None:
    assert count(catalogue.find(name)).macs / 1e9 == pytest.approx(gigas, abs=within)


def test_a_larger_picture_costs_more_and_a_wrong_one_is_refused_in_a_sentence() -> None:
    vit, mixed = catalogue.find("vit-tiny-patch16-224"), catalogue.find("coatnet-0-224")
    for card, size, grid in ((vit, (448, 224), (1, 393, 192)), (mixed, (256, 256), (1, 768, 8, 8))):
        small, large = count(card), count(card, size)
        assert large.macs > small.macs
        assert grid in [stage.gives for stage in large.stages]
    with pytest.raises(ValueError, match=r"^ViT-Ti/16 does not work on 7 × 7 pixels; its own size is 224 × 224\.$"):
        count(vit, (7, 7))
    with pytest.raises(ValueError, match="whole numbers from 1 to"):
        count(vit, (10**6, 224))


def test_a_stage_of_attention_can_keep_the_grid_of_the_convolutions_before_it() -> None:
    """CoAtNet-6 and -7 in small: S3 is convolution and then attention, on one grid."""
    options = {
        "stem_width": 8, "embed_dim": (8, 16, 32, 64, 96), "depths": (1, 1, 1, 2, 1), "head_hidden_size": 96,
        "block_type": ("C", "C", "C", "T", "T"), "same_grid": 3,
    }  # fmt: skip
    card = replace(catalogue.find("coatnet-0-224"), architecture="coatnet_0_224", options=options, preprocess=None)
    for side in (224, 512):
        grids = [stage.gives[2] for stage in count(card, (side, side)).stages if stage.role == "stage"]
        assert grids == [side // 4, side // 8, side // 16, side // 16, side // 32]
    assert coatnet.build(card)(torch.zeros(1, 3, 224, 224)).shape == (1, 1000)


def test_stages_of_the_four_families() -> None:
    def rows(name: str) -> list[tuple[str, str, int]]:
        return [(s.role, s.kind.key, len(s.blocks)) for s in count(catalogue.find(name)).stages]

    assert rows("vit-base-patch16-224") == [("stem", "patches", 2), ("stage", "vit", 12), ("head", "classes", 2)]
    assert rows("coatnet-0-224") == [
        ("stem", "stem", 1), ("stage", "mbconv", 2), ("stage", "mbconv", 3), ("stage", "relative", 7),
        ("stage", "relative", 2), ("head", "classes", 2),
    ]  # fmt: skip
    assert rows("detr-resnet-50-panoptic") == [
        ("stem", "stem", 2), *(("backbone", "residual", n) for n in (3, 4, 6, 3)), ("projection", "projection", 1),
        ("encoder", "encoder", 6), ("decoder", "decoder", 6), ("head", "boxes", 4), ("masks", "masks", 2),
    ]  # fmt: skip
    axial = count(AXIAL, (64, 96)).stages
    assert [stage.kind.key for stage in axial] == ["stem", "axial", "axial", "axial", "axial", "classes"]
    column, row = axial[1].blocks[0].part.attention
    assert (column.spread, column.groups, column.written, column.read) == ("column", 24, 16, 16)
    assert (row.spread, row.groups, row.written, row.read) == ("row", 16, 24, 24)


# receptive fields


class Stack(nn.Module):
    """Layers in a row, with an optional residual path around them."""

    def __init__(self, *layers: nn.Module, residual: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class Gate(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * x.mean((2, 3), keepdim=True).sigmoid()


class Attend(nn.Module):
    """Softmax attention with one head over windows of `side` positions, or over everything."""

    def __init__(self, side: int = 0, softmax: bool = True) -> None:
        super().__init__()
        self.side, self.softmax = side, softmax

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        side = self.side or h
        tokens = x.reshape(b, c, h // side, side, w // side, side).permute(0, 2, 4, 3, 5, 1)
        tokens = tokens.reshape(-1, 1, side * side, c)  # [windows, 1, N, C]
        weights = tokens @ tokens.mT
        return (weights.softmax(-1) if self.softmax else weights) @ tokens


def conv(kernel: int, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(3, 3, kernel, stride, dilation * (kernel // 2) if kernel % 2 else 0, dilation)


@pytest.mark.parametrize(
    ("model", "extent", "step"),
    [
        (Stack(conv(3)), 3, 1),
        (Stack(conv(3), conv(3)), 5, 1),
        (Stack(conv(3, 2), conv(3)), 7, 2),
        (Stack(conv(7, 2), nn.MaxPool2d(3, 2, 1)), 11, 4),
        (Stack(conv(3, dilation=2)), 5, 1),
        (Stack(conv(1), residual=True), 1, 1),
        (Stack(conv(5), residual=True), 5, 1),
        (Stack(conv(4, 4)), 4, 4),
        (Stack(conv(2, 2), nn.Upsample(scale_factor=2), conv(3)), 4, 1),
        (Stack(conv(4, 4), Attend(4)), 16, 4),  # 4 cells of 4 pixels
        (Stack(conv(4, 4), Attend()), math.inf, 4),
        (Stack(conv(4, 4), Attend(softmax=False)), math.inf, 4),  # linear attention
    ],
)
def test_receptive_fields_of_hand_made_stacks(model: nn.Module, extent: float, step: float) -> None:
    reach = dissect(model.to("meta"), (32, 32)).reach
    assert reach is not None
    assert (reach.extent, reach.step, reach.gated, reach.known) == ((extent, extent), (step, step), False, True)


def test_the_extent_is_what_gradients_reach() -> None:
    """Against the definition: the pixels that the middle output depends on."""
    torch.manual_seed(0)
    layers = (conv(3, 2), nn.ReLU(), conv(5), nn.AvgPool2d(2), conv(3, dilation=2))
    pixels = torch.rand(1, 3, 128, 128, requires_grad=True)
    Stack(*layers)(pixels)[0, 0, 16, 16].backward()
    assert pixels.grad is not None
    rows = pixels.grad.abs().sum((0, 1, 3)).nonzero()[:, 0]
    reach = dissect(Stack(*layers).to("meta"), (128, 128)).reach
    assert reach is not None
    assert reach.extent[0] == int(rows.max() - rows.min()) + 1


def test_a_gate_is_told_apart_from_sight() -> None:
    reach = dissect(Stack(conv(3), Gate()).to("meta"), (32, 32)).reach
    assert reach is not None
    assert (reach.extent, reach.gated) == ((3, 3), True)


def test_a_known_network_reaches_as_far_as_is_known() -> None:
    """ResNet-18 435 px, ResNet-50 with strides in its 3x3 convolutions 427 px: Araujo et al. 2019 and torchvision."""
    fifty = count(catalogue.find("timm/resnet50.a1_in1k")).stages[-2].reach
    assert fifty is not None
    assert fifty.extent == (427, 427)


# the model taken apart


def test_the_model_itself_is_left_alone() -> None:
    """Counting uses a model of its own: the one that answers keeps its forward functions."""
    card = catalogue.find("vit-tiny-patch16-224")
    whole = anatomy(card)
    assert whole is anatomy(card, (224, 224))
    assert next(p for p in walk(whole) if p.path == "blocks.3.attn.qkv").gives == ((1, 197, 576),)
    assert all(p.macs >= sum(q.macs for q in p.parts) for p in walk(whole))


def test_every_kind_has_an_equation_and_every_paper_a_link() -> None:
    assert {*OF_CLASS.values(), *OF_NAME.values()} <= {kind.key for kind in KINDS}
    for entry in KINDS:
        assert kind(entry.key) is entry
        assert entry.equation
        assert bool(entry.paper) == entry.link.startswith("https://arxiv.org/abs/")
