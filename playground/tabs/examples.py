"""Pictures to start from: photos that ship inside the gradio package, and pictures the project draws itself."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.media import MEDIA_ROOT
from PIL import Image, ImageOps

from playground import checks
from playground.components import STATIC, sentences
from playground.image import Picture, content_key, read
from playground.samples import SAMPLES
from playground.texts import say

PHOTOS = ("lion.jpg", "tower.jpg", "cheetah.jpg", "bus.png")
FOLDER = Path(MEDIA_ROOT) / "images"
THUMBNAIL = 128
URL = "examples"


@dataclass(frozen=True)
class Example:
    """One picture: a short name for its address, a title for people, and how to get it. `drawn` ones take a moment."""

    name: str
    title: str
    open: Callable[[], Image.Image]
    drawn: bool


@cache
def examples() -> tuple[Example, ...]:
    """Return the photos that are there, then the drawn pictures."""
    there = [name for name in PHOTOS if (FOLDER / name).is_file()]
    stems = [Path(name).stem for name in there]
    photos = [
        Example(f"photo-{stem}", say(f"photo_{stem}"), partial(_photo, name), drawn=False)
        for stem, name in zip(stems, there, strict=True)
    ]
    return (*photos, *(Example(s.name, s.title, s.draw, drawn=True) for s in SAMPLES))


def first_photo() -> str | None:
    """Return the path of the picture that the page opens with, or None where the gradio package ships none."""
    return next((str(FOLDER / name) for name in PHOTOS if (FOLDER / name).is_file()), None)


def name_of(picture: Picture | None) -> str:
    """Return the name of the example that the picture is, or "" for any other."""
    if picture is None:
        return ""
    return _keys().get(content_key(picture), "")


def thumbnail(name: str) -> bytes | None:
    """Return the example as a small square WebP file, or None for an unknown name."""
    found = next((example for example in examples() if example.name == name), None)
    if found is None:
        return None
    with _drawing:  # one at a time: drawing must not take the processor from the answers
        return _small(found)


def build_gallery() -> gr.HTML:
    """Lay out the examples as buttons; `gallery.choose(pick)` hears which one was pressed."""
    return gr.HTML(
        _gallery(),
        js_on_load=(STATIC / "examples.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="pg-examples",
    )


def pick(event: gr.EventData) -> Image.Image:
    """Return the example whose button was pressed; what the browser says is checked."""
    with sentences():
        offered = examples()
        place = checks.whole(getattr(event, "index", None), say("example"), 0, len(offered) - 1)
        return offered[place].open()


_drawing = threading.Lock()


@cache
def _keys() -> dict[str, str]:
    with _drawing:
        return {content_key(read(example.open())): example.name for example in examples()}


@cache
def _small(example: Example) -> bytes:
    small = ImageOps.fit(example.open(), (THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


def _photo(name: str) -> Image.Image:
    with Image.open(FOLDER / name) as photo:
        return photo.convert("RGB")


def _gallery() -> str:
    def button(place: int, example: Example) -> str:
        source: Any = "data-src" if example.drawn else "src"
        title = escape(example.title)
        return (
            f'<button type="button" data-index="{place}" aria-label="{title}" title="{title}">'
            f'<img {source}="{URL}/{example.name}.webp" alt="" width="{THUMBNAIL}" height="{THUMBNAIL}"></button>'
        )

    buttons = "".join(button(place, example) for place, example in enumerate(examples()))
    name = escape(say("examples"))
    return f'<p class="pg-label">{name}</p><div class="pg-examples" role="group" aria-label="{name}">{buttons}</div>'
