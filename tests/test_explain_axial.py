"""Gradient methods on axial attention, walked line by line, against whole matrices of all pairs of positions."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from explaining import SMALL, attention, blank_view, model_of, noise, random, traced, whole
from torch import Tensor

from playground.explanations import Target, explain
from playground.explanations.gradients import graded
from playground.image import view
from playground.record import record
from playground.trace import AxialAttention, Graph, Link, Pool, Sequence, Trace

GRIDS = ((4, 6), (4, 6), (2, 3))  # before the first block, between the two, and after


def axial_by_hand(seed: int = 0) -> tuple[Trace, list[tuple[Tensor, Tensor]]]:
    """Two axial blocks of two heads in float64, the second one pools; and the gradients of logit 0 by their weights."""
    links, outs, gradients, score = [], [], [], torch.zeros((), dtype=torch.float64)
    for i in range(2):
        rows, cols = GRIDS[i]
        reads, writes = (Sequence(f"{g[0]} × {g[1]}", g[0] * g[1], g) for g in (GRIDS[i], GRIDS[i + 1]))
        pair = [
            attention(2 * lines, long, seed + 7 * i + j).reshape(lines, 2, long, long).requires_grad_()
            for j, (lines, long) in enumerate([(cols, rows), (rows, cols)])
        ]
        slopes = [random(*weights.shape, seed=seed + 90 + i + 3 * j) for j, weights in enumerate(pair)]
        score = score + sum((w * g).sum() for w, g in zip(pair, slopes, strict=True))
        step = AxialAttention(pair[0].detach(), pair[1].detach(), Pool(*GRIDS[1:]) if i else None)
        links.append(Link(f"block {i + 1}", i, reads, writes, step))
        outs.append(tuple(pair))
        gradients.append((slopes[0], slopes[1]))
    logits = torch.stack([score, -score])
    graph = Graph(torch.zeros(1, 3, 64, 96), logits, tuple(outs))
    readout = torch.full((6,), 1 / 6)
    seen = blank_view(64, 96)
    return Trace("by hand", seen, logits.detach(), links=tuple(links), readout=readout, graph=graph), gradients


def dense(step: AxialAttention, gradients: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The block's weighted attention and its skip path as whole matrices [N_written, N_read], float64.

    Column attention of the attended column, as the row attention reads what the column attention wrote.
    """
    rows, cols = step.grid
    height, width = (
        (weights.double() * gradient.double()).clamp_min(0).mean(1)
        for weights, gradient in zip((step.height, step.width), gradients, strict=True)
    )
    whole_block = torch.einsum("ijn,nim->ijmn", width, height).reshape(rows * cols, rows * cols)
    skip = torch.eye(rows * cols, dtype=torch.float64)
    if step.pool:
        pool = torch.stack([step.pool.pull(one) for one in torch.eye(step.shape[0], dtype=torch.float64)])
        whole_block = pool @ whole_block
        skip = skip.reshape(rows, cols, -1)[::2, ::2].reshape(step.shape[0], -1)
    return whole_block, skip


def published(trace: Trace, gradients: list[tuple[Tensor, Tensor]], normalised: bool) -> tuple[Tensor, Tensor]:
    """start^T of the product of (A + S), rows normalised or not, and that of the skip paths S alone."""
    through = still = trace.readout.double()
    for link, gradient in reversed(list(zip(trace.links, gradients, strict=True))):
        block, skip = dense(link.step, gradient)
        sums = (block + skip).sum(-1) if normalised else torch.ones(len(block), dtype=torch.float64)
        through, still = (through / sums) @ (block + skip), (still / sums) @ skip
    return through, still


@pytest.mark.parametrize("method", ["relevance", "gradient_rollout"])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_walk_along_lines_equals_the_product_of_whole_matrices(method: str, seed: int) -> None:
    trace, gradients = axial_by_hand(seed)
    through, still = published(trace, gradients, method == "gradient_rollout")
    made = explain(method, trace, Target(class_index=0))
    expected = (through - still).numpy()
    assert made.values.shape == (4, 6)
    assert np.allclose(made.values.ravel(), expected, rtol=1e-6, atol=1e-7 * expected.max())
    if method == "gradient_rollout":
        assert dict(made.apart)["never left the start"] == pytest.approx(float(still.sum()), abs=1e-6)


