"""Small random models as files that the catalogue knows; the importing module says which, by a fixture `cards`."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from explaining import model_of
from safetensors.torch import save_file

from playground import inference
from playground.models import catalogue
from playground.models.card import Card


def write(name: str, path: Path) -> None:
    """Write the weights of a small model."""
    save_file({key: value.contiguous() for key, value in model_of(name).state_dict().items()}, path)


@pytest.fixture(autouse=True)
def known(cards: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The catalogue knows the small models; nothing is kept from test to test."""
    inference.forget()
    found = catalogue.find
    monkeypatch.setattr(catalogue, "find", lambda name: cards.get(name) or found(name))
    yield
    inference.forget()
