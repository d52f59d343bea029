"""Rollout and gradient rollout: known answers, the textbook product, and the faults of other implementations."""

from dataclasses import replace

import pytest
import torch
from explaining import SMALL, access, attention, by_hand, model_of, noise, random, rollout, traced, whole
from torch import Tensor

from playground.explanations import Target, explain
from playground.explanations.rollout import pull
from playground.explanations.walk import used, walk
from playground.image import view
from playground.record import record
from playground.trace import Attention, AxialAttention, Pool, Trace

ONE = Target(patch=(0, 0))


def textbook(layers: list[Tensor], residual: float = 0.5) -> Tensor:
    """R_L = T_L ... T_1 with T = residual I + (1 - residual) A; layers [N, N], first to last."""
    product = torch.eye(layers[0].shape[-1], dtype=torch.float64)
    for a in layers:
        product = (residual * torch.eye(len(a), dtype=torch.float64) + (1 - residual) * a) @ product
    return product


def means(trace: Trace) -> list[Tensor]:
    return [link.step.weights().double().mean(0) for link in trace.links if isinstance(link.step, Attention)]


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_uniform_attention_has_a_closed_form(depth: int) -> None:
    count, half = 12, 2.0**-depth
    trace = by_hand([torch.full((2, count, count), 1 / count, dtype=torch.float64)] * depth, (3, 4))
    expected = torch.full((count,), (1 - half) / count, dtype=torch.float64)
    expected[5] += half
    assert torch.allclose(torch.from_numpy(rollout(trace, Target(patch=(1, 1)))), expected, atol=1e-7)


def test_identity_attention_stays_where_it_is() -> None:
    found = rollout(by_hand([torch.eye(6).expand(2, 6, 6)] * 3, (2, 3)), Target(patch=(1, 2)))
    assert found.tolist() == [0, 0, 0, 0, 0, 1]


def test_one_layer_of_three_tokens_by_hand() -> None:
    a = torch.tensor([[[0.2, 0.3, 0.5], [0.6, 0.4, 0.0], [0.1, 0.1, 0.8]]], dtype=torch.float64)
    trace = by_hand([a], (1, 2), prefix=("class",))
    made = explain("rollout", trace)
    assert made.apart == (("class", pytest.approx(0.6)),)
    assert made.values.tolist() == [pytest.approx([0.15, 0.25])]
    assert rollout(trace, Target(patch=(0, 0)), residual=0.0).tolist() == pytest.approx([0.6, 0.4, 0.0])


@pytest.mark.parametrize("prefix", [(), ("class",), ("class", "distillation", "register 1")])
@pytest.mark.parametrize("residual", [0.5, 0.2])
def test_the_walk_equals_the_textbook_product(prefix: tuple[str, ...], residual: float) -> None:
    count = 3 * 5 + len(prefix)
    layers = [attention(3, count, seed) for seed in range(4)]
    readout = random(count, seed=9).abs()
    trace = by_hand(layers, (3, 5), prefix, readout / readout.sum())
    product = textbook([a.mean(0) for a in layers], residual)
    expected = trace.readout.double() @ product
    assert torch.allclose(torch.from_numpy(rollout(trace, residual=residual)), expected, atol=1e-7)
    expected = product[len(prefix) + 7]
    assert torch.allclose(
        torch.from_numpy(rollout(trace, Target(patch=(1, 2)), residual=residual)), expected, atol=1e-7
    )


