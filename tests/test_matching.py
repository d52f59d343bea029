"""Matching and its losses, against the published criterion and known answers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from playground.training.matching import (
    Target,
    Targets,
    dense_loss,
    giou,
    layer_losses,
    match,
    set_loss,
    smallest_around,
    to_cxcywh,
    to_xyxy,
)

REFERENCE = Path(__file__).parent / "reference"


def test_matching_and_losses_equal_the_published_criterion() -> None:
    """facebookresearch/detr at 29901c51: matcher and criterion on the last layer's outputs for a batch of two."""
    facts = json.loads((REFERENCE / "detr_resnet50_loss.json").read_text())
    with np.load(REFERENCE / "detr_resnet50_loss.npz") as file:
        logits = torch.from_numpy((file["mean"] + file["deviation"] * file["step"]).astype(np.float32))
        boxes = torch.from_numpy(file["boxes"])
    targets = Targets.of([Target(torch.tensor(t["labels"]), torch.tensor(t["boxes"])) for t in facts["targets"]])
    for found, count, wanted in zip(match(logits, boxes, targets), targets.counts, facts["match"], strict=True):
        assert sorted(zip(found[:count].tolist(), range(count), strict=True)) == sorted(zip(*wanted, strict=True))
        assert (found[count:] == -1).all()
    losses = layer_losses(logits, boxes, targets)
    for ours, theirs in (("class", "loss_ce"), ("box", "loss_bbox"), ("giou", "loss_giou")):
        assert float(losses[ours]) == pytest.approx(facts["losses"][theirs], abs=1e-5)


def test_giou_known_answers() -> None:
    a = torch.tensor([0.0, 0.0, 2.0, 2.0])
    assert float(giou(a, a)) == pytest.approx(1.0)
    assert float(giou(a, torch.tensor([1.0, 0.0, 3.0, 2.0]))) == pytest.approx(1 / 3)
    assert float(giou(a, torch.tensor([4.0, 0.0, 6.0, 2.0]))) == pytest.approx(-1 / 3)  # hull 12, union 8
    boxes = torch.rand(5, 4)
    torch.testing.assert_close(to_cxcywh(to_xyxy(boxes)), boxes)


def test_a_higher_class_cost_lets_the_surest_of_two_queries_keep_an_object() -> None:
    target = Target(torch.tensor([1]), torch.tensor([[0.5, 0.5, 0.2, 0.4]]))
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.4], [0.52, 0.5, 0.2, 0.4]]])  # the second lies slightly off
    logits = torch.zeros(1, 2, 4)
    logits[0, 1, 1] = 2.0  # and is surer
    assert match(logits, boxes, Targets.of([target])).tolist() == [[0]]
    assert match(logits, boxes, Targets.of([target]), class_cost=5.0).tolist() == [[1]]


def test_perfect_answers_cost_least_and_empty_pictures_are_fine() -> None:
    target = Target(torch.tensor([1]), torch.tensor([[0.5, 0.5, 0.2, 0.4]]))
    nothing = Target(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))
    boxes = torch.full((2, 3, 4), 0.3)
    boxes[0, 2] = target.boxes_cxcywh[0]
    logits = torch.zeros(2, 3, 4)
    logits[:, :, 3] = 20.0
    logits[0, 2] = torch.tensor([0.0, 20.0, 0.0, 0.0])
    targets = Targets.of([target, nothing])
    assert match(logits, boxes, targets).tolist() == [[2], [-1]]
    losses = layer_losses(logits, boxes, targets)
    assert all(float(value) == pytest.approx(0, abs=1e-5) for value in losses.values())
    empty = Targets.of([nothing, nothing])
    assert torch.isfinite(set_loss([(logits, boxes)], empty))
    assert (smallest_around(empty, (1, 3)) == -1).all()
    cells = {"logits": torch.tensor([0.0, 0.0, 0.0, 40.0]).expand(2, 3, 4), "boxes_cxcywh": boxes}
    assert float(dense_loss(cells, smallest_around(empty, (1, 3)), empty)) == pytest.approx(0, abs=1e-5)


def test_groups_of_queries_are_matched_each_by_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, boxes = torch.randn(2, 5, 4, generator=generator), torch.rand(2, 5, 4, generator=generator)
    targets = Targets.of(
        [
            Target(torch.tensor([0, 2]), torch.rand(2, 4, generator=generator)),
            Target(torch.tensor([1]), torch.rand(1, 4, generator=generator)),
        ]
    )
    once = set_loss([(logits, boxes)], targets)
    twice = set_loss([(torch.cat([logits, logits], 1), torch.cat([boxes, boxes], 1))], targets, groups=2)
    torch.testing.assert_close(once, twice)


def test_the_loss_of_several_layers_is_the_sum_of_each_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    layers = [(torch.randn(2, 5, 4, generator=generator), torch.rand(2, 5, 4, generator=generator)) for _ in range(3)]
    targets = Targets.of(
        [
            Target(torch.tensor([0, 2, 1]), torch.rand(3, 4, generator=generator)),
            Target(torch.tensor([1]), torch.rand(1, 4, generator=generator)),
        ]
    )
    alone = sum(float(set_loss([layer], targets)) for layer in layers)
    assert float(set_loss(layers, targets)) == pytest.approx(alone, rel=1e-5)


def test_objects_that_no_query_is_left_for_cost_nothing() -> None:
    boxes = torch.tensor([[[0.2, 0.2, 0.1, 0.1], [0.8, 0.8, 0.1, 0.1]]])
    targets = Targets.of([Target(torch.tensor([0, 1]), boxes[0])])
    assert match(torch.zeros(1, 1, 3), boxes[:, 1:], targets).tolist() == [[-1, 0]]
    losses = layer_losses(torch.zeros(1, 1, 3), boxes[:, 1:], targets)
    assert float(losses["box"]) == float(losses["giou"]) == 0


def test_each_cell_answers_for_the_smallest_box_around_it() -> None:
    boxes = torch.tensor([[0.5, 0.5, 1.0, 1.0], [0.25, 0.25, 0.5, 0.5]])
    targets = Targets.of(
        [Target(torch.tensor([2, 1]), boxes), Target(torch.tensor([0]), torch.tensor([[0.75, 0.25, 0.5, 0.5]]))]
    )
    there = smallest_around(targets, (2, 2))
    assert there.tolist() == [[1, 0, 0, 0], [-1, 0, -1, -1]]
    logits = torch.full((2, 4, 4), -30.0)
    for picture, labels in enumerate(([1, 2, 2, 2], [3, 0, 3, 3])):
        logits[picture, range(4), labels] = 30.0
    found = torch.full((2, 4, 4), 0.1)  # a box is asked for where there is an object, nowhere else
    found[0], found[1, 1] = boxes[[1, 0, 0, 0]], targets.boxes_cxcywh[1, 0]
    cells = {"logits": logits, "boxes_cxcywh": found}
    assert float(dense_loss(cells, there, targets)) == pytest.approx(0, abs=1e-4)
    wrong = cells | {"logits": logits.roll(1, 0)}
    assert float(dense_loss(wrong, there, targets)) > 10
