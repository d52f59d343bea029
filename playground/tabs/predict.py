"""The Predict tab: what one model answers about the picture."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import checks, inference
from playground.components import PlotlyView, Slider, sentences
from playground.figures import Figure
from playground.figures.bars import ROW, bars
from playground.figures.boxes import boxes
from playground.figures.picture import encode
from playground.figures.segments import segments
from playground.image import Picture, content_key
from playground.models import catalogue
from playground.models.card import Card
from playground.tabs import words
from playground.tabs.controls import Panel
from playground.texts import say
from playground.trace import Prediction

Updates = dict[Any, Any]
MOST_CLASSES = 10
CLASSES = 5


@dataclass(frozen=True)
class Answer:
    """What the page keeps of an answer to draw it again without the model: no pixels but the small encoded picture.

    `segments` is the finished figure of a panoptic answer, which has nothing to set. `asked` tells the picture and
    model from others.
    """

    asked: tuple[str, str]
    prediction: Prediction
    card: Card
    picture: str = ""
    segments: Figure | None = None


def ask(picture: Picture, model: Any, progress: Callable[[float, str], None] | None = None) -> Answer:
    """Run the model named `model` on the picture. Raises ValueError with one sentence."""
    card = catalogue.find(model)
    asked = (content_key(picture), str(model))
    found = inference.predict(picture, card, top_k=MOST_CLASSES, progress=progress)
    if found.task == "detection":
        return Answer(asked, found, card, encode(picture.rgb))
    if found.task == "panoptic" and found.segment_map is not None:
        drawn = segments(found.segments, found.segment_map, encode(picture.rgb), found.picture_size)
        return Answer(asked, replace(found, segment_map=None), card, segments=drawn)
    return Answer(asked, found, card)


def least_score(answer: Answer, before: Answer | None, now: Any) -> Any:
    """Return the least score of a box to show: as it was set, but of another model the one that its card names."""
    same = before is not None and before.prediction.model == answer.prediction.model
    return now if same else max(answer.card.threshold, inference.LEAST_BOX_SCORE)


def draw(answer: Answer, top_k: Any, threshold: Any) -> Figure | None:
    """Draw the answer with these settings; None where there is nothing to draw. Raises ValueError with one sentence."""
    top_k = checks.whole(top_k, say("top_k"), 1, MOST_CLASSES)
    threshold = checks.share(threshold, say("threshold"))
    found = answer.prediction
    if found.task == "classification":
        return bars(found.classes[:top_k], found.unsure)
    if found.task == "detection":
        labels = [box.label for box in found.boxes]
        return boxes(found.above(threshold).boxes, answer.picture, found.picture_size, labels)
    return answer.segments


@dataclass(frozen=True, eq=False)
class Page:
    """The components of the tab, and the handlers, which return updates by component."""

    answer: gr.State
    headline: gr.HTML
    view: PlotlyView
    top_k: Slider
    threshold: Slider
    problem: gr.HTML
    table: gr.HTML
    facts: gr.HTML

    @property
    def settings(self) -> list[Any]:
        """What handlers read besides picture and model."""
        return [self.answer, self.top_k, self.threshold]

    @property
    def drawn(self) -> list[Any]:
        """What drawing changes."""
        return [self.view, self.headline, self.table, self.problem]

    @property
    def outputs(self) -> list[Any]:
        """What an answer changes."""
        return [*self.settings, *self.drawn, self.facts]

    def run(
        self,
        picture: Picture | None,
        model: Any,
        before: Answer | None,
        classes: Any,
        least: Any,
        progress: Callable[[float, str], None],
    ) -> Updates:
        """Answer another picture or model."""
        if picture is None:
            return {self.headline: words.no_picture(answered=before is not None)}
        if before is not None and before.asked == (content_key(picture), str(model)):
            return {self.headline: words.headline(before.prediction, least)}
        with sentences():
            held = ask(picture, model, progress)
            least = least_score(held, before, least)
            return {
                self.answer: held,
                self.top_k: gr.update(visible=held.prediction.task == "classification"),
                self.threshold: gr.update(value=least, visible=held.prediction.task == "detection"),
                self.facts: words.facts(held.prediction, held.card),
                **self._redrawn(held, classes, least),
            }

    def failed(self, held: Answer | None) -> Any:
        """Return a headline that promises no first answer any more, where it could not be made."""
        return words.none_yet() if held is None else gr.skip()

    def redraw(self, held: Answer | None, classes: Any, least: Any) -> Updates:
        """Draw the answer with other settings; a refusal is said beside them, for outside the queue none is heard."""
        try:
            return gr.skip() if held is None else self._redrawn(held, classes, least)
        except ValueError as error:
            return {self.problem: words.problem(str(error))}

    def _redrawn(self, held: Answer, classes: Any, least: Any) -> Updates:
        figure = draw(held, classes, least)
        return {
            self.view: gr.update(value=figure, visible=figure is not None),
            self.headline: words.headline(held.prediction, least),
            self.table: words.table(held.prediction, least, classes),
            self.problem: "",
        }


def lay_out() -> Page:
    """Lay out the tab inside the current context."""
    answer = gr.State(None)
    headline = gr.HTML(words.waiting(), elem_id="pg-headline", apply_default_css=False)
    view = PlotlyView(height=ROW * CLASSES, elem_id="pg-view")
    with gr.Row(elem_id="pg-settings"):
        top_k = Slider(1, MOST_CLASSES, CLASSES, step=1, label=say("top_k"), elem_id="pg-top-k")
        threshold = Slider(
            inference.LEAST_BOX_SCORE,
            1,
            Card.threshold,
            step=0.01,
            label=say("threshold"),
            elem_id="pg-threshold",
            visible=False,
            buttons=[],  # to go back to what every model shares would not be what this one names
        )
    problem = gr.HTML(elem_id="pg-predict-problem", apply_default_css=False)
    table = gr.HTML(elem_id="pg-table", apply_default_css=False)
    facts = gr.HTML(elem_id="pg-facts", apply_default_css=False)
    return Page(answer, headline, view, top_k, threshold, problem, table, facts)


def build(panel: Panel) -> None:
    """Lay out the tab and wire it to the panel."""
    page = lay_out()
    quick: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}

    def run(
        picture: Picture | None,
        model: Any,
        before: Answer | None,
        classes: Any,
        least: Any,
        progress: gr.Progress = gr.Progress(),  # noqa: B008
    ) -> Updates:
        return page.run(picture, model, before, classes, least, lambda share, text: progress(share, desc=text))

    for asked in panel.when_open(run, page.settings, page.outputs, page.view):
        asked.failure(page.failed, page.answer, page.headline, **quick)
    set_anew = [page.top_k.change, page.threshold.change]  # typed, dragged, put back, or brought into range
    gr.on(set_anew, page.redraw, page.settings, page.drawn, **quick, trigger_mode="always_last")
