"""Transformer relevance against its published rules written out as matrices, and against the faults of others."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from explaining import SMALL, by_hand, model_of, noise, traced, whole
from torch import Tensor, nn

from playground.explanations import Target, explain
from playground.explanations.gradients import Graded, graded
from playground.explanations.relevance import normalised
from playground.explanations.targets import resolved
from playground.image import view
from playground.record import record
from playground.trace import Attention, Graph, Pool, Trace


def recorded(name: str, target: Target, seed: int = 0, model: nn.Module | None = None) -> tuple[list[Tensor], Tensor]:
    """Weights times gradient of every attention, by the explicit recorder: float64 [heads, N, M], and the score."""
    pixels = torch.from_numpy(view(noise(seed=seed), SMALL[name].preprocess).pixels)[None]
    with record(explicit=True) as calls:
        answer = (model_of(name) if model is None else model)(pixels)
    score = (
        answer[0, target.class_index] if target.query is None else answer["logits"][0, target.query, target.class_index]
    )
    found = torch.autograd.grad(score, [call.stored for call in calls])
    return [(call.stored * g)[0].detach().double() for call, g in zip(calls, found, strict=True)], score.detach()


def published_self_attention(cams: list[Tensor]) -> Tensor:
    """Equations 5 and 6: R = I; R = R + A R for each layer."""
    relevance = torch.eye(cams[0].shape[-1], dtype=torch.float64)
    for cam in cams:
        relevance = relevance + cam.clamp_min(0).mean(0) @ relevance
    return relevance


def published_encoder_decoder(cams: list[Tensor], encoder: int) -> Tensor:
    """Equations 5 to 10 in the order of DETR, with whole matrices; returns R_qi [Q, HW]."""
    cams = [cam.clamp_min(0).mean(0) for cam in cams]
    r_ii = torch.eye(cams[0].shape[-1], dtype=torch.float64)
    for cam in cams[:encoder]:
        r_ii = r_ii + cam @ r_ii
    queries = cams[encoder].shape[-1]
    r_qq = torch.eye(queries, dtype=torch.float64)
    r_qi = torch.zeros(queries, len(r_ii), dtype=torch.float64)
    for i in range(encoder, len(cams), 2):
        r_qi = r_qi + cams[i] @ r_qi
        r_qq = r_qq + cams[i] @ r_qq
        r_qi = r_qi + published_norm(r_qq).T @ cams[i + 1] @ published_norm(r_ii)
    return r_qi


def published_norm(r: Tensor) -> Tensor:
    beside = r - torch.eye(len(r), dtype=torch.float64)
    return torch.nan_to_num(beside / beside.sum(-1, keepdim=True)) + torch.eye(len(r), dtype=torch.float64)


def close(found: np.ndarray, expected: Tensor) -> bool:
    scale = float(expected.abs().max())
    return bool(np.allclose(found / scale, expected.numpy() / scale, rtol=1e-3, atol=1e-5))


def test_uniform_attention_has_a_closed_form() -> None:
    """A_l = c 11^T / N in every layer gives R - I = ((1 + c)^L - 1) 11^T / N."""
    count, c, depth = 6, 0.3, 4
    uniform = torch.full((1, count, count), 1 / count, dtype=torch.float64)
    weights = [uniform[None].clone().requires_grad_() for _ in range(depth)]  # each [1, heads, N, N]
    logits = torch.stack([sum(c * w.sum() for w in weights), torch.zeros((), dtype=torch.float64)])
    trace = by_hand([uniform] * depth, (2, 3))
    trace = replace(trace, logits=logits.detach(), graph=Graph(torch.zeros(1, 3, 32, 48), logits, tuple(weights)))
    found = whole(explain("relevance", trace, Target(class_index=0, patch=(0, 1))))
    expected = np.full(count, ((1 + c) ** depth - 1) / count)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-6)


def test_three_tokens_by_hand() -> None:
    a = torch.tensor([[[0.2, 0.3, 0.5], [0.6, 0.4, 0.0], [0.1, 0.1, 0.8]]], dtype=torch.float64)
    gradient = torch.tensor([[[1.0, -2.0, 2.0], [0.0, 1.0, 5.0], [1.0, 1.0, -1.0]]], dtype=torch.float64)
    step = Graded(Attention(stored=a), gradient)
    expected = [[0.2, 0.0, 1.0], [0.0, 0.4, 0.0], [0.1, 0.1, 0.0]]
    assert step.rows(torch.arange(3)).tolist() == [pytest.approx(row) for row in expected]
    assert step.pull(torch.tensor([1.0, 0.0, 2.0]).double()).tolist() == pytest.approx([0.4, 0.2, 1.0])
    assert step.push(torch.tensor([1.0, 2.0, 3.0]).double()).tolist() == pytest.approx([3.2, 0.8, 0.3])


def test_the_clamp_comes_before_the_mean_of_heads() -> None:
    """vit-explain clamps after the mean, where a head that speaks against hides one that speaks for."""
    a = torch.full((2, 1, 2), 0.5, dtype=torch.float64)
    gradient = torch.tensor([[[2.0, 0.0]], [[-2.0, 0.0]]], dtype=torch.float64)
    assert Graded(Attention(stored=a), gradient).rows(torch.arange(1)).tolist() == [[0.5, 0.0]]


@pytest.mark.parametrize("name", ["vit", "registers", "coatnet"])
def test_gradients_of_weights_equal_those_of_the_explicit_recorder(name: str) -> None:
    """A fused call never makes its weights; their gradient is that of its output times the values."""
    target = Target(class_index=2)
    trace = traced(name, graph=True)
    found = graded(trace, target)
    steps = [found[id(link)] for link in trace.links if not isinstance(link.step, Pool)]
    expected, _ = recorded(name, target)
    assert len(steps) == len(expected)
    for step, cam in zip(steps, expected, strict=True):
        rows = torch.arange(step.step.shape[0])
        ours = (step.of_weights(rows) * step.step.weights(rows)).double()
        assert torch.allclose(ours, cam, atol=1e-4 * float(cam.abs().max()))


@pytest.mark.parametrize("name", ["vit", "registers"])
@pytest.mark.parametrize("class_index", [0, 4])
def test_vision_transformers_agree_with_the_published_rules(name: str, class_index: int) -> None:
    target = Target(class_index=class_index)
    trace = traced(name, graph=True)
    cams, _ = recorded(name, target)
    expected = trace.readout.double() @ (published_self_attention(cams) - torch.eye(len(trace.readout)))
    assert close(whole(explain("relevance", trace, target)), expected)


@pytest.mark.parametrize("query", [0, 5])
def test_detr_agrees_with_the_published_rules(query: int) -> None:
    trace = traced("detr", graph=True)
    target = resolved(trace, Target(query=query, class_index=1))
    cams, score = recorded("detr", target)
    assert torch.allclose(score, trace.logits[query, 1], atol=1e-4)
    expected = published_encoder_decoder(cams, encoder=2)[query]
    made = explain("relevance", trace, target)
    assert made.values.shape == trace.links[0].reads.grid
    assert close(made.values.ravel(), expected)


def test_rows_with_nothing_beside_the_identity_stay_finite() -> None:
    """The published code divides by a row sum of zero on the first use and replaces the NaN afterwards."""
    assert torch.equal(normalised(torch.zeros(3, 3)), torch.eye(3))
    beside = torch.tensor([[0.0, 0.0], [1e-9, 3e-9]], dtype=torch.float64)
    assert torch.allclose(normalised(beside), torch.tensor([[1.0, 0.0], [0.25, 1.75]], dtype=torch.float64))
    made = explain("relevance", _without_gradient(traced("detr", graph=True)), Target(query=0, class_index=0))
    assert made.values.tolist() == np.zeros_like(made.values).tolist()


def _without_gradient(trace: Trace) -> Trace:
    """The same trace for a score that no attention reaches."""
    assert trace.graph is not None
    logits = torch.zeros_like(trace.graph.logits, requires_grad=True) * 1.0
    return replace(trace, graph=replace(trace.graph, logits=logits))


def test_relevance_is_of_the_class_and_of_the_query() -> None:
    trace = traced("detr", graph=True)
    maps = [explain("relevance", trace, Target(query=q, class_index=c)).values for q, c in [(0, 0), (0, 1), (1, 0)]]
    assert not np.allclose(maps[0], maps[1], rtol=1e-2, atol=0)
    assert not np.allclose(maps[0], maps[2], rtol=1e-2, atol=0)


def test_relevance_explains_the_logit_not_the_probability() -> None:
    """The gradient of a sure answer's probability vanishes; that of its logit does not see the other classes."""
    model = model_of("vit")
    trace = traced("vit", graph=True, model=model)
    first = whole(explain("relevance", trace, Target(class_index=0)))
    model.head.weight[1:] *= 3  # other classes change, this one does not
    again = whole(explain("relevance", traced("vit", graph=True, model=model), Target(class_index=0)))
    assert again.tolist() == pytest.approx(first.tolist(), rel=1e-5)


