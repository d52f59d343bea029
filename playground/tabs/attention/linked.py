"""What a link carries of the Attention tab, and how the first map takes it from the fields."""

from typing import Any

import gradio as gr

from playground.image import Picture
from playground.tabs.attention.fields import FIRST_OPTION, Fields
from playground.tabs.attention.given import OWN
from playground.tabs.attention.handlers import Handlers, Updates
from playground.tabs.controls import Panel

NAMES = ("method", "class", "query", "layer", "head", "start", "row", "col")


def remember(panel: Panel, fields: Fields) -> None:
    """Let links carry what the map is made of."""
    options = [f"{method}-{option.name}" for method, option, _ in fields.options]
    for name, field in zip((*NAMES, *options), fields.inputs, strict=True):
        panel.remember(f"map-{name}", field)


def begin(do: Handlers, picture: Picture | None, model: Any, *settings: Any) -> Updates:
    """Answer as `Handlers.begin`, and the first time with all that a link put into the fields, where it fits."""
    made = do.begin(picture, model, *settings)
    shown = made.get(do.parts.shown)
    method, *more = settings[OWN : OWN + FIRST_OPTION]
    if settings[0] is not None or shown is None or shown.made.method != method or all(v is None for v in more):
        return made
    try:
        return {**made, **next(do.run(picture, made[do.parts.held], None, *settings[2:]))}
    except gr.Error:  # there is no such layer, head, place, object or class
        return made
