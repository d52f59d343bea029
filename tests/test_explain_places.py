"""What stands beside maps of attention: receptive fields, axial terms, slots of queries, outliers, mask attention."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from explaining import access, blank_view, by_hand, model_of, random, traced
from torch.nn import functional as F

from playground.explanations import Access, Target, explain
from playground.explanations.artefacts import artefacts, outliers
from playground.explanations.receptive import reach
from playground.explanations.slots import Slot, slots
from playground.explanations.terms import NAMES, position_terms
from playground.trace import Attention, AxialAttention, Feature, Graph, Link, Sequence, Tokens, Trace

# effective receptive field


def convolved(*kernels: torch.Tensor, side: int = 12) -> Trace:
    """A picture of ones through convolutions alone, with its graph: one level, as large as the picture."""
    seen = blank_view(side, side)
    pixels = torch.ones(1, 3, side, side, requires_grad=True)
    x = pixels
    for kernel in kernels:
        x = F.conv2d(x, kernel, padding=kernel.shape[-1] // 2)
    level = Sequence("level", side * side, (side, side))
    graph = Graph(pixels, torch.zeros(2), (), (Feature("level", level, x),))
    values = x[0].flatten(1).T.detach()
    return Trace("by hand", seen, torch.zeros(2), tokens=(Tokens("level", level, values),), graph=graph)


def test_the_receptive_field_of_one_convolution_is_its_kernel() -> None:
    kernel = torch.zeros(1, 3, 3, 3)
    kernel[0, 1] = torch.arange(9.0).reshape(3, 3) - 4  # signs do not matter
    made = explain("receptive", convolved(kernel), Target(patch=(5, 7)))
    expected = np.zeros((12, 12))
    expected[4:7, 6:9] = kernel[0, 1].abs()
    assert np.allclose(made.values, expected, atol=1e-6)
    assert made.target == Target(layer=0, patch=(5, 7))


def test_two_boxes_make_a_tent_and_the_middle_is_the_usual_place() -> None:
    boxes = torch.ones(1, 3, 3, 3), torch.ones(1, 1, 3, 3)
    made = explain("receptive", convolved(*boxes))
    tent = np.outer([1, 2, 3, 2, 1], [1, 2, 3, 2, 1]) * 3**0.5  # three colours alike
    assert made.target.patch == (6, 6)
    assert np.allclose(made.values[4:9, 4:9], tent, atol=1e-4)
    assert made.values.sum() == pytest.approx(tent.sum(), rel=1e-5)


def test_many_channels_add_their_squares() -> None:
    kernels = random(4000, 3, 1, 1).float()  # each channel reads one pixel with weights of its own
    made = explain("receptive", convolved(kernels), Target(patch=(2, 2)), {"probes": 64})
    assert made.values[2, 2] == pytest.approx(float(kernels.norm()), rel=0.15)
    assert np.count_nonzero(made.values) == 1


def test_half_of_the_strength_lies_within_its_reach() -> None:
    strength = np.zeros((9, 9))
    strength[4, 4] = strength[4, 7] = 1.0
    assert reach(strength, (4.5, 4.5)) == 0
    assert reach(strength, (4.5, 4.5), 0.6) == 3
    assert reach(np.ones((41, 41)), (20.5, 20.5)) == pytest.approx(41 / (2 * np.pi) ** 0.5, abs=0.5)


def test_a_convolution_stage_sees_no_further_than_its_kernels_and_later_stages_see_further() -> None:
    trace = traced("coatnet", graph=True)
    stem = explain("receptive", trace, Target(layer=0, patch=(16, 16)))
    rows, cols = np.nonzero(stem.values)
    assert np.ptp(rows) + 1 == np.ptp(cols) + 1 == 7  # a 3 x 3 with stride 2 before a 3 x 3
    assert trace.graph is not None
    counts = [
        np.count_nonzero(explain("receptive", trace, Target(layer=level)).values)
        for level in range(len(trace.graph.features))
    ]
    assert counts == sorted(counts)
    assert counts[-1] == 64 * 64  # attention reaches everywhere


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr", "resnet"])
def test_every_level_of_every_family_has_a_receptive_field(name: str) -> None:
    trace = traced(name, graph=True)
    assert trace.graph is not None
    for level, feature in enumerate(trace.graph.features):
        made = explain("receptive", trace, Target(layer=level), {"probes": 1})
        assert made.values.shape == trace.view.pixels.shape[1:]
        assert made.values.min() >= 0 < made.values.max(), feature.name
    coarse = explain("receptive", trace, None, {"detail": "patches"})
    fine = explain("receptive", trace)
    assert coarse.values.sum() == pytest.approx(fine.values.sum(), rel=1e-4)
    rows, cols = trace.graph.features[-1].sequence.grid or (0, 0)
    with pytest.raises(ValueError, match=f"column of the patch must be a whole number from 0 to {cols - 1}"):
        explain("receptive", trace, Target(patch=(rows - 1, cols)))


# terms of axial attention


def test_the_terms_of_every_axial_block_make_the_attention_that_the_model_computed() -> None:
    trace, model = traced("axial"), access("axial")
    assert model.terms is not None
    for layer, link in enumerate(trace.links):
        found = position_terms(trace, layer, model)
        assert found.whole is link.step
        assert isinstance(link.step, AxialAttention)
        height, width = model.terms(layer, trace.tokens[layer].values.T.reshape(1, -1, *link.step.grid))
        assert torch.allclose(height.sum(1).softmax(-1), link.step.height, atol=1e-5)
        assert torch.allclose(width.sum(1).softmax(-1), link.step.width, atol=1e-5)
        for i, alone in enumerate(found.alone):
            assert torch.allclose(alone.height, height[:, i].softmax(-1))
            assert alone.pool == link.step.pool
        assert all(sum(head) == pytest.approx(1) for head in (*found.column, *found.row))
        assert len(found.column) == len(found.row) == link.step.heads
    assert len(NAMES) == 3


def test_without_learned_positions_content_decides_all() -> None:
    model = model_of("axial")
    for name, parameter in model.named_parameters():
        if name.endswith("relative"):
            parameter.zero_()
    trace = traced("axial", model=model)
    found = position_terms(trace, 0, access("axial", model))
    assert all(head == pytest.approx((1, 0, 0)) for head in (*found.column, *found.row))
    for alone in found.alone[1:]:
        assert torch.allclose(alone.height, torch.full_like(alone.height, 1 / alone.grid[0]), atol=1e-6)
        assert torch.allclose(alone.width, torch.full_like(alone.width, 1 / alone.grid[1]), atol=1e-6)


def test_terms_are_of_axial_attention_alone() -> None:
    with pytest.raises(ValueError, match="axial attention has"):
        position_terms(traced("vit"), 0, access("vit"))
    with pytest.raises(ValueError, match="needs the model beside its trace"):
        position_terms(traced("axial"), 0, Access(lambda pixels: pixels))
    with pytest.raises(ValueError, match="layer must be a whole number from 0 to 2"):
        position_terms(traced("axial"), 3, access("axial"))


# outliers in norm


def test_outliers_are_counted_in_deviations_and_found_on_every_grid() -> None:
    values = torch.ones(6, 4) * torch.tensor([1.0, 1.5, 2.0, 2.5, 40.0, 3.0])[:, None]
    trace = by_hand([torch.full((1, 6, 6), 1 / 6)], (2, 3), tokens=(values,))
    found = artefacts(trace)
    assert found.patches == ((1, 1),)
    norms = values.norm(dim=1)
    middle = norms.median()
    assert found.deviations[0] == pytest.approx(float((norms[4] - middle) / (norms - middle).abs().median()))
    assert outliers(trace) == {"patches": (4,)}
    assert set(outliers(traced("coatnet"))) == {"stem", "stage 1", "stage 2", "stage 3", "stage 4"}


def test_nothing_looks_at_an_outlier_along_columns_and_rows() -> None:
    rows, cols, place = 3, 2, 3
    height, width = random(cols, 1, rows, rows).softmax(-1), random(rows, 1, cols, cols, seed=1).softmax(-1)
    grid = Sequence("positions", rows * cols, (rows, cols))
    values = torch.linspace(1, 2, rows * cols)[:, None].expand(-1, 4).clone()
    values[place] = 50.0
    trace = replace(
        by_hand([], (rows, cols)),
        links=(Link("block 1", 0, grid, grid, AxialAttention(height, width)),),
        tokens=(Tokens("block 1", grid, values),),
        readout=torch.full((6,), 1 / 6, dtype=torch.float64),
    )
    made = explain("rollout", trace, None, {"without_artefacts": True})
    kept = height.clone()
    kept[place % cols, :, :, place // cols] = 0
    kept = kept / kept.sum(-1, keepdim=True)
    down = torch.zeros(6, 6, dtype=torch.float64)
    along = torch.zeros(6, 6, dtype=torch.float64)
    for i in range(rows):
        for j in range(cols):
            down[i * cols + j, j::cols] = kept[j, 0, i]
            along[i * cols + j, i * cols : (i + 1) * cols] = width[i, 0, j]
    expected = torch.full((6,), 1 / 6, dtype=torch.float64) @ (
        0.5 * torch.eye(6, dtype=torch.float64) + 0.5 * along @ down
    )
    assert np.allclose(made.values.ravel(), expected, atol=1e-6)
    assert made.notes == ("Outliers in norm left out: 1.",)
    calm = replace(trace, tokens=(Tokens("block 1", grid, torch.ones(rows * cols, 4)),))
    assert "none was left out" in explain("rollout", calm, None, {"without_artefacts": True}).notes[0]


# slots of object queries


def test_a_slot_is_the_box_of_a_query_and_the_middle_of_what_it_looks_at() -> None:
    trace = traced("detr")
    found = slots(trace)
    assert trace.boxes_cxcywh is not None and trace.logits is not None
    assert [slot.query for slot in found] == list(range(6))
    assert [slot.box_cxcywh for slot in found] == [tuple(box) for box in trace.boxes_cxcywh.tolist()]
    assert found[2].score == pytest.approx(float(trace.logits.softmax(-1)[2, :-1].max()))
    memory = trace.links[-1].reads
    alike = Attention(stored=torch.full((1, 6, memory.count), 1 / memory.count))
    even = slots(replace(trace, links=(*trace.links[:-1], replace(trace.links[-1], step=alike))))
    rows, cols = memory.grid or (0, 0)
    middle = (cols * 16 / trace.view.image.width, rows * 16 / trace.view.image.height)  # cells of 32 pixels
    assert even[0].looks_xy == pytest.approx(middle)
    point = torch.zeros(1, 6, memory.count)
    point[:, :, cols + 1] = 1.0
    one = slots(replace(trace, links=(*trace.links[:-1], replace(trace.links[-1], step=Attention(stored=point)))))
    assert one[0].looks_xy == pytest.approx((48 / trace.view.image.width, 48 / trace.view.image.height))
    assert one[0].spread == pytest.approx(0)
    with pytest.raises(ValueError, match="Only a detector"):
        slots(traced("vit"))


@pytest.mark.parametrize(("wide", "high", "shape"), [(0.05, 0.05, "small"), (0.5, 0.2, "wide"), (0.1, 0.3, "tall")])
def test_slots_have_the_shapes_of_the_published_figure(wide: float, high: float, shape: str) -> None:
    assert Slot(0, 0, 1.0, (0.5, 0.5, wide, high), (0.5, 0.5), 0.1).shape == shape


def test_sure_queries_of_a_panoptic_model_look_somewhere_to_draw_their_masks() -> None:
    model: Any = model_of("panoptic")
    assert traced("panoptic", model=model).mask_attention.shape == (0, 8, 3, 5)  # type: ignore[union-attr]
    model.class_embed.bias[2] = 30.0  # now every query is sure of a class
    maps = traced("panoptic", model=model).mask_attention
    assert maps is not None
    assert maps.shape == (4, 8, 3, 5)
    assert torch.allclose(maps.sum((1, 2, 3)), torch.ones(4), atol=1e-5)  # over heads and places together
