"""Training on photos: classifiers, and detectors on scenes composed of them."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets import everyday, opening
from playground.datasets.everyday import DataError, Photos
from playground.datasets.scenes import Scene, SceneMaker
from playground.models.detr import DETR
from playground.training import recipes
from playground.training.classify import Classification
from playground.training.loop import train
from playground.training.phases import PhasedTraining
from playground.training.publish import load_weights, measure_classifier, measure_detector
from playground.training.recipe import ClassifierRecipe, DetectorRecipe, Recipe
from playground.training.session import Outcome, Session, say
from playground.training.teacher import Teacher

VALIDATION_SCENES, HELD_OUT_SCENES = 1500, 500
FEWEST = 50  # photos of one's own
OWN_HELD_OUT = 0.1  # share of one's own photos kept for calibration
OWN_VALIDATION = 0.15  # share of one's own photos kept for measuring, where there is a train folder and no val


class PhotoSession(Session):
    """Everyday's photos, or for classifiers a folder of one's own with one folder for each class; read once."""

    needs = " --data FOLDER"

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        if options.data is None:
            raise ValueError("This recipe learns from photos; give --data a folder with them.")
        self.folder = options.data
        self.own = not everyday.is_everyday(self.folder)
        self.photos = opening.load(self.folder, "train", self.cache)
        if self.own and (self.folder / "train").is_dir() and not (self.folder / "val").is_dir():
            rest, kept = everyday.split_held_out(self.photos, OWN_VALIDATION, 1)
            self.validation: Photos | None = self.photos.take(kept)
            self.photos = self.photos.take(rest)
        else:
            self.validation = None
        if len(self.photos) < FEWEST:
            raise DataError(f"The data folder has {len(self.photos)} photos to train on; at least {FEWEST} are needed.")
        share = OWN_HELD_OUT if self.own else recipes.COMMON_HELD_OUT
        self.trained_on, self.held_out = everyday.split_held_out(self.photos, share, 0)

    def run(self, recipe: Recipe, minutes: float | None, resume: bool, measure: bool) -> None:
        """Train and measure as every session does; on one's own photos the recipe is made to fit their classes."""
        if self.own:
            if not isinstance(recipe, ClassifierRecipe):
                raise ValueError(
                    "Photos in class folders train a classifier; choose everyday-vit, -coatnet or -axial. A detector "
                    "needs boxes: a JSON file of COCO's form in the folder."
                )
            recipe = recipe.own(self.photos.classes)
        super().run(recipe, minutes, resume, measure)

    def learn(self, recipe: Recipe, minutes: float | None, resume: bool) -> Outcome:
        """Train the recipe to the end of its time."""
        if isinstance(recipe, DetectorRecipe):
            maker = SceneMaker(self.photos, self.trained_on, recipe.names)
            held_out = self.scenes(recipe, self.photos, self.held_out, 300, seed=1)
            phases = PhasedTraining(recipe, maker, held_out, self.cache, self.device, say, self.enter)
            return phases.run(self.earlier(recipe) or self.starting_state(recipe), minutes, resume)
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
        run = train(task, settings, file, resume, say, self.earlier(recipe))
        return Outcome(run.ema.state_dict(), run.minutes, run.seen, run.step)

    def teaching(self, recipe: ClassifierRecipe) -> Teacher | None:
        """The teacher, when the recipe has one; it is trained first when it is not there."""
        if not recipe.teacher:
            return None
        teacher = recipes.find(recipe.teacher)
        return Teacher(load_weights(teacher, self.trained(recipe, teacher), self.device), teacher.size, self.device)

    def trained(self, recipe: Recipe, other: Recipe) -> Path:
        """The weights of another recipe that this one leans on, trained first when they are not there."""
        path = self.place(other) / "model.safetensors"
        if not path.exists():
            say(f"{recipe.name} leans on {other.name}, which is not there yet: training that first")
            self.run(other, None, True, False)
        return path

    def starting_state(self, recipe: DetectorRecipe) -> dict[str, Tensor]:
        """A fresh detector with the trained weights of its backbone."""
        other = recipes.find(recipe.backbone)
        path = self.trained(recipe, other)
        torch.manual_seed(recipe.seed)
        model = recipes.build(recipe, recipe.size)
        assert isinstance(model, DETR)
        return recipes.backbone_state(load_weights(other, path).state_dict(), model)

    def scenes(self, recipe: DetectorRecipe, photos: Photos, indices: np.ndarray, count: int, seed: int) -> list[Scene]:
        """A fixed set of scenes from the photos at these indices."""
        maker, rng = SceneMaker(photos, indices, recipe.names), np.random.default_rng(seed)
        return [maker.compose(rng, recipe.size) for _ in range(count)]

    def measure(self, recipe: Recipe, model: nn.Module, facts: dict[str, Any]) -> None:
        """Measure on the validation part; write the card when the recipe is bundled."""
        validation = self.validation or opening.load(self.folder, "val", self.cache)
        if isinstance(recipe, DetectorRecipe):
            held = self.scenes(recipe, self.photos, self.held_out, HELD_OUT_SCENES, seed=2)
            everything = np.arange(len(validation))
            shown = self.scenes(recipe, validation, everything, VALIDATION_SCENES, seed=3)
            results = measure_detector(recipe, model, held, shown, self.device)
        else:
            assert isinstance(recipe, ClassifierRecipe)
            results = measure_classifier(recipe, model, self.photos, self.held_out, validation, self.device)
        self.finish(recipe, results, facts)

    def origin(self, recipe: Recipe) -> dict[str, Any]:
        """Which photos, and what the network leant on."""
        pictures = "scenes composed of photos from" if isinstance(recipe, DetectorRecipe) else "photos from"
        source = "a folder of one's own" if self.own else "Everyday"
        facts = {"data": f"{pictures} {source}, {len(self.trained_on):,} in training, {len(self.held_out):,} held out"}
        if not self.own:
            facts["origin"] = "Tiny-ImageNet-200, 123 of its classes folded into 80"
        if isinstance(recipe, ClassifierRecipe) and recipe.teacher:
            facts["teacher"] = f"{recipe.teacher}, its answers weighing {recipe.trust:g} in the targets"
        if isinstance(recipe, DetectorRecipe):
            facts["backbone"] = f"{recipe.backbone}, trained on the same photos"
        return facts
