"""The Compare tab wired to the panel."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from playground.image import Picture
from playground.tabs.attention.leaving import SAVE
from playground.tabs.compare import picker
from playground.tabs.compare.handlers import Handlers, Updates
from playground.tabs.compare.parts import lay_out
from playground.tabs.controls import CLICKED, MODELS, Panel, following


def spoken(steps: Iterator[Updates]) -> Iterator[Updates]:
    """Yield the steps, and where there are none that nothing changes: Gradio would empty all outputs."""
    yield next(steps, gr.skip())
    yield from steps


def build(panel: Panel) -> None:
    """Lay out the tab and wire it to the panel."""
    parts = lay_out()
    do = Handlers(parts)
    picking, touching, placing, parting = parts.picking, parts.touching, parts.placing, parts.parting
    private: dict[str, Any] = {"api_visibility": "private"}
    quick: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    slow: dict[str, Any] = {
        **private, "concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden",
        "trigger_mode": "always_last",
    }  # fmt: skip
    inputs = [panel.picture, *parts.settings]

    def ask(picture: Picture | None, model: Any, *settings: Any) -> Iterator[Updates]:
        yield from spoken(do.ask(picture, *settings))

    def measure(picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        yield from spoken(do.measure(picture, *settings))

    def look(picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        yield from spoken(do.look(picture, *settings))

    def pair(picture: Picture | None, *settings: Any) -> Updates:
        return do.pair(picture, *settings) or gr.skip()

    def cell(event: gr.EventData, picture: Picture | None, *fields: Any) -> Updates:
        return do.cell(event, picture, *fields) or gr.skip()

    def touched(picture: Picture | None, *given: Any) -> Updates:
        return do.touch(picture, *given) or gr.skip()

    def pick(event: gr.EventData) -> Updates:
        return do.pick(event) or gr.skip()

    def search(event: gr.KeyUpData, chosen: Any) -> Any:
        return gr.update(choices=picker.found(event.input_value, chosen))

    touch_names = ("touch", "strength", "grid", "seed", "cells")
    names = (MODELS, *touch_names, "method", "shape", "x", "y", "x1", "y1", "first", "second")
    for name, field in zip(names, parts.settings[1:], strict=True):
        panel.remember(name, field)

    touches = following([field.change for field in touching.inputs])
    also = [following([picking.models.change]), touches]
    asked = panel.when_open(ask, parts.settings, parts.outputs, parts.cards, also)
    measured = picking.measure.click(measure, inputs, parts.outputs, **slow)
    picking.models.key_up(search, picking.models, picking.models, **{**quick, **CLICKED})

    touch = [touching.frame, touching.about, touching.problem, touching.cells, touching.strength, parts.curves]
    touches(touched, [panel.picture, picking.models, *touching.inputs], touch, **quick)
    touching.frame.pick(cell, [panel.picture, *touching.inputs], touch, **{**quick, **CLICKED})
    touching.clear.click(lambda: "", None, touching.cells, **quick)

    placing.frames.pick(pick, None, [*placing.numbers, placing.shape], **{**quick, **CLICKED})
    looked = following([field.change for field in placing.inputs])(look, inputs, parts.outputs, **slow)
    placing.shape.change(do.shape, placing.shape, list(placing.numbers[2:]), **quick)
    halted = picking.stop.click(None, None, None, cancels=[*asked, measured, looked], **private)
    halted.then(do.stopped, parts.held, parts.outputs, **quick)  # in the same event it could come before the last step
    gr.on([parting.first.input, parting.second.input], pair, inputs, parts.outputs, **slow)

    going = [parting.pictures, parting.go, parting.halt]
    contest = parting.go.click(do.contest, [parting.files, parting.first, parting.second], going, **slow)
    parting.halt.click(None, None, None, cancels=[contest], **private).then(do.halted, None, going, **quick)

    file = parts.leaving.file
    for kind, button in parts.leaving.buttons.items():
        written = button.click(
            partial(_written, do, kind, file.GRADIO_CACHE), [panel.picture, parts.held], file, **slow
        )
        written.success(None, file, None, js=SAVE, **private)


def _written(do: Handlers, kind: str, folder: str, picture: Picture | None, held: Any) -> str:
    return save_bytes_to_cache(do.leave(kind, picture, held), f"comparison.{kind}", folder)
