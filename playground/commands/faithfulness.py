"""`python -m playground faithfulness`: how far each method's maps can be trusted, over many photos of a data set."""

import argparse
import datetime
import shlex
from pathlib import Path
from typing import Any

from playground import checks
from playground.datasets import opening
from playground.evaluation import contest, leaderboard
from playground.evaluation.classes import matched
from playground.evaluation.faithfulness import explaining_methods
from playground.evaluation.hardware import hardware
from playground.evaluation.leaderboard import Leaderboard
from playground.evaluation.outputs import write_whole
from playground.evaluation.progress import Bar
from playground.explanations import method_of
from playground.models import catalogue


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    made = commands.add_parser("faithfulness", help="measure how far explanations can be trusted, over a data set")
    made.add_argument("--model", required=True, help="a classifier from the list that `models` prints")
    made.add_argument("--data", type=Path, required=True, help="a folder of photos with classes, such as Everyday")
    made.add_argument("--photos", type=int, default=500, help="how many photos (default 500)")
    made.add_argument("--seed", type=int, default=0, help="draws the photos and the random orders (default 0)")
    made.add_argument("--steps", type=int, default=16, help="steps of a curve (default 16)")
    made.add_argument("--methods", nargs="+", metavar="METHOD", help="only these; all that explain by default")
    made.add_argument("--half", action="store_true", help="run the changed pictures in bfloat16")
    made.add_argument("--json", action="store_true", help="print the leaderboard as JSON")
    made.add_argument("--out", type=Path, help="where to write it; beside the checkpoints by default")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, write and print; raises ValueError with one sentence for bad input. An interrupted run is resumed."""
    card = catalogue.find(options.model)
    if card.task != "classification":
        raise ValueError(f"Faithfulness over a data set is measured for classifiers; {card.name} is none.")
    methods = tuple(method_of(name).name for name in options.methods or explaining_methods())
    if len(set(methods)) < len(methods):
        raise ValueError("A method is named twice in --methods.")
    plan = contest.Plan(
        methods,
        checks.whole(options.photos, "--photos", 2, 1_000_000),
        checks.whole(options.seed, "--seed", 0, 2**31),
        checks.whole(options.steps, "--steps", 2, 1024),
        options.half,
    )
    data = opening.labelled(options.data)
    out = options.out or leaderboard.SHELF.path(card.name)
    unfinished = out.with_name(out.name + ".photos")
    measured = contest.run(
        data, card, matched(card, data.classes, data.keys), plan, unfinished, Bar(plan.photos, "photos").to
    )
    rows, measures, left_out = contest.rows(measured, methods)
    made = Leaderboard(
        model=card.name,
        sha256=card.sha256 or "",
        data=data.source,
        photos=plan.photos,
        seed=plan.seed,
        steps=plan.steps,
        protocol=contest.PROTOCOL,
        command=said(options),
        hardware=hardware(),
        precision="bfloat16 for the changed pictures, else float32" if plan.half else "float32",
        seconds=round(measured.seconds, 1),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        measures=measures,
        rows=rows,
        left_out=left_out,
    )
    write_whole(out, made.to_json())
    unfinished.unlink(missing_ok=True)
    print(made.to_json() if options.json else table(made), end="")
    return 0


def said(options: argparse.Namespace) -> str:
    """The command that makes this leaderboard again."""
    parts = ["python -m playground faithfulness", "--model", options.model, "--data FOLDER"]
    parts += ["--photos", str(options.photos), "--seed", str(options.seed), "--steps", str(options.steps)]
    parts += ["--methods", *map(shlex.quote, options.methods)] if options.methods else []
    return " ".join(parts + (["--half"] if options.half else []))


def table(made: Leaderboard) -> str:
    """The leaderboard as text: rows by measures, means and half the width of their intervals."""
    lines = [f"{made.model} on {made.data}: {made.photos} photos, {made.seconds:.0f} seconds of {made.hardware}", ""]
    lines.append(f"{'':32}" + "".join(f"{measure.name:>20}" for measure in made.measures))
    for row in made.rows:
        cells = [row.values.get(measure.name) for measure in made.measures]
        shown = [f"{c.mean:.3f} ± {(c.high - c.low) / 2:.3f}" if c else "-" for c in cells]
        lines.append(f"{row.title:32}" + "".join(f"{text:>20}" for text in shown))
    lines += [f"left out: {name}: {why}" for name, why in made.left_out.items()]
    return "\n".join(lines) + "\n"
