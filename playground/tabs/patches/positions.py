"""Part 3: how the model knows where a patch is, and what it answers at another resolution."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from playground import checks, inference
from playground.components import PlotlyView, Slider
from playground.embeddings.positions import (
    Positions,
    distance_curves,
    kinds,
    offset_lengths,
    offset_similarity,
    place_similarity,
    positions,
    resampled,
    row_col_structure,
    similarity_grid,
)
from playground.embeddings.tokens import grid_tokens
from playground.figures import Figure
from playground.figures.lines import Chart, Curve, lines
from playground.figures.mosaic import mosaic, small_maps
from playground.figures.overlay import nothing, overlay
from playground.figures.panels import Layer, panels
from playground.figures.theme import percent
from playground.image import Picture
from playground.models.answers import classes_of, objects_of
from playground.parts import Parts, RelativeTable
from playground.tabs.patches.held import Grid, Held, centre, scaled
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]
MOST_MAPS = 14  # small maps a side; of finer grids every second, third, ... place
MOST_CELLS = 20  # of a small map a side
ANSWERS = 5
LEAST_SCORE = 0.3


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part; `side` is the resolution in pixels of the shorter side."""

    which: gr.Radio
    about: gr.HTML
    grid: PlotlyView
    row: gr.Number
    col: gr.Number
    beside: gr.Column
    place: PlotlyView
    curves: PlotlyView
    resized: gr.HTML
    side: gr.Slider
    answer: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        return [self.which, self.row, self.col]

    @property
    def outputs(self) -> list[Any]:
        drawn = [self.side, self.about, self.grid, self.beside, self.place, self.curves, self.resized, self.answer]
        return [*self.inputs, *drawn]

    def show(self, held: Held, trace: Trace, which: Any, row: Any, col: Any) -> Updates:
        """Draw the positions at the model's own resolution."""
        parts = inference.parts(held.card)
        names = [(say(f"positions_{kind}").capitalize(), i) for i, kind in enumerate(kinds(parts))]
        which = which if which in range(len(names)) else 0
        allowed = inference.sizes(held.card)
        slider = gr.update(minimum=allowed.low, maximum=allowed.high, step=allowed.step, value=allowed.usual)
        return {
            self.which: gr.update(choices=names, value=which, visible=len(names) > 1),
            self.side: slider,
            self.answer: answered(held, trace, None),
            **self.draw(held, parts, own(held, trace, which), row, col),
        }

    def choose(self, held: Held, trace: Trace, which: Any, row: Any, col: Any) -> Updates:
        """Draw another place, or another way in which the model knows places."""
        parts = inference.parts(held.card)
        found = shown(held, trace, which)
        if found.grid is not None:
            rows, cols = found.grid
            row, col = (
                checks.whole(row, say("row_plain"), 0, rows - 1),
                checks.whole(col, say("column_plain"), 0, cols - 1),
            )
        return self.draw(held, parts, found, row, col)

    def pick(self, held: Held, trace: Trace, event: Any, which: Any, row: Any, col: Any) -> Updates:
        """Draw the place whose small map was clicked."""
        found = shown(held, trace, which)
        chosen = clicked(found, getattr(event, "index", None))
        return {} if chosen is None else self.draw(held, inference.parts(held.card), found, *chosen)

    def at_side(self, picture: Picture, held: Held, which: Any, row: Any, col: Any, side: Any) -> Updates:
        """Ask the model at another resolution, and draw the interpolated positions."""
        parts = inference.parts(held.card)
        which = checks.whole(which, say("positions_kind"), 0, len(kinds(parts)) - 1)
        other = inference.at_size(picture, held.card, side)
        usual = inference.trace(picture, held.card)
        before, found = shown(held, usual, which), own(held, usual, which)
        if found.grid is not None and before.grid is not None:
            own_grid = found.grid == held.grids[-1]
            new = grid_tokens(other).grid if own_grid else stretched(found.grid, usual, other)
            if numbers_of(row, col):
                row, col = scaled((row, col), before.grid, new)
            found = resampled(found, new)
        elif found.tables:
            found = positions(inference.parts(held.card, side=side), which)
        held.memo["resized"] = {which: found}
        return {self.answer: answered(held, usual, other), **self.draw(held, parts, found, row, col)}

    def draw(self, held: Held, parts: Parts, found: Positions, row: Any, col: Any) -> Updates:
        """Return the figures of one way of knowing places."""
        texts = {
            self.about: _about(f"{found.sentence} {say(f'positions_help_{sort(found)}')}"),
            self.resized: _resized(say("resolution_more", how=say(f"resolution_{sort(found)}"))),
        }
        if found.grid is None:
            hidden = {part: gr.update(visible=False) for part in (self.beside, self.row, self.col)}
            return {
                self.grid: tables(found) if found.tables else nothing(),
                self.place: nothing(),
                self.curves: structure(found) or nothing(),
                **hidden,
                **texts,
            }
        rows, cols = found.grid
        if not (numbers_of(row, col) and 0 <= row < rows and 0 <= col < cols):
            row, col = centre(found.grid)
        fields = {
            self.row: gr.update(value=row, label=say("row", most=rows - 1), visible=True),
            self.col: gr.update(value=col, label=say("column", most=cols - 1), visible=True),
            self.beside: gr.update(visible=True),
        }
        return {
            self.grid: maps(held, found, (int(row), int(col))),
            self.place: place(held, found, int(row), int(col)),
            self.curves: held.kept(("structure", found.kind, found.grid), lambda: structure(found)) or nothing(),
            **fields,
            **texts,
        }


