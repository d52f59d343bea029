"""The head atlas and the likeness of layers: the numbers that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from explaining import access, attention, by_hand, model_of, random, traced

from playground.explanations import Target, explain
from playground.explanations.atlas import atlas, effects, evenness
from playground.explanations.bias import bias_share, relative_bias
from playground.explanations.similarity import attention_similarity, cka, feature_similarity
from playground.models import heads
from playground.trace import Attention, AxialAttention, Link, Sequence, Trace

UNIFORM = {  # grid, pixels of a patch: mean attention distance of a uniform head
    ((14, 14), 16): 116.4922, ((7, 7), 32): 115.5029, ((24, 24), 16): 200.0480, ((16, 16), 14): 116.5651,
    ((10, 20), 16): 128.4721,
}  # fmt: skip


def uniform(count: int) -> torch.Tensor:
    return torch.full((1, count, count), 1 / count, dtype=torch.float64)


@pytest.mark.parametrize(("layout", "expected"), UNIFORM.items())
def test_a_uniform_head_looks_as_far_as_the_grid_says(layout: tuple[tuple[int, int], int], expected: float) -> None:
    grid, cell = layout
    (head,) = atlas(by_hand([uniform(grid[0] * grid[1])], grid, cell=cell))
    assert head.distance == pytest.approx(expected, abs=5e-5)
    assert head.entropy == pytest.approx(1)


def test_identity_looks_nowhere_and_a_corner_looks_farthest() -> None:
    (head,) = atlas(by_hand([torch.eye(196)[None]], (14, 14)))
    assert head.distance == 0 and head.entropy == 0
    to_corner = torch.zeros(1, 196, 196, dtype=torch.float64)
    to_corner[..., 0] = 1  # by symmetry: everyone to the corner is as far as the corner to everyone
    (head,) = atlas(by_hand([to_corner], (14, 14)))
    assert head.distance == pytest.approx(161.0302, abs=5e-5)


def test_mass_on_the_class_token_is_shown_apart_and_does_not_shorten_the_distance() -> None:
    """Dropping the column without renormalising reports 69.9 px for a uniform head with 40 % on the class token."""
    a = torch.full((1, 197, 197), 0.6 / 196, dtype=torch.float64)
    a[..., 0] = 0.4
    (head,) = atlas(by_hand([a], (14, 14), ("class",)))
    assert head.distance == pytest.approx(116.4922, abs=5e-5)
    assert head.prefix == (("class", pytest.approx(0.4)),)


def test_entropy_counts_open_keys_only() -> None:
    assert evenness(torch.tensor([[0.5, 0.5, 0.0, 0.0]]), torch.tensor(2)).tolist() == [1.0]
    assert evenness(torch.tensor([[1.0, 0.0]]), torch.tensor(2)).tolist() == [0.0]
    bias = torch.zeros(1, 1, 6)
    bias[..., 4:] = -torch.inf
    trace = by_hand([attention(1, 6)], (2, 3))
    step = Attention(q=torch.ones(2, 6, 3), k=torch.ones(2, 6, 3), bias=bias)
    heads = atlas(replace(trace, links=(replace(trace.links[0], step=step),)))
    assert [head.entropy for head in heads] == pytest.approx([1, 1])
    assert heads[0].distance < atlas(by_hand([uniform(6)], (2, 3)))[0].distance + 2


def test_axial_distance_runs_along_the_axis() -> None:
    rows, cols = 4, 6
    grid = Sequence("4 × 6 positions", 24, (rows, cols))
    step = AxialAttention(torch.full((cols, 2, rows, rows), 1 / rows), torch.eye(cols).expand(rows, 2, cols, cols))
    trace = replace(by_hand([uniform(24)], (rows, cols)), links=(Link("block 1", 0, grid, grid, step),))
    heads = atlas(trace)
    assert [head.axis for head in heads] == ["column", "column", "row", "row"]
    assert heads[0].distance == pytest.approx(16 * (rows**2 - 1) / (3 * rows))  # mean |i - j| of two uniform places
    assert heads[2].distance == 0 and heads[2].entropy == 0


@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "axial", "detr"])
def test_every_head_of_every_family_is_measured(name: str) -> None:
    trace = traced(name)
    heads = atlas(trace)
    links = [link for link in trace.links if hasattr(link.step, "heads")]
    expected = sum(link.step.heads * (2 if isinstance(link.step, AxialAttention) else 1) for link in links)
    assert len(heads) == expected
    assert all(0 <= head.entropy <= 1 + 1e-6 for head in heads)
    for head in heads:
        placed = links[head.layer].writes.grid is not None
        assert (head.distance is not None) == placed


def test_coatnet_distances_use_the_stride_of_their_stage() -> None:
    trace = by_hand([uniform(196)], (14, 14))
    coarse = Sequence("stage 4", 49, (7, 7))
    links = (*trace.links, Link("stage 4", 1, coarse, coarse, Attention(stored=uniform(49))))
    heads = atlas(replace(trace, links=links))
    assert [head.distance for head in heads] == pytest.approx([116.4922, 115.5029], abs=5e-5)


def test_attention_is_compared_by_columns() -> None:
    """Rows give another quantity than DeepViT's, and are often taken in its place."""
    layers = [attention(2, 5, seed) for seed in range(3)]
    trace = by_hand([*layers, layers[0]], (1, 5))
    found = attention_similarity(trace)
    assert found.names == ("block 1", "block 2", "block 3", "block 4")
    expected = np.mean([
        np.dot(p, q) / np.linalg.norm(p) / np.linalg.norm(q)
        for p, q in ((layers[0][h, :, t].numpy(), layers[1][h, :, t].numpy()) for h in range(2) for t in range(5))
    ])  # fmt: skip
    assert found.values[0, 1] == found.values[1, 0] == pytest.approx(expected, abs=1e-6)
    assert found.values[0, 3] == pytest.approx(1, abs=1e-6)
    assert np.diag(found.values).tolist() == [1, 1, 1, 1]
    rows = torch.nn.functional.cosine_similarity(layers[0], layers[1], dim=2).mean()
    assert found.values[0, 1] != pytest.approx(float(rows), abs=1e-4)


