"""What a detector has to show: its object queries among each other, where they answer and look, masks and lives."""

from html import escape
from typing import Any

import numpy as np

from playground import maps
from playground.explanations.attention import matrix
from playground.explanations.lens import life
from playground.explanations.slots import slots
from playground.figures.among import Weights, among
from playground.figures.boxes import boxes
from playground.figures.panels import Layer, panels
from playground.figures.slots import Spot
from playground.figures.slots import slots as spots
from playground.figures.theme import percent
from playground.models.labels import labels
from playground.tabs.attention import preferred, words
from playground.tabs.attention.held import Held, Shown
from playground.tabs.attention.looks import Asked, Drawn, Look
from playground.texts import say
from playground.trace import Box, Link, Trace

CHOOSING = ("queries", "slots", "preferred")  # looks in which a click chooses an object query


def picked(held: Held, trace: Trace, look: str, index: Any) -> int | None:
    """Return the query of a clicked cell [row, col] of the table "queries", or dot of the slots; None for no query."""
    if look == "preferred":
        index = preferred.query_of(held, index)
    if look == "queries":
        index = index[0] if isinstance(index, list | tuple) and len(index) == 2 else None
    order = _order(held) if look == "queries" else list(range(len(held.objects)))
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(order):
        return None
    return order[index]


def _detects(held: Held, trace: Trace) -> bool:
    return bool(held.objects)


def _masks(held: Held, trace: Trace) -> bool:
    return trace.mask_attention is not None


def _among_links(trace: Trace) -> list[Link]:
    return [link for link in trace.links if link.reads.grid is None and link.writes.grid is None]


def _order(held: Held) -> list[int]:
    """Return the queries, the surest answer first."""
    return [box.query for box in held.objects]


def _queries(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    links, order = _among_links(trace), _order(held)
    layers = [Weights(link.name, matrix(link)[np.ix_(order, order)]) for link in links]
    names = [name for name, _ in words.objects(held)]
    wanted = shown.made.target.query
    chosen = order.index(wanted) if wanted in order else None
    axes = (say("queries_columns"), say("queries_rows"))
    return among(layers, names, len(layers) - 1, chosen, say("queries_alt", count=len(order)), axes), ""


def _slots(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    names = labels(held.card)
    x0, y0, x1, y1 = trace.view.region_xyxy

    def placed(xy: tuple[float, float]) -> tuple[float, float]:
        return x0 + xy[0] * (x1 - x0), y0 + xy[1] * (y1 - y0)

    found, counts = [], {"small": 0, "wide": 0, "tall": 0}
    for slot in slots(trace):
        counts[slot.shape] += 1
        label = names[slot.class_index] or say("class_number", number=slot.class_index)
        name = say("object", label=label, share=percent(slot.score), query=slot.query)
        chosen = slot.query == shown.made.target.query
        at = placed((slot.box_cxcywh[0], slot.box_cxcywh[1]))
        found.append(Spot(name, at, placed(slot.looks_xy), slot.shape, slot.score, chosen))
    said = f'<p class="pg-about">{escape(say("slots_counts", **counts))}</p>'
    return spots(found, held.picture, held.size, say("slots_alt", count=len(found))), said


def _preferred(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    return preferred.drawn(held, shown.made.target.query)


def _mask(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    assert trace.mask_attention is not None and trace.mask_queries is not None
    drawn = trace.mask_queries.tolist()
    if not drawn:
        return None, f'<p class="pg-about">{escape(say("mask_none"))}</p>'
    names = dict(zip(_order(held), (name for name, _ in words.objects(held)), strict=True))
    layers = [
        Layer(names.get(query, str(query)), maps_of.numpy())
        for query, maps_of in zip(drawn, trace.mask_attention, strict=True)
    ]
    wanted = shown.made.target.query
    active = drawn.index(wanted) if wanted in drawn else 0
    return panels(layers, active, None, say("mask_alt", count=len(drawn)), asked.shared), ""


def _life(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    steps = life(trace, shown.made.target, maps.access_to(held.card))
    names = labels(held.card)
    found, rows = [], []
    for place, step in enumerate(steps):
        best = int(np.argmax(step.probabilities[:-1]))
        score, nothing = float(step.probabilities[best]), float(step.probabilities[-1])
        x, y, wide, high = step.box_cxcywh
        height, width = trace.view.image.height, trace.view.image.width
        corners = np.array(
            [[(x - wide / 2) * width, (y - high / 2) * height, (x + wide / 2) * width, (y + high / 2) * height]]
        )
        box = tuple(float(edge) for edge in trace.view.to_upload(corners)[0])
        label = names[best] or say("class_number", number=best)
        found.append(Box(f"{place + 1}: {label}", score, (box[0], box[1], box[2], box[3]), place, place))
        rows.append([step.layer, label, percent(score), percent(nothing), ", ".join(f"{edge:.0f}" for edge in box)])
    head = [say(f"life_{part}") for part in ("layer", "label", "score", "nothing", "box")]
    return boxes(found, held.picture, held.size), words.table(head, rows)


LOOKS = (
    Look("life", _detects, _life),
    Look("queries", _detects, _queries),
    Look("slots", _detects, _slots),
    Look("preferred", _detects, _preferred),
    Look("mask", _masks, _mask),
)
