"""One call of the training command, whatever is trained: learn, keep the weights, measure, write card and README."""

import argparse
import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from playground.evaluation.hardware import hardware
from playground.models import catalogue
from playground.models.card import Card
from playground.training import parallel
from playground.training.loop import TrainingError
from playground.training.publish import Results, how_made, load_weights, publish, write_weights
from playground.training.recipe import Recipe


@dataclass(frozen=True)
class Outcome:
    """What a training came to: weights as the checkpoint keeps them, minutes, pictures seen and steps."""

    state: dict[str, Tensor]
    minutes: float
    seen: int
    steps: int


class Session(ABC):
    """What the sessions share: where results lie, the order of things, and the facts of the making."""

    needs = ""  # what the command must be given, as a card repeats it

    def __init__(self, options: argparse.Namespace) -> None:
        self.cache: Path = options.cache
        self.out: Path = options.out or where_the_page_looks()
        self.device: str = options.device
        self.note: str = options.note
        self.enter: float = options.enter

    @abstractmethod
    def learn(self, recipe: Recipe, minutes: float | None, resume: bool) -> Outcome:
        """Train the recipe to the end of its time."""

    @abstractmethod
    def measure(self, recipe: Recipe, model: nn.Module, facts: dict[str, Any]) -> None:
        """Measure on pictures that training never saw; write the card when the recipe is bundled."""

    @abstractmethod
    def origin(self, recipe: Recipe) -> dict[str, Any]:
        """What the card says about the pictures."""

    def place(self, recipe: Recipe) -> Path:
        """The folder of a recipe's result: a checkpoint, or the cache for networks that only serve others."""
        return (self.out if recipe.bundled else self.cache) / recipe.name

    def run(self, recipe: Recipe, minutes: float | None, resume: bool, measure: bool) -> None:
        """Train (unless only measuring), then measure and write card and README."""
        recipe = recipe.on(self.device)
        weights = self.place(recipe) / "model.safetensors"
        if not measure:
            outcome = self.learn(recipe, minutes, resume)
            if not parallel.leads():
                return
            facts = self.facts(recipe, outcome)
            write_weights(weights, outcome.state, facts)
        else:
            facts = self.known_facts(recipe) | ({"note": self.note} if self.note else {})
        self.measure(recipe, load_weights(recipe, weights, self.device), facts)

    def earlier(self, recipe: Recipe) -> dict[str, Tensor] | None:
        """The weights of the checkpoint that is there, when training enters its schedule on the way."""
        if not self.enter:
            return None
        path = self.place(recipe) / "model.safetensors"
        if not path.exists():
            raise TrainingError(f"{recipe.name} has no checkpoint to start from; leave out --enter.")
        return load_weights(recipe, path).state_dict()

    def facts(self, recipe: Recipe, outcome: Outcome) -> dict[str, Any]:
        """What the card says about the making."""
        used = hardware(torch.device(self.device))
        before = self.known_facts(recipe) if self.enter else {}
        facts: dict[str, Any] = {
            **self.origin(recipe),
            "seed": recipe.seed,
            "hardware": "; ".join(dict.fromkeys([*before.get("hardware", used).split("; "), used])),
            "minutes": round(outcome.minutes + before.get("minutes", 0), 1),
            "pictures seen": outcome.seen + before.get("pictures seen", 0),
            "steps": outcome.steps + before.get("steps", 0),
            "command": self.said(recipe, outcome, before),
            "torch": torch.__version__.split("+")[0],
        }
        if note := self.note or before.get("note"):
            facts["note"] = note
        return facts

    def said(self, recipe: Recipe, outcome: Outcome, before: dict[str, Any]) -> str:
        """The command, or the commands one after the other, that made the checkpoint."""
        minutes = outcome.minutes / (1 - self.enter)
        asked = recipe.name.replace("own-", "everyday-")  # the recipe that was made to fit one's own pictures
        device = "" if self.device == "cpu" else f" --device {self.device.split(':')[0]}"
        said = f"python -m playground train {asked}{self.needs} --minutes {round(minutes, 1):g}{device}"
        return f"{before['command']}; {said} --enter {self.enter:g}" if before else said

    def finish(self, recipe: Recipe, results: Results, facts: dict[str, Any]) -> None:
        """Say the results; write card and README when the recipe is bundled, and say that the page has it."""
        for name, value in results.metrics.items():
            say(f"{name}: {value:.2f} %")
        if not recipe.bundled:
            return
        card = publish(recipe, self.place(recipe), results, facts)
        say(f"wrote {card.name}: {card.parameters:,} parameters, {(card.size_bytes or 0) / 1e6:.1f} MB, in {self.out}")
        if card in catalogue.bundled():
            say(f"the page offers it now: `python -m playground serve`, then choose {card.title}")
        else:
            say("the page offers what lies in the project's checkpoints: move the folder there, or leave out --out")

    def known_facts(self, recipe: Recipe) -> dict[str, Any]:
        """How the weights that are there were made, as they tell themselves, or else their card."""
        try:
            card = self.place(recipe) / "card.json"
            return how_made(card.with_name("model.safetensors")) or dict(
                Card.from_json(card.read_text(encoding="utf-8")).training
            )
        except OSError as error:
            raise TrainingError(f"{recipe.name} has no card yet; train it first.") from error


def where_the_page_looks() -> Path:
    """The project's checkpoints, or the user's own where those are read-only, as in an installed package."""
    known = catalogue.CHECKPOINTS
    standing = known if known.exists() else known.parent
    return known if os.access(standing, os.W_OK) else catalogue.OWN.expanduser()


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)
