"""The one panel for picture and model that all tabs share."""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import gradio as gr

from playground.components import STATIC, ModelImage, sentences
from playground.image import MAX_BYTES, TOO_MANY_BYTES, Picture
from playground.models import FAMILIES, catalogue
from playground.models.card import Card
from playground.tabs.answers import Answers
from playground.tabs.examples import build_gallery, first_photo, pick
from playground.texts import say

# The browser remembers the last good picture and puts it back when a file cannot be read.
KEEP = "(picture) => { if (picture) window.__pgPicture = picture; }"
PUT_BACK = "(picture) => window.__pgPicture ?? picture"
# A handler that waits for the one before would be given the event of that one by Gradio: clicks are sent at once.
CLICKED: dict[str, Any] = {"trigger_mode": "multiple"}
MODELS = "models"  # the field of a link that holds several models
TASKS = ("classification", "detection", "panoptic", "features")


@dataclass(frozen=True)
class Panel:
    """The page, the fields every tab reads, and what to listen to for a picture or a model becoming another.

    `opened` holds the key of the tab that is open, `answers` what became of the visitor's questions. `linked` are the
    fields of the tabs that a link carries, by name. `key` is that of the tab being laid out, `shown` listens for it
    being opened.
    """

    page: gr.Blocks
    picture: ModelImage
    family: gr.Radio
    model: gr.Dropdown
    opened: gr.Textbox
    answers: gr.State
    changes: tuple[Callable[..., Any], ...]
    linked: dict[str, Any] = field(default_factory=dict)
    key: str = ""
    shown: Callable[..., Any] | None = None

    def within(self, key: str, tab: gr.Tab) -> "Panel":
        """Return the panel for laying out this tab; the browser alone notes when it is opened."""
        noted = tab.select(None, None, self.opened, js=f"() => '{key}'", api_visibility="private")
        return replace(self, key=key, shown=noted.then)

    def remember(self, name: str, component: Any) -> None:
        """Let links carry the value of this field: a bool, a number or a short text; a list under the name MODELS."""
        assert name not in self.linked, name
        self.linked[name] = component

    def when_open(
        self,
        run: Callable[..., Any],
        more: list[Any],
        outputs: list[Any],
        view: Any,
        also: Sequence[Callable[..., Any]] = (),
    ) -> list[Any]:
        """Call run(picture, model, *more) when this tab is opened, and while it is open at every change.

        A change is the page being loaded, another picture or another model, and `also` further events. `run` may be a
        generator, or have a last parameter `progress`, which is shown on `view`. It is to look itself whether what it
        shows is still what is asked. All such calls share one place in the queue, for there is one device. A model
        that fails gives way to the one whose answer stands in the tab, and that is said once however many events
        asked. Returns what can be cancelled.
        """
        assert self.shown is not None
        return [self.ask(listen, run, more, outputs, view) for listen in (*self.changes, *also, self.shown)]

    def ask(
        self, listen: Callable[..., Any], run: Callable[..., Any], more: list[Any], outputs: list[Any], view: Any
    ) -> Any:
        """Call run(picture, model, *more) at one event, as `when_open` does. Returns what can be cancelled."""
        key = self.key

        def once(picture: Any, model: Any, answers: Answers, opened: Any, *given: Any) -> Any:
            if opened != key:
                return gr.skip()
            with answers.asked(key, picture, model):
                return run(picture, model, *given)

        def telling(
            picture: Any,
            model: Any,
            answers: Answers,
            opened: Any,
            progress: gr.Progress = gr.Progress(),  # noqa: B008
            *given: Any,
        ) -> Any:
            if opened != key:
                return gr.skip()
            with answers.asked(key, picture, model):
                return run(picture, model, *given, progress=progress)

        def steps(picture: Any, model: Any, answers: Answers, opened: Any, *given: Any) -> Iterator[Any]:
            if opened != key:
                yield gr.skip()  # the outputs of a generator that yields nothing would be emptied
                return
            with answers.asked(key, picture, model):
                yield from run(picture, model, *given)

        def back(answers: Answers, model: Any) -> tuple[Any, Any]:
            return go_back(answers.instead(key, model))

        tells = "progress" in inspect.signature(run).parameters
        asked = listen(
            steps if inspect.isgeneratorfunction(run) else telling if tells else once,
            [self.picture, self.model, self.answers, self.opened, *more],
            outputs,
            trigger_mode="always_last",
            show_progress_on=view,
            concurrency_id="model",
            concurrency_limit=1,
            api_visibility="private",
        )
        asked.failure(
            back,
            [self.answers, self.model],
            [self.family, self.model],
            show_progress="hidden",
            queue=False,
            api_visibility="private",
        )
        return asked


