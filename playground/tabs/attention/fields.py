"""The pickers of the Attention tab: method, its options, layer, head, where the map starts, object and class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.components import Dropdown, Radio, Slider
from playground.explanations import METHODS, Method, Option
from playground.tabs.attention import words
from playground.tabs.attention.held import ANSWER, PATCH, RAW, Held, Shown, Wish
from playground.texts import say

START_LAYER = "start_layer"  # its range is the model's
AXIS = "axis"  # for axial attention alone
ALL_HEADS = -1
FIRST_OPTION = 8  # among the values of the fields
PART = "part"  # for attention with a learned bias alone
HEADS = "heads"  # while no head is chosen


@dataclass(frozen=True, eq=False)
class Fields:
    """The components, and the two ways over the border: their values as a wish, a map as their updates."""

    method: gr.Dropdown
    about: gr.HTML
    class_index: gr.Dropdown
    query: gr.Dropdown
    layer: gr.Dropdown
    head: gr.Dropdown
    start: gr.Dropdown
    row: gr.Number
    col: gr.Number
    groups: dict[str, gr.Column]
    options: tuple[tuple[str, Option, Any], ...]

    @property
    def inputs(self) -> list[Any]:
        """The components whose values make a wish, in the order in which `wish` takes them."""
        fixed = [self.method, self.class_index, self.query, self.layer, self.head, self.start, self.row, self.col]
        return [*fixed, *(component for _, _, component in self.options)]

    @property
    def outputs(self) -> list[Any]:
        """Everything that `of_method` and `after` may change."""
        return [*self.inputs, self.about, *self.groups.values()]

    def wish(self, values: Sequence[Any]) -> Wish:
        """Return the values of the fields as a wish; what they mean for this model is checked later."""
        method, class_index, query, layer, head, start, row, col = values[:FIRST_OPTION]
        options = self.options_of(method, values)
        head = None if head == ALL_HEADS else head
        return Wish(str(method), class_index, query, str(start or ANSWER), row, col, layer, head, options)

    def options_of(self, method: str, values: Sequence[Any]) -> dict[str, Any]:
        """Return the options of a method as its fields have them."""
        given = zip(self.options, values[FIRST_OPTION:], strict=True)
        return {option.name: value for (owner, option, _), value in given if owner == method}

    def setting(self, method: str, option: str, value: Any) -> dict[Any, Any]:
        """Return the update that gives an option of a method this value."""
        wanted = (method, option)
        return {field: gr.update(value=value) for owner, own, field in self.options if (owner, own.name) == wanted}

    def of_method(self, held: Held, method: Method) -> dict[Any, Any]:
        """Show what this method wants to know, before there is a map."""
        updates: dict[Any, Any] = {group: gr.update(visible=name == method.name) for name, group in self.groups.items()}
        updates[self.method] = gr.update(choices=words.choices(held.methods), value=method.name)
        updates[self.about] = words.about(method, held.unread)
        updates[self.class_index] = gr.update(visible=method.by_class)
        updates[self.layer] = gr.update(visible=False)
        updates[self.head] = gr.update(visible=False)
        for part in (self.start, self.row, self.col):
            updates[part] = gr.update(visible=False)
        updates[self.query] = gr.update(choices=words.objects(held), visible=bool(held.objects) and method.by_class)
        for owner, option, component in self.options:
            if owner == method.name and option.name == START_LAYER:
                updates[component] = gr.update(maximum=max(1, held.last_start), visible=held.last_start > 0)
            if option.name in (AXIS, PART):
                has = _has(held, option)
                updates[component] = gr.update(visible=True) if has else gr.update(visible=False, value=option.default)
        return updates

    def after(self, held: Held, shown: Shown, method: Method) -> dict[Any, Any]:
        """Show what was chosen and what else there is to choose, after a map was made."""
        wish = shown.wish
        updates = self.of_method(held, method)
        if method.by_class:
            updates[self.class_index] = gr.update(
                choices=words.classes(held, wish), value=wish.class_index, visible=True
            )
        updates[self.query] = gr.update(choices=words.objects(held), value=wish.query, visible=shown.asks_query)
        if shown.layers:
            updates[self.layer] = gr.update(choices=list(shown.layers), value=wish.layer, visible=True)
        heads = [(say("all_heads"), ALL_HEADS), *((say("head_choice", number=i + 1), i) for i in range(shown.heads))]
        chosen = ALL_HEADS if wish.head is None else wish.head
        updates[self.head] = gr.update(choices=heads, value=chosen, visible=shown.heads > 0)
        for owner, option, component in self.options:
            if owner == RAW and option.name == HEADS:
                updates[component] = gr.update(visible=wish.head is None)
            if owner == method.name and option.name == START_LAYER and option.name in wish.options:
                updates[component]["value"] = wish.options[option.name]
        if shown.grid is not None:
            on_patch = wish.start == PATCH
            rows, cols = shown.grid
            updates[self.start] = gr.update(choices=words.starts(shown), value=wish.start, visible=True)
            updates[self.row] = gr.update(value=wish.row, label=say("row", most=rows - 1), visible=on_patch)
            updates[self.col] = gr.update(value=wish.col, label=say("column", most=cols - 1), visible=on_patch)
        return updates


def fitted(held: Held, method: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as far as this model has them: what another model had goes back to what is usual here."""
    kept = dict(options)
    for option in method.options:
        if not _has(held, option):
            kept[option.name] = option.default
        elif option.name == START_LAYER and isinstance(kept.get(option.name), int):
            kept[option.name] = min(kept[option.name], held.last_start)
    return kept


