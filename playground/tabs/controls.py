"""The one panel for picture and model that all tabs share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.media import MEDIA_ROOT

from playground.components import ModelImage
from playground.image import Picture
from playground.models import FAMILIES, catalogue
from playground.models.card import Card
from playground.texts import say

PHOTOS = ("cheetah.jpg", "lion.jpg", "tower.jpg", "bus.png")  # inside the gradio package
TASKS = ("classification", "detection", "panoptic", "features")


@dataclass(frozen=True)
class Panel:
    """The page, the two fields every tab reads, and what to listen to for a picture or a model becoming another."""

    page: gr.Blocks
    picture: ModelImage
    model: gr.Dropdown
    changes: tuple[Callable[..., Any], ...]

    def when_asked(self, run: Callable[..., Any], more: list[Any], outputs: list[Any], view: Any) -> None:
        """Call run(picture, model, *more) at load and whenever the picture or the model becomes another.

        Progress is shown on `view`. All such calls share one place in the queue, for there is one device.
        """
        inputs = [self.picture, self.model, *more]
        for listen in self.changes:
            listen(
                run,
                inputs,
                outputs,
                trigger_mode="always_last",
                show_progress_on=view,
                concurrency_id="model",
                concurrency_limit=1,
                api_visibility="private",
            )


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
    return f"{size / 1e6:.0f}\u00a0MB" if size >= 10_000_000 else f"{size / 1e6:.1f}\u00a0MB"


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
    examples = gr.Examples(
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
    read = picture.input(readable, picture, None, show_progress="hidden", api_visibility="private")
    _keep_last(picture, page.load, examples.load_input_event.success, read)
    changes = (partial(gr.on, [page.load, model.change]), examples.load_input_event.success, read.success)
    return Panel(page, picture, model, changes)


def readable(picture: Picture | None) -> None:
    """Do nothing: the field itself reads the picture, and fails with a sentence where it cannot."""


def _keep_last(picture: ModelImage, load: Callable[..., Any], chosen: Callable[..., Any], read: Any) -> None:
    """Remember the last good picture in the browser, and put it back when a file cannot be read."""
    keep = "(picture) => { if (picture) window.__pgPicture = picture; }"
    back = "(picture) => window.__pgPicture ?? picture"
    for good in (load, chosen, read.success):
        good(None, picture, None, js=keep, api_visibility="private")
    read.failure(None, picture, picture, js=back, api_visibility="private")
