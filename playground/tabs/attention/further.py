"""What else can be looked at below the map, each thing for the models that have it."""

from collections.abc import Callable
from dataclasses import replace
from html import escape
from typing import Any

import numpy as np

from playground import maps
from playground.explanations import Target
from playground.explanations.artefacts import artefacts, level_names
from playground.explanations.atlas import Head, atlas, effects
from playground.explanations.bias import bias_share, relative_bias
from playground.explanations.lens import answers
from playground.explanations.similarity import attention_similarity, feature_similarity
from playground.explanations.terms import NAMES, position_terms
from playground.figures.lines import Chart, Curve, lines
from playground.figures.matrices import Table, matrices
from playground.figures.norms import Level
from playground.figures.norms import norms as norm_chart
from playground.figures.panels import Layer, panels
from playground.figures.scatter import Dot, dots
from playground.figures.theme import percent
from playground.image import Picture
from playground.models.labels import labels
from playground.tabs.attention import detector, drawing, trust, words
from playground.tabs.attention.held import RAW, Held, Shown, biased_links
from playground.tabs.attention.leaderboard import ranked
from playground.tabs.attention.looks import Asked, Drawn, Look
from playground.texts import say
from playground.trace import AxialAttention, Trace

MOST_LISTED = 24  # outliers in the table
MOST_LINES = 5  # classes followed from layer to layer


def offered(held: Held, trace: Trace) -> list[tuple[str, str]]:
    """Return (title, key) of what this model has to show."""
    return [(say(f"look_{look.key}"), look.key) for look in LOOKS if look.fits(held, trace)]


