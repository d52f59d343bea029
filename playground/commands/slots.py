"""`python -m playground slots`: what every object query of a detector answers over many pictures."""

import argparse
import datetime
from pathlib import Path
from typing import Any

import numpy as np

from playground import checks, inference
from playground.commands.evaluate import boxed
from playground.datasets import opening
from playground.evaluation import slot_map
from playground.evaluation.outputs import write_whole
from playground.evaluation.progress import Bar
from playground.evaluation.slot_map import SlotMap, thousandths
from playground.explanations.slots import shape_of, slots
from playground.models import catalogue


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    made = commands.add_parser("slots", help="show what every object query of a detector answers over many pictures")
    made.add_argument("--model", required=True, help="a detector from the list that `models` prints")
    made.add_argument("--data", type=Path, required=True, help="a folder of pictures with boxes, or shapes")
    made.add_argument("--pictures", type=int, default=200, help="how many pictures (default 200)")
    made.add_argument("--seed", type=int, default=0, help="draws the pictures (default 0)")
    made.add_argument("--json", action="store_true", help="print the slot map as JSON")
    made.add_argument("--out", type=Path, help="where to write it; beside the checkpoints by default")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Answer every picture, write and print; raises ValueError with one sentence for bad input."""
    card = catalogue.find(options.model)
    if card.task not in ("detection", "panoptic"):
        raise ValueError(f"Only a detector has object queries; {card.name} is none.")
    count = checks.whole(options.pictures, "--pictures", 2, 2000)
    seed = checks.whole(options.seed, "--seed", 0, 2**31)
    data = boxed(card, options.data, "val")
    chosen = np.random.default_rng(seed).permutation(len(data))[:count]
    if len(chosen) < count:
        raise ValueError(f"The data holds {len(data)} pictures only; give --pictures at most that.")
    bar, answers = Bar(count, "pictures"), []
    for done, index in enumerate(chosen, 1):
        found = slots(inference.trace(data.picture(int(index)), card))
        answers.append([thousandths(np.array([*slot.box_cxcywh, slot.score])) for slot in found])
        bar.to(done)
    made = SlotMap(
        model=card.name,
        sha256=card.sha256 or "",
        data=data.source,
        seed=seed,
        command=said(options),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        answers=tuple(zip(*answers, strict=True)),
    )
    write_whole(options.out or slot_map.SHELF.path(card.name), made.to_json())
    print(made.to_json() if options.json else table(made), end="")
    return 0


def said(options: argparse.Namespace) -> str:
    """The command that makes this slot map again; a folder's own name is nobody's business."""
    data = str(options.data) if opening.is_shapes(options.data) else "FOLDER"
    parts = ["python -m playground slots", "--model", options.model, "--data", data]
    return " ".join([*parts, "--pictures", str(options.pictures), "--seed", str(options.seed)])


def table(made: SlotMap) -> str:
    """The slot map as text: where each query answers, how far that varies, which shapes, and how sure it is."""
    lines = [f"{made.model} on {made.data}: {made.pictures} pictures", ""]
    lines.append("query    x     y  spread   small   wide   tall   score")
    for query, answers in enumerate(made.values()):
        x, y = answers[:, :2].mean(0)
        spread = np.hypot(*(answers[:, :2] - (x, y)).T).mean()
        shapes = [shape_of(wide, high) for wide, high in answers[:, 2:4].tolist()]
        shares = [f"{shapes.count(shape) / len(shapes):7.0%}" for shape in ("small", "wide", "tall")]
        lines.append(f"{query:5} {x:5.2f} {y:5.2f}   {spread:5.2f} {''.join(shares)} {answers[:, 4].mean():7.1%}")
    return "\n".join(lines) + "\n"
