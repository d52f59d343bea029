"""The one panel for picture and model that all tabs share."""

from dataclasses import dataclass
from pathlib import Path

import gradio as gr
from gradio.media import MEDIA_ROOT

from playground.components import ModelImage
from playground.models import FAMILIES, catalogue
from playground.models.card import Card
from playground.texts import say

PHOTOS = ("cheetah.jpg", "lion.jpg", "tower.jpg", "bus.png")  # inside the gradio package
TASKS = ("classification", "detection", "panoptic", "features")


@dataclass(frozen=True)
class Panel:
    """The page and the two fields every tab reads."""

    page: gr.Blocks
    picture: ModelImage
    model: gr.Dropdown


def photos() -> list[str]:
    """Return the photos that ship inside the gradio package, as far as they are there."""
    paths = [Path(MEDIA_ROOT) / "images" / name for name in PHOTOS]
    return [str(path) for path in paths if path.is_file()]


def cards() -> list[Card]:
    """Return all cards in the order of the picker: bundled before Hub, then by family and task."""
    families = [family.name for family in FAMILIES]
    order = {"bundled": 0, "local": 1, "hub": 2}
    everything = (*catalogue.bundled(), *catalogue.HUB)
    return sorted(everything, key=lambda c: (order[c.source], families.index(c.family), TASKS.index(c.task)))


def choices() -> list[tuple[str, str]]:
    """Return (what the picker shows, model name) for every card."""
    return [(say("model_choice", title=c.title, does=say(f"does_{c.task}"), where=_where(c)), c.name) for c in cards()]


def megabytes(size: int) -> str:
    """Return a size in bytes in words: "8.4 MB", "346 MB", "1.2 GB"."""
    if size >= 1_000_000_000:
        return f"{size / 1e9:.1f} GB"
    return f"{size / 1e6:.0f} MB" if size >= 10_000_000 else f"{size / 1e6:.1f} MB"


def _where(card: Card) -> str:
    if card.source != "hub":
        return say(f"where_{card.source}")
    return say("where_hub", size=megabytes(card.size_bytes)) if card.size_bytes else say("where_hub_unsized")


def build_panel(page: gr.Blocks) -> Panel:
    """Lay out the panel inside the current context."""
    shown, offered = photos(), choices()
    picture = ModelImage(
        shown[0] if shown else None,
        label=say("picture"),
        alt_text=say("picture_alt"),
        placeholder=say("picture_place"),
        height=300,
        elem_id="pg-picture",
    )
    gr.Examples(
        shown,
        picture,
        label=say("examples"),
        cache_examples=False,
        api_visibility="private",
        elem_id="pg-examples",
        examples_per_page=12,
    )
    model = gr.Dropdown(
        offered,
        value=offered[0][1] if offered else None,
        label=say("model"),
        filterable=False,
        elem_id="pg-model",
    )
    return Panel(page, picture, model)