def draw(key: str, held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    """Draw what was chosen, or a sentence why it cannot be."""
    look = next((look for look in LOOKS if look.key == key), LOOKS[0])
    try:
        return look.draw(held, shown, trace, asked)
    except ValueError as error:
        return None, f'<p class="pg-about">{escape(str(error))}</p>'


def waits(key: str, held: Held, shown: Shown) -> bool:
    """Whether pressing the button would measure something that is not known yet."""
    if key == "atlas":
        known = ("effects", _wanted(shown)) in held.memo
        return not held.unread and not known and bool(held.classes or held.objects)
    return key == "trust" and trust.curves_of(held, shown) is None


def measured(
    key: str,
    held: Held,
    shown: Shown,
    picture: Picture,
    trace: Trace,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> None:
    """Run the model as often as it takes to know what `key` asks, and keep it.

    "trust": the curves of the map; "checks": whether it knows the class and the weights; "atlas": what heads do.
    """
    if key == "checks":
        trust.checked(held, shown, picture, progress, cancelled)
    elif key == "atlas":
        heads = _heads(held, trace)
        lost = effects(trace, _wanted(shown), maps.access_to(held.card, progress, cancelled), heads)
        found = {(head.layer, head.head, head.axis): loss for head, loss in zip(heads, lost, strict=True)}
        held.memo["effects", _wanted(shown)] = found
    else:
        trust.measured(held, shown, trace, progress, cancelled)


def dot(held: Held, trace: Trace, index: Any) -> tuple[int, int] | None:
    """Return the (layer, head) of a clicked dot of the atlas, or None."""
    heads = _placed(held, trace)
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(heads):
        return None
    return heads[index].layer, heads[index].head


def _wanted(shown: Shown) -> Target:
    return Target(class_index=shown.made.target.class_index, query=shown.made.target.query)


def _has_attention(held: Held, trace: Trace) -> bool:
    return not held.unread


def _has_tokens(held: Held, trace: Trace) -> bool:
    return bool(trace.tokens)


def _answers(held: Held, trace: Trace) -> bool:
    return trace.logits is not None


def _classifies(held: Held, trace: Trace) -> bool:
    return bool(held.classes)


def _tiles(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    return drawing.every_head(trace, shown, asked.shared), ""


def _heads(held: Held, trace: Trace) -> tuple[Head, ...]:
    if "atlas" not in held.memo:
        held.memo["atlas"] = atlas(trace)
    found: tuple[Head, ...] = held.memo["atlas"]
    return found


def _placed(held: Held, trace: Trace) -> list[Head]:
    """Return the heads between tokens that have places."""
    return [head for head in _heads(held, trace) if head.distance is not None]


def _atlas(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    heads = _placed(held, trace)
    if not heads:
        return None, f'<p class="pg-about">{escape(say("atlas_none"))}</p>'
    layers = list(dict.fromkeys(head.layer for head in heads))
    most = max(head.head for head in heads) + 1
    target = shown.made.target
    raw = shown.made.method == RAW
    lost = held.memo.get(("effects", _wanted(shown)), {})
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


def _alike(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
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


def _artefacts(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    found = [artefacts(trace, level) for level in range(len(level_names(trace)))]
    levels = []
    for each in found:
        patches = each.norms[each.prefix :]
        usual = patches[patches <= each.threshold]
        named = tuple(
            (say("outlier", level=each.level, row=patch[0], col=patch[1]), float(each.norms[place]))
            for patch, place in zip(each.patches[:MOST_LISTED], each.places, strict=False)
        )
        least, middle, greatest = float(usual.min()), each.median, float(usual.max())
        levels.append(Level(each.level, least, middle, greatest, each.threshold, named))
    names = (say("norms_median"), say("norms_threshold"), say("norms_outliers"), say("norms_axis"))
    at = shown.made.target.layer if shown.made.method == "norms" and shown.made.target.layer is not None else -1
    chart = norm_chart(levels, names, say("artefacts_alt", count=sum(len(each.places) for each in found)))
    return chart, words.outliers(found[at], MOST_LISTED)


def _reads_layers(held: Held, trace: Trace) -> bool:
    return any(method.name == "lens" for method in held.methods)


def tempered(scores: np.ndarray, temperature: float) -> np.ndarray:
    """Return softmax(logits / temperature) for scores = softmax(logits) [C], as the page's answers are scored."""
    powers: np.ndarray = scores.astype(np.float64) ** (1 / temperature)
    return powers / powers.sum()


def _depth(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    plain = answers(trace, maps.access_to(held.card))
    found = [(layer, tempered(scores, held.card.temperature)) for layer, scores in plain]
    names = labels(held.card)

    def name(index: int) -> str:
        return (names[index] if index < len(names) else None) or say("class_number", number=index)

    wanted = shown.made.target.class_index
    wanted = held.classes[0].index if wanted is None else wanted
    ends = sorted({int(scores.argmax()) for _, scores in found} | {wanted}, key=lambda i: -float(found[-1][1][i]))
    chosen = [wanted, *(index for index in ends if index != wanted)][:MOST_LINES]
    table = [[layer, name(int(s.argmax())), percent(float(s.max())), percent(float(s[wanted]))] for layer, s in found]
    head = [say(f"depth_{part}") for part in ("layer", "label", "score")] + [name(wanted)]
    shares = np.stack([scores for _, scores in found])  # [layers, C]
    curves = [Curve(name(index), range(1, len(found) + 1), shares[:, index]) for index in chosen]
    chart = Chart(say("depth_title"), say("depth_axis"), curves)
    return lines([chart], say("depth_alt", label=name(wanted))), words.table(head, table)


def _has_bias(held: Held, trace: Trace) -> bool:
    return held.biased


def _bias(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    links = biased_links(trace)
    layers = [Layer(link.name, relative_bias(link)) for link in links]
    head = [say("layer"), say("bias_share")]
    rows = [[link.name, ", ".join(percent(share) for share in bias_share(link))] for link in links]
    return panels(layers, len(layers) - 1, None, say("bias_alt"), shared=False), words.table(head, rows)


def _is_axial(held: Held, trace: Trace) -> bool:
    return held.axial


def _terms(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    links = drawing.drawn_links(trace, shown)
    asked_for = shown.made.target.layer if shown.made.method == RAW else None
    number, link = next((x for x in links if x[0] == asked_for), links[-1])
    found = position_terms(trace, number, maps.access_to(held.card))
    named: list[tuple[str, AxialAttention]] = [
        (say("terms_all"), found.whole),
        *((say("terms_alone", term=name), step) for name, step in zip(NAMES, found.alone, strict=True)),
    ]
    steps = [(name, replace(link, step=step)) for name, step in named]
    layers = [Layer(f"{link.name}: {name}", drawing.maps_of(trace, apart, shown)) for name, apart in steps]
    head = [say("terms_head"), *(say("terms_column", term=name) for name in NAMES)]
    head += [say("terms_row", term=name) for name in NAMES]
    rows = [
        [str(i + 1), *(percent(share) for share in (*column, *row))]
        for i, (column, row) in enumerate(zip(found.column, found.row, strict=True))
    ]
    return panels(layers, 0, None, say("terms_alt", layer=link.name), asked.shared), words.table(head, rows)


def _trust(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    return trust.drawn(held, shown, asked)


def _ranked(held: Held, shown: Shown, trace: Trace, asked: Asked) -> Drawn:
    return None, ranked(held.card)


LOOKS = (
    Look("tiles", _has_attention, _tiles),
    Look("atlas", _has_attention, _atlas),
    Look("alike", _has_tokens, _alike),
    Look("depth", _reads_layers, _depth),
    Look("terms", _is_axial, _terms),
    Look("bias", _has_bias, _bias),
    *detector.LOOKS,
    Look("artefacts", _has_tokens, _artefacts),
    Look("trust", _answers, _trust),
    Look("ranked", _classifies, _ranked),
)
