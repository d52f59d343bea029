"""The public verbs of the server, for programs: `predict`, `embed` and `models`. Nothing here is drawn."""

import base64
from dataclasses import asdict
from typing import Any

import gradio as gr

from playground import api, checks, inference
from playground.comparison import records
from playground.comparison.run import compare as compared
from playground.comparison.run import named
from playground.components import ModelImage, sentences
from playground.embeddings.tokens import grid_tokens, layers
from playground.image import Picture
from playground.models import catalogue
from playground.texts import say


def predict(image: Picture | None, model: str, top_k: int = 5, threshold: float | None = None) -> dict[str, Any]:
    """Answer one picture with one model.

    Args:
        image: the uploaded picture file.
        model: a model name from the `models` endpoint.
        top_k: how many classes a classifier names, from 1.
        threshold: least score of a box or segment, 0 to 1; by default the one that the model's card names.

    Returns:
        The answer: task, classes, boxes (pixels of the upload), segments, unsure, seconds, device, notes.
    """
    with sentences():
        if image is None:
            raise ValueError(say("choose_picture"))
        top_k = checks.whole(top_k, "top_k", 1, api.MOST_CLASSES)
        least = None if threshold is None else checks.share(threshold, "threshold")
        card = catalogue.find(model)
        return api.as_json(inference.predict(image, card, top_k, card.threshold if least is None else least))


def embed(image: Picture | None, model: str, layer: int = -1) -> dict[str, Any]:
    """Return the tokens of one picture after one layer of a model.

    Args:
        image: the uploaded picture file.
        model: a model name from the `models` endpoint.
        layer: a layer whose tokens lie on the picture, counted from 0; -1 is the last.

    Returns:
        layers (their names), layer, name, grid [rows, cols], width (channels), prefix (names of the tokens before
        the patches) and values: base64 of float32, little-endian, [prefix + rows * cols, width], the prefix first.
    """
    with sentences():
        if image is None:
            raise ValueError(say("choose_picture"))
        trace = inference.trace(image, catalogue.find(model))
        found = grid_tokens(trace, layer)
        values = b"".join(part.astype("<f4").tobytes() for part in (found.prefix_values, found.values))
        return {
            "layers": list(layers(trace)),
            "layer": found.layer,
            "name": found.name,
            "grid": list(found.grid),
            "width": found.values.shape[1],
            "prefix": list(found.prefix),
            "values": base64.b64encode(values).decode("ascii"),
        }


def compare(image: Picture | None, models: list[str], measure: bool = True) -> dict[str, Any]:
    """Ask up to six models about one picture, and say what each costs.

    Args:
        image: the uploaded picture file.
        models: a list of model names from the `models` endpoint, of timm's, or untrained:NAME.
        measure: whether plain forward passes are timed and their memory measured.

    Returns:
        rows: for each model its answer, parameters, multiply-adds (macs), latency_ms, peak_memory_mb, metrics,
        published number, licence, or in `failed` why it gave no answer; agreement: how far each two agree.
    """
    with sentences():
        if image is None:
            raise ValueError(say("choose_picture"))
        if not isinstance(measure, bool):
            raise ValueError("measure must be true or false.")
        order = named(models)
        rows = {row.model: row for row in compared(image, models, measure)}
        found = records.of_picture("", [rows[name] for name in order])
        return {"rows": found["rows"], "agreement": found["agreement"]}


def models() -> list[dict[str, Any]]:
    """List the models that can be asked by name, with licence, size, labels and measured scores."""
    return [asdict(card) for card in api.cards()]


def build_endpoints() -> None:
    """Register the endpoints in the current page.

    The fields carry no limits of their own: Gradio would answer a string where a number belongs without a word,
    the checks above answer it with a sentence.
    """
    picture = ModelImage(label="image", visible=False)
    model = gr.Textbox(label="model", visible=False)
    top_k = gr.Number(5, label="top_k", visible=False)
    threshold = gr.Number(None, label="threshold", visible=False)
    answer = gr.JSON(label="answer", visible=False)
    cards = gr.JSON(label="models", visible=False)
    gr.Button(visible=False).click(
        predict,
        [picture, model, top_k, threshold],
        answer,
        api_name="predict",
        concurrency_id="model",
        concurrency_limit=1,
    )
    layer = gr.Number(-1, label="layer", visible=False)
    tokens = gr.JSON(label="tokens", visible=False)
    gr.Button(visible=False).click(
        embed, [picture, model, layer], tokens, api_name="embed", concurrency_id="model", concurrency_limit=1
    )
    names = gr.JSON(label="models", visible=False)
    measure = gr.Checkbox(True, label="measure", visible=False)
    rows = gr.JSON(label="rows", visible=False)
    gr.Button(visible=False).click(
        compare,
        [picture, names, measure],
        rows,
        api_name="compare",
        concurrency_id="model",
        concurrency_limit=1,
    )
    gr.Button(visible=False).click(models, None, cards, api_name="models", queue=False)
