"""Finished weights become a checkpoint: measured, with a card and a README, written whole or not at all."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from playground.datasets import shapes
from playground.datasets.everyday import Photos
from playground.datasets.nouns import Truth
from playground.datasets.scenes import Scene
from playground.evaluation import classification, detection
from playground.evaluation.detection import Found
from playground.image import Preprocess
from playground.models.card import Card, Metric
from playground.training.classify import predict_logits
from playground.training.detection import detections, truths
from playground.training.failures import FILE, Failures, chart, failures, section
from playground.training.loop import TrainingError, write_tensors
from playground.training.recipe import ClassifierRecipe, DetectorRecipe, Recipe, ShapesRecipe
from playground.training.recipes import build
from playground.whole import replacing

LIMIT = 10_000_000  # bytes of one weights file
PRECISION = {"classification": 0.8, "detection": 0.6, "panoptic": 0.6}  # at which "not sure" begins, by task
EVERYDAY = "Everyday, validation part (5,362 photos)"
DATASETS = {
    "classification": EVERYDAY,
    "detection": f"Scenes composed from {EVERYDAY}",
    "panoptic": "Shapes, scenes drawn for measuring alone",
}
SOURCE = "measured with python -m playground.training"
DRAWN_NOTE = "Weights: Apache-2.0. Trained on scenes that the project draws itself; no photo was used."
PHOTO_NOTE = (
    "Weights: Apache-2.0. Trained on a selection of Tiny-ImageNet-200, whose photos come under ImageNet's terms "
    "(non-commercial research and education); no photo is part of this repository."
)
OWN_NOTE = "Weights: yours. Trained on pictures of your own; their terms are yours to keep."
OWN_WEAKNESSES = {
    "classification": (
        "It always names one of its classes, also for pictures of none of them. It sees 64 x 64 pixels of the middle "
        "square, so small or off-centre things are lost."
    ),
    "detection": (
        "It knows what its pictures show and how they show it: other views, sizes and surroundings are found badly. "
        "Pictures are squashed to a small square, so small things are lost, and it answers no more boxes than it has "
        "queries."
    ),
}
WEAKNESSES = {
    "classification": (
        "It knows 80 classes and always names one of them: a cheetah becomes the nearest class it knows. "
        'Answers below the card\'s `unsure_below` should be read as "not sure". '
        "It sees 64 x 64 pixels of the middle square, so small or off-centre things are lost."
    ),
    "detection": (
        "It was trained on pictures composed of 64 px photos in which each photo has one box: crowds, small things and "
        "things cut by the edge are found badly, and a second object of a class in one photo is often left out. "
        "Pictures are squashed to a square of 128 px."
    ),
    "panoptic": (
        "It knows drawn shapes and nothing else: a photo is answered with shapes and stuff all the same. It was never "
        "shown more things at once, or smaller and larger ones, than its scenes have. Pictures are squashed to a small "
        "square. Where two queries answer one thing, it is drawn in two parts."
    ),
}


@dataclass(frozen=True)
class Results:
    """What measuring found: metrics in % on pictures kept apart, and what was chosen on held-out training pictures.

    `unsure_below` is the score from which answers are right at the task's PRECISION, `threshold` that from which boxes
    are shown, `segments_from` that above which queries contest the pixels.
    """

    metrics: Mapping[str, float]
    wrong: Failures
    unsure_below: float
    temperature: float = 1.0
    threshold: float = Card.threshold
    segments_from: float = Card.segments_from


def halved(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors as float16, others unchanged. Raises TrainingError when a value does not fit."""
    small = {name: value.half() if value.is_floating_point() else value.clone() for name, value in state.items()}
    for name, value in small.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise TrainingError(
                f"The weights cannot be stored in half precision: {name[:64]} is too large or not a number."
            )
    return small