def test_subtracting_the_uniform_part_takes_the_likeness_of_unlike_layers_away() -> None:
    gen = torch.Generator().manual_seed(0)
    layers = [(0.1 * torch.randn(2, 60, 60, generator=gen)).softmax(-1) for _ in range(2)]
    trace = by_hand(layers, (6, 10))
    assert attention_similarity(trace).values[0, 1] > 0.95
    assert abs(attention_similarity(trace, centred=True).values[0, 1]) < 0.1


def test_cka_is_one_for_the_same_and_blind_to_rotation_and_scale() -> None:
    x, y = random(30, 8), random(30, 8, seed=1)
    rotation = torch.linalg.qr(random(8, 8, seed=2)).Q
    assert cka(x, x) == pytest.approx(1)
    assert cka(x, 3 * x @ rotation + 5) == pytest.approx(1)
    assert cka(x, y) == pytest.approx(cka(x @ rotation, y))
    assert cka(x, y) < 0.6


@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "detr", "axial", "resnet"])
def test_levels_of_every_family_can_be_compared(name: str) -> None:
    trace = traced(name)
    found = feature_similarity(trace)
    assert found.values.shape == (len(found.names),) * 2 and len(found.names) > 0
    assert np.allclose(np.diag(found.values), 1) and found.values.min() >= 0
    if name in ("axial", "resnet"):
        with pytest.raises(ValueError, match=r"\.$"):
            attention_similarity(trace)
    else:
        assert np.abs(attention_similarity(trace).values).max() <= 1 + 1e-5


