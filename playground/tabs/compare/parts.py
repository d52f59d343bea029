"""The components of the Compare tab and where they stand."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.components import STATIC, Number, PlotlyView, Slider
from playground.explanations import METHODS
from playground.tabs.attention.words import choices as method_choices
from playground.tabs.compare import picker, touching, words
from playground.tabs.compare.folder import MOST_FILES
from playground.tabs.compare.held import BOX, POINT
from playground.tabs.compare.leaving import FORMATS
from playground.texts import say

FIELDS = (("x", 50, True), ("y", 50, True), ("x1", 75, False), ("y1", 75, False))  # name, first value, shown at first


@dataclass(frozen=True, eq=False)
class Picking:
    """Which models, and the buttons beside them."""

    models: gr.Dropdown
    measure: gr.Button
    stop: gr.Button


@dataclass(frozen=True, eq=False)
class Touching:
    """How the picture is touched."""

    kind: gr.Dropdown
    strength: gr.Slider
    grid: gr.Dropdown
    seed: gr.Number
    cells: gr.Textbox
    clear: gr.Button
    frame: gr.HTML
    about: gr.HTML
    problem: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """The fields, as `touching.wished` takes them."""
        return [self.kind, self.strength, self.grid, self.seed, self.cells]


@dataclass(frozen=True, eq=False)
class Placing:
    """Where all models are asked to look from, and how."""

    method: gr.Dropdown
    shape: gr.Radio
    numbers: tuple[gr.Number, ...]
    frames: gr.HTML
    legend: gr.HTML
    problem: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        """The fields, as `placing.wished` takes them."""
        return [self.method, self.shape, *self.numbers]


@dataclass(frozen=True, eq=False)
class Parting:
    """Where two models part."""

    first: gr.Dropdown
    second: gr.Dropdown
    said: gr.HTML
    boxes: PlotlyView
    apart: gr.HTML
    ranks: PlotlyView
    problem: gr.HTML
    files: gr.File
    go: gr.Button
    halt: gr.Button
    pictures: gr.HTML


@dataclass(frozen=True, eq=False)
class Leaving:
    """What can be taken along: a button for each kind of file, and the place for the file."""

    buttons: dict[str, gr.Button]
    file: gr.File


@dataclass(frozen=True, eq=False)
class Parts:
    """All parts, and the page's memory of what is shown."""

    held: gr.State
    caption: gr.HTML
    picking: Picking
    cards: gr.HTML
    touching: Touching
    curves: PlotlyView
    placing: Placing
    sheet: gr.HTML
    parting: Parting
    leaving: Leaving

    @property
    def settings(self) -> list[Any]:
        """What the handlers read besides the picture: memory, models, touch (5 fields), place (6 fields), the pair."""
        pair = [self.parting.first, self.parting.second]
        return [self.held, self.picking.models, *self.touching.inputs, *self.placing.inputs, *pair]

    @property
    def outputs(self) -> list[Any]:
        """What the handlers that ask models may change."""
        touching_, placing, parting = self.touching, self.placing, self.parting
        own = [self.held, self.caption, self.picking.measure, self.picking.stop, self.cards, self.curves, self.sheet]
        own += [touching_.frame, touching_.about, touching_.problem, placing.frames, placing.legend, placing.problem]
        return [
            *own,
            parting.first,
            parting.second,
            parting.said,
            parting.boxes,
            parting.apart,
            parting.ranks,
            parting.problem,
        ]


def lay_out() -> Parts:
    """Lay out the tab inside the current context."""
    held = gr.State(None)
    caption = gr.HTML(words.caption(say("compare_opening")), elem_id="pg-compare-caption", apply_default_css=False)
    picking = _picking()
    names = picker.first()
    cards = gr.HTML(
        words.cards(names, {}, picker.titles(names), over=False), elem_id="pg-compare-cards", apply_default_css=False
    )
    touching_, curves = _touching()
    placing = _placing()
    gr.HTML(words.heading("sheet"), apply_default_css=False)
    script = (STATIC / "sorting.js").read_text(encoding="utf-8")
    sheet = gr.HTML(js_on_load=script, elem_id="pg-sheet", apply_default_css=False)
    return Parts(held, caption, picking, cards, touching_, curves, placing, sheet, _parting(), _leaving())


def _picking() -> Picking:
    with gr.Row(elem_id="pg-picking"):
        models = gr.Dropdown(
            picker.choices(),
            value=list(picker.first()),
            multiselect=True,
            max_choices=picker.MOST,
            allow_custom_value=True,  # any name; the catalogue checks it, and its sentence fills the row
            label=say("compare_models", count=picker.MOST),
            info=say("compare_models_info"),
            elem_id="pg-compare-models",
            scale=4,
            min_width=280,
        )
        with gr.Column(scale=1, min_width=150):
            measure = gr.Button(say("compare_measure"), size="sm", elem_id="pg-compare-measure")
            stop = gr.Button(say("stop_method"), size="sm", visible=False, elem_id="pg-compare-stop")
    return Picking(models, measure, stop)


