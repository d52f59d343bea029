"""The Attention tab: its layout and what happens when something is chosen or clicked."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import checks, inference
from playground.components import PlotlyView, sentences
from playground.explain import method_of
from playground.figures.overlay import HEIGHT, STRENGTH
from playground.image import Picture
from playground.tabs.attention import drawing, words
from playground.tabs.attention.fields import Fields, build_fields
from playground.tabs.attention.held import PATCH, Held, Shown, Wish, explained, look, picked, picked_query
from playground.tabs.attention.leaving import Leaving, build_leaving, call, wire
from playground.tabs.attention.working import told
from playground.tabs.controls import Panel
from playground.texts import say


@dataclass(frozen=True, eq=False)
class Parts:
    """The components of the tab and the page's memory of what is held and shown."""

    fields: Fields
    held: gr.State
    shown: gr.State
    todo: gr.Number
    caption: gr.HTML
    view: PlotlyView
    legend: gr.HTML
    strength: gr.Slider
    run: gr.Button
    stop: gr.Button
    several: gr.Column
    shared: gr.Checkbox
    tiles: PlotlyView
    leaving: Leaving

    @property
    def settings(self) -> list[Any]:
        """What every handler reads besides the picture: memory, drawing, and the fields."""
        return [self.held, self.shown, self.todo, self.strength, self.shared, *self.fields.inputs]

    @property
    def outputs(self) -> list[Any]:
        """What handlers may change."""
        own = [self.held, self.shown, self.todo, self.caption, self.view, self.legend, self.run, self.stop]
        return [*own, self.several, self.tiles, self.leaving.call, *self.fields.outputs]


def build(panel: Panel) -> None:
    """Lay out the tab and wire it to the panel."""
    parts = _lay_out()
    handlers = Handlers(parts)
    private: dict[str, Any] = {"api_visibility": "private"}
    quick: dict[str, Any] = {**private, "queue": False, "show_progress": "hidden", "trigger_mode": "always_last"}
    slow: dict[str, Any] = {
        **private,
        "concurrency_id": "model",
        "concurrency_limit": 1,
        "show_progress_on": parts.view,
    }

    panel.when_asked(handlers.begin, parts.settings[2:], parts.outputs, parts.view)
    gr.on([field.input for field in parts.fields.inputs], handlers.change, parts.settings, parts.outputs, **quick)
    parts.view.pick(handlers.click, parts.settings, parts.outputs, **quick)
    parts.tiles.pick(handlers.choose, parts.settings, parts.outputs, **quick)
    redrawn = [parts.view, parts.several, parts.tiles]
    gr.on([parts.strength.input, parts.shared.input], handlers.redraw, parts.settings, redrawn, **quick)
    inputs = [panel.picture, *parts.settings]
    asked = parts.todo.change(handlers.run, inputs, parts.outputs, **slow)
    pressed = parts.run.click(handlers.run, inputs, parts.outputs, **slow)
    wire(parts.leaving, panel, parts.held, parts.shown)
    parts.stop.click(handlers.stopped, None, parts.outputs, cancels=[asked, pressed], **quick)


def _lay_out() -> Parts:
    held, shown = gr.State(None), gr.State(None)
    todo = gr.Number(0, visible="hidden", precision=0)  # a memory would not tell the page that it changed
    caption = gr.HTML(words.waiting(), elem_id="pg-map-caption", apply_default_css=False)
    with gr.Row(elem_id="pg-map"):
        with gr.Column(scale=3, min_width=320):
            view = PlotlyView(height=HEIGHT, elem_id="pg-map-view")
            legend = gr.HTML(apply_default_css=False)
            strength = gr.Slider(0, 1, STRENGTH, step=0.05, label=say("strength"))
            leaving = build_leaving()
        with gr.Column(scale=2, min_width=240, elem_id="pg-map-fields"):
            fields = build_fields()
            with gr.Row(elem_classes="pg-pair"):
                run = gr.Button(say("run_method"), variant="primary", visible=False, min_width=80)
                stop = gr.Button(say("stop_method"), visible=False, min_width=80)
    with gr.Column(visible=False) as several:
        gr.HTML(words.heading(say("multiples"), say("multiples_more")), apply_default_css=False)
        tiles = PlotlyView(height=360, elem_id="pg-map-tiles")
        shared = gr.Checkbox(True, label=say("shared_scale"))
    return Parts(fields, held, shown, todo, caption, view, legend, strength, run, stop, several, shared, tiles, leaving)


