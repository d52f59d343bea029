"""The slots of a detector: where each object query answers on this picture, and where it looks."""

from dataclasses import dataclass

import torch

from playground.explanations.targets import is_detector
from playground.trace import Attention, Trace

SMALL = 32.0 / 480.0  # of the view's side: COCO's small objects on its usual picture of 480 pixels


@dataclass(frozen=True)
class Slot:
    """One object query on one picture: its box and its attention, in 0..1 of the view.

    `score` 0..1 is the best class's; `looks_xy` the middle of its last attention into memory, heads averaged, and
    `spread` the mean distance of that attention from it. `shape` is "small", "wide" or "tall".
    """

    query: int
    class_index: int
    score: float
    box_cxcywh: tuple[float, float, float, float]
    looks_xy: tuple[float, float]
    spread: float

    @property
    def shape(self) -> str:
        """How the box is, see `shape_of`."""
        return shape_of(*self.box_cxcywh[2:])


def shape_of(wide: float, high: float) -> str:
    """Return "small", "wide" or "tall", the three colours of figure 7 of Carion et al. 2020, of sides in 0..1."""
    if wide * high < SMALL**2:
        return "small"
    return "wide" if wide >= high else "tall"


def slots(trace: Trace) -> tuple[Slot, ...]:
    """Return every object query of a detector, in the order of the model.

    Figure 7 of Carion et al. 2020 shows the boxes of one query over a whole data set. One picture has one box for each
    query: here they stand together, with the place where the query's last layer looks. Source: ours, after figure 7.
    """
    if not is_detector(trace):
        raise ValueError("Only a detector has object queries with a place to show.")
    assert trace.logits is not None and trace.boxes_cxcywh is not None
    link = next(x for x in reversed(trace.links) if x.writes.grid is None and x.reads.grid is not None)
    assert isinstance(link.step, Attention) and link.reads.grid is not None
    weights = link.step.weights().double().mean(0)  # [Q, HW]
    rows, cols = link.reads.grid
    down, across = trace.view.stride((rows, cols))
    y = (torch.arange(rows, dtype=torch.float64) + 0.5) * down / trace.view.image.height
    x = (torch.arange(cols, dtype=torch.float64) + 0.5) * across / trace.view.image.width
    places = torch.cartesian_prod(y, x).flip(-1)  # [HW, 2] as (x, y)
    middle = weights @ places  # [Q, 2]
    spread = (weights * torch.cdist(middle, places)).sum(-1)  # [Q]
    best = trace.logits.softmax(-1)[:, :-1].max(-1)  # [Q]
    found = []
    for q, (cx, cy, wide, high) in enumerate(trace.boxes_cxcywh.tolist()):
        looks = (float(middle[q, 0]), float(middle[q, 1]))
        score, index = float(best.values[q]), int(best.indices[q])
        found.append(Slot(q, index, score, (cx, cy, wide, high), looks, float(spread[q])))
    return tuple(found)
