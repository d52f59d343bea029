"""The recorder: same answers, right weights, nothing left behind."""

import threading

import numpy as np
import pytest
import timm
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from playground.image import Preprocess, View, view
from playground.models import any_timm, axial, axial_trace, coatnet, detr, detr_trace, vit
from playground.models.card import Card
from playground.models.preprocess import preprocess_of
from playground.record import record
from playground.trace import Attention

CPU = torch.device("cpu")

# Small members of many architectures: family, timm name, constructor options.
ARCHITECTURES = [
    ("vit", "vit_tiny_patch16_224", {"depth": 3}),
    ("vit", "deit_tiny_distilled_patch16_224", {"depth": 2}),
    ("vit", "vit_small_patch14_reg4_dinov2", {"depth": 2, "img_size": 112}),
    ("vit", "vit_small_patch16_dinov3", {"depth": 2}),
    ("vit", "vit_little_patch16_reg4_gap_256", {"depth": 2}),
    ("vit", "vit_base_patch16_siglip_224", {"depth": 2, "embed_dim": 96, "num_heads": 3, "num_classes": 10}),
    ("vit", "eva02_tiny_patch14_224", {"depth": 2}),
    ("vit", "vit_small_patch16_18x2_224", {"depth": 2}),
    ("coatnet", "coatnet_nano_rw_224", {}),
    ("coatnet", "coatnet_rmlp_nano_rw_224", {}),
    ("timm", "beit_base_patch16_224", {"depth": 2, "embed_dim": 96, "num_heads": 3}),
    ("timm", "maxvit_rmlp_pico_rw_256", {}),
    ("timm", "swin_tiny_patch4_window7_224", {}),
    ("timm", "pvt_v2_b0", {}),
    ("timm", "twins_svt_small", {}),
    ("timm", "davit_tiny", {}),
    ("timm", "crossvit_9_240", {}),
    ("timm", "cait_xxs24_224", {"depth": 3}),
    ("timm", "tnt_s_patch16_224", {"depth": 2}),
    ("timm", "levit_128s", {}),
    ("timm", "volo_d1_224", {}),
    ("timm", "vit_relpos_small_patch16_224", {"depth": 2}),
    ("timm", "resnet10t", {}),
]
TRACERS = {"vit": vit.trace, "coatnet": coatnet.trace, "timm": any_timm.trace}


def card_of(family: str, name: str, options: dict[str, object]) -> Card:
    return Card(
        name=name, title=name, family=family, task="classification", architecture=name, labels="none",  # type: ignore[arg-type]
        source="local", license="none", options=options,
    )  # fmt: skip


def model_of(name: str, options: dict[str, object]) -> nn.Module:
    torch.manual_seed(0)
    return timm.create_model(name, pretrained=False, **options).eval()


def noise_view(card: Card) -> View:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    return view(Image.fromarray(noise), preprocess_of(card))


def pixels_for(name: str) -> Tensor:
    return torch.from_numpy(noise_view(card_of("vit", name, {})).pixels)[None]  # [1, 3, H, W]


@pytest.mark.parametrize(("family", "name", "options"), ARCHITECTURES, ids=[a[1] for a in ARCHITECTURES])
def test_a_trace_changes_nothing_and_its_rows_sum_to_one(family: str, name: str, options: dict[str, object]) -> None:
    model = model_of(name, options)
    card = card_of(family, name, options)
    seen = noise_view(card)
    with torch.no_grad():
        plain = model(torch.from_numpy(seen.pixels)[None])[0]
    trace = TRACERS[family](model, seen, card, CPU)
    assert trace.logits is not None
    assert torch.equal(trace.logits, plain)
    for link in trace.links:
        if isinstance(link.step, Attention) and not name.startswith("cait"):  # CaiT mixes heads after its softmax
            rows = link.step.weights().sum(-1)
            assert torch.allclose(rows, torch.ones_like(rows), atol=1e-5), link.name
    if not trace.links:
        assert trace.unread.endswith(".")


def test_weights_equal_those_that_timm_computes_without_fusing() -> None:
    model = model_of("vit_tiny_patch16_224", {"depth": 3})
    pixels = pixels_for("vit_tiny_patch16_224")
    with torch.no_grad(), record() as fused:
        model(pixels)
    for block in model.blocks:
        block.attn.fused_attn = False
    with torch.no_grad(), record() as written_out:
        model(pixels)
    assert len(fused) == len(written_out) == 3
    for ours, theirs in zip(fused, written_out, strict=True):
        assert ours.stored is None
        assert theirs.stored is not None
        assert torch.allclose(ours.weights(), theirs.stored, atol=1e-6)


