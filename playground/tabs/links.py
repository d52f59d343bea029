"""A link that opens the page as it stands: the picture where it is an example, the model, the tab and its settings.

A tab puts a field into the link by `panel.remember(name, field)`. Whoever opens a link may have written it, so every
value is checked against its field, and what does not fit is left out.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from playground.comparison.link import State, decode, encode
from playground.components import sentences
from playground.image import Picture
from playground.models import catalogue
from playground.models.card import HF_HUB
from playground.tabs import examples
from playground.tabs.controls import KEEP, MODELS, Panel, choices
from playground.texts import say

ADDRESS = "() => window.location.search"
# The address bar becomes the link, which is also put on the clipboard where the browser lets a page do so.
COPY = """async (query, picture) => {
  const [copied, there, without] = %s;
  const url = window.location.origin + window.location.pathname + '?' + query;
  window.history.replaceState(null, '', url);
  const own = picture && !new URLSearchParams(query).has('picture');
  const can = navigator.clipboard?.writeText(url).then(() => true, () => false);
  return (await can ? copied : there) + (own ? without : '');
}"""
AGAIN = "() => new Promise((done) => setTimeout(() => done(%s), 4000))"
MODEL = "model"


@dataclass(frozen=True, eq=False)
class Link:
    """The button that makes a link, where its query passes through, and the panel, which opens as a link says.

    `opened` listens for the panel having its picture and model, whatever the link says.
    """

    panel: Panel
    copy: gr.Button
    query: gr.Textbox
    opened: Callable[..., Any]


def build_link(panel: Panel) -> Link:
    """Lay out the button inside the current context; the panel's picture and model are asked once the link is read."""
    copy = gr.Button(say("link_copy"), size="sm", elem_id="pg-copy-link")
    query = gr.Textbox(visible="hidden")
    fields = [panel.picture, panel.family, panel.model]
    private: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
    restored = panel.page.load(panel_of, query, fields, js=ADDRESS, **private)
    restored.success(None, panel.picture, None, js=KEEP, **private)
    return Link(replace(panel, changes=(restored.success, *panel.changes)), copy, query, restored.then)


def make(keys: Collection[str], fields: dict[str, Any], picture: Picture | None, *given: Any) -> str:
    """Return the query that opens the page with this model, tab and values of the fields.

    given: the model of the panel, the key of the open tab, and a value for each field; those that the page opens with
    are left out. Raises ValueError with one sentence where that is more than a link can carry.
    """
    model, opened, *values = given
    changed = {name: value for name, value in zip(fields, values, strict=True) if value != fields[name].value}
    chosen = changed.pop(MODELS, None) or ()
    settings = {name: value for name, value in changed.items() if _plain(value)}
    if isinstance(model, str):
        settings[MODEL] = model
    state = State(examples.name_of(picture), tuple(chosen), opened if opened in keys else "", settings)
    try:
        return encode(state)
    except (TypeError, ValueError):
        raise ValueError(say("link_too_much")) from None


def panel_of(query: Any) -> tuple[Any, Any, Any]:
    """Return what a link says of picture, family and model; nothing changes where it says nothing that is there."""
    state = decode(query, [example.name for example in examples.examples()])
    found = next((example for example in examples.examples() if example.name == state.picture), None)
    picture = gr.skip() if found is None else found.open()
    name = state.settings.get(MODEL)
    if not isinstance(name, str) or HF_HUB in name:  # whose card takes a look at the Hub
        return picture, gr.skip(), gr.skip()
    try:
        card = catalogue.find(name)
    except ValueError:
        return picture, gr.skip(), gr.skip()
    return picture, gr.update(value=card.family), gr.update(choices=choices(card.family), value=card.name)


def fields_of(query: Any, keys: Collection[str], fields: dict[str, Any]) -> list[Any]:
    """Return what a link says of the open tab and of each field, in their order."""
    state = decode(query, tabs=keys)
    made: list[Any] = [gr.update(selected=state.tab) if state.tab else gr.skip()]
    for name, field in fields.items():
        value: Any = list(state.models) or None if name == MODELS else state.settings.get(name)
        made.append(gr.update(value=value) if value is not None and fits(field, value) else gr.skip())
    return made


def fits(field: Any, value: Any) -> bool:
    """Whether the value is one that the field itself could give."""
    if getattr(field, "multiselect", False):
        return isinstance(value, list)  # names, which are checked where they are used
    if isinstance(field, gr.Dropdown) and not field.choices:
        return not isinstance(value, bool)  # its choices come with the model, and the handler checks it
    if getattr(field, "allow_custom_value", False):
        return isinstance(value, str)  # likewise
    if isinstance(field, gr.Dropdown | gr.Radio):
        return any(type(value) is type(known) and value == known for _, known in field.choices)
    if isinstance(field, gr.Slider | gr.Number):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        low, high = field.minimum, field.maximum
        return number and (low is None or value >= low) and (high is None or value <= high)
    return isinstance(value, bool if isinstance(field, gr.Checkbox) else str)


def wire(link: Link, tabs: gr.Tabs, keys: Sequence[str]) -> None:
    """Let the button make the link, and the tabs open as a link says; after all tabs are laid out."""
    private: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    panel, fields = link.panel, dict(link.panel.linked)

    def copied(picture: Picture | None, *given: Any) -> str:
        with sentences():
            return make(keys, fields, picture, *given)

    def said(query: Any) -> list[Any]:
        return fields_of(query, keys, fields)

    inputs = [panel.picture, panel.model, panel.opened, *fields.values()]
    made = link.copy.click(copied, inputs, link.query, show_progress="hidden", api_visibility="private")
    words = json.dumps([say(key) for key in ("link_copied", "link_there", "link_without_picture")])
    told = made.success(None, [link.query, panel.picture], link.copy, js=COPY % words, **private)
    told.then(None, None, link.copy, js=AGAIN % json.dumps(say("link_copy")), **private)
    link.opened(said, link.query, [tabs, *fields.values()], js=ADDRESS, **private)  # a tab asks about what is there


def _plain(value: Any) -> bool:
    return isinstance(value, bool | int | float | str) and value != ""
