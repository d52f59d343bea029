"""What the page sends to a handler of the Attention tab."""

from dataclasses import dataclass, replace
from typing import Any

from playground import checks
from playground.tabs.attention import boxing
from playground.tabs.attention.fields import Fields
from playground.tabs.attention.held import XYXY, Held, Shown, Wish
from playground.texts import say

OWN = 11  # values before those of the fields, see Parts.settings


@dataclass(frozen=True, eq=False)
class Given:
    """What the page sends: its memory, how to draw, a box in the making, and the wish in its fields."""

    held: Held
    shown: Shown | None
    todo: Any
    strength: Any
    shared: Any
    look: Any
    corner: Any
    edges: tuple[Any, ...]
    wish: Wish

    @property
    def box_xyxy(self) -> XYXY | None:
        """The box that was drawn, None while it is not whole."""
        return boxing.whole(self.edges)

    @property
    def share(self) -> float:
        """The strength of the map, checked."""
        return checks.share(self.strength, say("strength"))


def read(fields: Fields, settings: tuple[Any, ...]) -> Given | None:
    """Return what the page sent, in the order of Parts.settings; None before a picture was looked at."""
    held, shown, todo, strength, shared, chosen, corner, *edges = settings[:OWN]
    if held is None:
        return None
    wish = fields.wish(settings[OWN:])
    if shown is not None and shown.made.method != wish.method:  # another method has other layers
        wish = replace(wish, layer=None, head=None)
    if shown is not None and shown.asks_query and wish.query != shown.wish.query:  # another object, another class
        wish = replace(wish, class_index=None)
    return Given(held, shown, todo, strength, shared, chosen, corner, tuple(edges), wish)
