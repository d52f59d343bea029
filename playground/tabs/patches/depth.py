"""Part 4: the tokens through the layers, as colours on the picture and as a cloud of patches."""

import base64
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from playground import inference
from playground.components import STATIC, PlotlyView
from playground.embeddings.cloud import PatchClass, available, patch_classes
from playground.embeddings.cloud import cloud as reduce
from playground.embeddings.projection import Projection, colours, fit
from playground.embeddings.similarity import layer_cka, norms
from playground.embeddings.tokens import GridTokens
from playground.figures import Figure
from playground.figures.levels import Level, Words, levels
from playground.figures.lines import Chart, Curve, lines
from playground.figures.matrices import Table, matrices
from playground.figures.picture import encode
from playground.figures.theme import PALETTE, percent
from playground.models.labels import labels
from playground.tabs.patches.held import Held, covers, every_layer
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]
COMPONENTS = 3
NAMED = 6  # classes with a colour of their own
OTHER = 255
NEIGHBOURS = ("tsne", "umap")  # ways that keep neighbours and not distances
POINTS = 18_000  # of all layers together in a cloud
EXTREME = 99.5  # percentile of places that reaches the edge of the cloud
SPRITE, SPRITE_BUDGET = 448, 40_000


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    view: PlotlyView
    said: gr.HTML
    cloud: gr.HTML
    how: gr.Radio
    about: gr.HTML
    lengths: PlotlyView
    alike: PlotlyView

    @property
    def inputs(self) -> list[Any]:
        return []

    @property
    def outputs(self) -> list[Any]:
        return [self.view, self.said, self.cloud, self.how, self.about, self.lengths, self.alike]

    def show(self, held: Held, trace: Trace) -> Updates:
        """Draw everything: the sliders over the layers then work in the browser."""
        fits = held.kept("fits", lambda: fitted(every_layer(trace)))
        text, note = cloud(held, trace, fits)
        return {
            self.view: drawn(held, trace, fits),
            self.said: _said(spoken(fits, held.layers)),
            self.cloud: text,
            self.how: "pca",
            self.about: _said(note),
            self.lengths: lengths(trace, held),
            self.alike: alike(trace, held),
        }

    def another(self, held: Held, trace: Trace, how: Any) -> Updates:
        """Draw the cloud in another way."""
        text, note = cloud_by(held, trace, how)
        return {self.cloud: text, self.about: _said(note)}


@dataclass(frozen=True, eq=False)
class Fits:
    """The components of every layer: layers of equal width share one fit, so that their colours can be compared."""

    fits: tuple[Projection, ...]
    places: tuple[tuple[int, int], ...]  # of every layer: which fit, which of its sets

    def scores(self, layer: int) -> np.ndarray:
        """Return the scores [N, k] of a layer."""
        fit_, set_ = self.places[layer]
        return self.fits[fit_].scores[set_]


def fitted(tokens: Sequence[GridTokens]) -> Fits:
    """Fit the principal components of all layers of equal width together; prefix tokens stay out of it."""
    widths = list(dict.fromkeys(level.values.shape[1] for level in tokens))
    groups = [[i for i, level in enumerate(tokens) if level.values.shape[1] == width] for width in widths]
    fits = tuple(fit([tokens[i].values for i in group], COMPONENTS) for group in groups)
    places = {i: (g, s) for g, group in enumerate(groups) for s, i in enumerate(group)}
    return Fits(fits, tuple(places[i] for i in range(len(tokens))))


def coloured(fits: Fits, names: Sequence[str], grids: Sequence[tuple[int, int]], trace: Trace) -> list[Level]:
    """Return every layer's first three components as colours on its grid."""
    tints = [colours(found) for found in fits.fits]
    return [
        Level(names[i], tints[g][s].reshape(*grids[i], 3), covers(trace, grids[i]), fits.fits[g].explained.tolist())
        for i, (g, s) in enumerate(fits.places)
    ]


def drawn(held: Held, trace: Trace, fits: Fits) -> Figure:
    """Draw the layers as colours beside what the model saw."""
    words = Words(say("levels_picture"), say("levels_colours"), say("levels_component"))
    found = coloured(fits, held.layers, held.grids, trace)
    alt = say("levels_alt", layers=len(found))
    return levels(found, held.seen, held.aspect, len(found) - 1, words, alt)


