"""A detector's training, phase after phase, each starting from the averaged weights of the one before."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from playground.datasets.scenes import Composer, Scene
from playground.models.detr import DETR
from playground.training import recipes
from playground.training.detection import Detection
from playground.training.frozen import FrozenDetection
from playground.training.loop import Task, saved_minutes, saved_state, train
from playground.training.recipe import DetectorRecipe, Phase
from playground.training.session import Outcome


@dataclass(frozen=True)
class PhasedTraining:
    """Everything the phases share. `state` holds the starting weights, `cache` the unfinished states and features."""

    recipe: DetectorRecipe
    maker: Composer
    held_out: Sequence[Scene]
    cache: Path
    device: str
    say: Callable[[str], None]
    enter: float = 0.0  # share of the whole schedule that training starts at

    def run(self, state: dict[str, Tensor], minutes: float | None, resume: bool) -> Outcome:
        """Go through the phases; with `resume`, finished ones are taken from their saved states."""
        spent, seen, steps, before = 0.0, 0, 0, 0.0
        for number, phase in enumerate(self.recipe.phases, 1):
            begun, before = before, before + phase.share
            if before <= self.enter + 1e-9:
                continue
            file = self.cache / f"{self.recipe.name}.{number}.state.safetensors"
            entered = max(0.0, (self.enter - begun) / phase.share)
            settings = replace(self.recipe.phase_settings(phase, minutes, self.device), enter=entered)
            done = resume and saved_minutes(file) >= settings.minutes
            self.say(f"phase {number} of {len(self.recipe.phases)}: {phase.kind}" + (", done before" if done else ""))
            if not done:
                train(self.task(phase, state), settings, file, resume, self.say)
            learned, facts = saved_state(file)
            state = state | learned  # a frozen phase leaves the backbone as it was
            spent += facts["elapsed"] / 60 - entered * settings.minutes
            seen, steps = seen + facts["seen"], steps + facts["step"]
        return Outcome(recipes.with_groups(state, self.queries(1)), spent, seen, steps)

    def queries(self, groups: int) -> int:
        """Queries of this many groups."""
        return groups * int(self.recipe.options["num_queries"])

    def task(self, phase: Phase, state: dict[str, Tensor]) -> Task:
        """The phase's task, starting from these weights."""

        def started(size: int) -> DETR:
            model = recipes.build(self.recipe, size, phase.groups)
            assert isinstance(model, DETR)
            model.load_state_dict(recipes.with_groups(state, self.queries(phase.groups)))
            return model

        if phase.kind == "frozen":
            store = self.cache / f"{self.recipe.name}.features.npy"
            self.say(f"storing the features of {phase.scenes:,} scenes")
            return FrozenDetection(
                self.maker,
                self.held_out,
                started,
                self.recipe.size,
                phase.scenes,
                store,
                phase.groups,
                self.device,
                class_cost=phase.class_cost,
            )
        return Detection(
            self.maker,
            self.held_out,
            started,
            phase.groups,
            self.recipe.backbone_factor,
            self.device,
            self.recipe.channels_last,
            phase.class_cost,
        )