def test_the_walk_in_double_precision_agrees_to_a_billionth() -> None:
    layers = [attention(3, 300, seed) for seed in range(4)]  # more rows than one block holds
    links, source = used(by_hand(layers, (15, 20)))
    start = random(300, seed=9).softmax(-1)
    lying = walk(links, start, lambda group, r: (0.5 * r, 0.5 * pull(group[0], r)))
    assert torch.allclose(lying[source.name], start @ textbook([a.mean(0) for a in layers]), atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("name", ["vit", "registers", "distilled", "beit"])
def test_vision_transformers_agree_with_the_textbook_product(name: str) -> None:
    trace = traced(name)
    expected = trace.readout.double() @ textbook(means(trace))
    assert torch.allclose(torch.from_numpy(rollout(trace)), expected, atol=1e-6)
    assert rollout(trace).sum() == pytest.approx(1, abs=1e-6)


def test_attentions_side_by_side_share_one_skip_path() -> None:
    trace = traced("side by side")
    single = means(trace)
    layers = [(single[i] + single[i + 1]) / 2 for i in (0, 2)]
    expected = trace.readout.double() @ textbook(layers)
    assert torch.allclose(torch.from_numpy(rollout(trace)), expected, atol=1e-6)


def test_coatnet_walks_through_its_pooling_and_stops_where_attention_begins() -> None:
    trace = traced("coatnet")
    made = explain("rollout", trace)
    first, *rest = [link for link in trace.links if not (isinstance(link.step, Pool) and link.layer == 0)]
    assert first.reads.name == made.sequence == "stage 3"
    expected = trace.readout.double()
    for link in (*reversed(rest), first):
        count = link.writes.count
        if isinstance(link.step, Pool):
            dense = torch.stack([link.step.pull(row) for row in torch.eye(count, dtype=torch.float64)])
        else:
            dense = 0.5 * torch.eye(count, dtype=torch.float64) + 0.5 * link.step.weights().double().mean(0)
        expected = expected @ dense
    assert torch.allclose(torch.from_numpy(made.values).double().ravel(), expected, atol=1e-6)


def test_axial_rollout_composes_columns_rows_and_pools() -> None:
    trace = traced("axial")
    expected = trace.readout.double()
    for link in reversed(trace.links):
        step = link.step
        assert isinstance(step, AxialAttention)
        rows, cols = step.grid
        width, height = step.width.double().mean(1), step.height.double().mean(1)
        dense = torch.einsum("ijn,nim->ijmn", width, height).reshape(rows * cols, rows * cols)
        skip = torch.eye(rows * cols, dtype=torch.float64)
        if step.pool:
            one = torch.eye(link.writes.count, dtype=torch.float64)
            dense = torch.stack([step.pool.pull(row) for row in one]) @ dense
            skip = skip.reshape(rows, cols, -1)[::2, ::2].reshape(link.writes.count, -1)
        expected = expected @ (0.5 * skip + 0.5 * dense)
    found = explain("rollout", trace)
    assert found.values.shape == trace.links[0].reads.grid
    assert torch.allclose(torch.from_numpy(found.values).double().ravel(), expected, atol=1e-6)


def test_detr_rollout_equals_the_product_over_memory_and_queries_together() -> None:
    trace = traced("detr")
    memory, queries = trace.links[0].reads.count, trace.links[-1].writes.count
    blocks = {"memory": slice(0, memory), "object queries": slice(memory, memory + queries)}
    product = torch.eye(memory + queries, dtype=torch.float64)
    for link in trace.links:
        layer = torch.eye(memory + queries, dtype=torch.float64)
        into = blocks[link.writes.name]
        layer[into] *= 0.5
        layer[into, blocks[link.reads.name]] += 0.5 * link.step.weights().double().mean(0)
        product = layer @ product
    made = explain("rollout", trace, Target(query=4))
    expected = product[memory + 4]
    assert made.values.shape == trace.links[0].reads.grid
    assert torch.allclose(torch.from_numpy(made.values).double().ravel(), expected[:memory], atol=1e-6)
    assert dict(made.apart)["object queries"] == pytest.approx(float(expected[memory:].sum()), abs=1e-6)


@pytest.mark.parametrize("heads", ["mean", "max", "min"])
def test_every_row_still_sums_to_one_after_fusing_and_discarding(heads: str) -> None:
    """vit-explain's rollout divides column j by the sum of row j, so its rows sum to 0.96 to 1.03 by default."""
    trace = by_hand([attention(3, 21, seed) for seed in range(3)], (4, 5), ("class",))
    for patch in [(0, 0), (3, 4), (2, 1)]:
        found = rollout(trace, Target(patch=patch), heads=heads, discard=0.9)
        assert found.min() >= 0 and found.sum() == pytest.approx(1, abs=1e-6)


def test_discarding_takes_the_smallest_of_each_row_but_never_the_diagonal() -> None:
    """vit-explain ranks the whole matrix, which can empty rows, and protects only the one entry class to class."""
    a = torch.tensor([[[0.05, 0.55, 0.4], [0.001, 0.989, 0.01], [0.3, 0.5, 0.2]]], dtype=torch.float64)
    trace = by_hand([a], (1, 3))
    found = [rollout(trace, Target(patch=(0, c)), residual=0.0, discard=0.34) for c in range(3)]
    assert found[0].tolist() == pytest.approx([0.05 / 0.6, 0.55 / 0.6, 0])  # the diagonal stays although the smallest
    assert found[1].tolist() == pytest.approx([0, 0.989 / 0.999, 0.01 / 0.999])
    assert found[2].tolist() == pytest.approx([0, 0.5 / 0.7, 0.2 / 0.7])


def test_discarding_all_but_one_entry_leaves_the_diagonal() -> None:
    trace = by_hand([attention(2, 6, 1)] * 2, (2, 3))
    assert rollout(trace, Target(patch=(1, 0)), discard=1.0).argmax() == 3


def test_head_fusion_is_normalised_maximum_and_minimum() -> None:
    a = attention(3, 6, 4)
    trace = by_hand([a], (2, 3))
    for how, fused in (("max", a.amax(0)), ("min", a.amin(0))):
        expected = fused[2] / fused[2].sum()
        found = rollout(trace, Target(patch=(0, 2)), residual=0.0, heads=how)
        assert torch.allclose(torch.from_numpy(found), expected, atol=1e-7)


def test_the_start_layer_leaves_earlier_layers_out() -> None:
    layers = [attention(2, 6, seed) for seed in range(4)]
    later = rollout(by_hand(layers[2:], (2, 3)), ONE)
    assert rollout(by_hand(layers, (2, 3)), ONE, start_layer=2).tolist() == pytest.approx(later.tolist())
    with pytest.raises(ValueError, match="from 0 to 3"):
        rollout(by_hand(layers, (2, 3)), ONE, start_layer=4)
    detr = traced("detr")
    assert explain("rollout", detr, Target(query=0), {"start_layer": 2}).sequence == "memory"
    with pytest.raises(ValueError, match="from 0 to 2"):
        explain("rollout", detr, Target(query=0), {"start_layer": 3})


def test_the_order_of_layers_and_the_residual_matter() -> None:
    """Rollouts elsewhere forget the identity or reverse the product; both give another map than ours."""
    layers = [attention(2, 6, seed) for seed in range(3)]
    found = torch.from_numpy(rollout(by_hand(layers, (2, 3)), ONE))
    backwards = textbook([a.mean(0) for a in reversed(layers)])[0]
    without = textbook([a.mean(0) for a in layers], residual=0.0)[0]
    assert not torch.allclose(found, backwards, atol=1e-4)
    assert not torch.allclose(found, without, atol=1e-4)


def test_artefact_tokens_can_be_left_out() -> None:
    layers = [attention(2, 12, seed) for seed in range(2)]
    tokens = torch.randn(12, 4, generator=torch.Generator().manual_seed(1))
    tokens[7] *= 100
    trace = by_hand(layers, (3, 4), tokens=[tokens])
    found = rollout(trace, ONE, without_artefacts=True)
    assert found[7] == 0 and found.sum() == pytest.approx(1, abs=1e-6)
    assert rollout(trace, ONE)[7] > 0.01


def test_padding_gets_nothing() -> None:
    """The published DETR explanations leave the padding mask out."""
    bias = torch.zeros(1, 1, 6)
    bias[..., 4:] = -torch.inf
    trace = by_hand([attention(1, 6, 0)], (2, 3))
    step = Attention(q=random(2, 6, 3), k=random(2, 6, 3, seed=1), bias=bias.double())
    trace = replace(trace, links=tuple(replace(link, step=step) for link in trace.links))
    assert rollout(trace, ONE)[4:].tolist() == [0, 0]


def test_rollout_changes_nothing_and_repeats_itself() -> None:
    trace = by_hand([attention(2, 6, seed) for seed in range(3)], (2, 3))
    before = [link.step.stored.clone() for link in trace.links]
    first = rollout(trace, ONE, discard=0.5, heads="max")
    assert all(torch.equal(link.step.stored, b) for link, b in zip(trace.links, before, strict=True))
    assert rollout(trace, ONE, discard=0.5, heads="max").tolist() == first.tolist()


def graded_textbook(trace: Trace, target: Target) -> Tensor:
    """Rows of the product of (G + I) / rowsum, with weights and their gradients taken by the explicit recorder."""
    product = torch.eye(trace.links[0].reads.count, dtype=torch.float64)
    for weights, gradient in zip(*target_gradients(target), strict=True):
        mixed = (weights * gradient).clamp_min(0).mean(0) + torch.eye(len(product), dtype=torch.float64)
        product = mixed / mixed.sum(-1, keepdim=True) @ product
    return product


def target_gradients(target: Target, name: str = "vit", seed: int = 0) -> tuple[list[Tensor], list[Tensor]]:
    pixels = torch.from_numpy(view(noise(seed=seed), SMALL[name].preprocess).pixels)[None]
    with record(explicit=True) as calls:
        logits = model_of(name)(pixels)
    found = torch.autograd.grad(logits[0, target.class_index], [call.stored for call in calls])
    return [call.stored[0].detach().double() for call in calls], [g[0].double() for g in found]


def test_gradient_rollout_pairs_each_layer_with_its_own_gradient() -> None:
    """vit-explain zips gradients in backward order with attention in forward order, and clamps after the head mean."""
    trace, target = traced("vit", graph=True), Target(class_index=3)
    expected = graded_textbook(trace, target)[0]
    found = whole(explain("gradient_rollout", trace, target))
    assert torch.allclose(torch.from_numpy(found), expected, rtol=1e-3, atol=1e-9)
    weights, gradients = target_gradients(target)
    crossed = torch.eye(len(expected), dtype=torch.float64)
    for a, g in zip(weights, reversed(gradients), strict=True):
        mixed = (a * g).clamp_min(0).mean(0) + torch.eye(len(expected), dtype=torch.float64)
        crossed = mixed / mixed.sum(-1, keepdim=True) @ crossed
    assert not torch.allclose(torch.from_numpy(found), crossed[0], rtol=1e-2, atol=1e-9)


def test_a_second_picture_knows_nothing_of_the_first() -> None:
    """vit-explain never clears its lists, so its second map is multiplied into the first picture's."""
    target = Target(class_index=1)
    alone = whole(explain("gradient_rollout", traced("vit", graph=True, seed=5), target))
    explain("gradient_rollout", traced("vit", graph=True, seed=6), target)
    after = whole(explain("gradient_rollout", traced("vit", graph=True, seed=5), target))
    assert after.tolist() == alone.tolist()


def test_gradient_rollout_answers_the_class_and_rollout_cannot() -> None:
    trace = traced("vit", graph=True)
    first, second = (whole(explain("gradient_rollout", trace, Target(class_index=c))) for c in (0, 1))
    assert abs(first - second).max() > 1e-9
    first, second = (whole(explain("rollout", trace, Target(class_index=c))) for c in (0, 1))
    assert first.tolist() == second.tolist()


@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "axial", "detr", "pooled"])
def test_gradient_rollout_keeps_the_sum(name: str) -> None:
    made = explain("gradient_rollout", traced(name, graph=True), access=access(name))
    assert whole(made).sum() == pytest.approx(1, abs=1e-5)
