"""Part 6: the same questions for two models at once, on the same picture, with the same rule for colours."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from playground.components import PlotlyView
from playground.embeddings.projection import Projection
from playground.embeddings.similarity import cosine
from playground.embeddings.tokens import GridTokens, grid_tokens
from playground.figures import Figure
from playground.figures.levels import Level, pair
from playground.figures.overlay import overlay
from playground.figures.theme import percent
from playground.image import Picture
from playground.models import catalogue
from playground.tabs.controls import cards, described
from playground.tabs.patches.depth import Fits, coloured, fitted
from playground.tabs.patches.held import Held, centre, every_layer, look, patch_box
from playground.tabs.patches.likeness import STRENGTH, under
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]
TITLE = 16  # letters above a tile


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part; `other` remembers what is held of the second model."""

    model: gr.Dropdown
    said: gr.HTML
    view: PlotlyView
    first: PlotlyView
    second: PlotlyView
    titles: tuple[gr.HTML, gr.HTML]
    other: gr.State

    @property
    def inputs(self) -> list[Any]:
        return [self.model]

    @property
    def outputs(self) -> list[Any]:
        return [self.model, self.said, self.view, self.first, self.second, *self.titles, self.other]

    def ask(self, picture: Picture, held: Held, trace: Trace, model: Any) -> Updates:
        """Run the second model on the picture and draw both."""
        name = model if model and model != held.card.name else another(held.card.name)
        other = look(picture, name)
        seen = other.trace
        assert seen is not None
        figure, said = together(held, trace, other, seen)
        place = centre(held.grids[-1])
        x0, y0, x1, y1 = patch_box(trace, held.grids[-1], *place)
        return {
            self.model: name,
            self.other: other,
            self.view: figure,
            self.said: f'<p class="pg-about">{escape(said)}</p>',
            self.titles[0]: _title(held),
            self.titles[1]: _title(other),
            **self.at(held, trace, other, seen, (x0 + x1) / 2, (y0 + y1) / 2),
        }

    def go_back(self, other: Held | None) -> Any:
        """Return the second model whose answer stands, after another one failed."""
        return gr.skip() if other is None else other.card.name

    def at(self, held: Held, trace: Trace, other: Held, seen: Trace, x: Any, y: Any) -> Updates:
        """Draw what is like the patch under a point of the upload, by each model's last layer."""
        drawn = [alike(held, trace, x, y), alike(other, seen, x, y)]
        if None in drawn:
            return {}
        return {self.first: drawn[0], self.second: drawn[1]}


def another(name: str) -> str:
    """Return a model to stand beside this one: the first bundled one of another family that has patch tokens."""
    family = catalogue.find(name).family
    offered = [card for card in cards() if card.name != name]
    return next((card.name for card in offered if card.family != family), offered[0].name if offered else name)


def together(held: Held, trace: Trace, other: Held, seen: Trace) -> tuple[Figure, str]:
    """Draw both models' layers as colours at equal depth, and say how the colours were made."""
    tokens = [every_layer(trace), every_layer(seen)]
    widths = {level.values.shape[1] for levels in tokens for level in levels}
    if len(widths) == 1:
        both = fitted([*tokens[0], *tokens[1]])
        cut = len(tokens[0])
        fits = [Fits(both.fits, both.places[:cut]), Fits(both.fits, both.places[cut:])]
        said = say("twin_joint", width=widths.pop())
    else:
        own = held.kept("fits", lambda: fitted(tokens[0]))
        fits = [own, aligned(fitted(tokens[1]), tokens[1], own, tokens[0])]
        said = say("twin_own")
    names = [held.layers, other.layers]
    found = [
        coloured(fit, layers, one.grids, view)
        for fit, layers, one, view in zip(fits, names, (held, other), (trace, seen), strict=True)
    ]
    count = max(len(levels) for levels in found)
    steps = [evenly(levels, count) for levels in found]
    depth = [say("twin_depth", share=percent((i + 1) / count)) for i in range(count)]
    titles = [shortened(one.card.title.partition(",")[0]) for one in (held, other)]
    rows = list(zip(titles, steps, strict=True))
    return pair(rows, held.seen, held.aspect, depth, say("twin_alt")), said


