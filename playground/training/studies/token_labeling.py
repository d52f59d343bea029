"""Token labeling: every patch learns too, from the photo's box (after Jiang et al. 2021, arXiv 2104.10858)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from playground.evaluation.study import Axis, Series
from playground.training.classify import Augment, Classification, normalised, to_float
from playground.training.loop import Run
from playground.training.recipes import fit
from playground.training.studies.bench import Bench, parameters, run_stages, top1
from playground.training.studies.data_hunger import vit
from playground.training.studies.plan import Job, Measured, Plan, verdict

SIZE, PATCH = 32, 4
LOOKS = (0.25, 0.5, 0.75, 1.0)
WEIGHT = 0.5  # of the patches' loss, as in the paper's equation 4
ALONE, DENSE = "labels alone", "with dense targets"


class PatchHeaded(nn.Module):
    """A ViT whose patches answer too while it learns: [B, N, classes + 1] beside [B, classes]; "nothing" comes last."""

    def __init__(self, body: Any, classes: int) -> None:
        super().__init__()
        self.body = body
        self.patch_head = nn.Linear(body.num_features, classes + 1)

    def forward(self, pixels: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """The class logits; in training the patches' too."""
        tokens = self.body.forward_features(pixels)  # [B, 1 + N, D]
        logits = self.body.forward_head(tokens)
        return (logits, self.patch_head(tokens[:, self.body.num_prefix_tokens :])) if self.training else logits


def covered(boxes_xyxy: Tensor, side: int = SIZE, patch: int = PATCH) -> Tensor:
    """The share of each patch that a box [B, 4] covers, [B, N] in 0..1, row by row."""
    low = torch.arange(0, side, patch, dtype=torch.float32)
    ends = ((boxes_xyxy[:, k, None], boxes_xyxy[:, k + 2, None]) for k in (0, 1))
    across, down = ((torch.minimum(end, low + patch) - torch.maximum(start, low)).clamp(min=0) for start, end in ends)
    return (down[:, :, None] * across[:, None]).flatten(1) / patch**2


class Dense(Classification):
    """Flips alone, so that boxes stay known; `weight` 0 leaves the patches out."""

    def __init__(self, bench: Bench, build: Callable[[int], nn.Module], weight: float) -> None:
        everything = np.arange(len(bench.train))
        super().__init__(bench.train, everything, np.arange(0), build, fit, Augment(), 0.05)
        self.weight = weight

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """(pixels, class targets, patch targets [B, N, classes + 1])."""
        drawn = torch.randint(len(self.trained_on), (count,), generator=generator).numpy()
        images, boxes = to_float(self.photos.images[drawn]), torch.from_numpy(self.photos.boxes_xyxy[drawn]).float()
        flipped = torch.rand(count, generator=generator) < 0.5
        images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
        turned = torch.stack([size - boxes[:, 2], boxes[:, 1], size - boxes[:, 0], boxes[:, 3]], dim=1)
        boxes = torch.where(flipped[:, None], turned, boxes)
        labels = F.one_hot(torch.from_numpy(self.photos.labels[drawn]), len(self.photos.classes)).float()
        share = covered(boxes)[..., None]  # [B, N, 1]
        patches = torch.cat([share * labels[:, None], 1 - share], dim=-1)
        classes = labels * (1 - self.smoothing) + self.smoothing / labels.shape[1]
        return normalised(images, size), classes, patches

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        """Cross-entropy of the picture, plus the weighted one of its patches."""
        pixels, classes, patches = batch
        assert isinstance(classes, Tensor) and isinstance(patches, Tensor)
        logits, dense = model(pixels)
        return F.cross_entropy(logits.float(), classes) + self.weight * F.cross_entropy(
            dense.float().flatten(0, 1), patches.flatten(0, 1)
        )


def run(bench: Bench, seed: int, name: str) -> Measured:
    """Train with or without dense targets; accuracy along the way."""
    small = bench.at(SIZE)
    classes = len(small.train.classes)
    points: Measured = []

    def look(run: Run, share: float) -> None:
        points.append((share * bench.photos_seen, top1(run.ema, small.validation, SIZE), len(small.validation)))

    learner = Dense(small, lambda _: PatchHeaded(vit(classes), classes), WEIGHT if name == DENSE else 0.0)
    run_stages(learner, SIZE, bench.photos_seen, seed, LOOKS, look)
    return points


def finding(series: Mapping[str, Series]) -> str:
    """What dense targets are worth at the end."""
    alone, dense = series[ALONE].points[-1], series[DENSE].points[-1]
    return (
        f"After {alone.x:,.0f} photos: {dense.told(' %')} with dense targets from the boxes, {alone.told(' %')} with "
        f"labels alone. The claim that dense targets help {verdict(dense.y > alone.y, dense.reaches(alone))} "
        f"({dense.y - alone.y:+.1f} points)."
    )


def facts(bench: Bench) -> dict[str, Any]:
    """Settings worth knowing."""
    classes = len(bench.train.classes)
    return {
        "pixels a side": SIZE,
        "classes": classes,
        "weight": WEIGHT,
        "parameters": {"ViT": parameters(vit(classes))},
    }


TOKENS = Plan(
    name="token-labeling",
    title="Do labels for every patch help?",
    question="What are dense targets worth, made from each photo's box, beside the photo's label?",
    x=Axis("photos seen", ""),
    y=Axis("top-1 on the validation part", "%"),
    photos=20_000,
    jobs=tuple(Job(name, name, partial(run, name=name)) for name in (ALONE, DENSE)),
    finding=finding,
    facts=facts,
)
