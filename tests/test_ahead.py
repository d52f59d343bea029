"""Batches drawn ahead by other processes are those that would be drawn here."""

from functools import partial

import torch
from torch import Tensor

from playground.datasets.shapes import ShapesMaker
from playground.training.ahead import Ahead
from playground.training.detection import drawing
from playground.training.matching import Targets
from playground.training.panoptic import with_segments


def test_batches_come_in_the_order_of_their_seeds() -> None:
    draw = partial(drawing, ShapesMaker((1, 3)), with_segments, 32, 2)
    ahead = Ahead(draw, 5, (32, 2))
    assert ahead.gives(32, 2) and not ahead.gives(48, 2)
    for seed in range(5, 9):
        found, wanted = ahead.take(), draw(seed)
        assert len(found) == 3
        for ours, theirs in zip(found, wanted, strict=True):
            if isinstance(theirs, Targets):
                assert isinstance(ours, Targets) and ours.counts == theirs.counts
                assert torch.equal(ours.labels, theirs.labels)
                assert torch.equal(ours.boxes_cxcywh, theirs.boxes_cxcywh)
            else:
                assert isinstance(ours, Tensor) and isinstance(theirs, Tensor) and torch.equal(ours, theirs)
