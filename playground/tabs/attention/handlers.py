"""What happens on the Attention tab when something is chosen, clicked or pressed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground import checks, inference, maps
from playground.components import sentences
from playground.explanations import method_of
from playground.explanations.targets import attention_links
from playground.image import Picture
from playground.tabs.attention import boxing, detector, drawing, further, words
from playground.tabs.attention.fields import fitted
from playground.tabs.attention.given import OWN, Given, read
from playground.tabs.attention.held import (
    ANSWER,
    PATCH,
    RAW,
    Held,
    Shown,
    Wish,
    asked_of,
    explained,
    look,
    picked,
    picked_query,
)
from playground.tabs.attention.leaving import call
from playground.tabs.attention.looks import Asked
from playground.tabs.attention.parts import Parts
from playground.tabs.attention.trust import checks_of
from playground.tabs.words import problem
from playground.tabs.working import let_last_step_pass, told
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]


@dataclass(frozen=True)
class Handlers:
    """The handlers return updates by component and raise one sentence through `sentences`."""

    parts: Parts

    def begin(self, picture: Picture | None, model: Any, *settings: Any) -> Updates:
        """Answer another picture or model: the same method where it can, everything else from the start.

        Nothing changes where the map that is shown is of this picture and model.
        """
        parts = self.parts
        before, done = settings[:2]
        if picture is None:
            return {parts.problem: problem(say("no_picture")), **self.failed(before)}
        with sentences():
            if done is not None and before.asked == asked_of(picture, model):
                return {parts.problem: ""}
            held = look(picture, model)
            asked = parts.fields.wish(settings[OWN:])
            names = [method.name for method in held.methods]
            method = method_of(asked.method if asked.method in names else names[0])
            options = fitted(held, method, asked.options) if method.name == asked.method else method.settings()
            todo, strength, shared, chosen = settings[2:6]
            wish = Wish(method.name, options=options)
            given = Given(held, None, todo, strength, shared, chosen, 0, (None,) * 4, wish)
            fresh = {parts.held: held, parts.problem: "", **self._no_map(held), **self._box((None,) * 4)}
            if method.needs == "perturbation":
                return {**fresh, **self._waiting(given)}
            try:
                return {**fresh, **self._made(picture, given)}
            except ValueError as error:
                return {**fresh, **parts.fields.of_method(held, method), parts.caption: words.sentence(str(error))}

    def failed(self, before: Held | None) -> Updates:
        """No longer promise a first map, where a picture or model could not be answered."""
        return {self.parts.caption: words.none_yet() if before is None else gr.skip()}

    def quietly(self, answer: Callable[[], Updates]) -> Updates:
        """Return the answer, or the sentence of its refusal: a handler outside the queue cannot raise one aloud."""
        try:
            return {self.parts.problem: "", **answer()}
        except gr.Error as error:
            return {self.parts.problem: problem(str(error.message))}

    def change(self, *settings: Any) -> Updates:
        """Answer another method, option, layer, head, place, object or class; without the model where that can be."""
        with sentences():
            given = self._given(settings)
            if given is None or (given.shown is not None and given.wish == given.shown.wish):
                return {}
            return self._wished(given)

    def click(self, event: gr.EventData, *settings: Any) -> Updates:
        """Answer a click on the picture: another patch, or another object."""
        with sentences():
            given = self._given(settings)
            if given is None or given.shown is None or given.wish.method != given.shown.made.method:
                return {}
            x, y = getattr(event, "x", None), getattr(event, "y", None)
            if given.corner in (1, 2):
                return self._cornered(given, x, y)
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
        """Answer a click below the map: raw attention of a tile's or dot's layer and head, or another object query."""
        with sentences():
            given = self._given(settings)
            trace = given.held.trace if given else None
            if given is None or given.shown is None or trace is None:
                return {}
            index, step = getattr(event, "index", None), getattr(event, "step", None)
            if given.look in detector.CHOOSING:
                query = detector.picked(given.held, trace, str(given.look), index)
                return {} if query is None else self._wished(self._for_query(given, trace, query))
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
            return {self.parts.view: drawing.map_over(given.held, given.shown, given.share, given.box_xyxy)}

    def draw_box(self) -> Updates:
        """Wait for two clicks on the map: two corners of a box."""
        return {self.parts.box.corner: 1, self.parts.box.hint: words.hint(1)}

    def boxed(self, *settings: Any) -> Updates:
        """Answer other edges of the box."""
        with sentences():
            given = self._given(settings)
            if given is None or given.shown is None:
                return {}
            made = drawing.map_over(given.held, given.shown, given.share, given.box_xyxy)
            return {self.parts.view: made, **self._below(given)}

    def without_artefacts(self, *settings: Any) -> Updates:
        """Make the rollout at which nothing looks at outliers in norm."""
        with sentences():
            given = self._given(settings)
            if given is None or given.shown is None:
                return {}
            options = {**self.parts.fields.options_of("rollout", settings[OWN:]), "without_artefacts": True}
            wish = replace(given.wish, method="rollout", layer=None, head=None, options=options)
            made = self._wished(replace(given, wish=wish))
            return {**made, **self.parts.fields.setting("rollout", "without_artefacts", True)}

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
                yield gr.skip()  # the outputs of a generator that yields nothing would be emptied
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
        """Measure how far the shown map can be trusted, or what every head does."""
        yield from self._measure(None, picture, settings)

    def check(self, picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        """Check whether the shown map knows its class and the weights of its model."""
        yield from self._measure("checks", picture, settings)

    def _measure(self, what: str | None, picture: Picture | None, settings: tuple[Any, ...]) -> Iterator[Updates]:
        parts = self.parts
        with sentences():
            given = self._given(settings)
            if picture is None or given is None or given.shown is None:
                yield gr.skip()
                return
            held, shown, key = given.held, given.shown, what or str(given.look)
            trace = inference.trace(picture, held.card)
            yield {**{part: gr.update(visible=False) for part in (parts.measure, parts.check)},
                   parts.halt: gr.update(visible=True)}  # fmt: skip
            for step in told(
                lambda progress, cancelled: further.measured(key, held, shown, picture, trace, progress, cancelled)
            ):
                if isinstance(step, float):
                    yield {parts.more: words.running(say("trust_title"), step)}
            yield self._below(given)

    def stopped(self) -> Updates:
        """Say that the run was stopped."""
        let_last_step_pass()
        parts = self.parts
        buttons = {parts.run: gr.update(visible=True), parts.stop: gr.update(visible=False)}
        return {parts.caption: words.sentence(say("attention_stopped")), **buttons}

    def halted(self, *settings: Any) -> Updates:
        """Offer to measure again."""
        let_last_step_pass()
        with sentences():
            given = self._given(settings)
            return self._below(given) if given and given.shown else gr.skip()

    def _given(self, settings: tuple[Any, ...]) -> Given | None:
        return read(self.parts.fields, settings)

    def _for_query(self, given: Given, trace: Trace, query: int) -> Given:
        """Ask for another object query: by the method shown where it starts from one, else what the query looks at."""
        wish = given.wish
        if given.shown is None or not given.shown.asks_query:
            layer = max(i for i, link in enumerate(attention_links(trace)) if link.reads.grid is not None)
            options = wish.options if wish.method == RAW else method_of(RAW).settings()
            wish = replace(wish, method=RAW, layer=layer, head=None, options={**options, "direction": "looks at"})
        return replace(given, wish=replace(wish, query=query, class_index=None))

    def _cornered(self, given: Given, x: Any, y: Any) -> Updates:
        """Take a click as a corner of the box: the cell under it, and at the second click all between the two."""
        shown = given.shown
        assert shown is not None
        cell = boxing.cell_under(shown.made, x, y)
        if cell is None:
            return {}
        first = boxing.whole(given.edges) if given.corner == 2 else None
        edges = boxing.around(cell, first) if first else cell
        corner = 2 if given.corner == 1 else 0
        given = replace(given, edges=edges, corner=corner)
        drawn = {self.parts.view: drawing.map_over(given.held, shown, given.share, edges)}
        return {**drawn, **self._below(given), **self._box(edges, corner)}

    def _box(self, edges: tuple[Any, ...], corner: int = 0) -> Updates:
        box = self.parts.box
        rounded = [None if edge is None else round(edge, 1) for edge in edges]
        numbers = {field: gr.update(value=value) for field, value in zip(box.edges, rounded, strict=True)}
        return {box.corner: corner, box.hint: words.hint(corner), **numbers}

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
        updates = {field: gr.update(value=value) for field, value in chosen.items() if value not in (None, ANSWER)}
        todo = checks.whole(given.todo, "todo", 0, 10**9) + 1
        return {parts.todo: todo, fields.about: words.about(method, held.unread), **updates}

    def _made(self, picture: Picture, given: Given) -> Updates:
        """Make the map from a trace that is kept or made again, with gradients where the method asks for them."""
        trace = maps.trace_for(picture, given.held.card, given.wish.method)
        return self._page(given, explained(given.held, given.wish, given.shown, trace))

    def _waiting(self, given: Given) -> Updates:
        """Show the method's fields and the button that starts it, and no map of another method."""
        parts, method = self.parts, method_of(given.wish.method)
        ready = {
            parts.caption: words.ready(method),
            parts.run: gr.update(visible=True),
            parts.stop: gr.update(visible=False),
        }
        updates = {**parts.fields.of_method(given.held, method), **ready}
        if given.shown is not None and given.shown.made.method != method.name:
            updates |= self._no_map(given.held)
        return updates

    def _page(self, given: Given, shown: Shown) -> Updates:
        """Everything that changes with a new map."""
        parts, held, method = self.parts, given.held, method_of(shown.made.method)
        return {
            parts.shown: shown,
            parts.caption: words.caption(held, shown),
            parts.problem: "",
            parts.view: drawing.map_over(held, shown, given.share, given.box_xyxy),
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
        figure, said = further.draw(chosen, held, shown, trace, Asked(bool(given.shared), given.box_xyxy))
        return {
            parts.look: gr.update(choices=offered, value=chosen, visible=True),
            parts.about: words.heading(chosen, held, shown),
            parts.measure: gr.update(visible=further.waits(chosen, held, shown)),
            parts.check: gr.update(visible=chosen == "trust" and checks_of(held, shown) is None),
            parts.without: gr.update(visible=chosen == "artefacts" and "rollout" in [m.name for m in held.methods]),
            parts.box.group: gr.update(visible=chosen == "trust"),
            parts.halt: gr.update(visible=False),
            parts.further: figure or drawing.nothing(),
            parts.shared: gr.update(visible=chosen in ("tiles", "terms", "mask")),
            parts.more: said,
        }

    def _no_map(self, held: Held) -> Updates:
        """The picture alone, until there is a map."""
        parts = self.parts
        nothing = {parts.shown: None, parts.legend: "", parts.leaving.call: ""}
        return {**nothing, parts.view: drawing.picture(held), **self._nothing_below()}

    def _nothing_below(self) -> Updates:
        parts = self.parts
        hidden = [parts.look, parts.measure, parts.check, parts.without, parts.halt, parts.box.group, parts.shared]
        empty = {parts.further: drawing.nothing(), parts.about: "", parts.more: ""}
        return {**{part: gr.update(visible=False) for part in hidden}, **empty}