def test_the_relative_bias_of_coatnet_is_part_of_the_weights() -> None:
    model = model_of("coatnet_nano_rw_224", {})
    attention = model.stages[2].blocks[0].attn
    with torch.no_grad():
        attention.rel_pos.relative_position_bias_table.normal_()
        x = torch.randn(1, attention.qkv.in_channels, 14, 14)
        with record() as calls:
            attention(x)
        q, k, _ = attention.qkv(x).view(1, attention.num_heads, 96, -1).chunk(3, dim=2)
        expected = (q.mT @ k * attention.scale + attention.rel_pos.get_bias()).softmax(-1)
    assert torch.allclose(calls[0].weights(), expected, atol=1e-6)


@pytest.mark.parametrize("mask", ["none", "bool", "additive", "causal", "scale", "gqa"])
def test_fused_calls_are_read_with_their_mask_and_scale(mask: str) -> None:
    generator = torch.Generator().manual_seed(1)
    q, k, v = (
        torch.randn(2, h, 5, 8, generator=generator) for h in (4, 2 if mask == "gqa" else 4, 2 if mask == "gqa" else 4)
    )
    bools = torch.rand(2, 1, 5, 5, generator=generator) > 0.3
    bools[..., 0] = True
    options = {
        "none": {}, "bool": {"attn_mask": bools}, "additive": {"attn_mask": torch.randn(5, 5, generator=generator)},
        "causal": {"is_causal": True}, "scale": {"scale": 0.3}, "gqa": {"enable_gqa": True},
    }[mask]  # fmt: skip
    plain = F.scaled_dot_product_attention(q, k, v, **options)
    with record() as calls:
        same = F.scaled_dot_product_attention(q, k, v, **options)
    with record(explicit=True) as explicit:
        close = F.scaled_dot_product_attention(q, k, v, **options)
    values = v.repeat_interleave(2, 1) if mask == "gqa" else v
    assert torch.equal(same, plain)
    assert torch.allclose(close, plain, atol=1e-6)
    assert torch.allclose(calls[0].weights() @ values, plain, atol=1e-6)
    assert torch.allclose(explicit[0].weights(), calls[0].weights(), atol=1e-7)


def test_explicit_mode_gives_one_gradient_per_call() -> None:
    model = model_of("vit_tiny_patch16_224", {"depth": 3}).requires_grad_(False)
    pixels = pixels_for("vit_tiny_patch16_224")
    with record(explicit=True) as calls:
        logits = model(pixels)
    gradients = torch.autograd.grad(logits[0, 7], [call.weights() for call in calls])
    assert len(gradients) == 3
    assert all(
        g.shape == c.shape and g.isfinite().all() and g.abs().sum() > 0 for g, c in zip(gradients, calls, strict=True)
    )
    assert torch.allclose(logits, model(pixels), atol=1e-5)


def test_explicit_gradient_agrees_with_a_finite_difference() -> None:
    generator = torch.Generator().manual_seed(2)
    q, k, v = (torch.randn(1, 1, 4, 3, generator=generator, dtype=torch.float64) for _ in range(3))
    with record(explicit=True) as calls:
        score = F.scaled_dot_product_attention(q, k, v).square().sum()
    (gradient,) = torch.autograd.grad(score, [calls[0].weights()])
    weights, step = calls[0].weights().detach(), 1e-6
    nudged = weights.clone()
    nudged[0, 0, 1, 2] += step
    difference = ((nudged @ v).square().sum() - (weights @ v).square().sum()) / step
    assert gradient[0, 0, 1, 2].item() == pytest.approx(difference.item(), rel=1e-4)


@pytest.mark.parametrize("refusal", [AssertionError, NotImplementedError])
def test_an_architecture_that_refuses_feature_maps_answers_all_the_same(refusal: type[Exception]) -> None:
    card = card_of("timm", "resnet10t", {})
    answered = any_timm.trace(refusing(refusal), noise_view(card), card, CPU)
    assert answered.logits is not None
    assert answered.tokens == ()


def test_a_fault_in_an_architecture_is_not_taken_for_a_refusal() -> None:
    card = card_of("timm", "resnet10t", {})
    with pytest.raises(RuntimeError, match="a real fault"):
        any_timm.trace(refusing(RuntimeError), noise_view(card), card, CPU)


def refusing(error: type[Exception]) -> nn.Module:
    """Return a model whose feature maps cannot be had."""

    def refuse(pixels: Tensor) -> None:
        raise error("a real fault")

    model = model_of("resnet10t", {})
    model.forward_intermediates = refuse  # type: ignore[assignment]
    return model