def test_nothing_is_normalised_between_layers() -> None:
    """Twice the logit weighs each of three layers twice, so what passed through n layers weighs 2^n as much."""
    model = model_of("vit")
    single, _ = recorded("vit", Target(class_index=0), model=model)
    trace = traced("vit", graph=True, model=model)
    assert trace.graph is not None
    doubled = replace(trace, graph=replace(trace.graph, logits=trace.graph.logits * 2))
    expected = trace.readout.double() @ (published_self_attention([2 * cam for cam in single]) - torch.eye(16))
    assert close(whole(explain("relevance", doubled, Target(class_index=0))), expected)


def test_the_start_layer_leaves_earlier_layers_out() -> None:
    trace = traced("vit", graph=True)
    cams, _ = recorded("vit", Target(class_index=0))
    expected = trace.readout.double() @ (published_self_attention(cams[1:]) - torch.eye(16))
    assert close(whole(explain("relevance", trace, Target(class_index=0), {"start_layer": 1})), expected)


def test_the_same_graph_answers_one_class_after_another() -> None:
    trace = traced("vit", graph=True)
    first = explain("relevance", trace, Target(class_index=1)).values
    explain("relevance", trace, Target(class_index=2))
    assert np.array_equal(explain("relevance", trace, Target(class_index=1)).values, first)