def load_weights(recipe: Recipe, path: Path, device: str = "cpu") -> nn.Module:
    """The finished network in float32. Raises TrainingError when the file is missing or of another model."""
    model = build(recipe, recipe.size)
    try:
        model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in load_file(path).items()})
    except (OSError, RuntimeError, ValueError) as error:
        raise TrainingError(
            f"The weights of {recipe.name} are missing or of another model; train {recipe.name} first."
        ) from error
    return model.to(device).eval()


def measure_classifier(
    recipe: ClassifierRecipe, model: nn.Module, train: Photos, held_out: np.ndarray, validation: Photos, device: str
) -> Results:
    """Measure on the validation part; temperature and threshold come from held-out training photos alone."""
    held = predict_logits(model, train.images, held_out, recipe.size, device).numpy()
    held_labels = train.labels[held_out]
    temperature = round(classification.fit_temperature(held, held_labels), 4)
    held_confidence = classification.softmax(held, temperature).max(1)
    held_right, precision = held.argmax(1) == held_labels, PRECISION[recipe.task]
    threshold = round(classification.unsure_threshold(held_confidence, held_right, precision), 4)
    logits = predict_logits(model, validation.images, np.arange(len(validation)), recipe.size, device).numpy()
    confidence, right = classification.softmax(logits, temperature).max(1), logits.argmax(1) == validation.labels
    sure = confidence >= threshold
    metrics = {
        "top-1": 100 * classification.top_k(logits, validation.labels, 1),
        "top-5": 100 * classification.top_k(logits, validation.labels, 5),
        "calibration error": 100 * classification.calibration_error(logits, validation.labels, temperature),
        "answers given": 100 * float(sure.mean()),
        "right when given": 100 * float(right[sure].mean()) if sure.any() else 0.0,
    }
    mistakes = classification.confusions(logits.argmax(1), validation.labels)
    each = classification.per_class(logits, validation.labels)
    return Results(metrics, failures("top-1", each, validation.classes, mistakes), threshold, temperature)


def measure_detector(
    recipe: DetectorRecipe, model: nn.Module, held_out: list[Scene], validation: list[Scene], device: str
) -> Results:
    """Measure on validation scenes; both thresholds come from held-out scenes alone."""
    precision = PRECISION[recipe.task]
    unsure_below, threshold = thresholds(detections(model, held_out, device), truths(held_out), precision)
    found, true = detections(model, validation, device), truths(validation)
    results = detection.average_precision(found, true, len(recipe.names))
    each = np.array([results.get(f"AP50/{label}", np.nan) for label in range(len(recipe.names))])
    wrong = failures("AP50", each, recipe.names, detection.confusions(found, true, threshold))
    metrics = {name: 100 * results[name] for name in ("mAP", "mAP50", "mAP75")}
    return Results(metrics, wrong, unsure_below, threshold=threshold)


def thresholds(found: Sequence[Found], true: Sequence[Truth], precision: float) -> tuple[float, float]:
    """(score from which boxes are right at this precision, score from which showing them gives the best F1, in
    hundredths as the page's slider has it; the card's default when no box is right)."""
    best = detection.best_f1(found, true)
    shown = Card.threshold if best is None else math.floor(100 * best[0]) / 100
    return round(detection.detection_threshold(found, true, precision), 4), shown


