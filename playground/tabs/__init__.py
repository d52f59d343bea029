"""The tabs of the page, in display order. A new tab is one file and its line here."""

from collections.abc import Callable
from dataclasses import dataclass

from playground.tabs import architecture, attention, compare, patches, predict
from playground.tabs.controls import Panel


@dataclass(frozen=True)
class Tab:
    """One tab: `key` names its title among the texts, `build` lays it out and wires it to the panel."""

    key: str
    build: Callable[[Panel], None]


TABS = (
    Tab("predict", predict.build),
    Tab("compare", compare.build),
    Tab("patches", patches.build),
    Tab("attention", attention.build),
    Tab("architecture", architecture.build),
)
