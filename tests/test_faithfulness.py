"""Insertion, deletion, pointing and agreement: known answers and the faults of other measures."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
import torch
from explaining import access, attention, blank_view, by_hand, model_of, traced
from torch import Tensor

from playground.explanations import Access, Cancelled, Map, Target, explain
from playground.explanations.faithfulness import area, baselines, measure, on_grid, ranking
from playground.explanations.perturb import filled
from playground.explanations.pointing import agreement, pointing, spearman, ssim
from playground.models.randomise import randomised
from playground.trace import Trace


def a_map(values: list[list[float]], region: tuple[float, float, float, float] = (0, 0, 100, 100)) -> Map:
    return Map("by hand", np.array(values, dtype=np.float32), "patches", region, Target())


def painted(grid: tuple[int, int]) -> Trace:
    """A picture of ones, so that mean colour (zero) is another, and blur too where it is noise."""
    trace = by_hand([attention(1, grid[0] * grid[1])], grid)
    pixels = np.random.default_rng(0).normal(2, 1, trace.view.pixels.shape).astype(np.float32)
    return replace(trace, view=replace(trace.view, pixels=pixels), logits=torch.tensor([1.0, 0.0]))


def additive(trace: Trace, weights: np.ndarray) -> Access:
    """A model whose class 0 is the sum of weights over the cells that show the picture itself."""
    original = torch.from_numpy(trace.view.pixels)
    grid = torch.from_numpy(weights).float()

    def forward(pixels: Tensor) -> Tensor:
        same = (pixels == original).all(1).float()  # [n, H, W]
        score = (torch.nn.functional.avg_pool2d(same[:, None], 16)[:, 0].round() * grid).sum((1, 2))
        return torch.stack([score, torch.zeros_like(score)], -1)

    return Access(forward)


def test_a_model_that_never_changes_its_mind_has_its_own_score_as_area() -> None:
    constant = Access(lambda pixels: torch.tensor([[0.3, 0.7]]).log().expand(len(pixels), 2))
    trace = painted((3, 5))
    base = baselines(trace, Target(class_index=0), constant)
    for curve in (*base.random, *base.centre):
        assert curve.auc == pytest.approx(0.3, abs=1e-6)
        assert curve.shares[0] == 0 and curve.shares[-1] == 1 and len(curve.scores) == 16
    trust = measure(trace, a_map([[0.0] * 5] * 3), constant, base)
    assert not any(trust.beats_random.values()) and not any(trust.beats_centre.values())


def test_the_true_order_of_an_additive_model_is_the_best_of_all() -> None:
    weights = np.array([[3.0, -1.0], [0.5, 2.0]])
    trace = painted((2, 2))
    model = additive(trace, weights)
    base = baselines(trace, Target(class_index=0), model)

    def areas(values: np.ndarray) -> dict[tuple[str, str], float]:
        return {(c.mode, c.fill): c.auc for c in measure(trace, a_map(values.tolist()), model, base).curves}

    best = areas(weights)
    for order in permutations(range(4)):
        other = areas(np.array(order, dtype=float).reshape(2, 2))
        for fill in ("mean", "blur"):
            assert best["deletion", fill] <= other["deletion", fill] + 1e-9
            assert best["insertion", fill] >= other["insertion", fill] - 1e-9
    trust = measure(trace, a_map(weights.tolist()), model, base)
    assert set(trust.beats_random) == {"mean", "blur"}


def test_curves_start_and_end_at_the_picture_and_its_fill() -> None:
    weights = np.ones((2, 3))
    trace = painted((2, 3))
    model = additive(trace, weights)
    base = baselines(trace, Target(class_index=0), model)
    whole, nothing = 1 / (1 + np.exp(-6.0)), 0.5
    for curve in measure(trace, a_map([[1, 2, 3], [4, 5, 6]]), model, base).curves:
        ends = (whole, nothing) if curve.mode == "deletion" else (nothing, whole)
        assert (curve.scores[0], curve.scores[-1]) == pytest.approx(ends, abs=1e-6)


def test_a_good_map_beats_random_and_the_centre() -> None:
    weights = np.zeros((4, 6))
    weights[0, 0] = weights[3, 5] = 4
    trace = painted((4, 6))
    model = additive(trace, weights)
    base = baselines(trace, Target(class_index=0), model)
    good = measure(trace, a_map(weights.tolist()), model, base)
    bad = measure(trace, a_map((-weights).tolist()), model, base)
    assert all(good.beats_random.values()) and all(good.beats_centre.values())
    assert not any(bad.beats_random.values())
    assert len(base.random_aucs["deletion", "mean"]) == 5


def test_the_class_stays_the_one_of_the_whole_picture() -> None:
    """Chefer's evaluation takes the best class anew at each step, which rewards maps that change the answer."""

    def forward(pixels: Tensor) -> Tensor:
        gone = (pixels.abs().amax((1, 2, 3)) < 1e-6).float()
        return torch.stack([2 - 4 * gone, torch.zeros_like(gone)], -1)

    trace = painted((2, 2))
    base = baselines(trace, Target(), Access(forward))
    assert base.target.class_index == 0
    deletion = next(c for c in base.random if c.mode == "deletion" and c.fill == "mean")
    assert deletion.scores[-1] == pytest.approx(1 / (1 + np.exp(2.0)), abs=1e-6)  # and not 1 less that


