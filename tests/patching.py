"""What the tests of the Patches tab share: small random models that the catalogue knows, and the tab laid out."""

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
from explaining import SMALL, noise
from known_models import known, write  # noqa: F401  a fixture

from playground.image import Picture, read
from playground.models.card import Card
from playground.tabs.patches.held import Held, look
from playground.tabs.patches.page import Page, lay_out
from playground.trace import Trace

LIMIT = 200_000
NAMES = ("vit", "coatnet", "axial", "detr", "registers", "resnet", "beit")
START = (None, None, 0, None, None, "like", None, None, None, 5, None, None, None)  # the fields before anything


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    """The small models as files, by name."""
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name in NAMES:
        path = folder / f"{name}.safetensors"
        write(name, path)
        made[name] = replace(SMALL[name], name=name, title=f"{name}, small", labels=tuple("abcde"), filename=str(path))
    return made


@pytest.fixture(scope="module")
def page() -> Page:
    """The tab laid out on a page of its own."""
    with gr.Blocks():
        return lay_out()


def photo(seed: int = 0, rows: int = 60, cols: int = 100) -> Picture:
    return read(noise(rows, cols, seed=seed))


def kept(name: str, seed: int = 0) -> tuple[Held, Trace]:
    """What is held of a picture with a model, and its trace."""
    found = look(photo(seed), name)
    trace = found.trace
    assert trace is not None
    return found, trace


def begun(
    page: Page, name: str, part: str, held: Held | None = None, values: tuple[Any, ...] = START
) -> dict[Any, Any]:
    """What the tab changes when a part is opened."""
    made = page.begin(photo(), name, held, part, *values)
    assert isinstance(made, dict)
    return made


def value(update: Any) -> Any:
    """The value that an update sets."""
    return update.get("value") if isinstance(update, dict) else update