def publish(recipe: Recipe, folder: Path, results: Results, training: Mapping[str, Any]) -> Card:
    """Write card.json, README.md and the chart of known failures beside a measured model.safetensors; the card."""
    weights = folder / "model.safetensors"
    size = weights.stat().st_size
    if size >= LIMIT:
        raise TrainingError(
            f"The weights take {size / 1e6:.1f} MB; a bundled file must stay under {LIMIT / 1e6:.0f} MB."
        )
    drawn = isinstance(recipe, ShapesRecipe)
    own = recipe.name.startswith("own-")
    rule: Literal["crop", "squash"] = "crop" if recipe.task == "classification" else "squash"
    dataset = "pictures of your own, kept from training" if own else DATASETS[recipe.task]
    card = Card(
        name=recipe.name,
        title=recipe.title,
        family=recipe.family,
        task=recipe.task,
        architecture=recipe.architecture,
        labels=recipe.labels,
        source="bundled",
        license="none" if own else "apache-2.0",
        options=dict(recipe.options),
        preprocess=Preprocess(rule, (recipe.size, recipe.size), 1.0, "bicubic"),
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
        size_bytes=size,
        license_note=DRAWN_NOTE if drawn else OWN_NOTE if own else PHOTO_NOTE,
        parameters=sum(p.numel() for p in build(recipe, recipe.size).parameters()),
        metrics=tuple(Metric(name, round(value, 2), "%", dataset, SOURCE) for name, value in results.metrics.items()),
        temperature=results.temperature,
        unsure_below=results.unsure_below,
        threshold=results.threshold,
        segments_from=results.segments_from,
        training=dict(training),
        paper=recipe.paper,
        things=len(shapes.THINGS) if drawn else None,
    )
    write_text(folder / "card.json", card.to_json())
    write_text(folder / FILE, chart(results.wrong))
    write_text(folder / "README.md", readme(card, results.wrong, recipe.how))
    return card


def readme(card: Card, wrong: Failures, how: str) -> str:
    """The checkpoint's README: what it is, how it was made, what it scores, what it gets wrong."""
    rows = "\n".join(f"| {m.name} | {m.value:.2f} {m.unit} |" for m in card.metrics)
    made = "\n".join(f"| {key} | {value} |" for key, value in card.training.items())
    paragraphs = [" ".join(part.split()) for part in how.strip().split("\n\n")]
    weaknesses = OWN_WEAKNESSES if card.license_note == OWN_NOTE else WEAKNESSES
    lines = [
        f"# {card.name}: {card.title}",
        *paragraphs,
        f"Measured on: {card.metrics[0].dataset}, final weights as stored (float16, computed in float32).",
        f"| measure | value |\n|---|---|\n{rows}",
        chosen(card),
        f"## Known failures\n\n{section(wrong)}\n\n{weaknesses[card.task]}",
        f"## How it was made\n\n| | |\n|---|---|\n{made}\n| parameters | {card.parameters:,} |",
        "The schedule follows elapsed time, so a repetition sees another number of pictures and scores differently.",
        f"## Licence\n\n{card.license_note}",
    ]
    return "\n\n".join(lines) + "\n"


def chosen(card: Card) -> str:
    """What was chosen on held-out pictures, in words."""
    precision = f"{100 * PRECISION[card.task]:.0f} %"
    if card.task == "classification":
        return (
            f"Temperature {card.temperature} and threshold {card.unsure_below}, below which an answer counts as "
            f'"not sure", were chosen on held-out training pictures for {precision} right answers.'
        )
    sure = f"{precision} of them were right"
    from_where = f"from {card.unsure_below} on, {sure} there" if card.unsure_below < 1 else f"at no score {sure} there"
    regions = (
        f" Queries above {card.segments_from:.2f} contest the pixels, which gives the best PQ there."
        if card.task == "panoptic"
        else ""
    )
    return (
        f"Boxes are shown from a score of {card.threshold:.2f}, which gives the best F1 (class, and IoU of at least "
        f"0.5) on held-out pictures; {from_where}.{regions}"
    )


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TrainingError(f"{path.name} could not be written; is the disk full or read-only?") from error


def write_weights(path: Path, state: Mapping[str, Tensor], made: Mapping[str, Any] | None = None) -> None:
    """Write weights in half precision, and with them how they were made: measuring may follow elsewhere."""
    write_tensors(path, halved(state), {"format": "pt", "training": json.dumps(dict(made or {}))})


def how_made(path: Path) -> dict[str, Any]:
    """What `write_weights` was told of the making; nothing where it was not told."""
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json.loads((file.metadata() or {}).get("training", "{}")))
    except (OSError, SafetensorError, ValueError):
        return {}
