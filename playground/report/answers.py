"""What each model answers about one picture: bars, boxes on the picture, and what only one of two models finds."""

from collections.abc import Sequence
from typing import Any

from playground.comparison.boxes import matched
from playground.comparison.disagreement import TOP
from playground.figures.theme import colours, percent
from playground.report.words import Values, best, sure, text
from playground.texts import say
from playground.trace import Box


def cards(rows: Sequence[Values], shot: str) -> str:
    """Return one block for each model; `shot` is the CSS class whose background is the picture."""
    return f'<div class="cards">{"".join(_card(row, shot) for row in rows)}</div>'


def _card(row: Values, shot: str) -> str:
    answer, title = row["prediction"], row["title"]
    if row["failed"] or answer is None:
        inner = f'<p class="failed">{text(row["failed"])}</p>'
    elif answer["classes"]:
        inner = bars([(entry["label"], entry["score"]) for entry in answer["classes"][:TOP]], title)
    elif answer["segments"]:
        parts = sorted(answer["segments"], key=lambda part: -part["area"])
        inner = f"<p>{text(say('report_regions'))}</p>" + bars([(p["label"], p["area"]) for p in parts[:10]], title)
    elif answer["task"] == "features":
        inner = f"<p>{text(say('report_features'))}</p>"
    else:
        inner = boxes(sure(answer), answer["picture_size"], shot, title) + f"<p>{text(best(row))}</p>"
    marks = [say("report_untrained")] if row["untrained"] else []
    notes = "".join(f"<small>{text(note)}</small>" for note in (*marks, row["missing"]) if note)
    return f'<article class="card"><h3>{text(title)}</h3>{inner}{notes}</article>'


def bars(shares: Sequence[tuple[str, float]], title: str) -> str:
    """Return horizontal bars on a scale of 0 to 100 %, best first."""
    said = ", ".join(f"{label} {percent(share)}" for label, share in shares)
    rows = "".join(
        f'<div class="bar"><span>{text(label)}</span><b>{percent(share)}</b>'
        f'<i style="width:{100 * min(1.0, share):.1f}%"></i></div>'
        for label, share in shares
    )
    return f'<div role="img" aria-label="{text(say("report_bars_alt", title=title, said=said))}">{rows}</div>'


def boxes(found: Sequence[Values], size: Sequence[int], shot: str, title: str) -> str:
    """Return the picture with the boxes drawn on it; the best box last, so that it lies on top."""
    palette = colours([box["label"] for box in found])
    thick = max(size) / 160
    drawn = "".join(_box(box, palette[box["label"]], thick) for box in reversed(found))
    said = ", ".join(f"{box['label']} {percent(box['score'])}" for box in found)
    alt = say("report_boxes_alt", title=title, count=len(found), said=said)
    return (
        f'<div class="shot {shot}" role="img" aria-label="{text(alt)}" style="aspect-ratio:{size[0]}/{size[1]}">'
        f'<svg viewBox="0 0 {size[0]} {size[1]}">{drawn}</svg></div>'
    )


def _box(box: Values, colour: str, thick: float) -> str:
    x0, y0, x1, y1 = box["box_xyxy"]
    high = 4.5 * thick
    top = max(high, y0)
    return (
        f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" fill="none" stroke="{colour}" '
        f'stroke-width="{thick:.2f}"/><text x="{x0 + thick:.1f}" y="{top - thick:.1f}" font-size="{high:.1f}" '
        f'fill="#fff" stroke="#000" stroke-width="{thick / 2:.2f}" paint-order="stroke">{text(box["label"])} '
        f"{percent(box['score'])}</text>"
    )


def agreement(picture: Values) -> str:
    """Return for each two models how far they agree, and what only one of them finds."""
    rows = {row["model"]: row for row in picture["rows"]}
    return "".join(_pair(pair, rows[pair["a"]], rows[pair["b"]]) for pair in picture["agreement"])


def _pair(pair: Values, a: Values, b: Values) -> str:
    head = f"<h3>{text(a['title'])} / {text(b['title'])}</h3>"
    if pair["value"] is None:
        return f'<article class="card">{head}<p>{text(pair["why"])}</p></article>'
    only_a, only_b, both = _sets(a["prediction"], b["prediction"])
    parts = [
        (say("report_both"), both),
        (say("report_only", title=a["title"]), only_a),
        (say("report_only", title=b["title"]), only_b),
    ]
    lists = "".join(
        f"<dt>{text(name)}</dt><dd>{text(', '.join(found) or say('report_nothing'))}</dd>" for name, found in parts
    )
    value = f'<p class="value"><b>{pair["value"]:.2f}</b> {text(pair["measure"])}</p>'
    return f'<article class="card">{head}{value}<dl>{lists}</dl></article>'


def _sets(a: Values, b: Values) -> tuple[list[str], list[str], list[str]]:
    """Return the labels that only A, only B and both give, of their best classes or of boxes lying on each other."""
    if a["classes"] and b["classes"]:
        ones, others = ([entry["label"] for entry in answer["classes"][:TOP]] for answer in (a, b))
        left, right = {label.casefold() for label in ones}, {label.casefold() for label in others}
        both = [label for label in ones if label.casefold() in right]
        only_b = [label for label in others if label.casefold() not in left]
        return [label for label in ones if label.casefold() not in right], only_b, both
    first, second = (_boxes(answer) for answer in (a, b))
    pairs = matched(first, second)
    shared = {id(box) for pair in pairs for box in (pair.one, pair.other)}
    only_a, only_b = ([box.label for box in found if id(box) not in shared] for found in (first, second))
    return only_a, only_b, [pair.one.label for pair in pairs]


def _boxes(answer: Values) -> list[Box]:
    def box(values: dict[str, Any]) -> Box:
        x0, y0, x1, y1 = values["box_xyxy"]
        return Box(values["label"], values["score"], (x0, y0, x1, y1), values["index"], values["query"])

    return [box(values) for values in sure(answer)]