def _has(held: Held, option: Option) -> bool:
    return {AXIS: held.axial, PART: held.biased}.get(option.name, True)


def build_fields() -> Fields:
    """Lay out the fields inside the current context."""
    first = METHODS[0]
    method = _picker(say("method"), words.choices(METHODS), first.name, visible=True)
    about = gr.HTML(words.about(first), apply_default_css=False)
    class_index = _picker(say("class_picker"))
    query = _picker(say("query_picker"), filterable=True)
    layer = _picker(say("layer"))
    head = _picker(say("heads"))
    start = _picker(say("start"))
    with gr.Row(elem_classes="pg-pair"):
        row = gr.Number(None, label=say("row_plain"), precision=0, visible=False, min_width=80)
        col = gr.Number(None, label=say("column_plain"), precision=0, visible=False, min_width=80)
    groups: dict[str, gr.Column] = {}
    options: list[tuple[str, Option, Any]] = []
    for entry in METHODS:
        if entry.options:
            with gr.Column(visible=entry.name == RAW, elem_classes="pg-options") as groups[entry.name]:
                options += [(entry.name, option, _option(option)) for option in entry.options]
    return Fields(method, about, class_index, query, layer, head, start, row, col, groups, tuple(options))


def _picker(
    label: str,
    choices: Sequence[tuple[str, Any]] = (),
    value: Any = None,
    visible: bool = False,
    filterable: bool = False,
) -> gr.Dropdown:
    return Dropdown(
        list(choices), value=value, label=label, visible=visible, filterable=filterable, min_width=120,
        allow_custom_value=filterable,
    )  # fmt: skip


def _option(option: Option) -> Any:
    """Return the field that fits the option's kind."""
    title = option.title.removeprefix("The ").capitalize()
    info = option.help or None
    if option.choices:
        return Radio(list(option.choices), value=option.default, label=title, info=info, elem_classes="pg-pills")
    if isinstance(option.default, bool):
        return gr.Checkbox(option.default, label=title, info=info)
    step = 1 if isinstance(option.default, int) else 0.01
    return Slider(option.low, option.high, value=option.default, step=step, label=title, info=info)
