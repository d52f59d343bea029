"""An answer in words: headline, facts and table as HTML. Every text that is not ours is escaped here."""

from collections.abc import Iterable, Sequence
from html import escape

from playground.figures.segments import colour_of
from playground.figures.theme import percent
from playground.models.card import Card, Metric
from playground.texts import say
from playground.trace import Box, Prediction

NAMED = 4
LIKELY = 0.5  # from here on one class is likelier than all others together


def headline(answer: Prediction, threshold: float) -> str:
    """Say the answer in one large line and one small one."""
    big, more = said(answer, threshold)
    return _lines(big, more)


def said(answer: Prediction, threshold: float) -> tuple[str, str]:
    """Return the answer as one large line and one small one."""
    if answer.task == "features":
        return say("features"), say("features_more")
    if answer.task == "classification":
        best = answer.classes[0]
        if answer.unsure:
            return say("unsure", label=best.label), say("unsure_more", share=percent(best.score))
        return best.label, say("sure_more" if best.score >= LIKELY else "likely_more", share=percent(best.score))
    if answer.task == "panoptic":
        count = len(answer.segments)
        return _count(count, "segment"), _counted(segment.label for segment in answer.segments)
    boxes = answer.above(threshold).boxes
    if boxes:
        return _count(len(boxes), "box"), say("boxes_more", threshold=percent(threshold), names=_boxed(boxes))
    if answer.boxes:
        return say("no_boxes", threshold=percent(threshold)), say("no_boxes_more")
    return say("no_boxes_at_all"), say("no_boxes_at_all_more")


def waiting() -> str:
    """What stands in the headline before the first answer."""
    return _lines(say("waiting"), "")


def none_yet() -> str:
    """What stands in the headline where the first answer could not be made."""
    return _lines(say("none_yet"), "")


def no_picture(answered: bool) -> str:
    """What stands in the headline when the picture was taken away, with or without an answer below."""
    return _lines(say("choose_picture"), say("choose_picture_more") if answered else "")


def problem(text: str) -> str:
    """Say why what was asked cannot be shown, or nothing; what stands there stays."""
    return f'<p class="pg-problem" role="alert">{escape(text)}</p>' if text else ""


def facts(answer: Prediction, card: Card) -> str:
    """Return time, device, parameters, licence, source, metrics and notes as a list of terms."""
    rows = [
        (say("fact_time"), duration(answer.seconds)),
        (say("fact_device"), answer.device),
        (say("fact_parameters"), parameters(card.parameters)),
        (say("fact_license"), card.license),
        (say("fact_source"), say(f"source_{card.source}", repo=card.repo or "")),
    ]
    if card.metrics:
        rows.append((say("fact_published" if card.source == "hub" else "fact_metric"), _measured(card.metrics)))
    long = [(say("fact_license_note"), card.license_note)] if card.license_note else []
    long += [(say("fact_notes"), "; ".join(answer.notes))] if answer.notes else []
    items = [_fact(term, text) for term, text in rows] + [_fact(term, text, "pg-wide") for term, text in long]
    return f'<dl class="pg-facts" aria-label="{escape(say("facts"))}">{"".join(items)}</dl>'


def table(answer: Prediction, threshold: float, top_k: int) -> str:
    """Return the answer as a table behind a disclosure, for screen readers and for copying."""
    if answer.task == "features":
        return ""
    if answer.task == "classification":
        head = [say("column_label"), say("column_score")]
        rows = [[escape(entry.label), percent(entry.score)] for entry in answer.classes[:top_k]]
    elif answer.task == "detection":
        head = [say("column_label"), say("column_score"), say("column_box")]
        rows = [
            [escape(box.label), percent(box.score), ", ".join(f"{edge:.0f}" for edge in box.box_xyxy)]
            for box in answer.above(threshold).boxes
        ]
    else:
        return _table(*_segment_rows(answer), opened=True)
    return _table(head, rows)


def parameters(count: int | None) -> str:
    """Return a number of parameters in words: "5.7 million"."""
    if count is None:
        return say("unknown")
    return say("billion", value=count / 1e9) if count >= 1e9 else say("million", value=count / 1e6)


def duration(seconds: float) -> str:
    """Return a time in words: "32 ms" or "1.20 s"."""
    return say("seconds", value=seconds) if seconds >= 1 else say("milliseconds", value=seconds * 1000)


def _count(count: int, kind: str) -> str:
    if kind == "segment" and not count:
        return say("no_segments")
    if count == 1:
        return say(f"one_{kind}")
    return say("boxes" if kind == "box" else "segments", count=count)


def _boxed(boxes: Sequence[Box]) -> str:
    return _counted(box.label for box in boxes)


def _counted(labels: Iterable[str]) -> str:
    """Return "3 × person, dog, ..." with the most frequent labels first."""
    counts: dict[str, int] = {}
    for label in labels:
        counts[label] = counts.get(label, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    names = [f"{count} × {label}" if count > 1 else label for label, count in ordered[:NAMED]]
    return ", ".join(names) + (", …" if len(ordered) > NAMED else "")


def _fact(term: str, text: str, kind: str = "") -> str:
    return f'<div class="{kind}"><dt>{escape(term)}</dt><dd>{escape(text)}</dd></div>'


def _measured(metrics: Sequence[Metric]) -> str:
    """Say the first two metrics, and the data set they share once."""
    said = [m for m in metrics[:2] if m.dataset == metrics[0].dataset]
    values = ", ".join(say("metric", name=m.name, value=m.value, unit=m.unit) for m in said)
    return say("metrics", values=values, dataset=metrics[0].dataset)


def _segment_rows(answer: Prediction) -> tuple[list[str], list[list[str]]]:
    colour = colour_of(answer.segments)
    head = [say("column_label"), say("column_score"), say("column_area"), say("column_kind")]
    rows = [
        [
            f'<span class="pg-dot" style="background:{colour[part.id]}"></span>{escape(part.label)}',
            percent(part.score),
            percent(part.area),
            say("thing" if part.is_thing else "stuff"),
        ]
        for part in sorted(answer.segments, key=lambda part: -part.area)
    ]
    return head, rows


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], opened: bool = False) -> str:
    """Lay out cells that are already escaped."""
    if rows:
        top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
        body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
        inner = f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
    else:
        inner = f"<p>{escape(say('empty_table'))}</p>"
    name = escape(say("table"))
    return f'<details class="pg-table"{" open" if opened else ""}><summary>{name}</summary>{inner}</details>'


def _lines(big: str, more: str) -> str:
    small = f'<p class="pg-more">{escape(more)}</p>' if more else ""
    return f'<div class="pg-headline" role="status"><p class="pg-big">{escape(big)}</p>{small}</div>'
