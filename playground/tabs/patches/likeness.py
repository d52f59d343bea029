"""Part 5: which patches are alike, in this picture and in a second one, and the parts that they make up."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from playground import checks
from playground.components import Dropdown, ModelImage, PlotlyView, Slider
from playground.embeddings.clusters import kmeans_sets
from playground.embeddings.similarity import between, nearest
from playground.embeddings.tokens import GridTokens, grid_tokens
from playground.figures import Figure
from playground.figures.overlay import Outline, nothing, overlay
from playground.figures.picture import encode
from playground.figures.regions import COLOURS, regions
from playground.image import Picture
from playground.tabs.examples import examples
from playground.tabs.patches.held import Held, centre, crop, of, patch_box, scaled
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]
LIKE, PARTS = "like", "parts"
NEAREST = 6
FEWEST, CLUSTERS, MOST = 2, 5, len(COLOURS)
STRENGTH = 0.7
CROP = 56


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part; `second` remembers what is held of the other picture."""

    how: gr.Radio
    layer: gr.Dropdown
    name: gr.HTML
    row: gr.Number
    col: gr.Number
    count: gr.Slider
    here: PlotlyView
    there: PlotlyView
    said: gr.HTML
    list: gr.HTML
    upload: ModelImage
    sample: gr.Dropdown
    second: gr.State

    @property
    def inputs(self) -> list[Any]:
        return [self.how, self.layer, self.row, self.col, self.count, self.second]

    @property
    def outputs(self) -> list[Any]:
        return [*self.inputs, self.name, self.here, self.there, self.said, self.list]

    def show(
        self,
        held: Held,
        trace: Trace,
        how: Any,
        layer: Any,
        row: Any,
        col: Any,
        count: Any,
        second: Any,
        upload: Picture | None = None,
    ) -> Updates:
        """Draw from the start: the last layer, the patch in the middle where the one chosen is not on its grid."""
        last = len(held.layers) - 1
        how = PARTS if how == PARTS else LIKE
        count = count if isinstance(count, int) and FEWEST <= count <= MOST else CLUSTERS
        try:
            wish = settled(held, Wish(how, last, row, col, count))
        except ValueError:
            wish = settled(held, Wish(how, last, None, None, count))
        other = None if upload is None else of(upload, held.card)
        drawn = self.draw(held, trace, wish, other)
        return {self.layer: gr.update(choices=held.offered, value=last), self.second: other, **drawn}

    def choose(
        self, held: Held, trace: Trace, how: Any, layer: Any, row: Any, col: Any, count: Any, second: Held | None
    ) -> Updates:
        """Draw another layer, patch or number of parts. Raises ValueError for what is not there."""
        return self.draw(held, trace, settled(held, Wish(how, layer, row, col, count)), second)

    def pick(self, held: Held, trace: Trace, event: Any, *values: Any) -> Updates:
        """Draw the patch that was clicked."""
        how, layer, _, _, count, second = values
        wish = settled(held, Wish(how, layer, None, None, count))
        place = under(trace, held.grids[wish.layer], getattr(event, "x", None), getattr(event, "y", None))
        return {} if place is None else self.draw(held, trace, replace(wish, row=place[0], col=place[1]), second)

    def beside(self, held: Held, trace: Trace, picture: Picture | None, *values: Any) -> Updates:
        """Take a second picture through the same model, or let it go."""
        how, layer, row, col, count, _ = values
        wish = settled(held, Wish(how, layer, row, col, count))
        other = None if picture is None else of(picture, held.card)
        return {self.second: other, **self.draw(held, trace, wish, other)}

    def draw(self, held: Held, trace: Trace, wish: "Wish", other: Held | None) -> Updates:
        """Return everything that a wish changes."""
        rows, cols = held.grids[wish.layer]
        first, then, words = (segmented if wish.how == PARTS else compared)(held, trace, wish, other)
        like = wish.how == LIKE
        after = say("after_layer", name=held.layers[wish.layer], rows=rows, cols=cols)
        return {
            self.how: wish.how,
            self.name: f'<p class="pg-about">{escape(after)}</p>',
            self.row: gr.update(value=wish.row, label=say("row", most=rows - 1), visible=like),
            self.col: gr.update(value=wish.col, label=say("column", most=cols - 1), visible=like),
            self.count: gr.update(value=wish.count, visible=not like),
            self.here: first,
            self.there: then or nothing(),
            self.said: f'<p class="pg-about">{escape(words)}</p>',
            self.list: neighbours(held, trace, wish, other) if like else "",
        }


