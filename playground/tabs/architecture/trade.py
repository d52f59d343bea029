"""Accuracy against cost: every model of the catalogue, each data set in a panel of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground import inference
from playground.architecture.costs import count
from playground.architecture.published import PICTURES_A_SECOND
from playground.components import PlotlyView, sentences
from playground.figures import Figure
from playground.figures.pareto import Model, Panel, pareto
from playground.figures.theme import percent
from playground.image import Picture
from playground.models import FAMILIES, catalogue
from playground.models.card import Card, Metric
from playground.tabs.architecture import words
from playground.tabs.working import told
from playground.texts import say

Updates = dict[Any, Any]
AXES = ("parameters", "macs", "latency")
TASKS = {"classes": ("classification", "features"), "boxes": ("detection", "panoptic")}


@dataclass(frozen=True)
class Judged:
    """One model with what it costs along the chosen axis and the metric it is judged by."""

    card: Card
    cost: float
    metric: Metric


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    task: gr.Radio
    axis: gr.Radio
    said: gr.HTML
    view: PlotlyView
    table: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.said, self.view, self.table]

    def show(self, picture: Picture | None, task: Any, axis: Any) -> Iterator[Updates]:
        """Draw the models of a task against a cost, counting or measuring what is not known yet."""
        task = task if task in TASKS else next(iter(TASKS))
        axis = axis if axis in AXES else AXES[0]

        def work(progress: Callable[[float], None], cancelled: Callable[[], bool]) -> list[Judged]:
            return judged(task, axis, picture, progress, cancelled)

        with sentences():
            for step in told(work):
                if not isinstance(step, list):
                    yield {self.said: words.about(say("cost_running", share=percent(step)))}
                elif step:
                    figure = drawn(step, axis)
                    yield {
                        self.said: "",
                        self.view: gr.update(value=figure, visible=True),
                        self.table: tabled(step, axis),
                    }
                else:
                    nothing = words.about(say("trade_none"))
                    yield {self.said: nothing, self.view: gr.update(visible=False), self.table: ""}


def lay_out() -> Part:
    """Lay out the part inside the current context."""
    gr.HTML(words.chapter(say("trade_title"), say("trade_more")), apply_default_css=False)
    with gr.Row(elem_classes=["pg-pair"]):
        task = gr.Radio(
            [(say(f"trade_{name}"), name) for name in TASKS], value="classes", label=say("trade_task"),
            elem_classes=["pg-pills"], elem_id="pg-trade-task", min_width=200,
        )  # fmt: skip
        axis = gr.Radio(
            [(say(f"trade_{name}"), name) for name in AXES], value="parameters", label=say("trade_axis"),
            elem_classes=["pg-pills"], elem_id="pg-trade-axis", min_width=260,
        )  # fmt: skip
    said = gr.HTML(apply_default_css=False, elem_id="pg-trade-said")
    view = PlotlyView(height=680, elem_id="pg-trade-view")
    table = gr.HTML(apply_default_css=False, elem_id="pg-trade-table")
    return Part(task, axis, said, view, table)


def judged(
    task: str,
    axis: str,
    picture: Picture | None,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> list[Judged]:
    """Return the models of a task whose cost along the axis is known or can be counted, bundled ones first."""
    everything = [c for c in (*catalogue.bundled(), *catalogue.HUB) if c.task in TASKS[task] and c.metrics]
    found = []
    for place, card in enumerate(everything):
        if cancelled():
            break
        progress(place / len(everything))
        try:
            cost = _cost(card, axis, picture, cancelled)
        except ValueError:  # its weights are damaged, or its cost cannot be counted: the others are still shown
            continue
        if cost is not None:
            found.append(Judged(card, cost, card.metrics[0]))
    return found


def _cost(card: Card, axis: str, picture: Picture | None, cancelled: Callable[[], bool]) -> float | None:
    if axis == "parameters":
        return None if card.parameters is None else float(card.parameters)
    if axis == "macs":
        return float(count(card).macs)
    if card.source == "bundled":
        return None if picture is None else inference.measure(picture, card, cancelled).seconds
    speed = PICTURES_A_SECOND.get(card.name)
    return None if speed is None else 1 / speed


def drawn(models: list[Judged], axis: str) -> Figure:
    """Draw one panel for each data set and metric, those measured here first."""
    titles = {family.name: family.title for family in FAMILIES}
    panels: dict[tuple[str, str], list[Model]] = {}
    for one in models:
        name = one.card.title.partition(",")[0]  # the panel's title says the rest
        point = Model(name, titles[one.card.family], one.cost, one.metric.value, one.card.source == "bundled")
        panels.setdefault((one.metric.dataset, one.metric.name), []).append(point)
    made = [Panel(dataset, f"{name}, %", points) for (dataset, name), points in panels.items()]
    said = say(
        "trade_alt", metric=models[0].metric.name, axis=say(f"trade_axis_{axis}"), count=len(models), panels=len(made)
    )
    return pareto(made, say(f"trade_axis_{axis}"), (say("trade_measured"), say("trade_published")), said)


def tabled(models: list[Judged], axis: str) -> str:
    """Return the same as a table behind a disclosure."""
    head = [
        say("trade_col_model"),
        say(f"trade_{axis}"),
        say("trade_col_metric"),
        say("trade_col_set"),
        say("trade_col_source"),
    ]
    rows = [
        [
            one.card.title,
            f"{one.cost:.3g} s" if axis == "latency" else words.amount(one.cost),
            say("metric", name=one.metric.name, value=one.metric.value, unit=one.metric.unit),
            one.metric.dataset,
            say("trade_measured") if one.card.source == "bundled" else one.metric.source,
        ]
        for one in models
    ]
    return words.folded(say("trade_table"), words.plain_table(head, rows))