def test_the_outer_product_with_the_own_column_is_another_map() -> None:
    """Some take the column attention of the place that looks; the row attention reads the attended column's."""
    trace, gradients = axial_by_hand()
    height, width = (
        (weights * gradient).clamp_min(0).mean(1)
        for weights, gradient in zip((trace.links[0].step.height, trace.links[0].step.width), gradients[0], strict=True)
    )
    crossed = torch.einsum("ijn,jim->ijmn", width, height).reshape(24, 24)
    assert not torch.allclose(crossed, dense(trace.links[0].step, gradients[0])[0], rtol=0.1)


@pytest.mark.parametrize("name", ["pull", "push"])
def test_a_weighted_block_acts_as_its_whole_matrix(name: str) -> None:
    trace, gradients = axial_by_hand()
    found = graded(trace, Target(class_index=0))
    for link, gradient in zip(trace.links, gradients, strict=True):
        block, _ = dense(link.step, gradient)
        vector = random(len(block) if name == "pull" else block.shape[1], seed=3).abs()
        expected = vector @ block if name == "pull" else block @ vector
        assert torch.allclose(getattr(found[id(link)], name)(vector), expected, atol=1e-12)


def test_uniform_attention_has_a_closed_form() -> None:
    """Columns weigh a, rows b: each block is a b 11^T / N, so R - I = ((1 + a b)^L - 1) 11^T / N."""
    a, b, depth, rows, cols = 0.5, 0.8, 3, 3, 4
    grid = Sequence("positions", rows * cols, (rows, cols))
    pair = [torch.full((n, 1, m, m), 1 / m, dtype=torch.float64) for n, m in ((cols, rows), (rows, cols))]
    links = [Link(f"block {i + 1}", i, grid, grid, AxialAttention(pair[0], pair[1])) for i in range(depth)]
    outs = [tuple(weights.clone().requires_grad_() for weights in pair) for _ in range(depth)]
    score = sum(a * height.sum() + b * width.sum() for height, width in outs)
    logits = torch.stack([score, torch.zeros((), dtype=torch.float64)])
    graph = Graph(torch.zeros(1, 3, 48, 64), logits, tuple(outs))
    trace = Trace("by hand", blank_view(48, 64), logits.detach(), links=tuple(links), graph=graph)
    found = explain("relevance", trace, Target(class_index=0, patch=(1, 2))).values.ravel()
    expected = np.full(rows * cols, ((1 + a * b) ** depth - 1) / (rows * cols))
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-6)


@pytest.mark.parametrize("method", ["relevance", "gradient_rollout"])
def test_a_network_agrees_with_the_gradients_of_the_explicit_recorder(method: str) -> None:
    trace, pixels = traced("axial", graph=True), view(noise(), SMALL["axial"].preprocess).pixels
    with record(explicit=True) as calls:
        logits = model_of("axial")(torch.from_numpy(pixels)[None])
    slopes = torch.autograd.grad(logits[0, 2], [call.stored for call in calls])
    through, still = published(trace, list(zip(slopes[::2], slopes[1::2], strict=True)), method == "gradient_rollout")
    expected = (through - still).numpy()
    found = explain(method, trace, Target(class_index=2)).values
    assert found.shape == trace.links[0].reads.grid
    assert np.allclose(found.ravel(), expected, rtol=1e-3, atol=1e-5 * expected.max())


@pytest.mark.parametrize("method", ["relevance", "gradient_rollout"])
def test_the_map_is_of_the_class_and_leaves_the_trace_as_it_was(method: str) -> None:
    trace = traced("axial", graph=True)
    before = [(link.step.height.clone(), link.step.width.clone()) for link in trace.links]
    first, second = (whole(explain(method, trace, Target(class_index=c))) for c in (0, 1))
    again = whole(explain(method, trace, Target(class_index=0)))
    assert again.tolist() == first.tolist()
    assert not np.allclose(first, second, rtol=1e-2, atol=0)
    for link, (height, width) in zip(trace.links, before, strict=True):
        assert torch.equal(link.step.height, height) and torch.equal(link.step.width, width)


def test_a_later_start_layer_draws_on_its_own_grid_and_keeps_the_sum() -> None:
    trace, gradients = axial_by_hand()
    made = explain("gradient_rollout", trace, Target(class_index=0), {"start_layer": 1})
    later = replace(trace, links=trace.links[1:])
    through, still = published(later, gradients[1:], normalised=True)
    assert np.allclose(made.values.ravel(), (through - still).numpy(), atol=1e-7)
    assert whole(made).sum() == pytest.approx(1, abs=1e-6)
