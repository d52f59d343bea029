"""`python -m playground.training RECIPE --data FOLDER`: train a recipe, measure it, write its checkpoint."""

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets import everyday
from playground.datasets.everyday import Photos
from playground.datasets.scenes import Scene, SceneMaker
from playground.models.card import Card
from playground.training import recipes
from playground.training.classify import Classification
from playground.training.loop import TrainingError, train
from playground.training.phases import Outcome, PhasedTraining
from playground.training.publish import load_weights, measure_classifier, measure_detector, publish, write_weights
from playground.training.recipes import ClassifierRecipe, DetectorRecipe, Recipe
from playground.training.teacher import kept_answers

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
    made.add_argument(
        "--enter",
        type=float,
        default=0.0,
        help="start from the checkpoint that is there, at this share (0..1) of the schedule; its minutes count too",
    )
    made.add_argument("--note", default="", help="a sentence for the card about how this run went")
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
        if not 0 <= options.enter < 1:
            raise ValueError("--enter must be at least 0 and below 1.")
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
        self.note: str = options.note
        self.enter: float = options.enter
        self.photos = everyday.load(self.folder, "train", self.cache)
        self.trained_on, self.held_out = everyday.split_held_out(self.photos, recipes.COMMON_HELD_OUT, 0)

    def place(self, recipe: Recipe) -> Path:
        """The folder of a recipe's result: a checkpoint, or the cache for networks that only serve others."""
        return (self.out if recipe.bundled else self.cache) / recipe.name

    def run(self, recipe: Recipe, minutes: float | None, resume: bool, measure: bool) -> None:
        """Train (unless only measuring), then measure and write card and README."""
        weights = self.place(recipe) / "model.safetensors"
        if not measure:
            outcome = self.learn(recipe, minutes, resume)
            write_weights(weights, outcome.state)
            facts = self.facts(recipe, outcome)
        else:
            facts = self.known_facts(recipe) | ({"note": self.note} if self.note else {})
        self.measure(recipe, load_weights(recipe, weights, self.device), facts)

    def learn(self, recipe: Recipe, minutes: float | None, resume: bool) -> Outcome:
        """Train the recipe to the end of its time."""
        if isinstance(recipe, DetectorRecipe):
            maker = SceneMaker(self.photos, self.trained_on, recipe.names)
            held_out = self.scenes(recipe, self.photos, self.held_out, 300, seed=1)
            phases = PhasedTraining(recipe, maker, held_out, self.cache, self.device, _say)
            return phases.run(self.starting_state(recipe), minutes, resume)
        assert isinstance(recipe, ClassifierRecipe)
        task = Classification(
            self.photos,
            self.trained_on,
            self.held_out,
            lambda size: recipes.build(recipe, size),
            recipes.fit,
            recipe.augment,
            recipe.smoothing,
            self.device,
            recipe.channels_last,
            self.teaching(recipe),
            recipe.trust,
        )
        file = self.cache / f"{recipe.name}.state.safetensors"
        settings = replace(recipe.settings(minutes, self.device), enter=self.enter)
        run = train(task, settings, file, resume, _say, self.earlier(recipe))
        return Outcome(run.ema.state_dict(), run.minutes, run.seen, run.step)

    def earlier(self, recipe: Recipe) -> dict[str, Tensor] | None:
        """The weights of the checkpoint that is there, when training enters its schedule on the way."""
        if not self.enter:
            return None
        path = self.place(recipe) / "model.safetensors"
        if not path.exists():
            raise TrainingError(f"{recipe.name} has no checkpoint to start from; leave out --enter.")
        return load_weights(recipe, path).state_dict()

    def teaching(self, recipe: ClassifierRecipe) -> np.ndarray | None:
        """The teacher's answers on all training photos, when the recipe has a teacher."""
        if not recipe.teacher:
            return None
        teacher = recipes.find(recipe.teacher)
        path = self.place(teacher) / "model.safetensors"
        if not path.exists():
            raise TrainingError(f"{recipe.name} learns from {teacher.name}, which is not there; train that first.")
        model = load_weights(teacher, path, self.device)
        return kept_answers(model, path, self.photos.images, teacher.size, self.cache, self.device)

    def starting_state(self, recipe: DetectorRecipe) -> dict[str, Tensor]:
        """A fresh detector with the trained weights of its backbone, which is trained first when it is not there."""
        other = recipes.find(recipe.backbone)
        path = self.place(other) / "model.safetensors"
        if not path.exists():
            _say(f"{recipe.name} starts from {other.name}, which is not there yet: training that first")
            self.run(other, None, True, False)
        torch.manual_seed(recipe.seed)
        return recipes.backbone_state(load_weights(other, path).state_dict(), recipes.build(recipe, recipe.size))

    def scenes(self, recipe: DetectorRecipe, photos: Photos, indices: np.ndarray, count: int, seed: int) -> list[Scene]:
        """A fixed set of scenes from the photos at these indices."""
        maker, rng = SceneMaker(photos, indices, recipe.names), np.random.default_rng(seed)
        return [maker.compose(rng, recipe.size) for _ in range(count)]

    def measure(self, recipe: Recipe, model: nn.Module, facts: dict[str, Any]) -> None:
        """Measure on the validation part; write the card when the recipe is bundled."""
        validation = everyday.load(self.folder, "val", self.cache)
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

    def facts(self, recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
        """What the card says about the making."""
        hardware = f"{torch.get_num_threads()} thread(s) of {_processor()}, shared with other work"
        if self.device != "cpu":
            hardware = torch.cuda.get_device_name() if self.device.startswith("cuda") else self.device
        detector = isinstance(recipe, DetectorRecipe)
        pictures = "scenes composed of photos from" if detector else "photos from"
        before = self.known_facts(recipe) if self.enter else {}
        facts: dict[str, Any] = {
            "data": f"{pictures} Everyday, {len(self.trained_on):,} in training, {len(self.held_out):,} held out",
            "origin": "Tiny-ImageNet-200, 123 of its classes folded into 80",
            "seed": recipe.seed,
            "hardware": hardware,
            "minutes": round(outcome.minutes + before.get("minutes", 0), 1),
            "pictures seen": outcome.seen + before.get("pictures seen", 0),
            "steps": outcome.steps + before.get("steps", 0),
            "command": self.said(recipe, outcome, before),
            "torch": torch.__version__.split("+")[0],
        }
        if note := self.note or before.get("note"):
            facts["note"] = note
        if isinstance(recipe, ClassifierRecipe) and recipe.teacher:
            facts["teacher"] = f"{recipe.teacher}, its answers weighing {recipe.trust:g} in the targets"
        if isinstance(recipe, DetectorRecipe):
            facts["backbone"] = f"started from {recipe.backbone}, trained on the same photos"
        return facts

    def said(self, recipe: Recipe, outcome: Outcome, before: dict[str, Any]) -> str:
        """The command, or the commands one after the other, that made the checkpoint."""
        minutes = outcome.minutes / (1 - self.enter)
        said = f"python -m playground.training {recipe.name} --data FOLDER --minutes {minutes:.0f}"
        return f"{before['command']}; {said} --enter {self.enter:g}" if before else said

    def known_facts(self, recipe: Recipe) -> dict[str, Any]:
        """The facts of the card that is there."""
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
