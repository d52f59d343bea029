"""What else can be looked at below the map: small maps, the head atlas, likeness of layers, a query's life, trust."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from playground import maps
from playground.explanations import Target
from playground.explanations.atlas import Head, atlas, effects
from playground.explanations.bias import bias_share, relative_bias
from playground.explanations.lens import life
from playground.explanations.similarity import attention_similarity, feature_similarity
from playground.figures.boxes import boxes
from playground.figures.matrices import Table, matrices
from playground.figures.overlay import Figure
from playground.figures.panels import Layer, panels
from playground.figures.scatter import Dot, dots
from playground.figures.theme import percent
from playground.models.labels import labels
from playground.tabs.attention import drawing, trust, words
from playground.tabs.attention.held import RAW, Held, Shown, biased_links
from playground.texts import say
from playground.trace import Box, Trace

Drawn = tuple[Figure | None, str]  # the figure and what stands beneath it


@dataclass(frozen=True)
class Look:
    """One thing to look at: `key` names it among the texts, `fits` says for which models, `draw` draws it."""

    key: str
    fits: Callable[[Held, Trace], bool]
    draw: Callable[[Held, Shown, Trace, bool], Drawn]


def offered(held: Held, trace: Trace) -> list[tuple[str, str]]:
    """Return (title, key) of what this model has to show."""
    return [(say(f"look_{look.key}"), look.key) for look in LOOKS if look.fits(held, trace)]


def draw(key: str, held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
    """Draw what was chosen, or a sentence why it cannot be."""
    look = next((look for look in LOOKS if look.key == key), LOOKS[0])
    try:
        return look.draw(held, shown, trace, shared)
    except ValueError as error:
        return None, f'<p class="pg-about">{escape(str(error))}</p>'


def waits(key: str, held: Held, shown: Shown) -> bool:
    """Whether pressing the button would measure something that is not known yet."""
    if key == "atlas":
        return not held.unread and ("effects", _asked(shown)) not in held.memo and bool(held.classes or held.objects)
    return key == "trust" and trust.drawn(held, shown)[0] is None


def measured(
    key: str,
    held: Held,
    shown: Shown,
    trace: Trace,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> None:
    """Run the model as often as it takes to know the trust in the map, or what each head of the atlas does."""
    if key != "atlas":
        trust.measured(held, shown, trace, progress, cancelled)
        return
    heads = _heads(held, trace)
    lost = effects(trace, _asked(shown), maps.access_to(held.card, progress, cancelled), heads)
    found = {(head.layer, head.head, head.axis): loss for head, loss in zip(heads, lost, strict=True)}
    held.memo["effects", _asked(shown)] = found


def _asked(shown: Shown) -> Target:
    return Target(class_index=shown.made.target.class_index, query=shown.made.target.query)


def dot(held: Held, trace: Trace, index: Any) -> tuple[int, int] | None:
    """Return the (layer, head) of a clicked dot of the atlas, or None."""
    heads = _placed(held, trace)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(heads):
        return None
    return heads[index].layer, heads[index].head


def _has_attention(held: Held, trace: Trace) -> bool:
    return not held.unread


def _comparable(held: Held, trace: Trace) -> bool:
    return bool(trace.tokens)


def _detects(held: Held, trace: Trace) -> bool:
    return bool(held.objects)


def _answers(held: Held, trace: Trace) -> bool:
    return trace.logits is not None


def _tiles(held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
    return drawing.every_head(trace, shown, shared), ""


def _heads(held: Held, trace: Trace) -> tuple[Head, ...]:
    if "atlas" not in held.memo:
        held.memo["atlas"] = atlas(trace)
    found: tuple[Head, ...] = held.memo["atlas"]
    return found


def _placed(held: Held, trace: Trace) -> list[Head]:
    """Return the heads between tokens that have places."""
    return [head for head in _heads(held, trace) if head.distance is not None]


def _atlas(held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
    heads = _placed(held, trace)
    if not heads:
        return None, f'<p class="pg-about">{escape(say("atlas_none"))}</p>'
    layers = list(dict.fromkeys(head.layer for head in heads))
    most = max(head.head for head in heads) + 1
    target = shown.made.target
    raw = shown.made.method == RAW
    lost = held.memo.get(("effects", _asked(shown)), {})
    points = [
        Dot(
            name=", ".join(filter(None, (head.name, say("head", number=head.head + 1), head.axis))),
            place=layers.index(head.layer),
            beside=(head.head + 0.5) / most,
            distance=head.distance or 0.0,
            entropy=head.entropy,
            apart=sum(share for _, share in head.prefix) if head.prefix else None,
            chosen=raw and (head.layer, head.head) == (target.layer, target.head),
            effect=lost.get((head.layer, head.head, head.axis)),
        )
        for head in heads
    ]
    names = [next(head.name for head in heads if head.layer == layer) for layer in layers]
    return dots(points, names, say("atlas_alt", heads=len(points), layers=len(layers))), ""


def _alike(held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
    if "alike" not in held.memo:
        features = feature_similarity(trace)
        tables = [Table(say("alike_features"), features.names, features.values)]
        said = ""
        try:
            for centred in (False, True):
                found = attention_similarity(trace, centred)
                tables.insert(int(centred), Table(say(f"alike_{centred}".lower()), found.names, found.values))
        except ValueError as error:
            said = f'<p class="pg-about">{escape(str(error))}</p>'
        held.memo["alike"] = (tables, said)
    tables, said = held.memo["alike"]
    return matrices(tables, say("alike_alt")), said


def _life(held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
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


def _has_bias(held: Held, trace: Trace) -> bool:
    return held.biased


def _bias(held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
    links = biased_links(trace)
    layers = [Layer(link.name, relative_bias(link)) for link in links]
    head = [say("layer"), say("bias_share")]
    rows = [[link.name, ", ".join(percent(share) for share in bias_share(link))] for link in links]
    return panels(layers, len(layers) - 1, None, say("bias_alt"), shared=False), words.table(head, rows)


def _trust(held: Held, shown: Shown, trace: Trace, shared: bool) -> Drawn:
    return trust.drawn(held, shown)


LOOKS = (
    Look("tiles", _has_attention, _tiles),
    Look("atlas", _has_attention, _atlas),
    Look("alike", _comparable, _alike),
    Look("bias", _has_bias, _bias),
    Look("life", _detects, _life),
    Look("trust", _answers, _trust),
)
