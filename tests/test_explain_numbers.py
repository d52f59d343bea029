"""The head atlas and the likeness of layers: the numbers that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from explaining import attention, by_hand, random, traced

from playground.explain.atlas import atlas, evenness
from playground.explain.similarity import attention_similarity, cka, feature_similarity
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
