"""From a picture, a card and the name of a method to a map: the page, the shell and Python all ask here."""

from collections.abc import Callable
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


def make(
    picture: Picture,
    card: Card,
    method: str,
    target: Target | None = None,
    settings: Settings | None = None,
    progress: Callable[[float], None] = stay,
    cancelled: Callable[[], bool] = never,
) -> Map:
    """Explain what the card's model makes of the picture. The forward pass is the kept one where the method allows.

    Methods that need gradients run the model once more, perturbation methods many times: `progress` hears the share
    done and `cancelled` is asked between runs. Raises ValueError with one sentence; Cancelled when told to stop.
    """
    needs = method_of(method).needs
    trace = inference.replay(picture, card) if needs == "gradient" else inference.trace(picture, card)
    return of_trace(trace, card, method, target, settings, progress, cancelled)


def of_trace(
    trace: Trace,
    card: Card,
    method: str,
    target: Target | None = None,
    settings: Settings | None = None,
    progress: Callable[[float], None] = stay,
    cancelled: Callable[[], bool] = never,
) -> Map:
    """Explain a trace of the card's model, as `make` does, without its picture."""
    needs = method_of(method).needs
    access = access_to(card, progress, cancelled) if needs in ("perturbation", "head") else None
    return explain(method, trace, target, settings, access)


def access_to(card: Card, progress: Callable[[float], None] = stay, cancelled: Callable[[], bool] = never) -> Access:
    """Return the card's model for methods that run it again or read tokens with its head."""
    read, read_boxes = inference.readers(card)
    return Access(
        inference.forward(card),
        read,
        read_boxes,
        silenced=inference.silenced(card),
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