def test_the_atlas_leaves_the_trace_as_it_was() -> None:
    trace: Trace = by_hand([attention(2, 6, 0)], (2, 3))
    before = trace.links[0].step.stored.clone()
    atlas(trace)
    attention_similarity(trace, centred=True)
    assert torch.equal(trace.links[0].step.stored, before)


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr"])
def test_the_effect_of_a_head_is_what_the_model_loses_without_it(name: str) -> None:
    model = model_of(name)
    trace = traced(name, model=model)
    ask = replace(access(name, model), silenced=heads.silenced(model), batch=5)
    found = atlas(trace)
    target = Target(query=1) if name == "detr" else Target()
    lost = effects(trace, target, ask, found)
    assert len(lost) == len(found)
    assert max(np.abs(lost)) > 1e-7
    if name == "vit":
        block = model.blocks[1].attn
        block.proj.weight[:, 64:128] = 0  # what head 1 of three gives, 64 channels each
        changed = traced(name, model=model).logits.softmax(-1)
        best = int(trace.logits.argmax())
        expected = float(trace.logits.softmax(-1)[best] - changed[best])
        assert lost[4] == pytest.approx(expected, abs=1e-6)


def test_nothing_of_the_silence_is_left_behind() -> None:
    model = model_of("vit")
    before = traced("vit", model=model).logits
    heads.silenced(model)(torch.from_numpy(traced("vit").view.pixels)[None], [(0, 0)])
    assert torch.equal(traced("vit", model=model).logits, before)


def coatnet_with_bias() -> tuple[torch.nn.Module, Trace]:
    model = model_of("coatnet")
    gen = torch.Generator().manual_seed(2)
    for stage in model.stages[2:]:
        for block in stage.blocks:
            block.attn.rel_pos.relative_position_bias_table.normal_(generator=gen)
    return model, traced("coatnet", model=model)


def test_the_relative_bias_is_a_picture_of_offsets() -> None:
    model, trace = coatnet_with_bias()
    link = trace.links[1]
    rows, cols = link.writes.grid
    assert link.step.bias is not None and (rows, cols) == (4, 4)
    picture = relative_bias(link)
    assert picture.shape == (link.step.heads, 7, 7) and np.isfinite(picture).all()
    for query in range(rows * cols):
        for key in range(rows * cols):
            down, right = key // cols - query // cols, key % cols - query % cols
            found = picture[:, rows - 1 + down, cols - 1 + right]
            assert np.array_equal(found, link.step.bias.expand(link.step.heads, -1, -1)[:, query, key])
    index = model.stages[2].blocks[0].attn.rel_pos.relative_position_index.reshape(16, 16)
    table = model.stages[2].blocks[0].attn.rel_pos.relative_position_bias_table
    assert np.array_equal(picture[:, 3, 3], table[index[0, 0]])  # offset zero, in the centre
    assert np.array_equal(picture[:, 3, 4], table[index[0, 1]])  # a key to the right of its query


def test_the_share_of_the_bias_is_nothing_for_a_table_of_zeros_and_all_without_content() -> None:
    link = traced("coatnet").links[1]
    untrained = replace(link, step=replace(link.step, bias=torch.zeros_like(link.step.bias)))
    assert bias_share(untrained) == pytest.approx([0] * untrained.step.heads)
    _, trace = coatnet_with_bias()
    link = trace.links[1]
    assert all(0 < share < 1 for share in bias_share(link))
    alone = replace(link, step=replace(link.step, q=torch.zeros_like(link.step.q)))
    assert bias_share(alone) == pytest.approx([1] * link.step.heads)
    with pytest.raises(ValueError, match="no learned bias"):
        bias_share(traced("vit").links[0])


def test_content_and_bias_can_be_seen_alone() -> None:
    _, trace = coatnet_with_bias()
    step = trace.links[1].step
    for part, logits in (("content", step.scale * step.q @ step.k.mT), ("bias", step.bias.expand(step.heads, 16, 16))):
        made = explain("attention", trace, Target(layer=0, patch=(1, 2), head=0), {"part": part})
        assert np.allclose(made.values.ravel(), logits.softmax(-1)[0, 6], atol=1e-6)
    with pytest.raises(ValueError, match="no learned bias"):
        explain("attention", traced("vit"), None, {"part": "bias"})