@dataclass(frozen=True)
class Handlers:
    """What happens on the page. Handlers return updates by component and raise one sentence through `sentences`."""

    parts: Parts

    def begin(
        self,
        picture: Picture | None,
        model: Any,
        todo: Any,
        strength: Any,
        shared: Any,
        *values: Any,
    ) -> dict[Any, Any]:
        """Answer another picture or model: the same method where it can, everything else from the start."""
        if picture is None:
            return {}
        parts = self.parts
        with sentences():
            try:
                held = look(picture, model)
            except ValueError as error:  # the Predict tab says it aloud
                return {parts.caption: words.sentence(str(error))}
            asked = parts.fields.wish(values)
            names = [method.name for method in held.methods]
            method = method_of(asked.method if asked.method in names else names[0])
            wish = Wish(method.name, options=asked.options if method.name == asked.method else method.settings())
            fresh = {parts.held: held, parts.shown: None}
            if method.needs == "perturbation":
                return {**fresh, parts.view: drawing.picture(held), **self._waiting(held, wish)}
            try:
                return {**fresh, **self._made(picture, held, wish, None, strength, shared)}
            except ValueError as error:
                updates = parts.fields.of_method(held, method)
                said = {
                    parts.caption: words.sentence(str(error)),
                    parts.legend: "",
                    parts.several: gr.update(visible=False),
                }
                return {**fresh, parts.view: drawing.picture(held), **updates, **said}

    def change(
        self, held: Held | None, shown: Shown | None, todo: Any, strength: Any, shared: Any, *values: Any
    ) -> dict[Any, Any]:
        """Answer another method, option, layer, head, place, object or class; without the model where that can be."""
        if held is None:
            return {}
        with sentences():
            return self._wished(held, self.parts.fields.wish(values), shown, todo, strength, shared)

    def click(
        self,
        event: gr.EventData,
        held: Held | None,
        shown: Shown | None,
        todo: Any,
        strength: Any,
        shared: Any,
        *values: Any,
    ) -> dict[Any, Any]:
        """Answer a click on the picture: another patch, or another object."""
        if held is None or shown is None:
            return {}
        with sentences():
            wish = self.parts.fields.wish(values)
            if wish.method != shown.made.method:
                return {}
            x, y = getattr(event, "x", None), getattr(event, "y", None)
            query = picked_query(held, x, y) if shown.asks_query else None
            patch = picked(shown, x, y)
            if query is not None:
                wish = replace(wish, query=query, class_index=None)
            elif patch is not None:
                wish = replace(wish, start=PATCH, row=patch[0], col=patch[1])
            else:
                return {}
            return self._wished(held, wish, shown, todo, strength, shared)

    def choose(
        self,
        event: gr.EventData,
        held: Held | None,
        shown: Shown | None,
        todo: Any,
        strength: Any,
        shared: Any,
        *values: Any,
    ) -> dict[Any, Any]:
        """Answer a click on a tile: that layer and head."""
        if held is None or shown is None:
            return {}
        with sentences():
            found = drawing.tile(shown, getattr(event, "index", None), getattr(event, "step", None))
            if found is None:
                return {}
            wish = replace(self.parts.fields.wish(values), layer=found[0], head=found[1])
            return self._wished(held, wish, shown, todo, strength, shared)

    def redraw(
        self, held: Held | None, shown: Shown | None, todo: Any, strength: Any, shared: Any, *values: Any
    ) -> dict[Any, Any]:
        """Draw what is shown with another strength or scale."""
        if held is None or shown is None:
            return {}
        with sentences():
            return {
                self.parts.view: drawing.map_over(held, shown, checks.share(strength, say("strength"))),
                **self._tiles(held, shown, shared),
            }

    def run(
        self,
        picture: Picture | None,
        held: Held | None,
        shown: Shown | None,
        todo: Any,
        strength: Any,
        shared: Any,
        *values: Any,
    ) -> Iterator[dict[Any, Any]]:
        """Run the model again for methods that need it; tells how far it is, and stops when it is stopped."""
        if picture is None or held is None:
            return
        parts = self.parts
        with sentences():
            wish = parts.fields.wish(values)
            method = method_of(wish.method)
            if method.needs != "perturbation":
                yield self._made(picture, held, wish, shown, strength, shared)
                return
            trace = inference.trace(picture, held.card)
            yield {
                parts.run: gr.update(visible=False),
                parts.stop: gr.update(visible=True),
                parts.caption: words.running(method, 0),
            }
            for step in told(lambda progress, cancelled: explained(held, wish, shown, trace, progress, cancelled)):
                if isinstance(step, float):
                    yield {parts.caption: words.running(method, step)}
                else:
                    yield {**self._page(held, step, strength, shared), parts.run: gr.update(visible=True)}

    def stopped(self) -> dict[Any, Any]:
        """Say that the run was stopped."""
        parts = self.parts
        return {
            parts.caption: words.sentence(say("attention_stopped")),
            parts.run: gr.update(visible=True),
            parts.stop: gr.update(visible=False),
        }

    def _wished(
        self, held: Held, wish: Wish, shown: Shown | None, todo: Any, strength: Any, shared: Any
    ) -> dict[Any, Any]:
        """Make the map at once where the kept trace is enough; else leave it to a slower place in the queue."""
        method = method_of(wish.method)
        wish = replace(wish, head=None) if wish.head == -1 else wish
        if shown is not None and shown.made.method != method.name:
            wish = replace(wish, layer=None, head=None)
        if method.needs == "perturbation":
            return self._waiting(held, wish)
        trace = held.trace
        if method.needs == "gradient" or trace is None:
            parts = self.parts
            places = {
                parts.fields.start: wish.start,
                parts.fields.row: wish.row,
                parts.fields.col: wish.col,
                parts.fields.query: wish.query,
                parts.fields.class_index: wish.class_index,
            }
            return {
                parts.todo: checks.whole(todo, "todo", 0, 10**9) + 1,
                parts.fields.about: words.about(method, held.unread),
                **{k: gr.update(value=v) for k, v in places.items() if v is not None},
            }
        return self._page(held, explained(held, wish, shown, trace), strength, shared)

    def _made(
        self, picture: Picture, held: Held, wish: Wish, shown: Shown | None, strength: Any, shared: Any
    ) -> dict[Any, Any]:
        wish = replace(wish, head=None) if wish.head == -1 else wish
        if shown is not None and shown.made.method != wish.method:
            wish = replace(wish, layer=None, head=None)
        graph = method_of(wish.method).needs == "gradient"
        trace = (inference.replay if graph else inference.trace)(picture, held.card)
        return self._page(held, explained(held, wish, shown, trace), strength, shared)

    def _waiting(self, held: Held, wish: Wish) -> dict[Any, Any]:
        parts, method = self.parts, method_of(wish.method)
        ready = {
            parts.caption: words.ready(method),
            parts.run: gr.update(visible=True),
            parts.stop: gr.update(visible=False),
            parts.several: gr.update(visible=False),
        }
        return {**parts.fields.of_method(held, method), **ready}

    def _page(self, held: Held, shown: Shown, strength: Any, shared: Any) -> dict[Any, Any]:
        """Everything that changes with a new map."""
        parts, method = self.parts, method_of(shown.made.method)
        again = method.needs == "perturbation"
        return {
            parts.shown: shown,
            parts.caption: words.caption(held, shown),
            parts.view: drawing.map_over(held, shown, checks.share(strength, say("strength"))),
            parts.legend: words.legend(shown),
            parts.leaving.call: call(held, shown),
            parts.run: gr.update(visible=again),
            parts.stop: gr.update(visible=False),
            **parts.fields.after(held, shown, method),
            **self._tiles(held, shown, shared),
        }

    def _tiles(self, held: Held, shown: Shown, shared: Any) -> dict[Any, Any]:
        trace = held.trace
        drawn = drawing.every_head(trace, shown, bool(shared)) if trace is not None else None
        shows = {} if drawn is None else {self.parts.tiles: drawn}
        return {self.parts.several: gr.update(visible=drawn is not None), **shows}