def spoken(fits: Fits, names: Sequence[str]) -> str:
    """Say which layers share a fit, and what its three components explain."""
    said = []
    for g, found in enumerate(fits.fits):
        own = [names[i] for i, (group, _) in enumerate(fits.places) if group == g]
        share = percent(min(1.0, round(float(found.explained.sum()), 6)))
        span = own[0] if len(own) == 1 else say("levels_span", first=own[0], last=own[-1])
        said.append(say("levels_fit", span=span, width=found.mean.size, share=share))
    kind = "levels_one_fit" if len(said) == 1 else "levels_fits"
    return f"{say(kind)} {' '.join(said)}"


def cloud(held: Held, trace: Trace, fits: Fits) -> tuple[str, str]:
    """Return what the cloud draws, as JSON, and a sentence about its colours."""
    chosen = _evenly(held.grids, POINTS)
    return _told(held, trace, chosen, [_points(fits.fits[fits.places[i][0]].scores, fits.scores(i)) for i in chosen])


def cloud_by(held: Held, trace: Trace, how: Any) -> tuple[str, str]:
    """Return what the cloud draws when it is made by another way of `available`: the last layer alone.

    Raises ValueError for an unknown way and for too many tokens.
    """
    if how == "pca":
        return cloud(held, trace, held.kept("fits", lambda: fitted(every_layer(trace))))
    last = len(held.layers) - 1
    if how not in NEIGHBOURS:
        raise ValueError(say("cloud_how", ways=", ".join(("pca", *NEIGHBOURS))))
    scores = held.kept(("cloud", how), lambda: reduce([every_layer(trace)[last].values], COMPONENTS, how)[0])
    text, note = _told(held, trace, [last], [_points([scores], scores)])
    return text, f"{say('cloud_neighbours', name=held.layers[last])} {note}"


def _told(held: Held, trace: Trace, chosen: Sequence[int], points: Sequence[np.ndarray]) -> tuple[str, str]:
    """Return the points of the chosen layers with their patches and classes, as JSON, and a sentence about colours."""
    classes, note = held.kept(("classes", tuple(chosen)), lambda: _classes(held, trace, chosen))
    counts = Counter(entry.label for found in classes if found for entry in found)
    named = [label for label, _ in counts.most_common(NAMED)]
    drawn_layers = []
    for place, i in enumerate(chosen):
        found = classes[place]
        codes = None if found is None else [named.index(e.label) if e.label in named else OTHER for e in found]
        rows, cols = held.grids[i]
        drawn_layers.append(
            {
                "name": held.layers[i],
                "rows": rows,
                "cols": cols,
                "covers": covers(trace, held.grids[i]),
                "points": _packed(points[place]),
                "classes": None if codes is None else _packed(np.array(codes, dtype=np.uint8)),
            }
        )
    words = {key: say(f"cloud_{key}") for key in ("components", "classes", "save", "alt", "place")}
    text = json.dumps(
        {
            "picture": encode(trace.view.image, SPRITE, SPRITE_BUDGET),
            "layers": drawn_layers,
            "active": len(drawn_layers) - 1,
            "classes": [{"label": label, "colour": PALETTE[i % len(PALETTE)]} for i, label in enumerate(named)],
            "others": say("cloud_others") if len(counts) > NAMED else "",
            "words": {**words, "play": say("play"), "pause": say("pause"), "layer": say("layer")},
        }
    )
    return text, note


def lengths(trace: Trace, held: Held) -> Figure:
    """Draw how long tokens are through the layers: the middle one, the longest, and each token before the patches."""
    found = held.kept("norms", lambda: norms(trace))
    places = range(1, len(found) + 1)
    curves = [
        Curve(say("norm_middle"), places, np.array([np.median(values) for values in found])),
        Curve(say("norm_longest"), places, np.array([values.max() for values in found])),
    ]
    before = [(level.prefix, np.linalg.norm(level.prefix_values, axis=1)) for level in every_layer(trace)]
    names = list(dict.fromkeys(name for prefix, _ in before for name in prefix))
    for name in names:
        values = [float(norm[prefix.index(name)]) if name in prefix else np.nan for prefix, norm in before]
        curves.append(Curve(name, places, np.array(values)))
    return lines([Chart(say("norms"), say("norms_layer"), curves)], say("norms_alt"), log=True)


