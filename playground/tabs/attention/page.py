"""The Attention tab wired to the panel."""

from typing import Any

import gradio as gr

from playground.image import Picture
from playground.tabs.attention import linked
from playground.tabs.attention.handlers import Handlers, Updates
from playground.tabs.attention.leaving import wire
from playground.tabs.attention.parts import lay_out
from playground.tabs.controls import CLICKED, Panel


def build(panel: Panel) -> None:
    """Lay out the tab and wire it to the panel."""
    parts = lay_out()
    do = Handlers(parts)
    private: dict[str, Any] = {"api_visibility": "private"}
    quick: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    slow: dict[str, Any] = {**private, "concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden"}
    inputs = [panel.picture, *parts.settings]

    def begin(picture: Picture | None, model: Any, *settings: Any) -> Updates:
        return linked.begin(do, picture, model, *settings)

    def change(*settings: Any) -> Updates:
        return do.quietly(lambda: do.change(*settings))

    def click(event: gr.EventData, *settings: Any) -> Updates:
        return do.quietly(lambda: do.click(event, *settings))

    def choose(event: gr.EventData, *settings: Any) -> Updates:
        return do.quietly(lambda: do.choose(event, *settings))

    def redraw(*settings: Any) -> Updates:
        return do.quietly(lambda: do.redraw(*settings))

    def look_at(*settings: Any) -> Updates:
        return do.quietly(lambda: do.look_at(*settings))

    def boxed(*settings: Any) -> Updates:
        return do.quietly(lambda: do.boxed(*settings))

    def without(*settings: Any) -> Updates:
        return do.quietly(lambda: do.without_artefacts(*settings))

    linked.remember(panel, parts.fields)
    for begun in panel.when_open(begin, parts.settings, parts.outputs, parts.view):
        begun.failure(do.failed, parts.held, parts.caption, **quick)
    asked = parts.todo.change(
        do.run, inputs, parts.outputs, **{**slow, "show_progress_on": parts.view, "show_progress": "full"}
    )
    pressed = parts.run.click(do.run, inputs, parts.outputs, **slow)
    measured = [
        parts.measure.click(do.measure, inputs, parts.below, **slow),
        parts.check.click(do.check, inputs, parts.below, **slow),
    ]
    for listen in panel.changes:  # nobody waits for what is said of the picture or model before
        listen(None, None, None, cancels=[asked, pressed, *measured], **private)
    anew = {**quick, "cancels": measured}  # what is being measured belongs to the map and look before
    chosen = [field.change if isinstance(field, gr.Slider) else field.input for field in parts.fields.inputs]
    gr.on(chosen, change, parts.settings, parts.outputs, **anew)
    parts.view.pick(click, parts.settings, parts.outputs, **{**anew, **CLICKED})
    parts.further.pick(choose, parts.settings, parts.outputs, **{**anew, **CLICKED})
    parts.without.click(without, parts.settings, parts.outputs, **anew)
    below = [*parts.below, parts.problem]
    gr.on([parts.look.input, parts.shared.input], look_at, parts.settings, below, **anew)
    parts.strength.change(redraw, parts.settings, [parts.view, parts.problem], **quick)
    stopped = parts.stop.click(None, None, None, cancels=[asked, pressed], **private)
    stopped.then(do.stopped, None, parts.outputs, **quick)  # in the same event it could come before the last step
    halted = parts.halt.click(None, None, None, cancels=measured, **private)
    halted.then(do.halted, parts.settings, parts.below, **quick)
    parts.box.draw.click(do.draw_box, None, [parts.box.corner, parts.box.hint], **quick)
    gr.on([edge.input for edge in parts.box.edges], boxed, parts.settings, [*below, parts.view], **quick)
    wire(parts.leaving, panel, parts.held, parts.shown)
