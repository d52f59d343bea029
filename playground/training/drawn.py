"""Training on drawn scenes: nothing to download, held-out and measured scenes come from seeds of their own."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets.nouns import Segmented
from playground.datasets.shapes import NAMES, THINGS, ShapesMaker, ShapesScene
from playground.evaluation.detection import average_precision
from playground.evaluation.panoptic import PanopticQuality
from playground.models.detr import DETR, confident, panoptic
from playground.training import recipes
from playground.training.classify import normalised, to_float
from playground.training.failures import failures
from playground.training.loop import train
from playground.training.panoptic import PanopticDetection, things_found
from playground.training.publish import Results, thresholds
from playground.training.recipe import Recipe, ShapesRecipe
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
        held = things_found(model, scenes(recipe, "held out", HELD_OUT), self.device)
        unsure_below, threshold = thresholds(*held)
        shown = scenes(recipe, "measured", MEASURED)
        boxes = average_precision(*things_found(model, shown, self.device), len(THINGS))
        quality = panoptic_quality(model, shown, self.device)
        metrics = {name: 100 * boxes[name] for name in ("mAP", "mAP50", "mAP75")}
        seen = ~np.isnan(quality[:, 0])
        metrics |= {name: 100 * float(quality[seen, k].mean()) for k, name in enumerate(("PQ", "SQ", "RQ"))}
        metrics["PQ of things"] = 100 * float(np.nanmean(quality[: len(THINGS), 0]))
        metrics["PQ of stuff"] = 100 * float(np.nanmean(quality[len(THINGS) :, 0]))
        wrong = failures("PQ", quality[:, 0], NAMES)
        self.finish(recipe, Results(metrics, wrong, unsure_below, threshold=threshold), facts)

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


@torch.inference_mode()
def segmented(model: DETR, shown: Sequence[ShapesScene], device: str, count: int = 50) -> list[tuple[np.ndarray, Any]]:
    """The panoptic answer to each scene: (map int32 [S, S], segments), by the rule that the page follows."""
    answers = []
    for start in range(0, len(shown), count):
        part = shown[start : start + count]
        images = np.stack([scene.image for scene in part])
        size: tuple[int, int] = images.shape[1:3]
        out = model(normalised(to_float(images, device), size[0]), masks=False)
        logits: Tensor = out["logits"].float()
        pictures, queries = torch.stack([confident(one) for one in logits]).nonzero(as_tuple=True)
        masks = model.chosen_mask_logits(out, pictures, queries).float()  # [n, rows, cols]
        for number in range(len(part)):
            mine = pictures == number
            answers.append(panoptic(logits[number, queries[mine]], masks[mine], size, size, things=len(THINGS)))
    return answers


def panoptic_quality(model: DETR, shown: Sequence[ShapesScene], device: str) -> np.ndarray:
    """PQ, SQ and RQ of each class, [C, 3] in 0..1, NaN for a class that neither occurs nor is answered."""
    quality = PanopticQuality(len(NAMES))
    for scene, (answer, parts) in zip(shown, segmented(model, shown, device), strict=True):
        truth = _segments(scene.segments, range(1, len(scene.labels) + 1), scene.labels)
        quality.add(truth, _segments(answer, [part.id for part in parts], [part.label for part in parts]))
    return quality.each()


def _segments(ids: np.ndarray, numbers: Sequence[int], labels: Sequence[int] | np.ndarray) -> Segmented:
    """A map and its segments, none of them a crowd."""
    return Segmented(ids, np.array(numbers, np.int64), np.array(labels, np.int64), np.zeros(len(labels), bool))