def alike(trace: Trace, held: Held) -> Figure:
    """Draw how alike every two layers are."""
    values = held.kept("cka", lambda: layer_cka(trace))
    return matrices([Table(say("cka"), held.layers, values)], say("cka_alt"))


def _classes(held: Held, trace: Trace, chosen: Sequence[int]) -> tuple[list[tuple[PatchClass, ...] | None], str]:
    """Return what the head reads in each patch of the chosen layers, None where it reads nothing, and why."""
    read = inference.readers(held.card)[0]
    found: list[tuple[PatchClass, ...] | None] = []
    said = ""
    for layer in chosen:
        try:
            found.append(patch_classes(trace, layer, read, labels(held.card)))
        except ValueError as error:
            found.append(None)
            said = str(error)
    if not any(found):
        return found, f"{said} {say('cloud_components_only')}"
    return found, say("cloud_classes_about") + (f" {say('cloud_classes_some')}" if None in found else "")


def _points(every: Sequence[np.ndarray], scores: np.ndarray) -> np.ndarray:
    """Return scores [N, 3] as points uint8 within a ball that fills 0 to 255, one scale for `every` layer of their fit.

    A ball can be turned any way without reaching past its frame; extreme tokens stay at its surface.
    """
    whole = np.concatenate(every)
    middle = np.percentile(whole, (100 - EXTREME, EXTREME), axis=0).mean(0)  # [3]
    reach = float(np.percentile(np.linalg.norm(whole - middle, axis=1), EXTREME)) or 1.0
    found = (scores - middle) / reach
    found /= np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1.0)
    return np.rint(found * 127.5 + 127.5).astype(np.uint8)


def _evenly(grids: Sequence[tuple[int, int]], most: int) -> list[int]:
    """Return the layers to draw: all, or as many as hold `most` points, evenly, with the last."""
    everything = list(range(len(grids)))
    for step in range(1, len(grids) + 1):
        chosen = everything[::-1][::step][::-1]
        if sum(grids[i][0] * grids[i][1] for i in chosen) <= most:
            return chosen
    return everything[-1:]


def _packed(values: np.ndarray) -> str:
    return base64.b64encode(values.tobytes()).decode("ascii")


def _said(text: str) -> str:
    return f'<p class="pg-about">{escape(text)}</p>'


def lay_out() -> Part:
    """Lay out this part inside the current context."""
    said = gr.HTML(apply_default_css=False)
    view = PlotlyView(height=620, elem_id="pg-levels")
    gr.HTML(
        f'<div class="pg-part"><h2>{escape(say("cloud"))}</h2><p>{escape(say("cloud_more"))}</p></div>',
        apply_default_css=False,
    )
    frame = (
        '<div class="pg-cloudbox"><div class="pg-stage"><canvas class="pg-cloud" role="img" tabindex="0"></canvas>'
        '<div class="pg-tip" hidden><canvas class="pg-large" width="72" height="72"></canvas><span></span></div></div>'
        '<div class="pg-controls"><button type="button" class="pg-play">▶</button>'
        '<input type="range" class="pg-layer" min="0" max="1" step="1" value="0"><span class="pg-name"></span></div>'
        '<div class="pg-buttons"><button type="button" class="pg-flat">2D</button>'
        '<button type="button" class="pg-colour"></button><button type="button" class="pg-save"></button></div>'
        '<p class="pg-key"></p></div>'
    )
    script = (STATIC / "cloud.js").read_text(encoding="utf-8")
    cloud_view = gr.HTML(html_template=frame, js_on_load=script, apply_default_css=False, elem_id="pg-cloud")
    ways = [(say(f"cloud_{way}"), way) for way in available()]
    how = gr.Radio(
        ways, value="pca", label=say("cloud_how_label"), visible=len(ways) > 1, elem_classes="pg-pills",
        elem_id="pg-cloud-how",
    )  # fmt: skip
    about = gr.HTML(apply_default_css=False)
    with gr.Row(elem_classes="pg-side"):
        with gr.Column(min_width=300):
            lengths_view = PlotlyView(height=300, elem_id="pg-norms")
        with gr.Column(min_width=300):
            alike_view = PlotlyView(height=360, elem_id="pg-cka")
    return Part(view, said, cloud_view, how, about, lengths_view, alike_view)
