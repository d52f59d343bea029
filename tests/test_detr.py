"""DETR: parity with its authors' release, masks of padding and of query groups, boxes, and every published naming."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import standin
import torch
from torch import Tensor

from playground.models.attention import MultiheadAttention, key_mask
from playground.models.detr import DETR, detect, rename, sine_positions
from playground.models.detr_panoptic import BoxAttention
from playground.record import record

LISTING = "detr_resnet50_panoptic.keys.txt"
Names = dict[str, tuple[int, ...]]


def box_names(classes: int = 91) -> Names:
    """Names and shapes of the authors' box-only R50: those of the panoptic one without prefix, mask parts and stuff."""
    shapes = {n.removeprefix("detr."): s for n, s in standin.published(LISTING).items() if n.startswith("detr.")}
    return shapes | {"class_embed.weight": (classes + 1, 256), "class_embed.bias": (classes + 1,)}


def loaded(shapes: Names, panoptic: bool = False, classes: int = 91) -> DETR:
    with torch.device("meta"):
        model = DETR(num_classes=classes, panoptic=panoptic)
    model.load_state_dict(rename(standin.weights(shapes.items())), strict=True, assign=True)
    return model.eval()


def small(**changes: Any) -> DETR:
    torch.manual_seed(0)
    arguments: dict[str, Any] = {"backbone": "resnet10t", "num_classes": 7, "num_queries": 9, "d_model": 32, "nhead": 4}
    arguments |= {
        "enc": 1,
        "dec": 2,
        "ffn": 48,
        "backbone_options": {"out_indices": (0, 1, 2, 3)},
        "frozen_norm": False,
    }
    return DETR(**(arguments | changes)).eval()


