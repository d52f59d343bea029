"""`python -m playground.training RECIPE --data FOLDER`: train a recipe, measure it, write its checkpoint."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from playground.training import data, recipes
from playground.training.classify import Classification
from playground.training.data import Photos
from playground.training.detection import Detection
from playground.training.loop import Task, TrainingError, train
from playground.training.publish import load_weights, measure_classifier, measure_detector, publish, write_weights
from playground.training.recipes import ClassifierRecipe, DetectorRecipe, Recipe
from playground.training.scenes import Scene, SceneMaker

VALIDATION_SCENES, HELD_OUT_SCENES = 1500, 500


def parser() -> argparse.ArgumentParser:
    """The command's arguments."""
    made = argparse.ArgumentParser(
        "playground.training", description="Train one of the recipes and write its checkpoint."
    )
    made.add_argument("recipe", help="one of " + ", ".join(recipe.name for recipe in recipes.RECIPES))
    made.add_argument("--data", type=Path, required=True, help="folder with the Everyday shards or Tiny-ImageNet-200")
    made.add_argument("--minutes", type=float, help="time to train for; the recipe's own by default")
    made.add_argument("--device", default="cpu", help="cpu, cuda or mps")
    made.add_argument("--threads", type=int, help="processor threads to use")
    made.add_argument("--resume", action="store_true", help="go on from the state saved in the cache")
    made.add_argument("--measure", action="store_true", help="do not train: measure the checkpoint that is there")
    made.add_argument("--out", type=Path, default=Path("checkpoints"), help="where checkpoints lie")
    made.add_argument("--cache", type=Path, default=Path("training-cache"), help="decoded photos and unfinished runs")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0, or 2 after one sentence on stderr."""
    options = parser().parse_args(argv)
    try:
        recipe = recipes.find(options.recipe)
        if options.minutes is not None and not 0 < options.minutes < 100_000:
            raise ValueError("--minutes must be above 0.")
        if options.threads is not None:
            if options.threads < 1:
                raise ValueError("--threads must be at least 1.")
            torch.set_num_threads(options.threads)
        Session(options).run(recipe, options.minutes, options.resume, options.measure)
    except (ValueError, TrainingError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


class Session:
    """One call of the command: the data is read once, whatever is trained."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.folder, self.cache, self.out = options.data, options.cache, options.out
        self.device: str = options.device
        self.photos = data.load(self.folder, "train", self.cache)
        self.trained_on, self.held_out = data.split_held_out(self.photos, recipes.COMMON_HELD_OUT, 0)

    def place(self, recipe: Recipe) -> Path:
        """The folder of a recipe's result: a checkpoint, or the cache for networks that only serve others."""
        return (self.out if recipe.bundled else self.cache) / recipe.name

    def run(self, recipe: Recipe, minutes: float | None, resume: bool, measure: bool) -> None:
        """Train (unless only measuring), then measure and write card and README."""
        weights, state_file = self.place(recipe) / "model.safetensors", self.cache / f"{recipe.name}.state.safetensors"
        if not measure:
            run = train(self.task(recipe), recipe.settings(minutes, self.device), state_file, resume, _say)
            state = run.ema.state_dict()
            if isinstance(recipe, DetectorRecipe):
                state = recipes.without_groups(state, int(recipe.options["num_queries"]))
            write_weights(weights, state)
            facts = self.facts(recipe, run.elapsed / 60, run.seen, run.step)
        else:
            facts = self.known_facts(recipe)
        self.measure(recipe, load_weights(recipe, weights, self.device), facts)

    def task(self, recipe: Recipe) -> Task:
        """What the recipe learns, a detector with its backbone's trained weights."""

        def build(size: int) -> nn.Module:
            return recipes.build(recipe, size)

        if isinstance(recipe, ClassifierRecipe):
            return Classification(
                self.photos,
                self.trained_on,
                self.held_out,
                build,
                recipes.fit,
                recipe.augment,
                recipe.smoothing,
                self.device,
                recipe.channels_last,
            )
        assert isinstance(recipe, DetectorRecipe)
        other = recipes.find(recipe.backbone)
        path = self.place(other) / "model.safetensors"
        if not path.exists():
            _say(f"{recipe.name} starts from {other.name}, which is not there yet: training that first")
            self.run(other, None, True, False)
        given = load_weights(other, path).state_dict()

        def started(size: int) -> nn.Module:
            model = build(size)
            model.load_state_dict(recipes.backbone_state(given, model))
            return model

        maker = SceneMaker(self.photos, self.trained_on, recipe.names)
        return Detection(
            maker,
            self.scenes(recipe, self.photos, self.held_out, 300, seed=1),
            started,
            recipe.groups,
            recipe.backbone_factor,
            self.device,
            recipe.channels_last,
        )

    def scenes(self, recipe: DetectorRecipe, photos: Photos, indices: np.ndarray, count: int, seed: int) -> list[Scene]:
        """A fixed set of scenes from the photos at these indices."""
        maker, rng = SceneMaker(photos, indices, recipe.names), np.random.default_rng(seed)
        return [maker.compose(rng, recipe.size) for _ in range(count)]

    def measure(self, recipe: Recipe, model: nn.Module, facts: dict[str, Any]) -> None:
        """Measure on the validation part; write the card when the recipe is bundled."""
        validation = data.load(self.folder, "val", self.cache)
        temperature, classes = 1.0, self.photos.classes
        if isinstance(recipe, DetectorRecipe):
            held = self.scenes(recipe, self.photos, self.held_out, HELD_OUT_SCENES, seed=2)
            everything = np.arange(len(validation))
            shown = self.scenes(recipe, validation, everything, VALIDATION_SCENES, seed=3)
            metrics, unsure, each = measure_detector(recipe, model, held, shown, self.device)
            classes = recipe.names
        else:
            assert isinstance(recipe, ClassifierRecipe)
            metrics, temperature, unsure, each = measure_classifier(
                recipe, model, self.photos, self.held_out, validation, self.device
            )
        for name, value in metrics.items():
            _say(f"{name}: {value:.2f} %")
        if recipe.bundled:
            card = publish(recipe, self.place(recipe), metrics, each, classes, temperature, unsure, facts)
            _say(f"wrote {card.name}: {card.parameters:,} parameters, {(card.size_bytes or 0) / 1e6:.1f} MB")

    def facts(self, recipe: Recipe, minutes: float, seen: int, steps: int) -> dict[str, Any]:
        """What the card says about the making."""
        hardware = f"{torch.get_num_threads()} thread(s) of {_processor()}, shared with other work"
        if self.device != "cpu":
            hardware = torch.cuda.get_device_name() if self.device.startswith("cuda") else self.device
        detector = isinstance(recipe, DetectorRecipe)
        pictures = "scenes composed of photos from" if detector else "photos from"
        facts: dict[str, Any] = {
            "data": f"{pictures} Everyday, {len(self.trained_on):,} in training, {len(self.held_out):,} held out",
            "origin": "Tiny-ImageNet-200, 123 of its classes folded into 80",
            "seed": recipe.seed,
            "hardware": hardware,
            "minutes": round(minutes, 1),
            "pictures seen": seen,
            "steps": steps,
            "command": f"python -m playground.training {recipe.name} --data FOLDER --minutes {minutes:.0f}",
            "torch": torch.__version__.split("+")[0],
        }
        if isinstance(recipe, DetectorRecipe):
            facts["backbone"] = f"started from {recipe.backbone}, trained on the same photos"
        return facts

    def known_facts(self, recipe: Recipe) -> dict[str, Any]:
        """The facts of the card that is there."""
        from playground.models.card import Card

        try:
            return dict(Card.from_json((self.place(recipe) / "card.json").read_text(encoding="utf-8")).training)
        except OSError as error:
            raise TrainingError(f"{recipe.name} has no card yet; train it first.") from error


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or f"a processor with {os.cpu_count()} cores"


def _say(text: str) -> None:
    print(text, flush=True)
