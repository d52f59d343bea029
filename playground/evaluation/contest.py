"""Faithfulness over a data set: photo by photo, resumable, summed up as a leaderboard."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from playground import inference, maps
from playground.datasets.nouns import DataError, LabelledPictures
from playground.evaluation.answers import class_logits
from playground.evaluation.faithfulness import BASELINES, KINDS, Numbers, interval, measure
from playground.evaluation.leaderboard import Kind, Measure, Row, Value
from playground.evaluation.outputs import append_line
from playground.explanations import Access, method_of
from playground.models.card import Card

BATCH = 64
PROTOCOL = (
    "Photos are drawn at random among those that the model answers rightly; maps are made for that class with every "
    "method's own defaults. Deletion takes patches away in the order of the map, insertion shows them in that order; "
    "the area under p(class) is measured. Intervals are 95 % by bootstrap over photos."
)
MEASURES = (
    Measure("above_random", "Above random", "high", "insertion less deletion, both fills; random has zero"),
    Measure("deletion/mean", "Deletion, mean colour", "low", "area under p(class), 0 to 1"),
    Measure("deletion/blur", "Deletion, blur", "low", "area under p(class), 0 to 1"),
    Measure("insertion/mean", "Insertion, mean colour", "high", "area under p(class), 0 to 1"),
    Measure("insertion/blur", "Insertion, blur", "high", "area under p(class), 0 to 1"),
    Measure("pointing", "Pointing game", "high", "share of photos whose highest place lies in the object's box"),
    Measure("energy", "Energy in the box", "high", "share of the map inside the object's box"),
)


@dataclass(frozen=True)
class Plan:
    """What is to be measured; `half` runs the changed pictures in bfloat16."""

    methods: tuple[str, ...]
    photos: int
    seed: int = 0
    steps: int = 16
    half: bool = False


@dataclass(frozen=True, eq=False)
class Measured:
    """All photos' numbers, in the order in which they were drawn, and the processor seconds they took."""

    photos: tuple[dict[str, Numbers], ...]
    errors: dict[str, str]
    seconds: float


def access_to(card: Card, half: bool) -> Access:
    """The card's model for methods and curves, in bfloat16 where `half` asks for it."""
    plain = maps.access_to(card)
    if not half:
        return replace(plain, batch=BATCH)
    device = inference.pick_device().type

    def context() -> AbstractContextManager[Any]:
        return torch.autocast(device, torch.bfloat16) if device != "mps" else nullcontext()

    def forward(pixels: Tensor) -> Tensor:
        with context():
            return plain.forward(pixels).float()

    return replace(plain, forward=forward, batch=BATCH)


def right_photos(data: LabelledPictures, card: Card, to_label: np.ndarray, seed: int) -> Iterator[int]:
    """Yield the photos that the model answers rightly, in an order drawn with the seed.

    `to_label` maps the data's classes to the model's outputs, -1 for none.
    """
    order = np.random.default_rng(seed).permutation(len(data))
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        best = class_logits(card, [data.picture(int(i)) for i in part])[0].argmax(1)
        yield from part[best == to_label[data.labels[part]]].tolist()


def run(
    data: LabelledPictures, card: Card, to_label: np.ndarray, plan: Plan, file: Path, tell: Callable[[int], None]
) -> Measured:
    """Measure the plan's photos, keeping each in `file` (JSON lines) as it is done; what is there is not done again.

    Raises DataError when there are too few photos, or when the file holds another plan's photos.
    """
    header = {"model": card.name, "sha256": card.sha256, "data": data.source, **_settings(plan)}
    kept = _kept(file, header)
    access = access_to(card, plan.half)
    rightly = right_photos(data, card, to_label, plan.seed)
    for done in range(plan.photos):
        tell(done)
        index = next(rightly, None)
        if index is None:
            raise DataError(f"The model answers only {done} of these photos rightly; choose --photos {done} or fewer.")
        if index in kept:
            continue
        began = time.process_time()
        trace = inference.replay(data.picture(index), card)
        box = None if data.boxes_xyxy is None else data.boxes_xyxy[index]
        found = measure(trace, access, plan.methods, plan.steps, plan.seed + index, box)
        kept[index] = {"photo": index, "seconds": round(time.process_time() - began, 3), **asdict(found)}
        append_line(file, json.dumps(kept[index], allow_nan=False))
    tell(plan.photos)
    chosen = list(kept.values())[: plan.photos]
    errors = {name: said for photo in chosen for name, said in photo["errors"].items()}
    return Measured(tuple(photo["rows"] for photo in chosen), errors, sum(photo["seconds"] for photo in chosen))


def rows(measured: Measured, methods: tuple[str, ...]) -> tuple[tuple[Row, ...], tuple[Measure, ...], dict[str, str]]:
    """(rows, methods best first and then the baselines; the measures that were made; methods that gave no map)."""
    made = []
    for name in (*methods, *BASELINES):
        kind: Kind = "baseline" if name in BASELINES else "method"
        title = BASELINES[name] if kind == "baseline" else method_of(name).title
        if values := _values(measured.photos, name):
            made.append(Row(name, title, kind, values))
    made.sort(key=lambda row: (row.kind == "baseline", -row.values["above_random"].mean))
    known = {name for row in made for name in row.values}
    there = {row.name for row in made}
    left_out = {name: said for name, said in measured.errors.items() if name not in there}
    return tuple(made), tuple(one for one in MEASURES if one.name in known), left_out


def _values(photos: tuple[dict[str, Numbers], ...], row: str) -> dict[str, Value]:
    """A row's values; a measure that fewer than half of the photos have says nothing and is left out."""
    values = {}
    for one in MEASURES:
        numbers = [photo[row].get(one.name) for photo in photos if row in photo]
        found = np.array([number for number in numbers if number is not None])
        if len(found) and 2 * len(found) >= len(photos):
            mean, low, high = (round(value, 5) for value in interval(found))
            values[one.name] = Value(mean, low, high, len(found))
    return values if all(kind in values for kind in KINDS) else {}


def _settings(plan: Plan) -> dict[str, Any]:
    return {"methods": list(plan.methods), "seed": plan.seed, "steps": plan.steps, "half": plan.half}


def _kept(file: Path, header: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    """The photos done before, by number; the file is begun when it is not there. A line that was cut off is ignored."""
    if not file.exists():
        append_line(file, json.dumps(header))
        return {}
    lines = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            continue
    if not lines or lines[0] != header:
        raise DataError(
            f"{file.name[:80]} holds photos measured with other settings; remove it or choose another --out."
        )
    return {photo["photo"]: photo for photo in lines[1:]}
