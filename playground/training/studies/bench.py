"""The bench on which all studies train and measure: small photos of twenty classes, small networks, equal photos."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets import everyday
from playground.datasets.everyday import Photos
from playground.training.classify import Augment, Classification, predict_logits
from playground.training.loop import Run, Settings, Stage
from playground.training.recipes import THINGS, fit

BATCH = 32
LR = 1.5e-3


@dataclass(frozen=True)
class Bench:
    """Photos of the twenty THINGS at 64 px: to train on, and the validation part. `photos_seen` is what each network
    sees while it learns, repeats included. `whole` are all 80 classes' validation photos, for the bundled models."""

    train: Photos
    validation: Photos
    whole: Photos
    whole_train: Photos
    photos_seen: int

    def at(self, size: int, classes: int | None = None) -> "Bench":
        """The same photos brought down to `size` pixels, which divides 64; of the first `classes` alone if given."""
        train, validation = (first(photos, classes) for photos in (self.train, self.validation))
        return replace(self, train=smaller(train, size), validation=smaller(validation, size))


def use_threads(count: int) -> None:
    """Let torch use this many processor threads."""
    torch.set_num_threads(count)


def bench(folder: Path, cache: Path, photos_seen: int) -> Bench:
    """Read the photos. Raises DataError for a folder of another layout."""
    train, validation = (everyday.load(folder, split, cache) for split in ("train", "val"))
    return Bench(chosen(train), chosen(validation), validation, train, photos_seen)


def chosen(photos: Photos) -> Photos:
    """The photos of THINGS (of all classes when there are none of them), with labels counted anew."""
    names = [name for name in THINGS if name in photos.classes] or list(photos.classes)
    place = {photos.classes.index(name): number for number, name in enumerate(names)}
    kept = photos.take(np.flatnonzero([label in place for label in photos.labels.tolist()]))
    labels = np.array([place[label] for label in kept.labels.tolist()], np.int64)
    return Photos(kept.images, labels, kept.boxes_xyxy, tuple(names))


def first(photos: Photos, classes: int | None) -> Photos:
    """The photos of the first classes; all without a number."""
    if classes is None:
        return photos
    kept = photos.take(np.flatnonzero(photos.labels < classes))
    return replace(kept, classes=photos.classes[:classes])


def smaller(photos: Photos, size: int) -> Photos:
    """Photos brought down by whole blocks of pixels."""
    side = photos.images.shape[1]
    assert side % size == 0
    step = side // size
    if step == 1:
        return photos
    blocks = photos.images.reshape(len(photos), size, step, size, step, 3)
    images = np.stack([block.mean((1, 3)).round().astype(np.uint8) for block in blocks]) if len(photos) else blocks
    return Photos(images, photos.labels, photos.boxes_xyxy / step, photos.classes)


def part(photos: Photos, share: float, seed: int) -> np.ndarray:
    """Indices of a share (0..1] of the photos, drawn by seed; larger shares hold the smaller ones."""
    order = np.random.default_rng(seed).permutation(len(photos))
    return np.sort(order[: max(1, round(share * len(photos)))])


def learn(
    task: Classification, size: int, photos: int, seed: int, initial: dict[str, Tensor] | None = None, lr: float = LR
) -> Run:
    """Train on this many photos, with the usual warm-up and cosine over the photos instead of the time."""
    return run_stages(task, size, photos, seed, (1.0,), lambda run, share: None, initial, lr)


def run_stages(
    task: Classification,
    size: int,
    photos: int,
    seed: int,
    shares: Sequence[float],
    look: Callable[[Run, float], None],
    initial: dict[str, Tensor] | None = None,
    lr: float = LR,
) -> Run:
    """Train on this many photos, looking at the run when these shares of them were seen."""
    settings = Settings(1.0, (Stage(1.0, size, BATCH),), lr, 0.05, ema=0.99, seed=seed)
    run = Run(task, settings, initial)
    steps = max(1, photos // BATCH)
    due = {max(1, round(share * steps)): share for share in shares}
    for step in range(1, steps + 1):
        run.one_step()
        run.elapsed = 60 * settings.minutes * step / steps
        if step in due:
            look(run, due[step])
    return run


def task(bench: Bench, build: Callable[[int], nn.Module], trained_on: np.ndarray) -> Classification:
    """Learning the bench's classes with light augmentation."""
    nothing = np.arange(0)
    return Classification(bench.train, trained_on, nothing, build, fit, Augment(least_area=0.5, colour=0.1), 0.05)


def top1(model: nn.Module, photos: Photos, size: int) -> float:
    """Right answers in % on all of the photos."""
    model.eval()
    logits = predict_logits(model, photos.images, np.arange(len(photos)), size, "cpu")
    return 100 * float((logits.argmax(1).numpy() == photos.labels).mean())


def training_loss(model: nn.Module, photos: Photos, size: int, count: int = 1000) -> float:
    """Mean cross-entropy on photos that were trained on, as they are, in nats."""
    model.eval()
    kept = np.arange(min(count, len(photos)))
    logits = predict_logits(model, photos.images, kept, size, "cpu")
    return float(nn.functional.cross_entropy(logits, torch.from_numpy(photos.labels[kept])))


def parameters(model: nn.Module) -> int:
    """Trained numbers."""
    return sum(parameter.numel() for parameter in model.parameters())
