"""From a picture, a card and the name of a method to a map: the page, the shell and Python all ask here."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from playground import image, inference
from playground.explanations import Access, Map, Settings, Target, explain, method_of
from playground.image import Picture
from playground.models import catalogue
from playground.models.card import Card
from playground.trace import Trace


def stay(share: float) -> None:
    """Nobody watches."""


def never() -> bool:
    return False


def trace_for(picture: Picture, card: Card, method: str) -> Trace:
    """Return the trace that a method works on: the kept one, or one made with its graph where it asks for gradients."""
    return (inference.replay if method_of(method).needs == "gradient" else inference.trace)(picture, card)


def make(
    picture: Picture, card: Card, method: str, target: Target | None = None, settings: Settings | None = None
) -> Map:
    """Explain what the card's model makes of the picture. Raises ValueError with one sentence."""
    return of_trace(trace_for(picture, card, method), card, method, target, settings)


def of_trace(
    trace: Trace,
    card: Card,
    method: str,
    target: Target | None = None,
    settings: Settings | None = None,
    progress: Callable[[float], None] = stay,
    cancelled: Callable[[], bool] = never,
) -> Map:
    """Explain a trace of the card's model, which `trace_for` gives.

    Perturbation methods run the model many times: `progress` hears the share done and `cancelled` is asked between
    runs. Raises ValueError with one sentence; Cancelled when told to stop.
    """
    needs = method_of(method).needs
    access = access_to(card, progress, cancelled) if needs in ("perturbation", "head") else None
    return explain(method, trace, target, settings, access)


def of_another_class(
    trace: Trace, card: Card, made: Map, settings: Settings, class_index: int, cancelled: Callable[[], bool] = never
) -> Map:
    """Return the map of the same question for another class; `trace` as `made` was made of."""
    target = replace(made.target, class_index=class_index)
    return of_trace(trace, card, made.method, target, settings, stay, cancelled)


def of_random_weights(
    picture: Picture,
    card: Card,
    made: Map,
    settings: Settings,
    share: float = 1.0,
    seed: int = 0,
    cancelled: Callable[[], bool] = never,
) -> Map:
    """Return the map of the same question, asked of the model with its last `share` of layers drawn anew.

    Source: Adebayo et al. 2018 (arXiv 1810.03292), section 3. Raises ValueError where that model gives no map.
    """
    access = None
    if method_of(made.method).needs in ("perturbation", "head"):
        stranger = inference.untrained_model(card, share, seed)
        read, read_boxes = inference.readers(card, model=stranger)
        access = Access(inference.forward(card, model=stranger), read, read_boxes, cancelled=cancelled)
    return explain(made.method, inference.untrained(picture, card, share, seed), made.target, settings, access)


def access_to(card: Card, progress: Callable[[float], None] = stay, cancelled: Callable[[], bool] = never) -> Access:
    """Return the card's model for methods that run it again or read tokens with its head."""
    read, read_boxes = inference.readers(card)
    return Access(
        inference.forward(card),
        read,
        read_boxes,
        silenced=inference.silenced(card),
        terms=inference.axial_terms(card),
        progress=progress,
        cancelled=cancelled,
    )


def explained(
    picture: str | Path | bytes | BinaryIO | Image.Image,
    model: str,
    method: str = "rollout",
    target: Target | None = None,
    options: Settings | None = None,
) -> Map:
    """Explain what one model makes of one picture.

    `picture` is a path, the bytes of a file, an open file or a PIL picture; `model` a name of the catalogue; `target`
    says what is to be explained, and what it leaves out is chosen by the model's answer. Returns the map on the
    model's own grid. Raises ValueError with one sentence for anything outside this model.
    """
    return make(image.read(picture), catalogue.find(model), method, target, options)
