"""Training on drawn scenes: nothing to download, held-out and measured scenes come from seeds of their own."""

from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from playground.datasets.shapes import NAMES, THINGS, ShapesMaker, ShapesScene
from playground.evaluation.detection import average_precision
from playground.models.detr import DETR
from playground.training import recipes
from playground.training.failures import failures
from playground.training.loop import train
from playground.training.panoptic import PanopticDetection, things_found
from playground.training.publish import PRECISION, Results, thresholds
from playground.training.recipe import Recipe, ShapesRecipe
from playground.training.regions import answers, best_segments_from, panoptic_quality
from playground.training.session import Outcome, Session, say

WATCHED, HELD_OUT, MEASURED = 200, 500, 1000  # scenes scored while training, for the threshold, for the card
SEEDS = {"watched": 1, "held out": 2, "measured": 3}


class ShapesSession(Session):
    """Scenes drawn as they are needed."""

    def learn(self, recipe: Recipe, minutes: float | None, resume: bool) -> Outcome:
        assert isinstance(recipe, ShapesRecipe)

        task = PanopticDetection(
            maker(recipe),
            scenes(recipe, "watched", WATCHED),
            lambda size: recipes.build(recipe, size, recipe.groups),
            recipe.groups,
            recipe.masks,
            self.device,
            recipe.channels_last,
        )
        file = self.cache / f"{recipe.name}.state.safetensors"
        settings = replace(recipe.settings(minutes, self.device), enter=self.enter)
        earlier = self.earlier(recipe)
        queries = int(recipe.options["num_queries"])
        initial = None if earlier is None else recipes.with_groups(earlier, queries * recipe.groups)
        run = train(task, settings, file, resume, say, initial)
        return Outcome(recipes.with_groups(run.ema.state_dict(), queries), run.minutes, run.seen, run.step)

    def measure(self, recipe: Recipe, model: nn.Module, facts: dict[str, Any]) -> None:
        assert isinstance(recipe, ShapesRecipe) and isinstance(model, DETR)
        model.eval()
        held, shown = scenes(recipe, "held out", HELD_OUT), scenes(recipe, "measured", MEASURED)
        unsure_below, threshold = thresholds(*things_found(model, held, self.device), PRECISION[recipe.task])
        boxes = average_precision(*things_found(model, shown, self.device), len(THINGS))
        above = best_segments_from(model, held, self.device)
        quality = panoptic_quality(shown, answers(model, shown, self.device, above), above)
        metrics = {name: 100 * boxes[name] for name in ("mAP", "mAP50", "mAP75")}
        seen = ~np.isnan(quality[:, 0])
        metrics |= {name: 100 * float(quality[seen, k].mean()) for k, name in enumerate(("PQ", "SQ", "RQ"))}
        metrics["PQ of things"] = 100 * float(np.nanmean(quality[: len(THINGS), 0]))
        metrics["PQ of stuff"] = 100 * float(np.nanmean(quality[len(THINGS) :, 0]))
        wrong = failures("PQ", quality[:, 0], NAMES)
        self.finish(recipe, Results(metrics, wrong, unsure_below, threshold=threshold, segments_from=above), facts)

    def origin(self, recipe: Recipe) -> dict[str, Any]:
        assert isinstance(recipe, ShapesRecipe)
        kind = "plain things" if recipe.plain else "things"
        return {
            "data": f"scenes drawn by playground.datasets.shapes while training, 1 to {recipe.things} {kind} each",
            "most things": recipe.things,
            "plain things": recipe.plain,
            "measured on": f"{MEASURED:,} scenes of {recipe.size} px from seed {SEEDS['measured']}, never trained on",
        }


def maker(recipe: ShapesRecipe) -> ShapesMaker:
    """What draws the recipe's scenes."""
    return ShapesMaker((1, recipe.things), recipe.plain)


def scenes(recipe: ShapesRecipe, use: str, count: int) -> list[ShapesScene]:
    """A fixed set of scenes for one use, "watched", "held out" or "measured", always the same."""
    draw, rng = maker(recipe), np.random.default_rng(SEEDS[use])
    return [draw.compose(rng, recipe.size) for _ in range(count)]