def lay_out() -> Part:
    """Lay out this part inside the current context."""
    which = gr.Radio([], label=say("positions_kind"), visible=False, elem_classes="pg-pills")
    about = gr.HTML(apply_default_css=False)
    with gr.Row(elem_classes="pg-side"):
        with gr.Column(min_width=300):
            grid = PlotlyView(height=420, elem_id="pg-positions")
        with gr.Column(min_width=300) as beside:
            view = PlotlyView(height=360, elem_id="pg-position")
            with gr.Row(elem_classes="pg-pair"):
                row = gr.Number(None, label=say("row_plain"), precision=0, min_width=80, visible=False)
                col = gr.Number(None, label=say("column_plain"), precision=0, min_width=80, visible=False)
    curves = PlotlyView(height=10, elem_id="pg-position-curves")
    resized = gr.HTML(apply_default_css=False)
    side = Slider(  # nothing to go back to: its own size is another number with every model
        32, 1024, 224, step=1, label=say("resolution_side"), buttons=[], elem_id="pg-resolution"
    )
    answer = gr.HTML(apply_default_css=False, elem_id="pg-resolution-answer")
    return Part(which, about, grid, row, col, beside, view, curves, resized, side, answer)


def own(held: Held, trace: Trace, which: Any) -> Positions:
    """Return one way of knowing places for this picture: sines and rotations for the grid that it has."""
    parts = inference.parts(held.card)
    which = checks.whole(which, say("positions_kind"), 0, len(kinds(parts)) - 1)
    found = positions(parts, which)
    if found.kind == "sine":  # the picture's own grid, not that of a square
        return held.kept(("sine", which), lambda: resampled(found, held.grids[-1]))
    return found


def shown(held: Held, trace: Trace, which: Any) -> Positions:
    """Return one way of knowing places as it is drawn: at the resolution asked for last, or the model's own."""
    resized: dict[Any, Positions] = held.memo.get("resized", {})
    return resized.get(which) or own(held, trace, which)


def stretched(grid: Grid, usual: Trace, other: Trace) -> Grid:
    """Return a grid grown as the view has grown."""
    old, new = usual.view.pixels.shape[1:], other.view.pixels.shape[1:]
    return round(grid[0] * new[0] / old[0]), round(grid[1] * new[1] / old[1])