# The references: outputs of facebookresearch/detr at 29901c51 on stand-in weights, every third and every fifth query.
@torch.no_grad()
def test_parity_of_r50_on_a_padded_batch() -> None:
    golden = np.load(standin.REFERENCE / "detr_resnet50.npz")
    pixels, mask = torch.zeros(2, 3, 128, 160), torch.ones(2, 128, 160, dtype=torch.bool)
    for i, (rows, cols) in enumerate(golden["sizes"].tolist()):
        pixels[i, :, :rows, :cols] = standin.pixels(i + 1, 3, rows, cols)
        mask[i, :rows, :cols] = False
    out = loaded(box_names())(pixels, mask)
    np.testing.assert_allclose(out["logits"][:, ::3], golden["logits"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(out["boxes_cxcywh"], golden["boxes"], atol=1e-4, rtol=0)
    assert out["grid"] == (4, 5)
    assert len(out["encoder_tokens"]) == len(out["decoder_tokens"]) == len(out["aux"]) + 1 == 6
    assert out["padding"].view(2, 4, 5).sum((1, 2)).tolist() == [0, 8]


@torch.no_grad()
def test_parity_of_r50_panoptic() -> None:
    golden = np.load(standin.REFERENCE / "detr_resnet50_panoptic.npz")
    model = loaded(standin.published(LISTING), panoptic=True, classes=250)
    out = model(standin.pixels(1, 1, 3, 128, 160))
    np.testing.assert_allclose(out["logits"][:, ::5], golden["logits"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(out["boxes_cxcywh"], golden["boxes"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(out["masks"][:, ::10, ::2, ::2], golden["masks"], atol=1e-4, rtol=0)
    few = model.mask_logits(out, torch.tensor([70, 3]))
    torch.testing.assert_close(few, out["masks"][:, [70, 3]], rtol=1e-4, atol=1e-5)
    assert model.mask_logits(out, torch.zeros(100, dtype=torch.bool)).shape == (1, 0, 32, 40)


@pytest.mark.parametrize(
    ("arguments", "parameters", "entries", "size_bytes"),
    [
        ({}, 41_524_768, 458, 166_524_032),
        ({"dilation": True}, 41_524_768, 458, 166_524_032),
        ({"backbone": "resnet101"}, 60_464_672, 713, 242_701_440),
        ({"backbone": "resnet101", "dilation": True}, 60_464_672, 713, 242_701_440),
        ({"panoptic": True, "num_classes": 250}, 42_899_288, 490, 172_022_112),
        ({"backbone": "resnet101", "panoptic": True, "num_classes": 250}, 61_839_192, 745, 248_199_520),
    ],
)
def test_counts_are_the_published_ones(
    arguments: dict[str, Any], parameters: int, entries: int, size_bytes: int
) -> None:
    """Parameters leave out the backbone's frozen norms, which are buffers; entries and bytes count both."""
    with torch.device("meta"):
        model = DETR(**arguments)
    state = model.state_dict()
    assert sum(p.numel() for p in model.parameters()) == parameters
    frozen = [p.numel() for n, p in model.backbone.named_parameters() if n.startswith(("conv1", "layer1"))]
    assert sum(frozen) == 222_400  # what the authors' training leaves as it is
    assert len(state) == entries
    assert sum(4 * value.numel() for value in state.values()) == size_bytes


def torchvision_body(name: str) -> str:
    return name


def transformers_body(name: str) -> str:
    """The Hub's no_timm backbone: stages from 0, and each convolution and norm a numbered layer."""
    name = re.sub(r"^conv1\.", "embedder.embedder.convolution.", name)
    name = re.sub(r"^bn1\.", "embedder.embedder.normalization.", name)
    name = re.sub(r"^layer(\d)\.(\d+)", lambda m: f"encoder.stages.{int(m[1]) - 1}.layers.{m[2]}", name)
    name = re.sub(r"\.conv(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.convolution.", name)
    name = re.sub(r"\.bn(\d)\.", lambda m: f".layer.{int(m[1]) - 1}.normalization.", name)
    return name.replace(".downsample.0.", ".shortcut.convolution.").replace(
        ".downsample.1.", ".shortcut.normalization."
    )


def hub_names(official: dict[str, Tensor], body: Callable[[str], str], panoptic: bool) -> dict[str, Tensor]:
    """The authors' box-only state as the Hub's files name it, the separate projections and a stray counter included."""
    norms = {"encoder": ("self_attn", "final"), "decoder": ("self_attn", "encoder_attn", "final")}
    renamed: dict[str, Tensor] = {}
    for name, value in official.items():
        if name.startswith("backbone.0.body."):
            new = "model.backbone.conv_encoder.model." + body(name.removeprefix("backbone.0.body."))
        elif name.startswith("class_embed"):
            new = name.replace("class_embed", "class_labels_classifier")
        elif name.startswith("bbox_embed"):
            new = name.replace("bbox_embed", "bbox_predictor")
        else:
            new = "model." + name.removeprefix("transformer.").replace("multihead_attn", "encoder_attn")
            new = re.sub(r"linear([12])", r"fc\1", new).replace("decoder.norm.", "decoder.layernorm.")
            for part, kinds in norms.items():
                for n, kind in enumerate(kinds, start=1):
                    new = re.sub(rf"({part}\.layers\.\d+)\.norm{n}\.", rf"\1.{kind}_layer_norm.", new)
            new = new.replace("input_proj.", "input_projection.").replace("query_embed", "query_position_embeddings")
        parts = {new: value}
        if "in_proj_" in new:
            chunks = zip("qkv", value.chunk(3), strict=True)
            parts = {new.replace("in_proj_", f"{letter}_proj."): chunk for letter, chunk in chunks}
        renamed |= {("detr." if panoptic else "") + key: part for key, part in parts.items()}
    stray = "model.backbone.conv_encoder.model." + body("layer1.0.downsample.1.num_batches_tracked")
    return renamed | {("detr." if panoptic else "") + stray: torch.tensor(0)}


def later_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same state as transformers 5 names its modules."""
    stages = {"adapter1": "0.fpn_adapter", "lay3": "0.refine.conv", "gn3": "0.refine.norm", "adapter2": "1.fpn_adapter"}
    stages |= {"lay4": "1.refine.conv", "gn4": "1.refine.norm", "adapter3": "2.fpn_adapter", "lay5": "2.refine.conv"}
    swaps = {
        f"mask_head.{old}.": f"mask_head.fpn_stages.{new}." for old, new in (stages | {"gn5": "2.refine.norm"}).items()
    }
    swaps |= {"mask_head.lay1.": "mask_head.conv1.conv.", "mask_head.gn1.": "mask_head.conv1.norm."}
    swaps |= {"mask_head.lay2.": "mask_head.conv2.conv.", "mask_head.gn2.": "mask_head.conv2.norm."}
    swaps |= {"mask_head.out_lay.": "mask_head.output_conv.", "q_linear": "q_proj", "k_linear": "k_proj"}
    swaps |= {"backbone.conv_encoder": "backbone", "out_proj": "o_proj", ".fc1": ".mlp.fc1", ".fc2": ".mlp.fc2"}
    renamed = {}
    for name, value in state.items():
        for old, new in swaps.items():
            name = name.replace(old, new)
        renamed[name] = value
    return renamed


@pytest.mark.parametrize("later", [False, True], ids=["file names", "transformers 5"])
@pytest.mark.parametrize("body", [torchvision_body, transformers_body], ids=["timm", "no_timm"])
@pytest.mark.parametrize("panoptic", [False, True], ids=["boxes", "panoptic"])
def test_every_published_naming_fills_every_entry(body: Callable[[str], str], panoptic: bool, later: bool) -> None:
    shapes = box_names(250 if panoptic else 91)
    official = {name: torch.empty(shape).fill_(n) for n, (name, shape) in enumerate(shapes.items())}
    heads = {n: torch.full(s, -1.0) for n, s in standin.published(LISTING).items() if not n.startswith("detr.")}
    file = hub_names(official, body, panoptic) | (heads if panoptic else {})
    file = later_names(file) if later else file
    release = {"detr." + name: value for name, value in official.items()} | heads if panoptic else official
    with torch.device("meta"):
        ours = DETR(num_classes=250 if panoptic else 91, panoptic=panoptic).state_dict()
    for state in (rename(file), rename(release), rename(rename(release))):
        assert {name: value.shape for name, value in state.items()} == {
            name: value.shape for name, value in ours.items()
        }
    ordered = rename(release)
    assert all(torch.equal(value, ordered[name]) for name, value in rename(file).items())


def test_separate_projections_join_in_the_order_of_query_key_value() -> None:
    parts = {f"model.encoder.layers.0.self_attn.{k}_proj.bias": torch.full((2,), float(n)) for n, k in enumerate("qkv")}
    joined = rename(dict(reversed(parts.items())))
    assert joined["transformer.encoder.layers.0.self_attn.in_proj_bias"].tolist() == [0, 0, 1, 1, 2, 2]


def test_unknown_names_stay_so_that_strict_loading_can_refuse_them() -> None:
    stranger = {
        "model.text_encoder.weight": torch.zeros(1),
        "model.encoder.layers.0.self_attn.q_proj.bias": torch.zeros(2),
    }
    assert len(rename(stranger)) == 2
    with pytest.raises(RuntimeError, match="text_encoder"):
        small().load_state_dict(rename(stranger), strict=True)


@torch.no_grad()
def test_attention_equals_the_module_of_torch_and_is_recorded() -> None:
    torch.manual_seed(0)
    theirs, ours = torch.nn.MultiheadAttention(24, 3, batch_first=True).eval(), MultiheadAttention(24, 3).eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    q, k, v = torch.randn(2, 4, 24), torch.randn(2, 6, 24), torch.randn(2, 6, 24)
    padding = torch.tensor([[False] * 6, [False] * 4 + [True] * 2])
    expected, weights = theirs(q, k, v, key_padding_mask=padding, average_attn_weights=False)
    with record() as calls:
        out = ours(q, k, v, key_mask(padding))
    torch.testing.assert_close(out, expected)
    torch.testing.assert_close(calls[0].weights(), weights)


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="divisor"):
        MultiheadAttention(24, 5)


def test_positions_count_the_picture_alone() -> None:
    padding = torch.ones(1, 4, 6, dtype=torch.bool)
    padding[:, :3, :5] = False
    padded, alone = sine_positions(padding, 16)[:, :3, :5], sine_positions(torch.zeros(1, 3, 5, dtype=torch.bool), 16)
    torch.testing.assert_close(padded, alone)
    row, col = 2 * np.pi * 1 / 3, 2 * np.pi * 2 / 5  # second row of 3, second column of 5
    assert alone[0, 0, 1, :2].tolist() == pytest.approx([np.sin(row), np.cos(row)], abs=1e-5)
    assert alone[0, 0, 1, 8:10].tolist() == pytest.approx([np.sin(col), np.cos(col)], abs=1e-5)
    assert alone[0, 0, 1, 10:12].tolist() == pytest.approx([np.sin(col / 10), np.cos(col / 10)], abs=1e-5)


@torch.no_grad()
def test_whatever_stands_on_padding_changes_nothing() -> None:
    model = small()
    rows, cols = 3, 4
    inside = standin.pixels(3, 1, rows, cols, 32)
    padding = torch.arange(2 * cols).ge(cols).expand(1, rows, -1)  # [1, rows, 2*cols], the right half
    wide = torch.cat((inside, 9 * standin.pixels(4, 1, rows, cols, 32)), dim=2)
    queries = model.query_embed.weight
    here, none = sine_positions(torch.zeros(1, rows, cols, dtype=torch.bool), 32), None
    alone = model.transformer(inside.flatten(1, 2), here.flatten(1, 2), none, queries)
    there = sine_positions(padding, 32)
    padded = model.transformer(wide.flatten(1, 2), there.flatten(1, 2), padding.flatten(1), queries)
    torch.testing.assert_close(padded[1][-1], alone[1][-1], rtol=1e-4, atol=1e-5)
    memory = padded[0][-1].unflatten(1, (rows, -1))[:, :, :cols]
    torch.testing.assert_close(memory.flatten(1, 2), alone[0][-1], rtol=1e-4, atol=1e-5)
    box_attention = BoxAttention(32, 4)
    maps = box_attention(alone[1][-1], padded[0][-1].mT.unflatten(2, (rows, -1)), padding.flatten(1))
    torch.testing.assert_close(maps.sum((2, 3, 4)), torch.ones(1, 9))
    assert maps[..., cols:].abs().max() == 0


@torch.no_grad()
def test_a_mask_without_padding_changes_nothing_and_pictures_do_not_mix() -> None:
    model = small()
    both = standin.pixels(5, 2, 3, 64, 96)
    plain = model(both)
    masked = model(both, torch.zeros(2, 64, 96, dtype=torch.bool))
    second = model(both[1:])
    for key in ("logits", "boxes_cxcywh"):
        torch.testing.assert_close(masked[key], plain[key], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(second[key], plain[key][1:], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_dilation_halves_the_stride_and_keeps_the_weights() -> None:
    with torch.device("meta"):
        plain, dc5 = DETR("resnet50", enc=1, dec=1), DETR("resnet50", enc=1, dec=1, dilation=True)
        answers = [model(torch.empty(1, 3, 128, 160)) for model in (plain, dc5)]
    assert [out["grid"] for out in answers] == [(4, 5), (8, 10)]
    assert {n: v.shape for n, v in plain.state_dict().items()} == {n: v.shape for n, v in dc5.state_dict().items()}
    convolutions = {
        name: (m.stride[0], m.dilation[0]) for name, m in dc5.backbone.layer4.named_modules() if "conv2" in name
    }
    assert convolutions == {"0.conv2": (1, 1), "1.conv2": (1, 2), "2.conv2": (1, 2)}


@torch.no_grad()
def test_attention_calls_come_in_order_and_every_layer_can_be_read() -> None:
    model = small(enc=2, dec=3)
    with record() as calls:
        out = model(standin.pixels(6, 1, 3, 64, 96))
    assert out["grid"] == (4, 6)
    assert [call.shape for call in calls] == 2 * [(1, 4, 24, 24)] + 3 * [(1, 4, 9, 9), (1, 4, 9, 24)]
    for state, answer in zip(out["decoder_tokens"], [*out["aux"], out], strict=True):
        read = model.heads(state)
        torch.testing.assert_close(read["logits"], answer["logits"])
        torch.testing.assert_close(read["boxes_cxcywh"], answer["boxes_cxcywh"])


@torch.no_grad()
def test_query_groups_are_answered_apart_in_training_and_the_first_alone_in_evaluation() -> None:
    model = small(query_groups=3, dropout=0.0, frozen_norm=True)
    pixels = standin.pixels(7, 1, 3, 64, 64)
    alone = model(pixels)["logits"]
    trained = model.train()(pixels)["logits"]
    assert alone.shape == (1, 9, 8)
    assert trained.shape == (1, 27, 8)
    torch.testing.assert_close(trained[:, :9], alone, rtol=1e-4, atol=1e-5)
    model.query_embed.weight[9:] += 1  # the other groups may not be heard in the first
    torch.testing.assert_close(model(pixels)["logits"][:, :9], alone, rtol=1e-4, atol=1e-5)


def test_training_mode_learns_in_every_parameter() -> None:
    options = {"zero_init_last": False}  # else a fresh backbone's blocks add nothing to their skip path
    model = small(panoptic=True, d_model=128, nhead=8, backbone_options=options, query_groups=2).train()
    mask = torch.zeros(2, 64, 96, dtype=torch.bool)
    mask[0, :, 64:] = True
    out = model(standin.pixels(8, 2, 3, 64, 96), mask)
    answers = [*out["aux"], out]
    total = sum(a["logits"].square().sum() + a["boxes_cxcywh"].square().sum() for a in answers)
    (total + out["masks"].square().sum()).backward()
    assert out["masks"].shape == (2, 18, 16, 24)
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # the first decoder layer starts from zeros: its queries have nothing to tell each other
    first = {f"transformer.decoder.layers.0.{part}.weight" for part in ("self_attn.out_proj", "norm1")}
    first |= {"transformer.decoder.layers.0.self_attn.in_proj_weight"}
    assert set(silent) <= first | {
        "bbox_attention.k_linear.bias"
    }  # the latter moves whole rows of logits: no softmax sees it


@torch.no_grad()
def test_the_first_decoder_layers_self_attention_moves_nothing_but_a_constant() -> None:
    model = small()
    first = model.transformer.decoder.layers[0].self_attn
    torch.nn.init.normal_(first.in_proj_bias)
    where = standin.pixels(12, 1, 9, 32)
    out = first(where, where, torch.zeros(1, 9, 32))
    torch.testing.assert_close(out, out[:, :1].expand_as(out))


def test_frozen_norms_stay_constant_in_training() -> None:
    model = small(frozen_norm=True).train()
    before = {name: value.clone() for name, value in model.backbone.named_buffers()}
    model(standin.pixels(9, 2, 3, 64, 64))["logits"].sum().backward()
    assert {"bn1.running_mean", "bn1.weight"} <= set(before)
    assert all(torch.equal(value, before[name]) for name, value in model.backbone.named_buffers())
    assert not any("bn" in name for name, _ in model.backbone.named_parameters())


def test_detections_leave_out_no_object_and_scale_to_pixels() -> None:
    logits = torch.tensor(
        [[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]]
    ).log()  # two classes and no-object, which wins the first query
    boxes = torch.tensor([[0.5, 0.5, 1.0, 1.0], [0.25, 0.75, 0.1, 0.2]])
    found = detect(logits, boxes, (100, 200))
    assert found.labels.tolist() == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.3, 0.6])
    torch.testing.assert_close(found.boxes_xyxy, torch.tensor([[0.0, 0, 200, 100], [40, 65, 60, 85]]))
    batch = detect(logits.expand(3, -1, -1), boxes.expand(3, -1, -1), (100, 200))
    assert batch.boxes_xyxy.shape == (3, 2, 4)


def test_masks_need_widths_that_their_norms_can_share() -> None:
    with pytest.raises(ValueError, match="multiple of 128"):
        small(panoptic=True, d_model=96, nhead=8)


def test_a_box_model_has_no_masks_to_give() -> None:
    model = small()
    with pytest.raises(ValueError, match="boxes only"):
        model.mask_logits({})
