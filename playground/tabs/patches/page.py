"""The Patches tab wired to the panel: six parts, of which the open one is computed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from playground import checks, inference
from playground.components import sentences
from playground.image import Picture
from playground.models import catalogue
from playground.tabs.controls import CLICKED, Panel
from playground.tabs.patches import depth, filters, likeness, patchify, positions, twin
from playground.tabs.patches.held import Held, look, of
from playground.tabs.patches.leaving import Leaving, build_leaving, wire
from playground.tabs.words import problem
from playground.texts import say

Updates = dict[Any, Any]
PARTS = ("patchify", "filters", "positions", "depth", "likeness", "twin")  # in the order of the story
KEEP = "(picture) => { window.__pgSecond = picture; }"
PUT_BACK = "() => window.__pgSecond ?? null"
TELL = "(row, col) => { window.dispatchEvent(new CustomEvent('pg-patch', { detail: [row, col] })); }"


@dataclass(frozen=True, eq=False)
class Page:
    """The components of the tab: what is held, which part is open, a counter that asks anew, and the parts."""

    held: gr.State
    open: gr.State
    asked: gr.Number
    problem: gr.HTML
    tabs: dict[str, gr.Tab]
    patchify: patchify.Part
    filters: filters.Part
    positions: positions.Part
    depth: depth.Part
    likeness: likeness.Part
    twin: twin.Part
    leaving: Leaving

    @property
    def inputs(self) -> list[Any]:
        """What `begin` reads besides picture and model."""
        own = [*self.patchify.inputs, *self.positions.inputs, *self.likeness.inputs, self.likeness.upload]
        return [self.held, self.open, *own, *self.twin.inputs]

    @property
    def outputs(self) -> list[Any]:
        """Everything that `begin` may change."""
        parts: list[Any] = [self.patchify, self.filters, self.positions, self.depth, self.likeness, self.twin]
        return [self.held, self.problem, self.leaving.layer, self.leaving.call, *(c for p in parts for c in p.outputs)]

    def begin(self, picture: Picture | None, model: Any, *settings: Any) -> Updates:
        """Answer another picture or model, or a part that was opened: draws what is open and not yet drawn."""
        if picture is None:
            return {self.problem: problem(say("no_picture"))}
        held, opened, values = settings[0], settings[1], settings[2:]
        opened = opened if opened in PARTS else PARTS[0]
        with sentences():
            same = isinstance(held, Held) and held.key == picture.key and held.card.name == model
            again = same and ("drawn", opened) in held.memo
            if again and held.trace is not None:
                return {self.problem: ""}
            card = catalogue.find(model)
            inference.trace(picture, card)  # what fails here sends the picker back to the model that answered
            try:
                held = held if same and held.trace is not None else of(picture, card)
                made = self._part(opened, picture, held, values, again)
            except ValueError as error:
                return {self.held: held, self.problem: problem(str(error))}  # what was drawn stays
            held.memo["drawn", opened] = True
            return {self.held: held, self.problem: "", **self.leaving.of(held), **made}

    def _part(self, opened: str, picture: Picture, held: Held, values: tuple[Any, ...], again: bool) -> Updates:
        """Draw one part from the start: with what its fields say, or for another picture or model with the middle."""
        trace = held.trace
        assert trace is not None
        if opened == "patchify":
            return self.patchify.show(held, trace, *(values[:2] if again else (None, None)))
        if opened == "filters":
            return self.filters.show(held, trace)
        if opened == "positions":
            return self.positions.show(held, trace, *(values[2:5] if again else (None,) * 3))
        if opened == "depth":
            return self.depth.show(held, trace)
        if opened == "likeness":
            how, layer, row, col, *others = values[5:12]
            return self.likeness.show(held, trace, how, layer, *((row, col) if again else (None, None)), *others)
        return self.twin.ask(picture, held, trace, values[12])

    def quickly(self, answer: Callable[..., Updates], held: Any, asked: Any, *values: Any) -> Updates:
        """Answer a click or a field from the kept trace, or ask anew where it had to make room; never raises aloud."""
        if not isinstance(held, Held):
            return gr.skip()
        trace = held.trace
        others = [value for value in values if isinstance(value, Held)]
        if trace is None or any(other.trace is None or other.card is None for other in others):
            return {self.asked: checks.whole(asked, "asked", 0, 10**9) + 1}
        try:
            with sentences():
                return {self.problem: "", **answer(held, trace, *values)}
        except gr.Error as error:
            return {self.problem: problem(str(error.message))}


def lay_out() -> Page:
    """Lay out the tab inside the current context."""
    held, opened = gr.State(None), gr.State(PARTS[0])
    asked = gr.Number(0, visible="hidden", precision=0)
    gr.HTML(f'<p class="pg-lead">{escape(say("patches_lead"))}</p>', apply_default_css=False)
    trouble = gr.HTML(apply_default_css=False, elem_id="pg-patches-problem")
    tabs: dict[str, gr.Tab] = {}
    parts: dict[str, Any] = {}
    rooms = {
        "patchify": patchify, "filters": filters, "positions": positions, "depth": depth, "likeness": likeness,
        "twin": twin,
    }  # fmt: skip
    with gr.Tabs(overflow_behavior="wrap", elem_id="pg-story"):
        for i, key in enumerate(PARTS):
            with gr.Tab(f"{i + 1} {say(f'part_{key}')}", id=f"part-{key}") as tabs[key]:
                head = f"<h2>{escape(say(f'part_{key}_title'))}</h2><p>{escape(say(f'part_{key}_more'))}</p>"
                gr.HTML(f'<div class="pg-chapter">{head}</div>', apply_default_css=False)
                parts[key] = rooms[key].lay_out()
    leaving = build_leaving()
    return Page(held, opened, asked, trouble, tabs, leaving=leaving, **parts)


def build(panel: Panel) -> None:
    """Lay out the tab and wire it to the panel."""
    page = lay_out()
    private: dict[str, Any] = {"api_visibility": "private"}
    quick: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    slow: dict[str, Any] = {
        **private, "concurrency_id": "model", "concurrency_limit": 1, "show_progress": "full",
        "show_progress_on": page.problem, "trigger_mode": "always_last",
    }  # fmt: skip
    panel.when_open(page.begin, page.inputs, page.outputs, page.problem, [page.asked.change])
    mains = {
        "patchify": page.patchify.scene, "filters": page.filters.learned, "positions": page.positions.grid,
        "depth": page.depth.view, "likeness": page.likeness.here, "twin": page.twin.view,
    }  # fmt: skip
    for key, tab in page.tabs.items():
        noted = tab.select(partial(_noted, key), None, page.open, **quick)
        panel.ask(noted.then, page.begin, page.inputs, page.outputs, mains[key])
    _wire_quick(page, quick)
    _wire_slow(page, panel, slow, private)
    wire(page.leaving, panel, page.held)


def _wire_quick(page: Page, quick: dict[str, Any]) -> None:
    """Wire what is answered from the kept trace, outside the queue."""
    memory = [page.held, page.asked]
    always = [page.problem, page.asked]
    cut, places, like, two = page.patchify, page.positions, page.likeness, page.twin

    def patch(held: Any, asked: Any, row: Any, col: Any) -> Updates:
        return page.quickly(cut.choose, held, asked, row, col)

    def patch_picked(event: gr.EventData, held: Any, asked: Any) -> Updates:
        row, col = getattr(event, "row", None), getattr(event, "col", None)
        found = page.quickly(cut.choose, held, asked, row, col)
        return {**found, cut.row: row, cut.col: col} if cut.detail in found else found

    def place(held: Any, asked: Any, *values: Any) -> Updates:
        return page.quickly(places.choose, held, asked, *values)

    def place_picked(event: gr.EventData, held: Any, asked: Any, *values: Any) -> Updates:
        return page.quickly(_with(places.pick, event), held, asked, *values)

    def likened(held: Any, asked: Any, *values: Any) -> Updates:
        return page.quickly(like.choose, held, asked, *values)

    def like_picked(event: gr.EventData, held: Any, asked: Any, *values: Any) -> Updates:
        return page.quickly(_with(like.pick, event), held, asked, *values)

    def two_picked(event: gr.EventData, held: Any, asked: Any, other: Any) -> Updates:
        x, y = getattr(event, "x", None), getattr(event, "y", None)
        return (
            {}
            if other is None
            else page.quickly(lambda one, trace, seen: two.at(one, trace, seen, seen.trace, x, y), held, asked, other)
        )

    told = gr.on(
        [cut.row.input, cut.col.input], patch, [*memory, *cut.inputs], [cut.detail, cut.said, *always], **quick
    )
    told.then(None, [cut.row, cut.col], None, js=TELL, api_visibility="private")
    cut.scene.pick(patch_picked, memory, [cut.row, cut.col, cut.detail, cut.said, *always], **{**quick, **CLICKED})
    chosen = [*memory, *places.inputs]
    gr.on([places.which.input, places.row.input, places.col.input], place, chosen, [*places.outputs, *always], **quick)
    places.grid.pick(place_picked, chosen, [*places.outputs, *always], **{**quick, **CLICKED})
    wished = [*memory, *like.inputs]
    fields = [like.how, like.layer, like.row, like.col, like.count]
    set_anew = [field.change if isinstance(field, gr.Slider) else field.input for field in fields]
    gr.on(set_anew, likened, wished, [*like.outputs, *always], **quick)
    like.here.pick(like_picked, wished, [*like.outputs, *always], **{**quick, **CLICKED})
    for view in (two.first, two.second):
        view.pick(two_picked, [*memory, two.other], [two.first, two.second, *always], **{**quick, **CLICKED})


def _wire_slow(page: Page, panel: Panel, slow: dict[str, Any], private: dict[str, Any]) -> None:
    """Wire what runs a model: another resolution, a second picture, a second model."""
    places, like, two, deep = page.positions, page.likeness, page.twin, page.depth

    def another_cloud(picture: Picture | None, held: Any, how: Any) -> Updates:
        return _aloud(picture, held, lambda trace: deep.another(held, trace, how))

    def at_side(picture: Picture | None, held: Any, *values: Any) -> Updates:
        try:
            found = _answered(picture, held, lambda trace: places.at_side(picture, held, *values))  # type: ignore[arg-type]
            return {page.problem: "", **found} if found else gr.skip()
        except ValueError as error:
            return {page.problem: problem(str(error))}

    def beside(picture: Picture | None, held: Any, second: Picture | None, *values: Any) -> Updates:
        return _aloud(picture, held, lambda trace: like.beside(held, trace, second, *values))

    def two_models(picture: Picture | None, held: Any, other: Any, model: Any) -> Updates:
        if isinstance(other, Held) and picture is not None and (other.key, other.card.name) == (picture.key, model):
            return gr.skip()
        return _aloud(picture, held, lambda trace: two.ask(picture, held, trace, model))  # type: ignore[arg-type]

    def sampled(number: Any) -> Any:
        with sentences():
            return likeness.sample_of(number)

    asked = [panel.picture, page.held]
    sized = [*places.outputs, page.problem]
    places.side.change(at_side, [*asked, *places.inputs, places.side], sized, **_waiting(slow, places.grid))
    second = [*asked, like.upload, *like.inputs]
    compared = _waiting(slow, like.here)
    read = like.upload.input(beside, second, like.outputs, **compared)
    drawn = like.sample.input(sampled, like.sample, like.upload, show_progress="hidden", **private)
    shown = drawn.success(beside, second, like.outputs, **compared)
    for good in (read, shown):
        good.success(None, like.upload, None, js=KEEP, **private)
    read.failure(None, None, like.upload, js=PUT_BACK, **private)
    alone = {**_waiting(slow, deep.cloud), "concurrency_id": "cloud"}  # seconds without a model: others need not wait
    deep.how.input(another_cloud, [*asked, deep.how], [deep.cloud, deep.about], **alone)
    second_asked = two.model.change(two_models, [*asked, two.other, two.model], two.outputs, **_waiting(slow, two.view))
    second_asked.failure(two.go_back, two.other, two.model, queue=False, show_progress="hidden", **private)


def _aloud(picture: Picture | None, held: Any, answer: Callable[[Any], Updates]) -> Updates:
    """Return the answer of a queued handler; what is refused is said aloud."""
    with sentences():
        return _answered(picture, held, answer) or gr.skip()


def _answered(picture: Picture | None, held: Any, answer: Callable[[Any], Updates]) -> Updates:
    """Return the answer from the kept trace or one made again, nothing before there is a picture."""
    if picture is None or not isinstance(held, Held):
        return {}
    return answer(held.trace or look(picture, held.card.name).trace)


def _waiting(slow: dict[str, Any], view: Any) -> dict[str, Any]:
    """Return the settings of a queued event that shows on `view` that it is at work."""
    return {**slow, "show_progress_on": view}


def _with(pick: Callable[..., Updates], event: gr.EventData) -> Callable[..., Updates]:
    """Return the handler of a click that knows its event."""
    return lambda held, trace, *values: pick(held, trace, event, *values)


def _noted(key: str) -> str:
    return key
