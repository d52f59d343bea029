"""Which models are compared: a search over everything that can be asked by name."""

from collections.abc import Sequence
from typing import Any

from playground.models import catalogue
from playground.models.card import HF_HUB, UNTRAINED, Card
from playground.tabs import controls
from playground.texts import say

MOST = 6
FIRST = 4
MOST_LETTERS = 96  # of a name; a row repeats no more


def first() -> tuple[str, ...]:
    """Return the models that the tab opens with: one bundled model a family, in the order of the picker."""
    bundled = [card for card in controls.cards() if card.source == "bundled"]
    families = {card.family: card.name for card in reversed(bundled)}
    return tuple(card.name for card in bundled if families[card.family] == card.name)[:FIRST]


def choices() -> list[tuple[str, str]]:
    """Return (what the picker shows, name) of the models of the menus."""
    return [(controls.described(card), card.name) for card in controls.cards()]


def found(text: Any, chosen: Any) -> list[tuple[str, str]]:
    """Return (what the picker shows, name) of what a search finds, and of the chosen ones, which keep their names."""
    names = catalogue.search(text)
    kept = [name for name in wished(chosen) if name not in names]
    return [(_described(name), name) for name in (*names, *kept)]


def wished(chosen: Any) -> tuple[str, ...]:
    """Return the chosen names as their cards are called, each once; an unknown one is for the comparison to refuse."""
    if not isinstance(chosen, list | tuple):
        return ()
    names = (name.strip()[:MOST_LETTERS] for name in chosen if isinstance(name, str))
    return tuple(dict.fromkeys(_settled(name) for name in names if name))


def titles(names: Sequence[str]) -> dict[str, str]:
    """Return what the cards call the models before they answered."""
    known = {card.name: card.title for card in controls.cards()}
    return {name: known.get(name, name) for name in names}


def _settled(name: str) -> str:
    if HF_HUB in name:  # whose card takes a look at the Hub
        return name
    try:
        return catalogue.find(name).name
    except ValueError:
        return name


def _described(name: str) -> str:
    card = _listed().get(name)
    if card is not None:
        return controls.described(card)
    if name.startswith(UNTRAINED):
        return say("picker_untrained", name=name.removeprefix(UNTRAINED))
    return say("picker_timm", name=name.removeprefix("timm/")) if name.startswith("timm/") else name


def _listed() -> dict[str, Card]:
    return {card.name: card for card in controls.cards()}
