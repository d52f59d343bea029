"""How faithful each method's maps are to one photo and, over many photos, on average.

The measures are those of one picture (`explanations.faithfulness`, `explanations.pointing`). Here all orders of a photo
run together and share both ends of their curves. Deleting in one order shows the same pictures as inserting in the
reverse, so random orders have one area for both, and their insertion less deletion is zero.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from playground.explanations import METHODS, Access, Map, Target, explain
from playground.explanations.faithfulness import SEEDS, area, on_grid, ranking
from playground.explanations.perturb import FILLS, filled, kept
from playground.explanations.places import picture_grid, region_of
from playground.explanations.pointing import pointing
from playground.trace import Trace

BATCH = 64
TOLERANCE = 0.03  # of the picture's longer side: 15 pixels of 500, as the pointing game was played on VOC
RESAMPLES = 2000
LEFT_OUT = ("norms", "receptive")  # they show what tokens are like, not why the answer
BASELINES = {"random": "Random order (mean of five)", "centre": "From the centre outwards"}

KINDS = tuple(f"{mode}/{fill}" for mode in ("deletion", "insertion") for fill in FILLS)

Numbers = dict[str, float | None]


@dataclass(frozen=True, eq=False)
class Photo:
    """What is measured on one photo: `rows` by method and baseline; `errors` say why a method gave no map."""

    rows: dict[str, Numbers]
    errors: dict[str, str]


def measure(
    trace: Trace, access: Access, methods: Sequence[str], steps: int, seed: int, box_xyxy: np.ndarray | None
) -> Photo:
    """Measure every method's map for the class that the model answers, beside both baselines.

    `trace` has its graph; `seed` draws the random orders of this photo; `box_xyxy` in its pixels where it is known.
    """
    assert trace.logits is not None
    target = Target(class_index=int(trace.logits.argmax()))
    made, errors = made_maps(trace, access, methods, target)
    grid = picture_grid(trace)
    orders = {name: ranking(on_grid(trace, one, grid)) for name, one in made.items()} | {
        "centre": ranking(_central(grid))
    }
    random = [ranking(np.zeros(grid), seed * SEEDS + k) for k in range(SEEDS)]
    asked = [(order, kind) for order in orders.values() for kind in KINDS]
    asked += [(order, kind) for order in random for kind in KINDS[: len(FILLS)]]
    areas = curve_areas(trace, access.forward, asked, steps, int(target.class_index or 0))
    split = len(orders) * len(KINDS)
    found = {name: _numbers(row) for name, row in zip(orders, areas[:split].reshape(-1, len(KINDS)), strict=True)}
    found["random"] = _numbers(np.tile(areas[split:].reshape(SEEDS, len(FILLS)).mean(0), 2))
    if box_xyxy is not None:
        box = tuple(float(edge) for edge in box_xyxy)
        flat = Map("random", np.ones(grid, np.float32), "patches", region_of(trace.view, grid), target)
        central = replace(flat, values=_cone(grid))
        for name, one in (made | {"random": flat, "centre": central}).items():
            met = pointing(one, box, TOLERANCE * max(trace.view.picture_size))  # type: ignore[arg-type]
            found[name] |= {"pointing": met.hit, "energy": met.energy}
    return Photo(found, errors)


def made_maps(
    trace: Trace, access: Access, methods: Sequence[str], target: Target
) -> tuple[dict[str, Map], dict[str, str]]:
    """(maps by method, why the others gave none)."""
    made: dict[str, Map] = {}
    errors: dict[str, str] = {}
    for name in methods:
        try:
            made[name] = explain(name, trace, target, None, access)
        except ValueError as error:
            errors[name] = str(error)
    return made, errors


@torch.no_grad()
def curve_areas(
    trace: Trace,
    forward: Callable[[Tensor], Tensor],
    asked: Sequence[tuple[np.ndarray, str]],
    steps: int,
    class_index: int,
) -> np.ndarray:
    """The area under p(class) for each (order of patches, one of KINDS) asked for, 0..1.

    The same as `explanations.faithfulness` gives curve by curve. Source: RISE (Petsiuk et al. 2018), section 4.2.
    """
    pixels = torch.from_numpy(trace.view.pixels)
    fills = {fill: filled(pixels, fill) for fill in FILLS}
    stays = kept(trace, picture_grid(trace))
    count = len(asked[0][0])
    ends = np.unique(np.linspace(0, count, min(steps, count) + 1).round().astype(int))
    inner = ends[1:-1]  # nothing and everything changed are the same pictures for all

    def picture(i: int) -> Tensor:
        order, kind = asked[i // len(inner)]
        mode, fill = kind.split("/")
        changed = np.zeros(count, bool)
        changed[order[: inner[i % len(inner)]]] = True
        return torch.where(stays(~changed if mode == "deletion" else changed), pixels, fills[fill])

    def scores(pictures: list[Tensor]) -> list[float]:
        batch = torch.stack(pictures).contiguous(memory_format=torch.channels_last)  # faster through convolutions
        return forward(batch).double().softmax(-1)[:, class_index].tolist()

    whole, *empty = scores([pixels, *fills.values()])
    found: list[float] = []
    for start in range(0, len(asked) * len(inner), BATCH):
        found += scores([picture(i) for i in range(start, min(start + BATCH, len(asked) * len(inner)))])
    areas = []
    for (_, kind), middle in zip(asked, np.array(found).reshape(len(asked), -1), strict=True):
        mode, fill = kind.split("/")
        ground = empty[FILLS.index(fill)]
        first, last = (whole, ground) if mode == "deletion" else (ground, whole)
        areas.append(area(ends / count, np.array([first, *middle, last])))
    return np.array(areas)


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float, float]:
    """(mean, low, high): the mean and the middle 95 % of means of 2,000 samples drawn with replacement."""
    drawn = np.random.default_rng(seed).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[drawn].mean(1), [2.5, 97.5])
    mean = float(values.mean())
    return mean, min(float(low), mean), max(float(high), mean)


def explaining_methods() -> tuple[str, ...]:
    """The methods that are compared unless others are named."""
    return tuple(method.name for method in METHODS if method.name not in LEFT_OUT)


def _numbers(areas: np.ndarray) -> Numbers:
    """Areas by name, and insertion less deletion, mean of both fills: above zero is above random orders."""
    gain = float((areas[len(FILLS) :] - areas[: len(FILLS)]).mean())
    found: Numbers = {name: float(value) for name, value in zip(KINDS, areas, strict=True)}
    return found | {"above_random": gain}


def _central(grid: tuple[int, int]) -> np.ndarray:
    """Higher towards the centre, [rows, cols]."""
    return -((np.indices(grid) - np.array(grid).reshape(2, 1, 1) / 2 + 0.5) ** 2).sum(0)


def _cone(grid: tuple[int, int]) -> np.ndarray:
    """A cone over the picture, 1 at the centre and 0 in the corners' cells."""
    away = np.sqrt(-_central(grid))
    return (1 - away / away.max()).astype(np.float32)