@dataclass(frozen=True)
class Wish:
    """What is asked: "like" a patch (row, col) of a layer, or the `count` parts of "parts"."""

    how: Any
    layer: Any
    row: Any
    col: Any
    count: Any


def settled(held: Held, wish: Wish) -> Wish:
    """Return the wish checked, with the patch in the middle where none was chosen. Raises ValueError."""
    if wish.how not in (LIKE, PARTS):
        raise ValueError(say("likeness_how"))
    layer = held.layer(wish.layer)
    grid = held.grids[layer]
    place = centre(grid)
    if (wish.row, wish.col) != (None, None):
        before = held.memo.get("grid of the patch", grid)  # whose row and column the fields hold
        row = checks.whole(wish.row, say("row_plain"), 0, before[0] - 1)
        col = checks.whole(wish.col, say("column_plain"), 0, before[1] - 1)
        place = scaled((row, col), before, grid)
    count = checks.whole(wish.count, say("clusters"), FEWEST, MOST)
    held.memo["grid of the patch"] = grid
    return Wish(wish.how, layer, *place, count)


def under(trace: Trace, grid: tuple[int, int], x: Any, y: Any) -> tuple[int, int] | None:
    """Return the cell under a point of the upload; what the browser says is checked."""
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and np.isfinite(v) for v in (x, y)):
        return None
    return trace.view.cell_at(float(x), float(y), grid)


def compared(held: Held, trace: Trace, wish: Wish, other: Held | None) -> tuple[Figure, Figure | None, str]:
    """Draw the cosine similarity of a patch to all patches, here and in the other picture, on one scale."""
    tokens, theirs = grid_tokens(trace, wish.layer), _other(other, wish.layer)
    place = tokens.place(wish.row, wish.col)
    here = between(tokens.values, place, tokens.values)
    there = None if theirs is None else between(tokens.values, place, theirs.values)
    low = float(np.percentile(here if there is None else np.concatenate([here, there]), 2))
    scale = (min(low, 0.999), 1.0)
    best = nearest(tokens.values, place, tokens.values, NEAREST)
    box = patch_box(trace, tokens.grid, wish.row, wish.col)
    alt = say("likeness_alt", row=wish.row, col=wish.col, name=tokens.name)
    first = overlay(
        here.reshape(tokens.grid), trace.view.grid_xyxy(tokens.grid), held.picture, held.size, alt,
        strength=STRENGTH, marked=box, outlines=_outlines(trace, tokens, best), scale=scale,
    )  # fmt: skip
    said = say("likeness_scale", low=scale[0], high=1.0)
    if other is None or theirs is None or there is None:
        return first, None, said
    seen = other.trace
    assert seen is not None
    found = nearest(tokens.values, place, theirs.values, 1)
    row, col = divmod(found[0][0], theirs.grid[1])
    second = overlay(
        there.reshape(theirs.grid), seen.view.grid_xyxy(theirs.grid), other.picture, other.size,
        say("likeness_other_alt", row=row, col=col, value=found[0][1]), strength=STRENGTH,
        marked=patch_box(seen, theirs.grid, row, col), scale=scale,
    )  # fmt: skip
    return first, second, f"{said} {say('likeness_match', row=row, col=col, value=found[0][1])}"


def segmented(held: Held, trace: Trace, wish: Wish, other: Held | None) -> tuple[Figure, Figure | None, str]:
    """Draw the parts that k-means finds in the tokens, of both pictures together where there are two."""
    tokens, theirs = grid_tokens(trace, wish.layer), _other(other, wish.layer)
    key = ("parts", wish.layer, wish.count, other.key if other else "")
    sets = [tokens.values] if theirs is None else [tokens.values, theirs.values]
    found = held.kept(key, lambda: kmeans_sets(sets, min(wish.count, sum(len(values) for values in sets))))
    alt = say("parts_alt", count=wish.count, name=tokens.name)
    first = regions(found[0].reshape(tokens.grid), trace.view.grid_xyxy(tokens.grid), held.picture, held.size, alt)
    if other is None or theirs is None:
        return first, None, say("parts_said", count=wish.count)
    seen = other.trace
    assert seen is not None
    second = regions(found[1].reshape(theirs.grid), seen.view.grid_xyxy(theirs.grid), other.picture, other.size, alt)
    return first, second, say("parts_both", count=wish.count)


