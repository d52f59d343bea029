"""Every map leaves: as a picture, a page, arrays, or the Python that makes it again."""

from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from playground import export
from playground.components import sentences
from playground.image import Picture
from playground.tabs.attention.held import Held, Shown
from playground.tabs.controls import Panel
from playground.texts import say

# The browser saves the file that came back.
SAVE = """(given) => {
  const file = Array.isArray(given) ? given[0] : given;
  if (!file) return;
  const link = document.createElement('a');
  link.href = file.url;
  link.download = file.orig_name || '';
  document.body.append(link);
  link.click();
  link.remove();
}"""


@dataclass(frozen=True, eq=False)
class Leaving:
    """The buttons, one for each kind of file, the place for the file, and the call as text."""

    buttons: dict[str, gr.Button]
    file: gr.File
    call: gr.HTML


def build_leaving() -> Leaving:
    """Lay out the buttons inside the current context."""
    gr.HTML(f'<p class="pg-label">{escape(say("leaving"))}</p>', apply_default_css=False)
    with gr.Row(elem_classes="pg-pair"):
        buttons = {
            kind: gr.Button(say(f"leaving_{kind}"), size="sm", min_width=80, elem_id=f"pg-leave-{kind}")
            for kind in export.FORMATS
        }
    file = gr.File(visible="hidden")
    return Leaving(buttons, file, gr.HTML(apply_default_css=False))


def wire(leaving: Leaving, panel: Panel, held: gr.State, shown: gr.State) -> None:
    """Make the buttons write their files."""
    for kind, button in leaving.buttons.items():
        written = button.click(
            partial(_written, kind, leaving.file.GRADIO_CACHE),
            [panel.picture, held, shown],
            leaving.file,
            show_progress="hidden",
            api_visibility="private",
        )
        written.success(None, leaving.file, None, js=SAVE, api_visibility="private")


def file_of(kind: str, picture: Picture | None, held: Held | None, shown: Shown | None) -> bytes:
    """Return the map that is shown as a file. Raises ValueError with one sentence."""
    if picture is None or held is None or shown is None:
        raise ValueError(say("leaving_nothing"))
    return export.as_file(kind, shown.made, picture, held.card, shown.wish.options)


def call(held: Held, shown: Shown) -> str:
    """Return the Python that makes the shown map again, behind a disclosure."""
    text = escape(export.call(shown.made, held.card, shown.wish.options))
    return f'<details class="pg-call"><summary>{escape(say("leaving_call"))}</summary><pre>{text}</pre></details>'


def _written(kind: str, folder: str, picture: Picture | None, held: Any, shown: Any) -> str:
    with sentences():
        content = file_of(kind, picture, held, shown)
        return save_bytes_to_cache(content, f"{held.card.name}-{shown.made.method}.{kind}", folder)
