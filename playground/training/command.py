"""`python -m playground train RECIPE`: train a recipe, measure it, write its checkpoint."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from playground.datasets import coco
from playground.training import parallel, recipes
from playground.training.boxed import BoxedSession
from playground.training.drawn import ShapesSession
from playground.training.loop import TrainingError
from playground.training.photos import PhotoSession
from playground.training.recipe import DetectorRecipe, Recipe, ShapesRecipe
from playground.training.session import Session


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        "python -m playground train", description="Train one of the recipes and write its checkpoint."
    )
    made.add_argument("recipe", help="one of " + ", ".join(recipe.name for recipe in recipes.RECIPES))
    made.add_argument(
        "--data",
        type=Path,
        help="folder with the Everyday shards, Tiny-ImageNet-200, or pictures of your own: in one folder a class, or "
        "with a COCO JSON file for a detector; drawn shapes need none",
    )
    made.add_argument("--minutes", type=float, help="time to train for; the recipe's own by default")
    made.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    made.add_argument("--threads", type=int, help="processor threads to use")
    made.add_argument("--resume", action="store_true", help="go on from the state saved in the cache")
    made.add_argument(
        "--enter",
        type=float,
        default=0.0,
        help="start from the checkpoint that is there, at this share (0..1) of the schedule; its minutes count too",
    )
    made.add_argument("--note", default="", help="a sentence for the card about how this run went")
    made.add_argument("--measure", action="store_true", help="do not train: measure the checkpoint that is there")
    made.add_argument("--out", type=Path, help="where checkpoints lie; by default where the page looks for them")
    made.add_argument("--cache", type=Path, default=Path("training-cache"), help="decoded photos and unfinished runs")
    return made


def session(recipe: Recipe, options: argparse.Namespace) -> Session:
    """What trains this recipe on this data."""
    if isinstance(recipe, ShapesRecipe):
        return ShapesSession(options)
    if isinstance(recipe, DetectorRecipe) and options.data is not None and coco.has(options.data, "instances"):
        return BoxedSession(options)
    return PhotoSession(options)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0, 2 after one sentence on stderr, or 130 when stopped by hand."""
    options = parser().parse_args(argv)
    try:
        recipe = recipes.find(options.recipe)
        if options.minutes is not None and not 0 < options.minutes < 100_000:
            raise ValueError("--minutes must be above 0.")
        if not 0 <= options.enter < 1:
            raise ValueError("--enter must be at least 0 and below 1.")
        if options.threads is not None:
            if options.threads < 1:
                raise ValueError("--threads must be at least 1.")
            torch.set_num_threads(options.threads)
        with parallel.team(options.device) as options.device:
            session(recipe, options).run(recipe, options.minutes, options.resume, options.measure)
    except (ValueError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        said = error.strerror or "no reason given"
        print(f"A file could not be read or written ({said}); is the disk full or read-only?", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped; the same command with --resume goes on from the last minute.", file=sys.stderr)
        return 130
    return 0