def maps(held: Held, found: Positions, chosen: tuple[int, int]) -> Figure:
    """Draw the similarity of every place to all places as a grid of small maps."""
    assert found.grid is not None
    rows, cols = found.grid
    step = -(-max(rows, cols) // MOST_MAPS)
    tiles, (deep, across) = held.kept(("maps", found.kind, found.grid), lambda: _tiles(found, step))
    places = [(r * step + step // 2, c * step + step // 2) for r in range(deep) for c in range(across)]
    said = [say("place", row=r, col=c) for r, c in places]
    near = min(range(len(places)), key=lambda i: abs(places[i][0] - chosen[0]) + abs(places[i][1] - chosen[1]))
    alt = say("positions_alt", rows=rows, cols=cols)
    return mosaic(tiles, said, alt, across=across, chosen=near, height=420)


def _tiles(found: Positions, step: int) -> tuple[np.ndarray, Grid]:
    """Return the small maps of every `step`-th place as colours [n, h, w, 3], and how many are down and across."""
    assert found.grid is not None
    values = similarity_grid(found)
    shown = values[step // 2 :: step, step // 2 :: step]
    thin = -(-max(found.grid) // MOST_CELLS)
    for axis in (2, 3) if thin > 1 else ():  # means of blocks of cells
        starts = np.arange(0, shown.shape[axis], thin)
        sizes = np.diff([*starts, shown.shape[axis]]).reshape(-1, *(1,) * (3 - axis))
        shown = np.add.reduceat(shown, starts, axis=axis) / sizes
    flat = shown.reshape(-1, *shown.shape[2:])
    return small_maps(flat, float(shown.min()), 1.0) & 0xFC, (shown.shape[0], shown.shape[1])


def clicked(found: Positions, index: Any) -> tuple[int, int] | None:
    """Return the place of a clicked small map [row, col], or None."""
    try:
        down, along = (int(place) for place in index)
    except (TypeError, ValueError):
        return None
    if found.grid is None:
        return None
    step = -(-max(found.grid) // MOST_MAPS)
    row, col = down * step + step // 2, along * step + step // 2
    return (row, col) if 0 <= row < found.grid[0] and 0 <= col < found.grid[1] else None


def place(held: Held, found: Positions, row: int, col: int) -> Figure:
    """Draw one place's similarity to all places over what the model saw."""
    values = place_similarity(found, row, col)
    wide, high = 100.0 * held.aspect, 100.0
    rows, cols = values.shape
    box = (col * wide / cols, row * high / rows, (col + 1) * wide / cols, (row + 1) * high / rows)
    region = (0.0, 0.0, wide, high)
    alt = say("position_alt", row=row, col=col)
    return overlay(values, region, held.seen, (round(wide), round(high)), alt, strength=0.75, marked=box)


def sort(found: Positions) -> str:
    """Return what is drawn: places of a "table", of a "sine" or a "rope", tables by "head" or by "channel", "none"."""
    if found.grid is not None:
        return found.kind
    return found.tables[0].unit if found.tables else "none"


def tables(found: Positions) -> Figure:
    """Draw tables of relative positions, one at a time: a tile a head, or how alike the vectors of two offsets are."""
    layers = [
        Layer(table.name, table.values)
        if table.unit == "head"
        else Layer(table.name, offset_similarity(table), tuple(name for name, _ in table.spans))
        for table in found.tables
    ]
    return panels(layers, len(layers) - 1, None, say("positions_relative_alt"), shared=False)


def structure(found: Positions) -> Figure | None:
    """Draw how alike two places are by rows and by columns apart, or how a learned bias falls with distance."""
    if found.grid is not None:
        pattern = row_col_structure(found)
        curves = [
            Curve(say("apart_rows"), range(len(pattern.by_row)), pattern.by_row),
            Curve(say("apart_cols"), range(len(pattern.by_col)), pattern.by_col),
        ]
        return lines(
            [Chart(say("positions_structure"), say("positions_apart"), curves)], say("positions_structure_alt")
        )
    if not found.tables:
        return None
    last = found.tables[-1]
    if last.unit == "channel":
        return _vector_lengths(found.tables[-2:])
    down, along = distance_curves(last)
    charts = []
    for title, curve in ((say("apart_rows"), down), (say("apart_cols"), along)):
        middle = curve.shape[1] // 2
        offsets = range(-middle, middle + 1)
        charts.append(Chart(title, say("positions_offset"), [Curve(say("bias_mean"), offsets, curve.mean(0))]))
    return lines(charts, say("positions_bias_alt", name=last.name))


def _vector_lengths(found: Sequence[RelativeTable]) -> Figure:
    """Draw how long the vectors of every offset are, a chart a table."""
    charts = []
    for table in found:
        lengths = offset_lengths(table)  # [spans, offsets]
        middle = lengths.shape[1] // 2
        curves = [
            Curve(name, range(-middle, middle + 1), values)
            for (name, _), values in zip(table.spans, lengths, strict=True)
        ]
        title = say("apart_rows" if table.axis == "height" else "apart_cols")
        charts.append(Chart(title, say("positions_offset"), curves))
    return lines(charts, say("positions_vectors_alt"))


def answered(held: Held, usual: Trace, other: Trace | None) -> str:
    """Return a table of what the model answers at its own resolution and at the other one."""
    columns = [usual] if other is None or other is usual else [usual, other]
    head = [say("resolution_at", rows=t.view.image.height, cols=t.view.image.width) for t in columns]
    found = [_answers(held, trace) for trace in columns]
    most = max((len(entries) for entries in found), default=0)
    if not most:
        return f'<p class="pg-about">{escape(say("resolution_no_answer"))}</p>'
    top = "".join(f'<th scope="col">{escape(text)}</th>' for text in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(entries[i] if i < len(entries) else '')}</td>" for entries in found) + "</tr>"
        for i in range(most)
    )
    return f'<div class="pg-table"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _answers(held: Held, trace: Trace) -> list[str]:
    classes = classes_of(trace, held.card, ANSWERS)
    boxes, _, _ = objects_of(trace, held.card, LEAST_SCORE)
    found = [(entry.label, entry.score) for entry in classes] + [(box.label, box.score) for box in boxes[:ANSWERS]]
    return [f"{label} · {percent(score)}" for label, score in found]


def _about(text: str) -> str:
    return f'<p class="pg-about">{escape(text)}</p>'


def _resized(more: str) -> str:
    return f'<div class="pg-part"><h2>{escape(say("resolution"))}</h2><p>{escape(more)}</p></div>'


def numbers_of(*values: Any) -> bool:
    """Whether these are whole numbers."""
    return all(isinstance(v, int) and not isinstance(v, bool) for v in values)
