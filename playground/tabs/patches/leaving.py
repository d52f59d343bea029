"""What leaves the Patches tab: the tokens of a layer as files, the open figures, and the Python that makes them."""

import io
import re
import zipfile
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from playground import export_tokens, inference
from playground.components import BUNDLE_URL, STATIC, sentences
from playground.embeddings.cloud import PatchClass, patch_classes
from playground.embeddings.projector import files
from playground.embeddings.tokens import grid_tokens
from playground.image import Picture
from playground.models.labels import labels
from playground.tabs.attention.leaving import SAVE
from playground.tabs.controls import Panel
from playground.tabs.patches.held import Held, look
from playground.texts import say
from playground.trace import Trace

FILES = ("npz", "html", "projector")
FIGURES = ("png", "html")
NAME = "photo.jpg"


@dataclass(frozen=True, eq=False)
class Leaving:
    """The layer, the buttons, the place for a file, and the call as text."""

    layer: gr.Dropdown
    buttons: dict[str, gr.Button]
    figures: gr.HTML
    file: gr.File
    call: gr.HTML

    def of(self, held: Held) -> dict[Any, Any]:
        """Offer the layers of what is held."""
        last = len(held.layers) - 1
        return {self.layer: gr.update(choices=held.offered, value=last), self.call: call(held, last)}


def build_leaving() -> Leaving:
    """Lay out the choices inside the current context."""
    with gr.Accordion(say("patches_leaving"), open=False, elem_id="pg-patches-leaving"):
        figures = gr.HTML(
            '<div class="pg-buttons pg-take">'
            + "".join(f'<button type="button" data-kind="{k}">{escape(say(f"figures_{k}"))}</button>' for k in FIGURES)
            + "</div>",
            js_on_load=(STATIC / "take.js").read_text(encoding="utf-8").replace("BUNDLE_URL", BUNDLE_URL),
            apply_default_css=False,
            elem_id="pg-take",
        )
        layer = gr.Dropdown([], label=say("leaving_layer"), elem_id="pg-leaving-layer")
        with gr.Row(elem_classes="pg-pair"):
            buttons = {
                kind: gr.Button(say(f"tokens_{kind}"), size="sm", min_width=80, elem_id=f"pg-tokens-{kind}")
                for kind in FILES
            }
        file = gr.File(visible="hidden")
        called = gr.HTML(apply_default_css=False)
    return Leaving(layer, buttons, figures, file, called)


def wire(leaving: Leaving, panel: Panel, held: gr.State) -> None:
    """Make the buttons write their files."""
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for kind, button in leaving.buttons.items():
        written = button.click(
            partial(_written, kind, leaving.file.GRADIO_CACHE),
            [panel.picture, held, leaving.layer],
            leaving.file,
            **private,
        )
        written.success(None, leaving.file, None, js=SAVE, api_visibility="private")
    leaving.layer.input(_called, [held, leaving.layer], leaving.call, queue=False, **private)


def file_of(kind: str, picture: Picture | None, held: Held | None, layer: Any) -> tuple[str, bytes]:
    """Return (name, content) of a layer's tokens as a file. Raises ValueError with one sentence."""
    if picture is None or held is None:
        raise ValueError(say("tokens_nothing"))
    if kind not in FILES:
        raise ValueError(say("tokens_kind", kinds=", ".join(FILES)))
    layer = held.layer(layer)
    trace = held.trace or look(picture, held.card.name).trace
    assert trace is not None
    tokens, classes = grid_tokens(trace, layer), classes_of(held, trace, layer)
    name = "-".join([held.card.name.replace("/", "-"), *re.findall(r"\w+", held.layers[layer])])
    if kind == "projector":
        return f"{name}.zip", _zipped(files(tokens, trace.view, classes))
    return f"{name}.{kind}", export_tokens.as_file(kind, tokens, picture, trace.view, held.card, classes, NAME)


def classes_of(held: Held, trace: Trace, layer: int) -> tuple[PatchClass, ...]:
    """Return the class that the head reads in every patch, or nothing where it cannot read patches."""
    try:
        return patch_classes(trace, layer, inference.readers(held.card)[0], labels(held.card))
    except ValueError:
        return ()


def call(held: Held, layer: Any) -> str:
    """Return the Python that makes the tokens again, behind a disclosure; nothing where the trace had to make room."""
    trace = held.trace
    if trace is None:
        return ""
    text = escape(export_tokens.call(grid_tokens(trace, held.layer(layer)), held.card, NAME))
    return f'<details class="pg-call"><summary>{escape(say("tokens_call"))}</summary><pre>{text}</pre></details>'


def _called(held: Held | None, layer: Any) -> str:
    with sentences():
        return "" if held is None else call(held, layer)


def _zipped(contents: Any) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as folder:
        for name, content in contents.items():
            folder.writestr(name, content)
    return made.getvalue()


def _written(kind: str, folder: str, picture: Picture | None, held: Any, layer: Any) -> str:
    with sentences():
        name, content = file_of(kind, picture, held, layer)
        return save_bytes_to_cache(content, name, folder)