def following(events: list[Any]) -> Callable[..., Any]:
    """Return what listens to events that several handlers answer: each follows one step, made in the browser.

    Where one of an event's own listeners has to wait, Gradio afterwards repeats all of them, and where two of them
    wait for each other it never ends.
    """
    return gr.on(events, None, None, None, js="() => {}", api_visibility="private").then


def cards() -> list[Card]:
    """Return all cards in the order of the picker: bundled before Hub, then by family and task."""
    families = [family.name for family in FAMILIES]
    order = {"bundled": 0, "local": 1, "hub": 2}
    everything = (*catalogue.bundled(), *catalogue.HUB)
    return sorted(everything, key=lambda c: (order[c.source], families.index(c.family), TASKS.index(c.task)))


def families() -> list[tuple[str, str]]:
    """Return (title, name) of every family that has a card."""
    there = {card.family for card in cards()}
    return [(family.title, family.name) for family in FAMILIES if family.name in there]


def choices(family: Any) -> list[tuple[str, str]]:
    """Return (what the picker shows, model name) for every card of a family; none for an unknown one."""
    return [(described(card), card.name) for card in cards() if card.family == family]


def described(card: Card) -> str:
    """Say a card in a line: title, what it does unless it names classes, and where its weights come from."""
    does = [] if card.task == "classification" else [say(f"does_{card.task}")]
    return " · ".join([card.title, *does, _where(card)])


def megabytes(size: float) -> str:
    """Return a size in bytes in words: "8.4 MB", "346 MB", "1.2 GB"."""
    if size >= 1e9:
        return f"{size / 1e9:.1f}\u00a0GB"
    return f"{size / 1e6:.0f}\u00a0MB" if size >= 1e7 else f"{size / 1e6:.1f}\u00a0MB"


def _where(card: Card) -> str:
    if card.source != "hub":
        return say(f"where_{card.source}")
    if card.size_bytes:
        return say("where_hub", size=megabytes(card.size_bytes))
    if card.parameters:  # the Hub's files hold float32
        return say("where_hub_about", size=megabytes(4 * card.parameters))
    return say("where_hub_unsized")


def build_panel(page: gr.Blocks, first_tab: str) -> Panel:
    """Lay out the panel inside the current context of a page that opens with the tab of this key."""
    picture = ModelImage(
        first_photo(),
        label=say("picture"),
        alt_text=say("picture_alt"),
        placeholder=say("picture_place"),
        height=300,
        elem_id="pg-picture",
    )
    gallery = build_gallery()
    guard = gr.HTML(
        f'<span hidden data-most="{MAX_BYTES}"></span>',
        js_on_load=(STATIC / "too_large.js").read_text(encoding="utf-8"),
        apply_default_css=False,
    )
    guard.refuse(too_large, None, None, show_progress="hidden", api_visibility="private")
    offered = families()
    opened = catalogue.first()
    first = opened.family if opened else next((name for _, name in offered), None)
    family = gr.Radio(offered, value=first, label=say("family"), elem_id="pg-family")
    model = gr.Dropdown(
        choices(first),
        value=opened.name if opened else _first(first),
        label=say("model"),
        allow_custom_value=True,  # names are checked by the catalogue, whose sentence says what to do
        elem_id="pg-model",
    )
    family.input(pick_family, family, model, show_progress="hidden", queue=False, api_visibility="private")
    chosen = gallery.choose(
        pick, None, picture, **CLICKED, concurrency_limit=1, show_progress="hidden", api_visibility="private"
    )
    read = picture.input(readable, picture, None, show_progress="hidden", api_visibility="private")
    for good in (chosen, read):
        good.success(None, picture, None, js=KEEP, api_visibility="private")
    read.failure(None, picture, picture, js=PUT_BACK, api_visibility="private")
    # and the page being opened, which a link comes before
    changes = (following([model.change]), chosen.success, read.success)
    return Panel(page, picture, family, model, gr.Textbox(first_tab, visible="hidden"), gr.State(Answers()), changes)


def pick_family(family: Any) -> Any:
    """Offer the models of a family and choose its first."""
    return gr.update(choices=choices(family), value=_first(family))


def go_back(model: Any) -> tuple[Any, Any]:
    """Offer the family of a model that is known, and choose it; change nothing for another name."""
    try:
        family = catalogue.find(model).family
    except ValueError:
        return gr.skip(), gr.skip()
    return gr.update(value=family), gr.update(choices=choices(family), value=model)


def _first(family: Any) -> str | None:
    return next((name for _, name in choices(family)), None)


def too_large() -> None:
    """Say that a file is too large, which the browser did not send."""
    with sentences():
        raise ValueError(TOO_MANY_BYTES)


def readable(picture: Picture | None) -> None:
    """Do nothing: the field itself reads the picture, and fails with a sentence where it cannot."""
