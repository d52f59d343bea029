"""What happens on the Attention tab when something is chosen, clicked or pressed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import checks, inference
from playground.components import sentences
from playground.explanations import method_of
from playground.image import Picture
from playground.tabs.attention import drawing, further, words
from playground.tabs.attention.held import PATCH, RAW, Held, Shown, Wish, explained, look, picked, picked_query
from playground.tabs.attention.leaving import call
from playground.tabs.attention.parts import Parts
from playground.tabs.attention.working import told
from playground.texts import say

Updates = dict[Any, Any]


@dataclass(frozen=True, eq=False)
class Given:
    """What the page sends: its memory, how to draw, and the wish in its fields."""

    held: Held
    shown: Shown | None
    todo: Any
    strength: Any
    shared: Any
    look: Any
    wish: Wish

    @property
    def share(self) -> float:
        """The strength of the map, checked."""
        return checks.share(self.strength, say("strength"))


@dataclass(frozen=True)
class Handlers:
    """The handlers return updates by component and raise one sentence through `sentences`."""

    parts: Parts

    def begin(self, picture: Picture | None, model: Any, *settings: Any) -> Updates:
        """Answer another picture or model: the same method where it can, everything else from the start."""
        if picture is None:
            return {}
        parts = self.parts
        with sentences():
            try:
                held = look(picture, model)
            except ValueError as error:  # the Predict tab says it aloud
                return {parts.caption: words.sentence(str(error))}
            asked = parts.fields.wish(settings[6:])
            names = [method.name for method in held.methods]
            method = method_of(asked.method if asked.method in names else names[0])
            options = asked.options if method.name == asked.method else method.settings()
            todo, strength, shared, chosen = settings[2:6]
            given = Given(held, None, todo, strength, shared, chosen, Wish(method.name, options=options))
            fresh = {parts.held: held, parts.shown: None}
            if method.needs == "perturbation":
                return {**fresh, parts.view: drawing.picture(held), **self._waiting(given)}
            try:
                return {**fresh, **self._made(picture, given)}
            except ValueError as error:
                nothing = {
                    parts.caption: words.sentence(str(error)),
                    parts.legend: "",
                    parts.view: drawing.picture(held),
                }
                return {**fresh, **parts.fields.of_method(held, method), **nothing, **self._nothing_below()}

    def quietly(self, answer: Callable[[], Updates]) -> Updates:
        """Return the answer, or the sentence of its refusal: a handler outside the queue cannot raise one aloud."""
        try:
            return {self.parts.problem: "", **answer()}
        except gr.Error as error:
            return {self.parts.problem: words.problem(str(error.message))}

    def change(self, *settings: Any) -> Updates:
        """Answer another method, option, layer, head, place, object or class; without the model where that can be."""
        with sentences():
            given = self._given(settings)
            return self._wished(given) if given else {}

    def click(self, event: gr.EventData, *settings: Any) -> Updates:
        """Answer a click on the picture: another patch, or another object."""
        with sentences():
            given = self._given(settings)
            if given is None or given.shown is None or given.wish.method != given.shown.made.method:
                return {}
            x, y = getattr(event, "x", None), getattr(event, "y", None)
            query = picked_query(given.held, x, y) if given.shown.asks_query else None
            patch = picked(given.shown, x, y)
            if query is not None:
                wish = replace(given.wish, query=query, class_index=None)
            elif patch is not None:
                wish = replace(given.wish, start=PATCH, row=patch[0], col=patch[1])
            else:
                return {}
            return self._wished(replace(given, wish=wish))

    def choose(self, event: gr.EventData, *settings: Any) -> Updates:
        """Answer a click on a tile or on a dot of the atlas: raw attention of that layer and head."""
        with sentences():
            given = self._given(settings)
            trace = given.held.trace if given else None
            if given is None or given.shown is None or trace is None:
                return {}
            index, step = getattr(event, "index", None), getattr(event, "step", None)
            if given.look == "atlas":
                found = further.dot(given.held, trace, index)
            else:
                found = drawing.tile(trace, given.shown, index, step) if given.look == "tiles" else None
            if found is None:
                return {}
            wish = replace(given.wish, layer=found[0], head=found[1])
            if wish.method != RAW:
                wish = replace(wish, method=RAW, options=method_of(RAW).settings())
            return self._wished(replace(given, wish=wish))

    def redraw(self, *settings: Any) -> Updates:
        """Draw the map with another strength."""
        with sentences():
            given = self._given(settings)
            if given is None or given.shown is None:
                return {}
            return {self.parts.view: drawing.map_over(given.held, given.shown, given.share)}

    def look_at(self, *settings: Any) -> Updates:
        """Look at something else below the map."""
        with sentences():
            given = self._given(settings)
            return self._below(given) if given and given.shown else {}

    def run(self, picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        """Run the model again for methods that need it; tells how far it is, and stops when it is stopped."""
        parts = self.parts
        with sentences():
            given = self._given(settings)
            if picture is None or given is None:
                return
            held, wish, method = given.held, given.wish, method_of(given.wish.method)
            if method.needs != "perturbation":
                yield self._made(picture, given)
                return
            trace = inference.trace(picture, held.card)
            busy = {parts.run: gr.update(visible=False), parts.stop: gr.update(visible=True)}
            yield {**busy, parts.caption: words.running(method.title, 0)}
            for step in told(
                lambda progress, cancelled: explained(held, wish, given.shown, trace, progress, cancelled)
            ):
                if isinstance(step, float):
                    yield {parts.caption: words.running(method.title, step)}
                else:
                    yield self._page(given, step)

    def measure(self, picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        """Measure how far the shown map can be trusted."""
        parts = self.parts
        with sentences():
            given = self._given(settings)
            if picture is None or given is None or given.shown is None:
                return
            held, shown, key = given.held, given.shown, str(given.look)
            trace = inference.trace(picture, held.card)
            yield {parts.measure: gr.update(visible=False), parts.halt: gr.update(visible=True)}
            for step in told(
                lambda progress, cancelled: further.measured(key, held, shown, trace, progress, cancelled)
            ):
                if isinstance(step, float):
                    yield {parts.more: words.running(say("trust_title"), step)}
            yield self._below(given)

    def stopped(self) -> Updates:
        """Say that the run was stopped."""
        parts = self.parts
        buttons = {parts.run: gr.update(visible=True), parts.stop: gr.update(visible=False)}
        return {parts.caption: words.sentence(say("attention_stopped")), **buttons}

    def halted(self) -> Updates:
        """Offer to measure again."""
        parts = self.parts
        return {parts.measure: gr.update(visible=True), parts.halt: gr.update(visible=False), parts.more: ""}

    def _given(self, settings: tuple[Any, ...]) -> Given | None:
        held, shown, todo, strength, shared, chosen = settings[:6]
        if held is None:
            return None
        wish = self.parts.fields.wish(settings[6:])
        if shown is not None and shown.made.method != wish.method:  # another method has other layers
            wish = replace(wish, layer=None, head=None)
        if shown is not None and shown.asks_query and wish.query != shown.wish.query:  # another object, another class
            wish = replace(wish, class_index=None)
        return Given(held, shown, todo, strength, shared, chosen, wish)

    def _wished(self, given: Given) -> Updates:
        """Make the map at once where the kept trace is enough; else leave it to a slower place in the queue."""
        parts, held, wish = self.parts, given.held, given.wish
        method = method_of(wish.method)
        if method.needs == "perturbation":
            return self._waiting(given)
        trace = held.trace
        if method.needs != "gradient" and trace is not None:
            return self._page(given, explained(held, wish, given.shown, trace))
        fields = parts.fields
        chosen = {
            fields.method: wish.method, fields.start: wish.start, fields.row: wish.row, fields.col: wish.col,
            fields.query: wish.query, fields.class_index: wish.class_index,
        }  # fmt: skip
        updates = {field: gr.update(value=value) for field, value in chosen.items() if value is not None}
        todo = checks.whole(given.todo, "todo", 0, 10**9) + 1
        return {parts.todo: todo, fields.about: words.about(method, held.unread), **updates}

    def _made(self, picture: Picture, given: Given) -> Updates:
        """Make the map from a trace that is kept or made again, with gradients where the method asks for them."""
        graph = method_of(given.wish.method).needs == "gradient"
        trace = (inference.replay if graph else inference.trace)(picture, given.held.card)
        return self._page(given, explained(given.held, given.wish, given.shown, trace))

    def _waiting(self, given: Given) -> Updates:
        """Show the method's fields and the button that starts it."""
        parts, method = self.parts, method_of(given.wish.method)
        ready = {
            parts.caption: words.ready(method),
            parts.run: gr.update(visible=True),
            parts.stop: gr.update(visible=False),
        }
        below = self._nothing_below() if given.shown is None else {}
        return {**parts.fields.of_method(given.held, method), **ready, **below}

    def _page(self, given: Given, shown: Shown) -> Updates:
        """Everything that changes with a new map."""
        parts, held, method = self.parts, given.held, method_of(shown.made.method)
        return {
            parts.shown: shown,
            parts.caption: words.caption(held, shown),
            parts.problem: "",
            parts.view: drawing.map_over(held, shown, given.share),
            parts.legend: words.legend(shown),
            parts.leaving.call: call(held, shown),
            parts.run: gr.update(visible=method.needs == "perturbation"),
            parts.stop: gr.update(visible=False),
            **parts.fields.after(held, shown, method),
            **self._below(replace(given, shown=shown)),
        }

    def _below(self, given: Given) -> Updates:
        """What stands below the map: of what this model has to show, the chosen thing."""
        parts, held, shown, trace = self.parts, given.held, given.shown, given.held.trace
        offered = further.offered(held, trace) if trace is not None else []
        if shown is None or trace is None or not offered:
            return self._nothing_below()
        keys = [key for _, key in offered]
        chosen = given.look if given.look in keys else keys[0]
        figure, said = further.draw(chosen, held, shown, trace, bool(given.shared))
        return {
            parts.look: gr.update(choices=offered, value=chosen, visible=True),
            parts.about: words.heading(chosen),
            parts.measure: gr.update(visible=further.waits(chosen, held, shown)),
            parts.halt: gr.update(visible=False),
            parts.further: figure or drawing.nothing(),
            parts.shared: gr.update(visible=chosen == "tiles"),
            parts.more: said,
        }

    def _nothing_below(self) -> Updates:
        parts = self.parts
        hidden = [parts.look, parts.measure, parts.halt, parts.shared]
        empty = {parts.further: drawing.nothing(), parts.about: "", parts.more: ""}
        return {**{part: gr.update(visible=False) for part in hidden}, **empty}