def neighbours(held: Held, trace: Trace, wish: Wish, other: Held | None) -> str:
    """Return the patch and those most like it as a list of crops, here and in the other picture."""
    tokens, theirs = grid_tokens(trace, wish.layer), _other(other, wish.layer)
    place = tokens.place(wish.row, wish.col)
    own = [(place, 1.0)]
    rows = [(say("nearest_this"), trace, tokens.grid, [*own, *nearest(tokens.values, place, tokens.values, NEAREST)])]
    if other is not None and theirs is not None and other.trace is not None:
        rows.append(
            (say("nearest_other"), other.trace, theirs.grid, [*nearest(tokens.values, place, theirs.values, NEAREST)])
        )
    return "".join(_crops(title, seen, grid, found) for title, seen, grid, found in rows)


def lay_out() -> Part:
    """Lay out this part inside the current context."""
    ways = [(say("likeness"), LIKE), (say("parts"), PARTS)]
    how = gr.Radio(
        ways, value=LIKE, label=say("likeness_how_label"), elem_classes="pg-pills", elem_id="pg-likeness-how"
    )
    with gr.Row(elem_classes="pg-side"):
        with gr.Column(min_width=300):
            here = PlotlyView(height=480, elem_id="pg-likeness")
        with gr.Column(min_width=300):
            there = PlotlyView(height=10, elem_id="pg-likeness-other")
            said = gr.HTML(apply_default_css=False)
            layer = Dropdown([], label=say("layer"), elem_id="pg-likeness-layer")
            name = gr.HTML(apply_default_css=False)
            count = Slider(FEWEST, MOST, CLUSTERS, step=1, label=say("clusters"), visible=False, elem_id="pg-clusters")
            with gr.Row(elem_classes="pg-pair"):
                row = gr.Number(None, label=say("row_plain"), precision=0, min_width=80, elem_id="pg-likeness-row")
                col = gr.Number(None, label=say("column_plain"), precision=0, min_width=80, elem_id="pg-likeness-col")
            found = gr.HTML(apply_default_css=False, elem_id="pg-nearest")
    with gr.Accordion(say("second"), open=True, elem_id="pg-second"), gr.Row(elem_classes="pg-side"):
        with gr.Column(min_width=300):
            upload = ModelImage(
                None,
                label=say("second_picture"),
                alt_text=say("second_alt"),
                height=180,
                placeholder=say("picture_place"),
                sources=("upload", "clipboard"),
                elem_id="pg-second-picture",
            )
        with gr.Column(min_width=300):
            names = [(entry.title, i) for i, entry in enumerate(examples())]
            sample = gr.Dropdown(names, value=None, label=say("second_sample"), elem_id="pg-second-sample")
    return Part(how, layer, name, row, col, count, here, there, said, found, upload, sample, gr.State(None))


def sample_of(number: Any) -> Any:
    """Return the example with this number as a picture; what the browser says is checked."""
    offered = examples()
    return offered[checks.whole(number, say("example"), 0, len(offered) - 1)].open()


def _other(other: Held | None, layer: int) -> GridTokens | None:
    trace = None if other is None else other.trace
    return None if trace is None else grid_tokens(trace, layer)


def _outlines(trace: Trace, tokens: GridTokens, best: Sequence[tuple[int, float]]) -> list[Outline]:
    places = [(divmod(i, tokens.grid[1]), value) for i, value in best]
    return [Outline(patch_box(trace, tokens.grid, *place), f"{value:z.2f}") for place, value in places]


def _crops(title: str, trace: Trace, grid: tuple[int, int], found: Sequence[tuple[int, float]]) -> str:
    shown = []
    for index, value in found:
        row, col = divmod(index, grid[1])
        source = encode(crop(trace, grid, row, col, CROP), CROP, 8_000)
        said = escape(say("place", row=row, col=col))
        shown.append(f'<li><img src="{source}" alt="{said}"><b>{value:z.2f}</b><small>{said}</small></li>')
    return f'<p class="pg-label">{escape(title)}</p><ol class="pg-crops">{"".join(shown)}</ol>'