def test_the_area_is_the_published_sum() -> None:
    scores = np.array([0.9, 0.4, 0.7, 0.1])
    assert area(np.linspace(0, 1, 4), scores) == pytest.approx((scores.sum() - 0.45 - 0.05) / 3)


def test_ties_are_broken_at_random_but_the_same_way_again() -> None:
    """A stable sort would delete a flat map from one edge of the picture to the other."""
    flat = ranking(np.zeros((8, 8)))
    assert sorted(flat.tolist()) == list(range(64))
    assert flat.tolist() != list(range(64)) and flat.tolist() != list(range(64))[::-1]
    assert flat.tolist() == ranking(np.zeros((8, 8))).tolist()
    assert flat.tolist() != ranking(np.zeros((8, 8)), seed=1).tolist()
    assert ranking(np.array([0.1, 0.9, 0.5])).tolist() == [1, 2, 0]
    with pytest.raises(ValueError, match="not finite"):
        ranking(np.array([1.0, np.nan]))


def test_the_fill_stays_inside_the_patches_and_is_the_mean_or_a_blur() -> None:
    """Elsewhere black is filled in after normalisation, and pixels of one patch leak into the next."""
    pixels = torch.randn(3, 32, 48, generator=torch.Generator().manual_seed(0))
    assert not filled(pixels, "mean").any()
    blurred = filled(pixels, "blur")
    assert blurred.shape == pixels.shape and blurred.std() < 0.3 * pixels.std()
    assert torch.allclose(filled(torch.full((3, 20, 20), 0.7), "blur"), torch.full((3, 20, 20), 0.7), atol=1e-6)
    spike = torch.zeros(3, 31, 31)
    spike[:, 15, 15] = 1
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / 50)
    expected = np.outer(kernel, kernel) / kernel.sum() ** 2
    assert np.allclose(filled(spike, "blur")[0, 10:21, 10:21], expected, atol=1e-6)


def test_maps_of_other_grids_are_brought_onto_the_patches() -> None:
    trace = replace(by_hand([attention(1, 24)], (4, 6)), view=blank_view(64, 96))
    coarse = on_grid(trace, a_map([[1, 2, 3], [4, 5, 6]]), (4, 6))
    assert coarse.tolist() == np.kron([[1, 2, 3], [4, 5, 6]], np.ones((2, 2))).tolist()
    back = on_grid(trace, a_map(coarse.tolist()), (2, 3))
    assert back.tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr"])
def test_every_family_can_be_measured(name: str) -> None:
    trace = traced(name)
    ask = access(name)
    base = baselines(trace, Target(query=1) if name == "detr" else Target(), ask, steps=2, seeds=2)
    trust = measure(trace, explain("rollout", trace, base.target), ask, base)
    assert len(trust.curves) == 4
    assert all(0 <= s <= 1 for curve in trust.curves for s in curve.scores)
    clean = next(c for c in trust.curves if c.mode == "deletion").scores[0]
    logits = trace.logits if name != "detr" else trace.logits[1]
    assert clean == pytest.approx(float(logits.softmax(-1)[base.target.class_index]), abs=1e-4)


def test_measuring_tells_its_progress_and_can_be_stopped() -> None:
    seen: list[float] = []
    trace = painted((2, 2))
    ask = replace(additive(trace, np.ones((2, 2))), progress=seen.append)
    baselines(trace, Target(), ask)
    assert seen == sorted(seen) and seen[-1] == 1
    with pytest.raises(Cancelled):
        baselines(trace, Target(), replace(ask, cancelled=lambda: True))


