"""The components of the Attention tab and where they stand."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.components import PlotlyView, Radio, Slider
from playground.figures.overlay import HEIGHT, STRENGTH
from playground.tabs.attention import words
from playground.tabs.attention.fields import Fields, build_fields
from playground.tabs.attention.leaving import Leaving, build_leaving
from playground.texts import say

EDGES = ("left", "top", "right", "bottom")


@dataclass(frozen=True, eq=False)
class Box:
    """The fields of a box that a map is held against: the corner that a click will set (0: none), and four edges."""

    group: gr.Column
    draw: gr.Button
    corner: gr.Number
    hint: gr.HTML
    edges: tuple[gr.Number, ...]

    @property
    def settings(self) -> list[Any]:
        """What handlers read of the box."""
        return [self.corner, *self.edges]

    @property
    def outputs(self) -> list[Any]:
        """What handlers may change of the box."""
        return [self.group, self.hint, *self.settings]


@dataclass(frozen=True, eq=False)
class Parts:
    """The components of the tab and the page's memory of what is held and shown."""

    fields: Fields
    held: gr.State
    shown: gr.State
    todo: gr.Number
    caption: gr.HTML
    problem: gr.HTML
    view: PlotlyView
    legend: gr.HTML
    strength: gr.Slider
    leaving: Leaving
    run: gr.Button
    stop: gr.Button
    look: gr.Radio
    about: gr.HTML
    measure: gr.Button
    check: gr.Button
    without: gr.Button
    halt: gr.Button
    box: Box
    further: PlotlyView
    shared: gr.Checkbox
    more: gr.HTML

    @property
    def settings(self) -> list[Any]:
        """What every handler reads besides the picture, in the order of `given.Given`, the fields last."""
        own = [self.held, self.shown, self.todo, self.strength, self.shared, self.look]
        return [*own, *self.box.settings, *self.fields.inputs]

    @property
    def below(self) -> list[Any]:
        """What stands below the map."""
        buttons = [self.measure, self.check, self.without, self.halt]
        return [self.look, self.about, *buttons, *self.box.outputs, self.further, self.shared, self.more]

    @property
    def outputs(self) -> list[Any]:
        """What handlers may change."""
        own = [
            self.held,
            self.shown,
            self.todo,
            self.caption,
            self.problem,
            self.view,
            self.legend,
            self.run,
            self.stop,
        ]
        return [*own, self.leaving.call, *self.below, *self.fields.outputs]


def lay_out() -> Parts:
    """Lay out the tab inside the current context."""
    held, shown = gr.State(None), gr.State(None)
    todo = gr.Number(0, visible="hidden", precision=0)  # a memory would not tell the page that it changed
    caption = gr.HTML(words.waiting(), elem_id="pg-map-caption", apply_default_css=False)
    problem = gr.HTML(elem_id="pg-map-problem", apply_default_css=False)
    with gr.Row(elem_id="pg-map"):
        with gr.Column(scale=3, min_width=320):
            view = PlotlyView(height=HEIGHT, elem_id="pg-map-view")
            legend = gr.HTML(apply_default_css=False)
            strength = Slider(0, 1, STRENGTH, step=0.05, label=say("strength"))
            leaving = build_leaving()
        with gr.Column(scale=2, min_width=240, elem_id="pg-map-fields"):
            fields = build_fields()
            with gr.Row(elem_classes="pg-pair"):
                run = gr.Button(say("run_method"), variant="primary", visible=False, min_width=80)
                stop = gr.Button(say("stop_method"), visible=False, min_width=80)
    look = Radio([], label=say("looks"), visible=False, elem_id="pg-looks", elem_classes="pg-pills")
    about = gr.HTML(apply_default_css=False)
    with gr.Row(elem_classes="pg-pair"):
        measure = gr.Button(say("trust_run"), variant="primary", visible=False, min_width=80)
        check = gr.Button(say("checks_run"), visible=False, min_width=80, elem_id="pg-check")
        without = gr.Button(say("artefacts_run"), visible=False, min_width=80, elem_id="pg-without")
        halt = gr.Button(say("stop_method"), visible=False, min_width=80)
    box = _box()
    further = PlotlyView(height=10, elem_id="pg-map-tiles")  # never hidden: it would lose its height
    shared = gr.Checkbox(True, label=say("shared_scale"), visible=False)
    more = gr.HTML(apply_default_css=False, elem_id="pg-map-more")
    return Parts(
        fields, held, shown, todo, caption, problem, view, legend, strength, leaving, run, stop, look, about, measure,
        check, without, halt, box, further, shared, more,
    )  # fmt: skip


def _box() -> Box:
    corner = gr.Number(0, visible="hidden", precision=0)
    with gr.Column(visible=False, elem_id="pg-box") as group:
        with gr.Row(elem_classes="pg-pair"):
            draw = gr.Button(say("box_draw"), size="sm", min_width=80, elem_id="pg-box-draw", scale=0)
            edges = tuple(gr.Number(None, label=say(f"box_{edge}"), min_width=70) for edge in EDGES)
        hint = gr.HTML(words.hint(0), apply_default_css=False)
    return Box(group, draw, corner, hint, edges)
