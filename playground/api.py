"""The playground from Python.

import playground as pg
answer = pg.predict("photo.jpg", "everyday-vit", top_k=5)
answer.classes[0].label, answer.classes[0].score
made = pg.explain("photo.jpg", "everyday-vit", "rollout", pg.Target(patch=(7, 7)))
made.values  # float32 [rows, cols]
tokens = pg.embed("photo.jpg", "everyday-vit", layer=-1)
tokens.values  # float32 [rows * cols, D]
for row in pg.compare("photo.jpg", ["everyday-vit", "everyday-coatnet"]):
    row.title, row.prediction, row.parameters, row.macs, row.latency_ms, row.failed
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from playground import checks, image, inference
from playground.comparison.rows import Row
from playground.comparison.run import compare as comparison
from playground.comparison.run import named
from playground.embeddings.tokens import GridTokens, grid_tokens
from playground.explanations import Target
from playground.maps import explained as explain
from playground.models import catalogue
from playground.models.card import Card
from playground.trace import Prediction

__all__ = ["MOST_CLASSES", "Target", "as_json", "cards", "compare", "embed", "explain", "predict"]

MOST_CLASSES = 1000


def cards() -> tuple[Card, ...]:
    """Return the cards of all models that can be asked by name: the bundled ones first, then those on the Hub."""
    return (*catalogue.bundled(), *catalogue.HUB)


def predict(
    picture: str | Path | bytes | BinaryIO | Image.Image,
    model: str | None = None,
    top_k: int = 5,
    threshold: float | None = None,
) -> Prediction:
    """Answer one picture with one model.

    `picture` is a path, the bytes of a file, an open file or a PIL picture; `model` a name from `cards()`, by default
    the bundled classifier that measured best. Classifiers give the `top_k` best classes, detectors the boxes (pixels
    of the upload) and segments scoring at least `threshold` (0 to 1; by default the score that the model's card
    names). Raises ValueError with one sentence for a bad picture, name or number.
    """
    top_k = checks.whole(top_k, "top_k", 1, MOST_CLASSES)
    least = None if threshold is None else checks.share(threshold, "threshold")
    card = catalogue.first() if model is None else catalogue.find(model)
    if card is None:
        raise ValueError("No model is bundled here; name one from `python -m playground models`.")
    return inference.predict(image.read(picture), card, top_k, card.threshold if least is None else least)


def embed(picture: str | Path | bytes | BinaryIO | Image.Image, model: str, layer: int = -1) -> GridTokens:
    """Return the tokens of one picture after one layer of a model: `values` float32 [rows * cols, D] on their `grid`.

    `picture` and `model` as in `predict`; `layer` counts the steps whose tokens lie on the picture from 0, -1 is the
    last. Class and register tokens stand apart in `prefix_values`. Raises ValueError with one sentence.
    """
    return grid_tokens(inference.trace(image.read(picture), catalogue.find(model)), layer)


def compare(
    picture: str | Path | bytes | BinaryIO | Image.Image, models: Sequence[str], measure: bool = True
) -> tuple[Row, ...]:
    """Ask up to six models about one picture; a row for each, in the order given.

    `picture` as in `predict`; `models` names from `cards()`, any of timm's, "hf-hub:OWNER/NAME" or "untrained:NAME".
    `measure` times plain forward passes and measures their memory. A model that fails says so in its row. Raises
    ValueError with one sentence for a bad picture and for zero, too many or repeated models.
    """
    order = named(models)
    rows = {row.model: row for row in comparison(image.read(picture), models, bool(measure))}
    return tuple(rows[name] for name in order)


def as_json(prediction: Prediction) -> dict[str, Any]:
    """Return a prediction as plain values for JSON: everything but the segment map's pixels."""
    values = asdict(prediction)
    del values["segment_map"]
    return values
