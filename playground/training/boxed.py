"""Training a detector on pictures of one's own, with boxes in COCO's layout."""

import argparse
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets import coco
from playground.datasets.cuts import CutMaker, squashed
from playground.datasets.nouns import BoxedPictures, DataError
from playground.datasets.scenes import Scene
from playground.evaluation.progress import Bar
from playground.models import catalogue
from playground.training import recipes
from playground.training.loop import Stage
from playground.training.phases import PhasedTraining
from playground.training.publish import load_weights, measure_detector
from playground.training.recipe import DetectorRecipe, Phase, Recipe
from playground.training.session import Outcome, Session, say

FEWEST = 20  # pictures to train on
HELD_OUT = 0.1  # share of them kept for the thresholds
LR, GROUPS = 3e-4, 4  # of the learning; groups of queries
KEPT = 1.5  # pictures to train on are kept at this many times the model's size, so that cuts stay sharp


@dataclass(frozen=True)
class OwnDetector(DetectorRecipe):
    """The recipe `base` for the classes of one's own pictures, from its trained weights where they are there."""

    base: str = ""

    @property
    def how(self) -> str:
        return f"Trained on pictures of your own by the recipe of {self.base}, from its weights."


def own_detector(recipe: DetectorRecipe, names: tuple[str, ...]) -> OwnDetector:
    """The same network for other classes; all of it learns, its backbone too, from the weights that are there."""
    given = {field.name: getattr(recipe, field.name) for field in fields(recipe) if field.init}
    phase = Phase("whole", 1.0, (Stage(1.0, recipe.size, 8),), LR, GROUPS)
    given |= {
        "name": recipe.name.replace("everyday", "own"),
        "title": f"{recipe.title.split(',')[0]}, {len(names)} {'class' if len(names) == 1 else 'classes'} of your own",
        "options": dict(recipe.options) | {"num_classes": len(names)},
        "names": names,
        "phases": (phase,),
        "base": recipe.name,
    }
    return OwnDetector(**given)


class BoxedSession(Session):
    """Pictures and a JSON file of one's own: read once, a tenth held out, the val part for measuring."""

    needs = " --data FOLDER"

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options)
        self.data, self.shown = (coco.boxed(options.data, split) for split in ("train", "val"))
        if len(self.data) < FEWEST:
            raise DataError(f"The data folder has {len(self.data)} pictures to train on; at least {FEWEST} are needed.")
        order = np.random.default_rng(0).permutation(len(self.data))
        held = max(1, round(len(self.data) * HELD_OUT))
        self.trained_on, self.held_out = np.sort(order[held:]), np.sort(order[:held])
        self.names = boxed_classes(self.data, self.trained_on)
        if not set(self.names) & set(boxed_classes(self.shown, np.arange(len(self.shown)))):
            raise DataError("The val part of the data has no box of a class to train on, so nothing can be measured.")
        if left_out := [name for name in self.data.classes if name not in self.names]:
            say(f"left out, since no picture to train on has a box of it: {', '.join(left_out)[:200]}")

    def run(self, recipe: Recipe, minutes: float | None, resume: bool, measure: bool) -> None:
        """Train and measure as every session does, by the recipe made to fit these classes."""
        assert isinstance(recipe, DetectorRecipe)
        super().run(own_detector(recipe, self.names), minutes, resume, measure)

    def learn(self, recipe: Recipe, minutes: float | None, resume: bool) -> Outcome:
        assert isinstance(recipe, OwnDetector)
        maker = CutMaker(self.scenes(self.data, self.trained_on, round(KEPT * recipe.size)), recipe.names)
        held_out = self.scenes(self.data, self.held_out, recipe.size)
        training = PhasedTraining(recipe, maker, held_out, self.cache, self.device, say, self.enter)
        return training.run(self.earlier(recipe) or starting_state(recipe), minutes, resume)

    def scenes(self, data: BoxedPictures, indices: np.ndarray, size: int) -> list[Scene]:
        """Pictures read and squashed, with a bar."""
        return squashed(data, indices, self.names, size, Bar(len(indices), "pictures read").to)

    def measure(self, recipe: Recipe, model: nn.Module, facts: dict[str, Any]) -> None:
        assert isinstance(recipe, OwnDetector)
        held_out = self.scenes(self.data, self.held_out, recipe.size)
        shown = self.scenes(self.shown, np.arange(len(self.shown)), recipe.size)
        self.finish(recipe, measure_detector(recipe, model, held_out, shown, self.device), facts)

    def origin(self, recipe: Recipe) -> dict[str, Any]:
        assert isinstance(recipe, OwnDetector)
        return {
            "data": f"pictures of one's own with boxes, {len(self.trained_on):,} in training, "
            f"{len(self.held_out):,} held out, {len(self.shown):,} for measuring",
            "start": f"the weights of {recipe.base}, its classes exchanged",
        }


def boxed_classes(data: BoxedPictures, indices: np.ndarray) -> tuple[str, ...]:
    """The classes that have a box in these pictures, in the file's order; crowds do not count. Raises DataError."""
    truths = [data.truth(i) for i in indices.tolist()]
    seen = {label for truth in truths for label in truth.labels[truth.single].tolist()}
    if not seen:
        raise DataError(f"No picture of {data.source} has a box; draw some, or name the file that lists them.")
    return tuple(data.classes[label] for label in sorted(seen))


def starting_state(recipe: OwnDetector) -> dict[str, Tensor]:
    """The base's weights wherever they fit, so all but those of its classes; raises TrainingError without them."""
    base = recipes.find(recipe.base)
    given = load_weights(base, catalogue.folder_of(base.name) / "model.safetensors").state_dict()
    torch.manual_seed(recipe.seed)
    fresh = recipes.build(recipe, recipe.size).state_dict()
    return {name: given[name] if given[name].shape == value.shape else value for name, value in fresh.items()}
