"""What the tests of the Attention tab share: small random models that the catalogue knows, and the page's fields."""

from dataclasses import replace
from typing import Any

import gradio as gr
import pytest
import torch
from explaining import SMALL, noise
from known_models import known, write  # noqa: F401  a fixture

from playground import inference
from playground.image import Picture, View, read
from playground.models import FAMILIES, Family
from playground.models.card import Card
from playground.tabs.attention.held import Held, Shown, Wish, explained, look
from playground.tabs.attention.parts import Parts, lay_out
from playground.trace import Trace

LIMIT = 200_000
NAMES = ("vit", "registers", "coatnet", "axial", "detr", "resnet")
NASTY = "<img src=x onerror=alert(1)>"
NO_BOX = (0, None, None, None, None)
PLACES = {"method": 0, "class_index": 1, "query": 2, "layer": 3, "head": 4, "start": 5, "row": 6, "col": 7}


@pytest.fixture(scope="session")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    """The small models as files, by name."""
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name in NAMES:
        path = folder / f"{name}.safetensors"
        write(name, path)
        made[name] = replace(SMALL[name], name=name, labels=tuple("abcde"), filename=str(path))
    return made


@pytest.fixture
def parts() -> Parts:
    """The tab laid out on a page of its own."""
    with gr.Blocks():
        return lay_out()


def photo(seed: int = 0) -> Picture:
    return read(noise(seed=seed))


def kept(name: str) -> tuple[Held, Trace]:
    """What the tab keeps of a photo with a model, and the trace, which lives as long as it is held here."""
    found = look(photo(), name)
    trace = found.trace
    assert trace is not None
    return found, trace


def shown(name: str, wish: Wish | None = None) -> tuple[Held, Shown]:
    found, trace = kept(name)
    return found, explained(found, wish or Wish(), None, trace)


def values(parts: Parts, **given: Any) -> list[Any]:
    """The fields as the page sends them, with some of them set."""
    fields = parts.fields
    usual = [component.value for component in fields.inputs]
    usual[4:6] = [None, ""]
    for name, value in given.items():
        if name in PLACES:
            usual[PLACES[name]] = value
        else:
            method = given.get("method", "attention")
            found = next(i for i, (m, o, _) in enumerate(fields.options) if (m, o.name) == (method, name))
            usual[len(PLACES) + found] = value
    return usual


def sent(
    parts: Parts,
    found: Held | None,
    before: Shown | None,
    look: str | None = "tiles",
    todo: int = 0,
    box: tuple[Any, ...] = NO_BOX,
    **given: Any,
) -> list[Any]:
    """Everything that the page sends besides the picture, with some of the fields set."""
    return [found, before, todo, 0.6, True, look, *box, *values(parts, **given)]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the forward passes of all families."""
    seen: list[str] = []

    def counting(family: Family) -> Family:
        def trace(model: torch.nn.Module, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
            seen.append(card.name)
            return family.trace(model, view, card, device, graph)

        return replace(family, trace=trace)

    families = {family.name: counting(family) for family in FAMILIES}
    monkeypatch.setattr(inference, "family_of", lambda card: families[card.family])
    return seen