@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "detr", "axial", "beit"])
def test_a_trace_with_its_graph_answers_the_same(name: str) -> None:
    plain, graph = traced(name), traced(name, graph=True)
    assert torch.allclose(plain.logits, graph.logits, atol=1e-5)
    assert plain.graph is None
    assert graph.graph is not None
    assert torch.equal(graph.graph.logits.detach(), graph.logits)
    assert not any(t.values.requires_grad for t in graph.tokens)
    assert all(torch.allclose(a.values, b.values, atol=1e-4) for a, b in zip(plain.tokens, graph.tokens, strict=True))


def test_relevance_leaves_the_trace_as_it_was() -> None:
    trace = traced("vit", graph=True)
    before = [(link.step.q.clone(), link.step.value.clone()) for link in trace.links]
    explain("relevance", trace)
    for link, (q, value) in zip(trace.links, before, strict=True):
        assert torch.equal(link.step.q, q) and torch.equal(link.step.value, value)
    assert trace.graph.pixels.grad is None


def test_methods_that_need_a_graph_or_attention_say_so() -> None:
    with pytest.raises(ValueError, match="run once more"):
        explain("relevance", traced("vit"))
    with pytest.raises(ValueError, match="has no attention"):
        explain("relevance", traced("resnet", graph=True))