def _touching() -> tuple[Touching, PlotlyView]:
    gr.HTML(words.heading("touch"), apply_default_css=False)
    with gr.Row(elem_classes="pg-touch"):
        with gr.Column(scale=3, min_width=280):
            frame = gr.HTML(js_on_load=_pointing(), elem_id="pg-touch", apply_default_css=False)
        with gr.Column(scale=2, min_width=240):
            kind = gr.Dropdown(
                touching.kinds(), value=touching.NOTHING, label=say("touch_kind"), elem_id="pg-touch-kind"
            )
            strength = Slider(0, 1, 0.5, step=0.05, label=say("touch_strength"), elem_id="pg-touch-strength")
            about = gr.HTML(apply_default_css=False)
            with gr.Row(elem_classes="pg-pair"):
                sizes = [(f"{n} × {n}", n) for n in touching.GRIDS]
                grid = gr.Dropdown(sizes, value=8, label=say("touch_grid"), min_width=90, elem_id="pg-touch-grid")
                seed = Number(0, precision=0, minimum=0, maximum=9999, label=say("touch_seed"), min_width=90)
            cells = gr.Textbox(
                label=say("touch_cells"), info=say("touch_cells_info"), lines=1, max_lines=4, elem_id="pg-touch-cells"
            )
            clear = gr.Button(say("touch_clear"), size="sm")
            problem = gr.HTML(apply_default_css=False)
    curves = PlotlyView(height=10, elem_id="pg-strengths")
    return Touching(kind, strength, grid, seed, cells, clear, frame, about, problem), curves


def _placing() -> Placing:
    gr.HTML(words.heading("place"), apply_default_css=False)
    with gr.Row(elem_classes="pg-place-fields"):
        method = gr.Dropdown(
            method_choices(METHODS),
            value=METHODS[0].name,
            label=say("method"),
            scale=3,
            min_width=220,
            elem_id="pg-place-method",
        )
        shape = gr.Radio(
            [(say("place_point"), POINT), (say("place_box"), BOX)], value=POINT, label=say("place_shape"),
            elem_classes="pg-pills", scale=1, min_width=140, elem_id="pg-place-shape",
        )  # fmt: skip
        numbers = tuple(_percent(*field) for field in FIELDS)
    problem = gr.HTML(apply_default_css=False)
    frames = gr.HTML(js_on_load=_pointing(), elem_id="pg-places", apply_default_css=False)
    return Placing(method, shape, numbers, frames, gr.HTML(apply_default_css=False), problem)


def _percent(key: str, value: int, seen: bool) -> gr.Number:
    return Number(
        value, label=say(f"place_{key}"), minimum=0, maximum=100, step=1, min_width=72, visible=seen,
        elem_id=f"pg-place-{key}",
    )  # fmt: skip


def _parting() -> Parting:
    gr.HTML(words.heading("part"), apply_default_css=False)
    names = picker.first()
    offered = [(title, name) for name, title in picker.titles(names).items()]
    given = (*names, None, None)
    with gr.Row(elem_classes="pg-pair"):
        first = _one_of_pair("first", offered, given[0])
        second = _one_of_pair("second", offered, given[1])
    problem = gr.HTML(apply_default_css=False)
    said = gr.HTML(elem_id="pg-part-said", apply_default_css=False)
    boxes = PlotlyView(height=10, elem_id="pg-part-boxes")
    apart = gr.HTML(elem_id="pg-part-maps", apply_default_css=False)
    ranks = PlotlyView(height=10, elem_id="pg-part-ranks")
    gr.HTML(words.heading("folder"), apply_default_css=False)
    files = gr.File(
        file_count="multiple",
        file_types=["image"],
        label=say("folder_files", count=MOST_FILES),
        height=140,
        elem_id="pg-folder-files",
    )
    with gr.Row(elem_classes="pg-pair"):
        go = gr.Button(say("folder_go"), variant="primary", min_width=120)
        halt = gr.Button(say("stop_method"), visible=False, min_width=80)
    pictures = gr.HTML(elem_id="pg-folder", apply_default_css=False)
    return Parting(first, second, said, boxes, apart, ranks, problem, files, go, halt, pictures)


def _one_of_pair(key: str, offered: list[tuple[str, str]], value: str | None) -> gr.Dropdown:
    return gr.Dropdown(
        offered,
        value=value,
        label=say(f"part_{key}"),
        min_width=140,
        allow_custom_value=True,  # an event may bring a model that was left out meanwhile; `paired` checks the names
        elem_id=f"pg-part-{key}",
    )


def _leaving() -> Leaving:
    gr.HTML(words.heading("leave"), apply_default_css=False)
    with gr.Row(elem_classes="pg-pair"):
        buttons = {
            kind: gr.Button(say(f"leave_{kind}"), size="sm", min_width=80, elem_id=f"pg-compare-{kind}")
            for kind in FORMATS
        }
    return Leaving(buttons, gr.File(visible="hidden"))


def _pointing() -> str:
    return (STATIC / "pointing.js").read_text(encoding="utf-8")
