"""Numbers and answers of a report in words. Everything that comes from models or files is escaped where it is used."""

from html import escape
from typing import Any

from playground.figures.theme import percent
from playground.texts import say

Values = dict[str, Any]
NAMED = 6  # objects that a cell of the table names


def text(value: object) -> str:
    """Return a value as text that HTML shows letter by letter."""
    return escape(str(value), quote=True)


def many(count: float | None) -> str:
    """Return a count in short: "1.56 M", "17.6 G"; "" where it is not known."""
    if count is None:
        return ""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}\u00a0{unit}" if count < 999.5 * size else f"{count / size:.0f}\u00a0{unit}"
    return f"{count:.0f}"


def metric(found: Values | None) -> str:
    """Return a measured or published number with its unit and name."""
    return "" if found is None else f"{found['value']:g} {found['unit']} {found['name']}"


def sure(answer: Values) -> list[Values]:
    """Return the boxes of an answer that count as found."""
    return [box for box in answer["boxes"] if box["score"] >= answer["shown_from"]]


def best(row: Values) -> str:
    """Return what a model answers, in a few words."""
    answer = row["prediction"]
    if row["failed"] or answer is None:
        return row["failed"]
    if answer["task"] == "features":
        return say("report_features")
    if answer["classes"]:
        first = answer["classes"][0]
        unsure = f" ({say('report_unsure')})" if answer["unsure"] else ""
        return f"{first['label']} {percent(first['score'])}{unsure}"
    found = sure(answer)
    if not found:
        return say("report_no_objects", least=percent(answer["shown_from"]))
    labels = list(dict.fromkeys(box["label"] for box in found))
    more = ", …" if len(labels) > NAMED else ""
    return say(
        "report_object" if len(found) == 1 else "report_objects",
        count=len(found),
        names=", ".join(labels[:NAMED]) + more,
    )