def shortened(title: str) -> str:
    """Return a title that fits above a tile on a phone; the whole one stands above the maps below."""
    return title if len(title) <= TITLE else title[: TITLE - 1] + "…"


def evenly(levels: Sequence[Level], count: int) -> list[Level]:
    """Return `count` levels that go evenly from the first to the last."""
    last = len(levels) - 1
    return [levels[round(i * last / max(1, count - 1))] for i in range(count)]


def aligned(fits: Fits, tokens: Sequence[GridTokens], model: Fits, others: Sequence[GridTokens]) -> Fits:
    """Return the fits with each component's sign turned to that of `model` where both look at the same places (ours).

    The sign is that of the correlation between a fit's last layer and the other model's layer at the same depth.
    """
    turned: list[Projection] = []
    for g, found in enumerate(fits.fits):
        last = max(i for i, (group, _) in enumerate(fits.places) if group == g)
        beside = round(last * (len(others) - 1) / max(1, len(tokens) - 1))
        theirs = _resampled(model.scores(beside), others[beside].grid, tokens[last].grid)
        own = fits.scores(last)
        sign = np.where(((own - own.mean(0)) * (theirs - theirs.mean(0))).sum(0) < 0, -1.0, 1.0)
        scores = tuple((values * sign).astype(np.float32) for values in found.scores)
        turned.append(replace(found, basis=found.basis * sign[:, None], scores=scores))
    return Fits(tuple(turned), fits.places)


def alike(held: Held, trace: Trace, x: Any, y: Any) -> Figure | None:
    """Draw what is like the patch under a point of the upload in the last layer; None where the model did not look."""
    tokens = grid_tokens(trace)
    place = under(trace, tokens.grid, x, y)
    if place is None:
        return None
    found = cosine(tokens.values, tokens.place(*place))
    scale = (min(float(np.percentile(found, 2)), 0.999), 1.0)
    alt = say("likeness_alt", row=place[0], col=place[1], name=f"{held.card.title}, {tokens.name}")
    box = patch_box(trace, tokens.grid, *place)
    region = trace.view.grid_xyxy(tokens.grid)
    return overlay(
        found.reshape(tokens.grid), region, held.picture, held.size, alt, strength=STRENGTH, marked=box, scale=scale
    )


def lay_out() -> Part:
    """Lay out this part inside the current context."""
    offered = [(described(card), card.name) for card in cards()]
    model = gr.Dropdown(offered, value=None, label=say("twin_model"), allow_custom_value=True, elem_id="pg-twin-model")
    said = gr.HTML(apply_default_css=False)
    view = PlotlyView(height=420, elem_id="pg-twin")
    gr.HTML(f'<p class="pg-about">{escape(say("twin_click"))}</p>', apply_default_css=False)
    with gr.Row(elem_classes="pg-side"):
        with gr.Column(min_width=300):
            left = gr.HTML(apply_default_css=False)
            first = PlotlyView(height=480, elem_id="pg-twin-first")
        with gr.Column(min_width=300):
            right = gr.HTML(apply_default_css=False)
            second = PlotlyView(height=480, elem_id="pg-twin-second")
    return Part(model, said, view, first, second, (left, right), gr.State(None))


def _resampled(scores: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """Return scores [N, k] of one grid at the middles of another's cells, nearest neighbour."""
    down = ((np.arange(new[0]) + 0.5) * old[0] / new[0]).astype(int)
    along = ((np.arange(new[1]) + 0.5) * old[1] / new[1]).astype(int)
    return scores.reshape(*old, -1)[np.ix_(down, along)].reshape(new[0] * new[1], -1)


def _title(held: Held) -> str:
    return f'<p class="pg-label">{escape(held.card.title)} · {escape(held.layers[-1])}</p>'
