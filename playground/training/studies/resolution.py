"""Position embeddings at another resolution: Dosovitskiy et al. 2021, section 3.2, on the bundled ViT."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from playground.datasets.everyday import Photos
from playground.evaluation.study import Axis, Series
from playground.models import catalogue
from playground.training import recipes
from playground.training.publish import load_weights
from playground.training.studies.bench import Bench, learn, task, top1
from playground.training.studies.plan import Job, Measured, Plan

MODEL = "everyday-vit"
SIZES = (48, 64, 80, 96)
MEASURED = 600  # validation photos, drawn by seed
TUNED_ON = 0.2  # of the study's photos
SCALED, CONTINUED, TUNED = "positions interpolated", "positions cut or continued", "interpolated, then fine-tuned"


def at(size: int, how: str) -> nn.Module:
    """The bundled ViT for pictures of another size, its table of positions fitted in one of the two ways."""
    recipe = recipes.find(MODEL)
    state = load_weights(recipe, catalogue.folder_of(MODEL) / "model.safetensors").state_dict()
    model = recipes.build(recipe, size)
    if how == CONTINUED:
        state = state | {"pos_embed": continued(state["pos_embed"], model.state_dict()["pos_embed"].shape[1] - 1)}
    model.load_state_dict(recipes.fit(state, model))
    return model.eval()


def continued(table: Tensor, cells: int) -> Tensor:
    """A table [1, 1 + N, D] for another square grid at its own scale: the middle is cut out, or the edge goes on."""
    side, wanted = round((table.shape[1] - 1) ** 0.5), round(cells**0.5)
    grid = table[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)  # [1, D, side, side]
    before = (wanted - side) // 2
    after = wanted - side - before
    if wanted < side:
        grid = grid[:, :, -before : side + after, -before : side + after]
    else:
        grid = F.pad(grid, (before, after, before, after), mode="replicate")
    return torch.cat([table[:, :1], grid.flatten(2).mT], dim=1)


def photos_of(bench: Bench, seed: int) -> Photos:
    """The validation photos that are measured."""
    order = np.random.default_rng(seed).permutation(len(bench.whole))
    return bench.whole.take(np.sort(order[:MEASURED]))


def run(bench: Bench, seed: int, size: int, how: str) -> Measured:
    """Accuracy at one size, without training or after a short one at that size."""
    shown = photos_of(bench, seed)
    model = at(size, CONTINUED if how == CONTINUED else SCALED)
    if how == TUNED:
        held = Bench(bench.whole_train, bench.whole, bench.whole, bench.whole_train, bench.photos_seen)
        learner = task(held, lambda _: recipes.build(recipes.find(MODEL), size), np.arange(len(bench.whole_train)))
        count = round(TUNED_ON * bench.photos_seen)
        model = learn(learner, size, count, seed, model.state_dict(), lr=1e-4).ema
    return [(size, top1(model, shown, size), len(shown))]


def finding(series: Mapping[str, Series]) -> str:
    """What interpolation and fine-tuning are worth away from the model's own size."""
    tables = {name: {int(point.x): point.y for point in one.points} for name, one in series.items()}
    own = 64
    at_home = next(point for point in series[SCALED].points if int(point.x) == own)
    others = [size for size in SIZES if size != own]
    worth = {size: tables[SCALED][size] - tables[CONTINUED][size] for size in others}
    tuned = {size: tables[TUNED][size] - tables[SCALED][size] for size in others}
    said = ", ".join(f"{size} px {worth[size]:+.1f}" for size in others)
    then = ", ".join(f"{size} px {tuned[size]:+.1f}" for size in others)
    holds = all(value > 0 for value in worth.values())
    return (
        f"At its own {own} px the model has {at_home.told(' %')}. Interpolating its positions instead of "
        f"cutting or continuing them is worth, in points: {said}; the short fine-tuning then adds: {then}. "
        f"That interpolation helps {'holds at every size' if holds else 'does not hold at every size'}."
    )


def facts(bench: Bench) -> dict[str, Any]:
    """Settings worth knowing."""
    card = catalogue.find(MODEL)
    return {
        "model": MODEL,
        "sha256": card.sha256,
        "photos measured": MEASURED,
        "photos of the fine-tuning": round(TUNED_ON * bench.photos_seen),
    }


RESOLUTION = Plan(
    name="resolution",
    title="What happens to a ViT at another resolution?",
    question="How does accuracy change with the size of the picture, and what do interpolated positions save?",
    x=Axis("size of the picture", "px"),
    y=Axis("top-1 on validation photos", "%"),
    photos=20_000,
    jobs=tuple(
        Job(how, f"{how} {size}", partial(run, size=size, how=how))
        for how in (SCALED, CONTINUED, TUNED)
        for size in SIZES
    ),
    finding=finding,
    facts=facts,
)
