"""The studies that were measured with this project, as figures with their spread; nothing where there is none."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.components import PlotlyView
from playground.evaluation import study as studies
from playground.evaluation.study import Axis, Study, StudyError
from playground.figures import Figure
from playground.figures.study import Line, study
from playground.tabs.architecture import words
from playground.texts import say

Updates = dict[Any, Any]
ELSEWHERE = ("disturbances", "faithfulness-", "slots-")  # shown by other tabs


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    head: gr.HTML
    name: gr.Dropdown
    view: PlotlyView
    said: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.head, self.name, self.view, self.said]

    def show(self, name: Any) -> Updates:
        """Draw one study, the first where the name is none; hide everything where there is no study."""
        found = there()
        if not found:
            hidden = [self.head, self.name, self.view, self.said]
            return {part: gr.update(visible=False) for part in hidden}
        chosen = next((one for one in found if one.study == name), found[0])
        return {
            self.head: gr.update(visible=True),
            self.name: gr.update(choices=[(one.title, one.study) for one in found], value=chosen.study, visible=True),
            self.view: gr.update(value=drawn(chosen), visible=True),
            self.said: gr.update(value=said(chosen), visible=True),
        }


def lay_out() -> Part:
    """Lay out the part inside the current context; it shows itself where there is a study."""
    head = gr.HTML(words.chapter(say("study_title"), ""), apply_default_css=False, visible=False)
    name = gr.Dropdown([], label=say("study_pick"), elem_id="pg-study-name", visible=False)
    view = PlotlyView(height=380, elem_id="pg-study-view", visible=False)
    return Part(head, name, view, gr.HTML(apply_default_css=False, elem_id="pg-study-said", visible=False))


def there() -> list[Study]:
    """Return the studies that can be read and have a point."""
    found = []
    for name in studies.SHELF.names():
        if not name.startswith(ELSEWHERE):
            try:
                one = studies.SHELF.read(name)
            except StudyError:
                continue
            if any(series.points for series in one.series):
                found.append(one)
    return found


def drawn(one: Study) -> Figure:
    """Draw a study's series."""
    lines = [
        Line(series.name, [p.x for p in series.points], [p.y for p in series.points],
             *zip(*(one.spread(p) for p in series.points), strict=True))
        for series in one.series
        if series.points
    ]  # fmt: skip
    x, y = _axis(one.x), _axis(one.y)
    return study(lines, x, y, say("study_alt", title=one.title, x=x, y=y))


def said(one: Study) -> str:
    """Return the question, what was found, the numbers, and how they were measured."""
    rows = [
        [
            series.name,
            f"{p.x:g}",
            f"{p.y:.4g}",
            _between(*one.spread(p)),
            str(p.n),
        ]
        for series in one.series
        for p in series.points
    ]
    head = [say("study_pick"), _axis(one.x), _axis(one.y), say("study_spread"), say("study_count")]
    by = say("study_by", command=one.command, hardware=one.hardware, date=one.date)
    table = words.folded(say("study_table"), words.plain_table(head, rows))
    several = say("study_seeds", seeds=len(one.seeds)) if len(one.seeds) > 1 else ""
    bars = words.about(say("study_bars") if one.counts_photos else several)
    return words.about(one.question) + words.about(one.finding) + bars + words.about(by) + table


def _between(low: float | None, high: float | None) -> str:
    return "–" if low is None or high is None else f"{low:.3g} – {high:.3g}"


def _axis(axis: Axis) -> str:
    return f"{axis.name}, {axis.unit}" if axis.unit else axis.name