def test_nothing_is_left_behind_after_an_exception() -> None:
    model = model_of("vit_tiny_patch16_224", {"depth": 1})
    before = {name: dict(module.__dict__) for name, module in model.named_modules()}
    with pytest.raises(RuntimeError), record() as calls:
        model(torch.zeros(1, 4, 224, 224))
    with record():
        pass
    assert calls == []
    F.scaled_dot_product_attention(*(torch.zeros(1, 1, 2, 2) for _ in range(3)))
    assert calls == []
    after = {name: dict(module.__dict__) for name, module in model.named_modules()}
    assert before.keys() == after.keys()
    assert all(before[name].keys() == after[name].keys() for name in before)
    assert all(not m._forward_hooks and not m._forward_pre_hooks and not m._backward_hooks for m in model.modules())


def test_two_threads_recording_at_once_do_not_mix() -> None:
    together = threading.Barrier(2)
    found: dict[int, list[tuple[int, ...]]] = {}

    def work(size: int) -> None:
        x = torch.zeros(1, 1, size, 4)
        with record() as calls:
            for _ in range(200):
                together.wait()
                F.scaled_dot_product_attention(x, x, x)
        found[size] = [call.shape for call in calls]

    threads = [threading.Thread(target=work, args=(size,)) for size in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {2: [(1, 1, 2, 2)] * 200, 3: [(1, 1, 3, 3)] * 200}


def test_softmax_over_another_axis_is_not_attention() -> None:
    def scores() -> Tensor:
        return torch.zeros(1, 2, 3, 3)

    with record() as calls:
        scores().softmax(1)
        torch.zeros(5, 4).softmax(-1)
        F.softmax(scores(), dim=-1)
        torch.softmax(scores(), 3)
        scores().softmax(dim=-1)
    assert [call.shape for call in calls] == [(1, 2, 3, 3)] * 3


def axial_card() -> Card:
    options = {"layers": (1, 2), "width": 0.25, "num_classes": 7, "spans": (16, 16), "strides": (1, 2), "stem": "convs"}
    return Card(
        name="axial", title="axial", family="axial", task="classification", architecture="axial",
        labels=tuple("abcdefg"), source="local", license="none", options=options,
        preprocess=Preprocess("crop", (64, 80)),
    )  # fmt: skip


def detr_card(panoptic: bool) -> Card:
    options = {
        "backbone": "resnet10t", "num_classes": 5, "num_queries": 6, "d_model": 128, "nhead": 8, "enc": 2, "dec": 2,
        "ffn": 64, "panoptic": panoptic,
    }  # fmt: skip
    return Card(
        name="detr", title="detr", family="detr", task="panoptic" if panoptic else "detection", architecture="detr",
        labels=tuple("abcde"), source="local", license="none", options=options,
        preprocess=Preprocess("detr", shortest=96, longest=160),
    )  # fmt: skip


def test_an_axial_trace_changes_nothing_and_composes_to_rows_that_sum_to_one() -> None:
    card = axial_card()
    model = axial.build(card).eval()
    seen = noise_view(card)
    found = axial_trace.trace(model, seen, card, CPU)
    with torch.no_grad():
        assert torch.equal(found.logits, model(torch.from_numpy(seen.pixels)[None])[0])
    assert [link.step.shape for link in found.links] == [(320, 320), (80, 320), (80, 80)]
    for link in found.links:
        spread = link.step.pull(torch.full((link.writes.count,), 1.0 / link.writes.count))
        assert spread.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("panoptic", [False, True])
def test_a_detr_trace_changes_nothing_and_names_what_each_layer_reads(panoptic: bool) -> None:
    card = detr_card(panoptic)
    model = detr.build(card).eval()
    with torch.no_grad():
        model.class_embed.bias[0] = 9.0  # every query is confident, so every mask is drawn
    seen = noise_view(card)
    found = detr_trace.trace(model, seen, card, CPU)
    with torch.no_grad():
        plain = model(torch.from_numpy(seen.pixels)[None])
    assert torch.equal(found.logits, plain["logits"][0])
    assert torch.equal(found.boxes_cxcywh, plain["boxes_cxcywh"][0])
    if panoptic:
        assert torch.allclose(found.masks, plain["masks"][0], atol=1e-5)
    assert [(link.reads.name, link.writes.name) for link in found.links] == [
        ("memory", "memory"), ("memory", "memory"),
        ("object queries", "object queries"), ("memory", "object queries"),
        ("object queries", "object queries"), ("memory", "object queries"),
    ]  # fmt: skip
    for link in found.links:
        rows = link.step.weights().sum(-1)
        assert torch.allclose(rows, torch.ones_like(rows), atol=1e-5)
