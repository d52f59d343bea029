"""The slot map: where each object query of a detector answered over many pictures, measured beforehand."""

from html import escape
from typing import Any

import numpy as np

from playground.evaluation import slot_map as kept
from playground.evaluation.shelf import key
from playground.evaluation.slot_map import SlotMap, SlotMapError
from playground.explanations.slots import shape_of
from playground.figures import slot_map
from playground.figures.slots import COLOURS
from playground.figures.theme import percent
from playground.tabs.attention.held import Held
from playground.tabs.attention.looks import Drawn
from playground.texts import say

MOST_SCORED = 36  # tiles wide enough for a score over them


def drawn(held: Held, chosen: int | None) -> Drawn:
    """Draw the slot map of the held model, or say how to make one."""
    found = _of(held)
    if isinstance(found, str):
        return None, _line(found, say("preferred_command", model=held.card.name))
    count = len(found.answers)
    values = found.values()[:, : slot_map.drawn(count, found.pictures)]  # [queries, pictures, 5]
    shapes = np.array([[list(COLOURS).index(shape_of(*sides)) for sides in query[:, 2:4]] for query in values])
    scores = [percent(float(query[:, 4].mean())) for query in values]
    names = [say("preferred_tile", query=i, share=s) if count <= MOST_SCORED else str(i) for i, s in enumerate(scores)]
    figure = slot_map.slot_map(values[..., :2], shapes, names, chosen, say("preferred_alt", count=count))
    old = say("ranked_other_weights") if held.card.sha256 and found.sha256 != held.card.sha256 else ""
    about = say("preferred_about", pictures=values.shape[1], data=found.data, date=found.date)
    return figure, _line(" ".join(filter(None, (old, about))), found.command)


def query_of(held: Held, index: Any) -> int | None:
    """Return the query of a clicked dot, None where it is none."""
    found = _of(held)
    if isinstance(found, str) or isinstance(index, bool) or not isinstance(index, int):
        return None
    return index // slot_map.drawn(len(found.answers), found.pictures)


def _of(held: Held) -> SlotMap | str:
    """Return what was measured of the model, or why there is nothing to show."""
    if key(held.card.name) not in kept.SHELF.names():
        return say("preferred_none")
    try:
        found = kept.SHELF.read(held.card.name)
    except SlotMapError as error:
        return str(error)
    return found if len(found.answers) == len(held.objects) else say("preferred_other")


def _line(text: str, command: str) -> str:
    return f'<div class="pg-call"><p class="pg-about">{escape(text)}</p><pre>{escape(command)}</pre></div>'
