"""What every look below the map is made of."""

from collections.abc import Callable
from dataclasses import dataclass

from playground.figures.overlay import Figure
from playground.tabs.attention.held import XYXY, Held, Shown
from playground.trace import Trace

Drawn = tuple[Figure | None, str]  # the figure and what stands beneath it, as HTML


@dataclass(frozen=True)
class Asked:
    """How the visitor wants the look: one scale for all tiles, and a box that was drawn, in pixels of the upload."""

    shared: bool = True
    box_xyxy: XYXY | None = None


@dataclass(frozen=True)
class Look:
    """One thing to look at: `key` names it among the texts, `fits` says for which models, `draw` draws it."""

    key: str
    fits: Callable[[Held, Trace], bool]
    draw: Callable[[Held, Shown, Trace, Asked], Drawn]
