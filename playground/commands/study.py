"""`python -m playground study NAME`: measure one of the papers' claims in small, and keep it as JSON."""

import argparse
from pathlib import Path
from typing import Any

from playground.checks import whole
from playground.evaluation.shelf import STUDIES
from playground.training import studies
from playground.training.loop import TrainingError
from playground.training.session import say
from playground.training.studies import plan as planned
from playground.training.studies.bench import bench, use_threads


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    study = commands.add_parser("study", help="measure one of the papers' claims in small")
    study.add_argument("name", help="one of " + ", ".join(plan.name for plan in studies.PLANS))
    study.add_argument("--data", type=Path, required=True, help="folder with Everyday or Tiny-ImageNet-200")
    study.add_argument("--minutes", type=float, help="begin nothing after this time; the same command goes on later")
    study.add_argument("--photos", type=int, help="photos that each network sees while it learns")
    study.add_argument("--seeds", default="0", help="seeds with commas between (default 0)")
    study.add_argument("--threads", type=int, help="processor threads to use")
    study.add_argument("--cache", type=Path, default=Path("training-cache"), help="where decoded photos are kept")
    study.add_argument("--out", type=Path, default=STUDIES, help="where the study is written")
    study.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure what is left of the study; raises ValueError with one sentence for bad input."""
    plan = studies.find(options.name)
    try:
        seeds = tuple(whole(int(seed), "A seed", 0, 2**31 - 1) for seed in options.seeds.split(","))
    except ValueError:
        raise ValueError("--seeds must be whole numbers with commas between, such as 0,1,2.") from None
    if options.minutes is not None and not 0 < options.minutes < 100_000:
        raise ValueError("--minutes must be above 0.")
    if options.threads is not None:
        use_threads(whole(options.threads, "--threads", 1, 1024))
    photos = plan.photos if options.photos is None else whole(options.photos, "--photos", 32, 10**9)
    ready = bench(options.data, options.cache, photos)
    command = f"python -m playground study {plan.name} --data FOLDER --photos {photos} --seeds {options.seeds}"
    try:
        made = planned.measure(plan, ready, seeds, options.minutes, options.out, command, say)
    except TrainingError as error:
        raise ValueError(str(error)) from error
    if made.finding:
        print(made.finding)
    return 0
