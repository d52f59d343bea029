"""The Architecture tab wired to the panel: four parts, of which the open one is computed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.components import sentences
from playground.image import Picture
from playground.tabs.architecture import body, cost, studies, tables, trade
from playground.tabs.controls import CLICKED, Panel
from playground.tabs.words import problem
from playground.texts import say

Updates = dict[Any, Any]
PARTS = ("body", "cost", "trade", "tables")


@dataclass(frozen=True, eq=False)
class Page:
    """The components of the tab, and what answers a visitor."""

    problem: gr.HTML
    tabs: dict[str, gr.Tab]
    body: body.Part
    cost: cost.Part
    trade: trade.Part
    studies: studies.Part
    tables: tables.Part

    def begin(self, picture: Picture | None, model: Any, size: Any, measure: Any, shown: Any) -> Updates:
        """Take another model apart, or say in a sentence why it cannot be."""
        return self._quietly(lambda: self.body.begin(picture, model, size, measure, shown))

    def resize(self, picture: Picture | None, model: Any, size: Any, measure: Any, shown: Any) -> Updates:
        """Show the model for a picture of another size."""
        return self._quietly(lambda: self.body.resize(picture, model, size, measure, shown))

    def choose(self, shown: Any, block: Any) -> Updates:
        """Show another block."""
        return self._quietly(lambda: self.body.choose(shown, block))

    def click(self, event: gr.EventData, shown: Any) -> Updates:
        """Show the block that was clicked in the diagram."""
        index, curve = getattr(event, "index", None), getattr(event, "curve", None)
        return self._quietly(lambda: self.body.choose(shown, index)) if curve == 0 else gr.skip()

    def grow(self, side: Any, cell: Any, times: Any) -> Updates:
        """Draw what was measured, with this picture marked."""
        return self._quietly(lambda: self.cost.show(side, cell, times))

    def judge(self, picture: Picture | None, task: Any, axis: Any, study: Any) -> Iterator[Updates]:
        """Draw accuracy against cost, and the studies below."""
        yield self.studies.show(study)
        yield from self.trade.show(picture, task, axis)

    def _quietly(self, answer: Callable[[], Updates]) -> Updates:
        try:
            with sentences():
                made = answer()
        except gr.Error as error:
            return {self.problem: problem(str(error.message))}
        return {self.problem: "", **made} if made else gr.skip()


def lay_out() -> Page:
    """Lay out the tab inside the current context."""
    gr.HTML(f'<p class="pg-lead">{escape(say("architecture_lead"))}</p>', apply_default_css=False)
    problem = gr.HTML(apply_default_css=False, elem_id="pg-arch-problem")
    tabs: dict[str, gr.Tab] = {}
    with gr.Tabs(overflow_behavior="wrap", elem_id="pg-arch"):
        with gr.Tab(say("arch_body"), id="arch-body") as tabs["body"]:
            first = body.lay_out()
        with gr.Tab(say("arch_cost"), id="arch-cost") as tabs["cost"]:
            second = cost.lay_out()
        with gr.Tab(say("arch_trade"), id="arch-trade") as tabs["trade"]:
            third, fourth = trade.lay_out(), studies.lay_out()
        with gr.Tab(say("arch_tables"), id="arch-tables") as tabs["tables"]:
            fifth = tables.lay_out()
    return Page(problem, tabs, first, second, third, fourth, fifth)


def build(panel: Panel) -> None:
    """Lay out the tab and wire it to the panel."""
    page = lay_out()
    private: dict[str, Any] = {"api_visibility": "private"}
    quick: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    queued: dict[str, Any] = {**private, "show_progress": "hidden", "trigger_mode": "always_last"}
    slow: dict[str, Any] = {**private, "concurrency_id": "model", "concurrency_limit": 1, "show_progress": "hidden"}
    first = page.body
    settings = [first.size, first.measure, first.shown]
    everything = [panel.picture, panel.model, *settings]
    panel.when_open(page.begin, settings, [*first.outputs, page.problem], page.problem)
    first.size.input(page.resize, everything, [*first.outputs, page.problem], **queued)
    chosen = [first.shown, first.diagram, first.block, first.details, page.problem]
    first.block.input(page.choose, [first.shown, first.block], chosen, **quick)
    first.diagram.pick(page.click, first.shown, chosen, **{**quick, **CLICKED})
    first.measure.input(first.weigh, [first.shown, first.measure], first.areas, **quick)

    grown = [page.cost.side, page.cost.cell, page.cost.times]
    shown = [*page.cost.outputs, page.problem]
    page.tabs["cost"].select(page.grow, grown, shown, **quick)
    gr.on([page.cost.side.change, page.cost.cell.input], page.grow, grown, shown, **quick)
    running = page.cost.run.click(page.cost.measure, grown, page.cost.outputs, **slow)
    halted = page.cost.stop.click(None, None, None, cancels=[running], **private)
    halted.then(page.cost.stopped, None, page.cost.outputs, **quick)  # in one event it could come before the last step

    asked = [panel.picture, page.trade.task, page.trade.axis, page.studies.name]
    judged = [*page.trade.outputs, *page.studies.outputs]
    listened = [page.tabs["trade"].select, page.trade.task.input, page.trade.axis.input]
    gr.on(listened, page.judge, asked, judged, **{**slow, "trigger_mode": "always_last"})
    page.studies.name.input(page.studies.show, page.studies.name, page.studies.outputs, **quick)

    filled = [page.tabs["tables"].select, page.tables.family.input]
    gr.on(filled, page.tables.show, page.tables.family, page.tables.outputs, **queued)
