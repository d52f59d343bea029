"""What happens on the Compare tab when something is chosen, clicked or pressed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from queue import SimpleQueue
from typing import Any

import gradio as gr

from playground.comparison.places import PlaceMap
from playground.comparison.rows import Row
from playground.comparison.run import compare
from playground.components import sentences
from playground.disturb import kind_of
from playground.explanations import method_of
from playground.figures.overlay import nothing
from playground.figures.theme import percent
from playground.image import Picture
from playground.tabs.compare import drawing, folder, leaving, parting, picker, placing, strengths, touching, words
from playground.tabs.compare.held import BOX, Asked, Held, Wish, agreed, light, paired, wished
from playground.tabs.compare.parts import Parts
from playground.tabs.compare.touching import NOTHING, Touch
from playground.tabs.words import problem
from playground.tabs.working import let_last_step_pass, told
from playground.texts import say

Updates = dict[Any, Any]


@dataclass(frozen=True)
class Handlers:
    """The handlers return updates by component and raise one sentence through `sentences`."""

    parts: Parts

    def ask(self, picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        """Ask all models, a card for each as it answers; then their maps, and where two of them part."""
        held: Held | None = settings[0]
        yield from self._asked(picture, settings, measured=bool(held and held.asked.measured))

    def measure(self, picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        """Ask again, and measure the time and memory of every model."""
        yield from self._asked(picture, settings, measured=True)

    def look(self, picture: Picture | None, *settings: Any) -> Iterator[Updates]:
        """Show what every model makes of another place or method."""
        held: Held | None = settings[0]
        if picture is None or held is None or not held.whole:
            return
        try:
            wish = wished(settings[1:])
        except ValueError as error:
            yield {self.parts.placing.problem: problem(str(error))}
            return
        if held.place != wish.place:
            with sentences():
                shown = touching.touched(picture, held.asked.touch)
                yield from self._maps(shown, replace(held, place=wish.place), wish)

    def pair(self, picture: Picture | None, *settings: Any) -> Updates:
        """Show where two other models part; their maps too, where the kept traces are enough to make them."""
        held: Held | None = settings[0]
        if picture is None or held is None or not held.whole or held.place is None:
            return {}
        with sentences():
            wish = wished(settings[1:])
            shown = touching.touched(picture, held.asked.touch)
            kept = method_of(held.place.method).needs in ("trace", "head")
            return self._parted(shown, held, wish, placing.look(shown, held, held.place) if kept else None)

    def pick(self, event: gr.EventData) -> Updates:
        """Take a click, or a box that was dragged, on any of the pictures as the place to ask about."""
        parts = self.parts.placing
        with sentences():
            found = [getattr(event, key, None) for key in ("x0", "y0", "x1", "y1")]
            shares = [share for share in found if share is not None]
            if len(shares) not in (2, 4):
                return {}
            placing.checked(shares)
            box = len(shares) == 4
            numbers = {
                field: gr.update(value=round(100 * share, 1), visible=True)
                for field, share in zip(parts.numbers, shares, strict=False)
            }
            return {**numbers, parts.shape: BOX} if box else numbers

    def shape(self, shape: Any) -> Updates:
        """Show the fields of a box, or of a point."""
        return {field: gr.update(visible=shape == BOX) for field in self.parts.placing.numbers[2:]}

    def touch(self, picture: Picture | None, models: Any, *fields: Any) -> Updates:
        """Show the picture as it is touched, before any model is asked."""
        parts = self.parts.touching
        if picture is None:
            return {}
        try:
            touch = touching.wished(*fields)
            shown = touching.touched(picture, touch)
        except ValueError as error:
            return {parts.problem: problem(str(error))}
        return {parts.problem: "", **self._touched(shown, touch, picker.wished(models))}

    def cell(self, event: gr.EventData, picture: Picture | None, *fields: Any) -> Updates:
        """Take a click on a cell of the picture, or a stroke of the brush over several."""
        parts = self.parts.touching
        if picture is None:
            return {}
        try:
            touch = touching.wished(*fields)
            if not touching.uses_cells(touch.kind):
                return {}
            shown = touching.touched(picture, touch)
            path = getattr(event, "path", None)
            if path is None:
                at = [getattr(event, key, None) for key in ("x0", "y0")]
                cells = touching.clicked(touch.cells, touch, touching.cell_at(shown.rgb.size, touch, *at))
            else:
                cells = touching.brushed(touch.cells, touch, touching.cells_along(shown.rgb.size, touch, path))
        except ValueError as error:
            return {parts.problem: problem(str(error))}
        first = (
            {parts.strength: 1} if not touch.cells and touch.kind in (*touching.BY_CELLS, *touching.BY_PAIRS) else {}
        )
        return {parts.cells: cells, **first}

    def contest(self, given: Any, *names: Any) -> Iterator[Updates]:
        """Ask the two chosen models about the uploaded pictures: (files, first, second)."""
        parts = self.parts.parting
        with sentences():
            try:
                files = folder.files_of(given)
                pair = (str(names[0] or ""), str(names[1] or ""))
                yield {parts.go: gr.update(visible=False), parts.halt: gr.update(visible=True)}
                for step in told(lambda progress, stop: folder.contest(files, pair, progress, stop)):
                    if isinstance(step, float):
                        yield {parts.pictures: words.note(say("folder_running", share=percent(step)))}
                    else:
                        titles = picker.titles(pair)
                        html = folder.gallery(step, (titles[pair[0]], titles[pair[1]]))
                        yield {parts.pictures: html, **self._rests()}
            except ValueError as error:
                yield {parts.pictures: problem(str(error)), **self._rests()}

    def halted(self) -> Updates:
        """Say that the pictures are compared no further."""
        let_last_step_pass()
        return {self.parts.parting.pictures: words.note(say("folder_stopped")), **self._rests()}

    def _rests(self) -> Updates:
        parts = self.parts.parting
        return {parts.go: gr.update(visible=True), parts.halt: gr.update(visible=False)}

    def leave(self, kind: str, picture: Picture | None, held: Held | None) -> bytes:
        """Return the comparison as a file of this kind."""
        with sentences():
            if picture is None or held is None:
                raise ValueError(say("no_picture" if picture is None else "leave_nothing"))
            return leaving.file_of(kind, touching.touched(picture, held.asked.touch), held)

    def stopped(self, held: Held | None) -> Updates:
        """Say that the run was stopped, and on the cards of which models it was too early."""
        let_last_step_pass()
        said = {self.parts.caption: words.caption(say("compare_stopped")), **self._waits(False)}
        if held is None:
            return said
        names = held.asked.names
        return {**said, self.parts.cards: words.cards(names, held.rows, picker.titles(names))}

    # the steps of a comparison

    def _asked(self, picture: Picture | None, settings: tuple[Any, ...], measured: bool) -> Iterator[Updates]:
        parts = self.parts
        before: Held | None = settings[0]
        if picture is None:
            yield self._no_picture(before, picker.wished(settings[1]))
            return
        with sentences():
            try:
                wish = wished(settings[1:])
                shown = touching.touched(picture, wish.touch)
            except ValueError as error:
                yield {parts.touching.problem: problem(str(error))}
                return
            asked = Asked(picture.key, wish.names, wish.touch, measured)
            if before is not None and before.asked == asked and before.whole:
                yield {parts.caption: words.summary(tuple(before.rows.values()), len(before.rows))}
                return
            if not wish.names:
                yield {parts.caption: words.caption(say("compare_none"))}
                return
            yield self._begun(asked, shown)
            held = Held(asked)
            try:
                for came in self._rows(shown, held):
                    held = came
                    yield self._came(held)
            except ValueError as error:
                yield {parts.caption: words.caption(str(error)), **self._waits(False)}
                return
            yield from self._maps(shown, replace(held, place=wish.place), wish)

    def _no_picture(self, held: Held | None, names: Sequence[str]) -> Updates:
        """Say that a picture is wanted; answers for the one before stay, and without any no card promises one."""
        more = say("choose_picture_more") if held else ""
        said = {self.parts.caption: words.caption(say("no_picture"), more)}
        return said if held else {**said, self.parts.cards: words.cards(names, {}, picker.titles(names))}

    def _rows(self, shown: Picture, held: Held) -> Iterator[Held]:
        """Yield what is held as each row comes. Closing stops the comparison."""
        arriving: SimpleQueue[Row] = SimpleQueue()

        def work(progress: Callable[[float], None], cancelled: Callable[[], bool]) -> dict[str, Any]:
            rows = []
            for row in compare(shown, held.asked.names, held.asked.measured, cancelled=cancelled):
                rows.append(row)
                arriving.put(light(row))
            return agreed(rows)

        for step in told(work):
            rows = dict(held.rows)
            while not arriving.empty():
                row = arriving.get()
                rows[row.model] = row
            if len(rows) > len(held.rows):
                held = replace(held, rows=rows)
                yield held
            if not isinstance(step, float):
                yield replace(held, **step)

    def _begun(self, asked: Asked, shown: Picture) -> Updates:
        parts, names = self.parts, asked.names
        return {
            parts.held: Held(asked),
            parts.caption: words.summary((), len(names)),
            parts.cards: words.cards(names, {}, picker.titles(names), over=False),
            parts.touching.problem: "",
            **self._touched(shown, asked.touch, names),
            **self._waits(True),
        }

    def _came(self, held: Held) -> Updates:
        parts, names = self.parts, held.asked.names
        return {
            parts.held: held,
            parts.caption: words.summary(tuple(held.rows.values()), len(names)),
            parts.cards: words.cards(names, held.rows, picker.titles(names), over=held.whole),
            parts.sheet: words.table(names, held.rows),
        }

    def _maps(self, shown: Picture, held: Held, wish: Wish) -> Iterator[Updates]:
        """Make the map of every model for the place, and show how alike they are."""
        parts, made = self.parts, tuple[PlaceMap, ...]()
        yield self._waits(True)
        try:
            for step in told(lambda progress, stop: placing.look(shown, held, wish.place, progress, stop)):
                if isinstance(step, float):
                    yield {parts.placing.legend: words.note(say("place_running", share=percent(step)))}
                else:
                    made = step
        except ValueError as error:
            yield {parts.placing.problem: problem(str(error)), **self._waits(False)}
            return
        yield {
            parts.held: held,
            parts.placing.problem: "",
            parts.placing.frames: placing.frames(shown, held, made, wish.place),
            parts.placing.legend: placing.legend(made),
            **self._parted(shown, held, wish, made),
            **self._waits(False),
        }

    def _parted(self, shown: Picture, held: Held, wish: Wish, made: Sequence[PlaceMap] | None) -> Updates:
        """Show where two of the models that answered part, and where there are maps how alike these are."""
        parts = self.parts.parting
        offered = [(held.rows[name].title, name) for name in held.answered]
        pair = paired(held.answered, *wish.pair)
        chosen = dict(zip((parts.first, parts.second), pair, strict=True))
        return {
            **{field: gr.update(choices=offered, value=name or None) for field, name in chosen.items()},
            parts.said: parting.said(held, pair),
            parts.boxes: parting.boxes(shown, held, pair) or nothing(),
            parts.apart: parting.maps_apart(shown, held, made or (), pair),
            **({} if made is None else {parts.ranks: parting.ranks(made) or nothing()}),
        }

    def _touched(self, shown: Picture, touch: Touch, names: Sequence[str]) -> Updates:
        parts = self.parts
        about = say("touch_none")
        if touch.kind != NOTHING:
            kind = kind_of(touch.kind)
            about = say("touch_about", strength=kind.strength, formula=kind.formula)
        figure = strengths.measured(touch, names)
        return {
            parts.touching.frame: drawing.touch_frame(shown, touch),
            parts.touching.about: words.note(about),
            parts.curves: figure or nothing(),
        }

    def _waits(self, busy: bool) -> Updates:
        picking = self.parts.picking
        return {picking.stop: gr.update(visible=busy), picking.measure: gr.update(visible=not busy)}