def test_pointing_meets_the_box_or_not() -> None:
    values = [[0.0, 0.0], [0.0, 3.0]]
    inside = pointing(a_map(values), (50, 50, 100, 100))
    assert (inside.hit, inside.energy, inside.area) == (1, 1, 0.25)
    outside = pointing(a_map(values), (0, 0, 50, 50))
    assert (outside.hit, outside.energy) == (0, 0)
    assert pointing(a_map(values), (0, 0, 100, 62)).hit == 1  # 13 pixels off, within tolerance
    assert pointing(a_map(values), (0, 0, 100, 59)).hit == 0
    assert pointing(a_map([[1, 1], [1, 1]]), (25, 0, 75, 50)).energy == pytest.approx(0.25)


def test_a_flat_map_hits_as_often_as_chance() -> None:
    """Elsewhere any tied maximum inside counts as a hit, so flat maps never miss."""
    flat = a_map([[1.0] * 10] * 10)
    assert pointing(flat, (0, 0, 30, 20), tolerance=0).hit == pytest.approx(0.06)
    assert pointing(a_map([[0.0] * 4] * 4), (0, 0, 50, 50)).energy is None


def test_maps_and_boxes_that_cannot_be_measured_are_refused() -> None:
    """Quantus counts an empty mask as a hit, and TorchRay a map of NaN."""
    good = a_map([[0.0, 1.0]])
    for box, sentence in [
        ((10, 10, 10, 20), "empty"), ((200, 200, 300, 300), "outside"), ((0, 0, float("nan"), 5), "four numbers"),
        ((0, 0, 5), "four numbers"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=sentence):
            pointing(good, box)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not finite"):
        pointing(a_map([[float("nan"), 1.0]]), (0, 0, 50, 50))
    with pytest.raises(ValueError, match="different grids"):
        agreement(good, a_map([[1.0]]))


def test_ranks_share_ties_and_flat_maps_agree_with_nothing() -> None:
    assert spearman(np.array([1.0, 2, 3, 4]), np.array([10.0, 20, 30, 40])) == 1
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == -1
    assert spearman(np.array([1.0, 2, 2, 3]), np.array([1.0, 3, 2, 4])) == pytest.approx(0.9486833)
    assert spearman(np.zeros(4), np.arange(4.0)) == 0


def test_ssim_is_one_for_the_same_and_less_for_others() -> None:
    a = np.random.default_rng(0).random((9, 12))
    assert ssim(a, a) == pytest.approx(1)
    assert ssim(a, 5 * a - 3) == pytest.approx(1)
    assert ssim(a, 1 - a) < 0
    assert abs(ssim(a, np.random.default_rng(1).random((9, 12)))) < 0.3


def test_attention_and_rollout_ignore_the_class_and_relevance_does_not() -> None:
    trace = traced("vit", graph=True)
    for method, ignores in (("attention", True), ("rollout", True), ("relevance", False)):
        maps = [explain(method, trace, Target(class_index=c)) for c in (0, 3)]
        found = agreement(*maps)
        assert found.ignores is ignores
        if ignores:
            assert (found.spearman, found.ssim) == (1, pytest.approx(1))


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr"])
def test_drawing_weights_anew_changes_the_answer_and_leaves_the_model_alone(name: str) -> None:
    model = model_of(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    answers = [traced(name, model=randomised(model, share)).logits for share in (0.1, 1.0)]
    plain = traced(name, model=model).logits
    assert all(not torch.allclose(answer, plain, atol=1e-4) and answer.isfinite().all() for answer in answers)
    assert torch.equal(traced(name, model=randomised(model, 1.0)).logits, answers[1])
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    randomised(model)
    assert torch.equal(torch.rand(1), expected)  # the caller's own chance is left alone


def test_the_share_counts_from_the_head_down() -> None:
    model = model_of("vit")
    state, changed = model.state_dict(), randomised(model, 0.05).state_dict()
    touched = {key for key in state if not torch.equal(state[key], changed[key])}
    assert "head.weight" in touched
    assert not any(key.startswith(("patch_embed", "blocks.0", "blocks.1.")) for key in touched)


def test_relevance_notices_weights_drawn_anew() -> None:
    model = model_of("vit")
    maps = [
        explain("relevance", traced("vit", graph=True, model=m), Target(class_index=1))
        for m in (model, randomised(model))
    ]
    assert agreement(*maps).spearman < 0.9
    assert not agreement(*maps).ignores
