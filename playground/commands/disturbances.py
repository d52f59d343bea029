"""`python -m playground disturbances`: accuracy against the strength of disturbances, kept as a study."""

import argparse
import datetime
from pathlib import Path
from typing import Any

from playground import checks
from playground.datasets import opening
from playground.disturb import DISTURBANCES, kind_of
from playground.evaluation import disturbances, study
from playground.evaluation.hardware import hardware
from playground.evaluation.outputs import write_whole
from playground.evaluation.progress import Bar
from playground.evaluation.study import Axis, Series, Study, StudyError
from playground.models import catalogue
from playground.models.card import Card

NAME = "disturbances"


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    made = commands.add_parser("disturbances", help="measure how accuracy falls when pictures are disturbed")
    made.add_argument("--model", nargs="+", required=True, metavar="NAME", help="one or more classifiers")
    made.add_argument("--data", type=Path, required=True, help="a folder of photos with classes, such as Everyday")
    made.add_argument("--photos", type=int, default=500, help="how many photos (default 500)")
    made.add_argument("--seed", type=int, default=0, help="draws the photos and the disturbances (default 0)")
    kinds = ", ".join(kind.name for kind in DISTURBANCES)
    made.add_argument("--kinds", nargs="+", metavar="KIND", help=f"some of {kinds}; all by default")
    made.add_argument("--half", action="store_true", help="run the models in bfloat16")
    made.add_argument("--json", action="store_true", help="print the study as JSON")
    made.add_argument("--out", type=Path, help="where to write it; beside the checkpoints by default")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure, write after each kind, print; raises ValueError with one sentence. What was measured is kept."""
    cards = [catalogue.find(name) for name in dict.fromkeys(options.model)]
    if others := [card.name for card in cards if card.task != "classification"]:
        raise ValueError(f"Accuracy is measured for classifiers; {others[0]} is none.")
    kinds = tuple(kind_of(name).name for name in dict.fromkeys(options.kinds or [kind.name for kind in DISTURBANCES]))
    photos = checks.whole(options.photos, "--photos", 2, 1_000_000)
    plan = disturbances.Plan(kinds, photos, checks.whole(options.seed, "--seed", 0, 2**30), half=options.half)
    data = opening.labelled(options.data)
    out = options.out or study.SHELF.path(NAME)
    facts = facts_of(cards, plan, data.source)

    def keep(series: list[Series]) -> None:
        write_whole(out, as_study(series, facts, options, "").to_json())

    series = disturbances.run(data, cards, plan, earlier(out, facts), keep, Bar(plan.steps, "pictures").to)
    made = as_study(series, facts, options, disturbances.finding(series, cards, kinds))
    write_whole(out, made.to_json())
    print(made.to_json() if options.json else table(made), end="")
    return 0


def facts_of(cards: list[Card], plan: disturbances.Plan, source: str) -> dict[str, Any]:
    """The settings on which every number depends."""
    return {
        "data": source,
        "photos": plan.photos,
        "models": {card.name: card.sha256 or "" for card in cards},
        "seed": plan.seed,
        "precision": "bfloat16" if plan.half else "float32",
        "low and high": "95 % interval (Wilson)",
        "strength": {kind_of(kind).title: kind_of(kind).strength for kind in plan.kinds},
    }


def as_study(series: list[Series], facts: dict[str, Any], options: argparse.Namespace, finding: str) -> Study:
    """The study's file as far as it is measured."""
    return Study(
        study=NAME,
        title="How much disturbance does each family bear?",
        question="How does top-1 fall as pictures are disturbed more, and does it fall alike for all families?",
        command=said(options),
        hardware=hardware(),
        seeds=(options.seed,),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        finding=finding,
        x=Axis("strength", ""),
        y=Axis("top-1", "%"),
        series=tuple(series),
        facts=facts,
    )


def earlier(out: Path, facts: dict[str, Any]) -> dict[str, Series]:
    """The series of a run that was stopped, if it had the same settings."""
    try:
        found = Study.from_json(out.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, StudyError):
        return {}
    same = {name: value for name, value in facts.items() if name != "strength"}
    return {one.name: one for one in found.series} if same.items() <= dict(found.facts).items() else {}


def said(options: argparse.Namespace) -> str:
    """The command that makes this study again."""
    parts = ["python -m playground disturbances", "--model", *options.model, "--data FOLDER"]
    parts += ["--photos", str(options.photos), "--seed", str(options.seed)]
    parts += ["--kinds", *options.kinds] if options.kinds else []
    return " ".join(parts + (["--half"] if options.half else []))


def table(made: Study) -> str:
    """The curves as text: one line a kind and model."""
    lines = [f"{'top-1 (%) at strength':48}" + "".join(f"{point.x:8g}" for point in made.series[0].points)]
    lines += [f"{one.name:48}" + "".join(f"{point.y:8.1f}" for point in one.points) for one in made.series]
    return "\n".join([*lines, made.finding]) + "\n"
