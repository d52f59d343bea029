"""What grows with the picture: formulas beside what was measured, and measuring it on this machine."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import checks
from playground.architecture import measured
from playground.architecture.growth import WAYS, Point, fitted, scores, sides, timed
from playground.architecture.measured import Measured
from playground.components import PlotlyView, Slider, sentences
from playground.figures import Figure
from playground.figures.cost import Growth, Panel, cost
from playground.figures.theme import percent
from playground.tabs.architecture import words
from playground.tabs.working import let_last_step_pass, told
from playground.texts import say

Updates = dict[Any, Any]
Times = dict[str, tuple[Point, ...]]
CELLS = (4, 8, 14, 16, 32)
LEAST, MOST = 64, 2048  # pixels a side
RUNS = 3
RAISED = str.maketrans("0123456789.-", "⁰¹²³⁴⁵⁶⁷⁸⁹·⁻")
BUDGET = 20.0  # seconds that one way may take


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part; `times` holds what this visitor measured."""

    times: gr.State
    side: gr.Slider
    cell: gr.Radio
    run: gr.Button
    stop: gr.Button
    said: gr.HTML
    view: PlotlyView
    table: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.times, self.run, self.stop, self.said, self.view, self.table]

    def show(self, side: Any, cell: Any, times: Any) -> Updates:
        """Draw the measurements with the grid of this picture marked; raises ValueError with one sentence."""
        side = checks.whole(side, say("cost_side"), LEAST, MOST)
        cell = checks.whole(cell, say("cost_cell"), min(CELLS), max(CELLS))
        grid = max(1, side // cell)
        record = measured.read()
        mine = times if isinstance(times, dict) else None
        return {
            self.view: gr.update(value=drawn(record, mine, grid), visible=bool(record or mine)),
            self.table: tabled(record, mine, grid),
            self.said: words.about(source(record, mine)),
        }

    def measure(self, side: Any, cell: Any, times: Any) -> Iterator[Updates]:
        """Measure every way on this machine, saying how far it is."""
        busy = {self.run: gr.update(visible=False), self.stop: gr.update(visible=True)}
        idle = {self.run: gr.update(visible=True), self.stop: gr.update(visible=False)}
        with sentences():
            for step in told(timing):
                if isinstance(step, dict):
                    yield {self.times: step, **idle, **self.show(side, cell, step)}
                else:
                    yield {**busy, self.said: words.about(say("cost_running", share=percent(step)))}

    def stopped(self) -> Updates:
        """Say that measuring was stopped."""
        let_last_step_pass()
        said = words.about(say("cost_stopped"))
        return {self.run: gr.update(visible=True), self.stop: gr.update(visible=False), self.said: said}


def lay_out() -> Part:
    """Lay out the part inside the current context."""
    gr.HTML(words.chapter(say("cost_title"), say("cost_more")), apply_default_css=False)
    with gr.Row(elem_classes=["pg-pair"]):
        side = Slider(LEAST, MOST, 224, step=32, label=say("cost_side"), elem_id="pg-cost-side", min_width=240)
        cell = gr.Radio(
            list(CELLS), value=16, label=say("cost_cell"), elem_classes=["pg-pills"], elem_id="pg-cost-cell",
            min_width=240,
        )  # fmt: skip
    table = gr.HTML(apply_default_css=False, elem_id="pg-cost-table")
    view = PlotlyView(height=620, elem_id="pg-cost-view")
    said = gr.HTML(apply_default_css=False, elem_id="pg-cost-said")
    with gr.Row(elem_classes=["pg-pair"]):
        run = gr.Button(say("cost_run"), elem_id="pg-cost-run", size="sm")
        stop = gr.Button(say("cost_stop"), elem_id="pg-cost-stop", size="sm", visible=False)
    return Part(gr.State(None), side, cell, run, stop, said, view, table)


def timing(progress: Callable[[float], None], cancelled: Callable[[], bool]) -> Times:
    """Measure every way over its sides, each for at most BUDGET seconds."""
    found: Times = {}
    for place, way in enumerate(WAYS):
        deadline = time.monotonic() + BUDGET
        points: list[Point] = []
        sizes = sides(way.span)

        def enough(deadline: float = deadline) -> bool:
            return cancelled() or time.monotonic() > deadline

        for point in timed(way, sizes, RUNS, enough):
            points.append(point)
            progress((place + len(points) / len(sizes)) / len(WAYS))
        found[way.key] = tuple(points)
    return found


def source(record: Measured | None, times: Times | None) -> str:
    """Say where the numbers come from."""
    if times:
        return say("cost_here")
    if record is None:
        return say("cost_nothing")
    return say("cost_record", **{key: getattr(record, key) for key in ("date", "hardware", "torch", "command")})


def drawn(record: Measured | None, times: Times | None, grid: int) -> Figure | None:
    """Draw seconds, and bytes where they are known, against the side of the grid."""
    shown = _both(record, times)
    if shown is None:
        return None
    panels = [Panel(say("cost_seconds"), "s", _growths(shown.times))]
    if any(shown.memory.values()):
        panels.append(Panel(say("cost_bytes"), "B", _growths(shown.memory)))
    return cost(panels, say("cost_axis"), say("cost_alt"), float(grid))


def tabled(record: Measured | None, times: Times | None, grid: int) -> str:
    """Return each way's formula, theory and measured exponents, and its pairs of positions on this grid."""
    shown = _both(record, times)
    head = [say(f"cost_col_{name}") for name in ("way", "formula", "theory", "seconds", "bytes")]
    head.append(say("cost_col_pairs", rows=grid, cols=grid))
    rows = []
    for way in WAYS:
        powers = [fitted(series.get(way.key, ())) for series in (shown.times, shown.memory)] if shown else [None, None]
        exponents = [power_of(f"{power:.2f}") if power else "–" for power in powers]
        theory = power_of(f"{way.order:.0f}")
        rows.append([say(f"way_{way.key}"), way.formula, theory, *exponents, words.amount(scores(way, grid, grid))])
    return words.plain_table(head, rows)


def power_of(exponent: str) -> str:
    """Return s with this exponent, raised: "s⁴·⁰³"."""
    return "s" + exponent.translate(RAISED)


def _both(record: Measured | None, times: Times | None) -> Measured | None:
    if not times:
        return record
    return replace(record, times=times) if record else Measured(times, {}, "", "", "", "")


def _growths(series: Any) -> list[Growth]:
    found = []
    for way in WAYS:
        points = series.get(way.key, ())
        power = fitted(points)
        name = say(f"way_{way.key}")
        name = (
            say("cost_legend", name=name, value=power_of(f"{power:.2f}"), theory=power_of(f"{way.order:.0f}"))
            if power
            else name
        )
        found.append(Growth(name, way.order, [p.side for p in points], [p.value for p in points]))
    return found
