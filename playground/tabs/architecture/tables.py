"""The papers' tables beside what this code counts for the same models."""

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.architecture.published import TABLES, Check, Rebuilt, rebuilt
from playground.components import sentences
from playground.models import FAMILIES
from playground.tabs.architecture import words
from playground.texts import say

Updates = dict[Any, Any]
SIGNS = {True: "=", False: "≠"}
COUNTS = {"parameters": "parameters", "trainable": "parameters", "headless": "parameters", "macs": "macs"}


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    family: gr.Radio
    said: gr.HTML
    table: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        return [self.said, self.table]

    def show(self, family: Any) -> Iterator[Updates]:
        """Build and count the models of a table one after another; each row appears when it is counted."""
        family = family if family in TABLES else next(iter(TABLES))
        done: list[Rebuilt] = []
        with sentences():
            for entry in TABLES[family]:
                yield {self.said: words.about(say("tables_building", name=entry.name)), self.table: tabled(done)}
                done.append(rebuilt(entry))
        yield {self.said: "", self.table: tabled(done)}


def lay_out() -> Part:
    """Lay out the part inside the current context."""
    gr.HTML(words.chapter(say("tables_title"), say("tables_more")), apply_default_css=False)
    titles = {family.name: family.title for family in FAMILIES}
    family = gr.Radio(
        [(titles[name], name) for name in TABLES], value=next(iter(TABLES)), label=say("tables_family"),
        elem_classes=["pg-pills"], elem_id="pg-tables-family",
    )  # fmt: skip
    said = gr.HTML(apply_default_css=False, elem_id="pg-tables-said")
    return Part(family, said, gr.HTML(apply_default_css=False, elem_id="pg-tables-table"))


def tabled(done: list[Rebuilt]) -> str:
    """Return the rows counted so far."""
    if not done:
        return ""
    head = [say(f"tables_col_{name}") for name in ("model", "build", "parameters", "macs")]
    return words.html_table(head, [_row(one) for one in done], [_note(one) for one in done])


def _note(one: Rebuilt) -> str:
    """Say the published accuracies, then where counts and published numbers differ or count different things."""
    by_source: dict[str, list[str]] = {}
    for said, source in one.entry.results:
        by_source.setdefault(source, []).append(said)
    results = [say("tables_results", said="; ".join(said), source=source) for source, said in by_source.items()]
    told = [c for c in one.checks if c.why and (not c.equal or c.what in ("headless", "trainable"))]
    return "<br>".join(escape(line) for line in dict.fromkeys([*results, *(say(c.why) for c in told)]))


def _row(one: Rebuilt) -> list[str]:
    build = [c for c in one.checks if c.what not in COUNTS]
    lines = [_marked(say("tables_said", name=c.what, text=c.published, sign=SIGNS[c.equal]), c.equal) for c in build]
    return [
        f"<b>{escape(one.entry.name)}</b>",
        "<br>".join(lines),
        _counts(one, "parameters", one.costs.parameters),
        _counts(one, "macs", one.costs.macs),
    ]


def _counts(one: Rebuilt, column: str, value: int) -> str:
    """Return the published numbers of a column beside the counts, or the count alone."""
    checks = [c for c in one.checks if COUNTS.get(c.what) == column]
    lines = [_pair(c) for c in checks]
    if all(c.what != column for c in checks):
        at = _at(one.costs.size if column == "macs" else None)
        lines.append(escape(f"{words.amount(value)} {at}".strip()))
    return "<br>".join(lines)


def _pair(check: Check) -> str:
    what = say(f"what_{check.what}")
    said = say("tables_pair", published=check.published, sign=SIGNS[check.equal], counted=check.counted)
    return _marked(f"{said} {what} {_at(check.size)}".strip(), check.equal, check.source)


def _at(size: tuple[int, int] | None) -> str:
    return say("tables_at", rows=size[0], cols=size[1]) if size else ""


def _marked(text: str, equal: bool, title: str = "") -> str:
    return f'<span class="pg-{"equal" if equal else "unequal"}" title="{escape(title)}">{escape(text)}</span>'
