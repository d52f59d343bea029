"""The Compare tab in words: cards, the table, where two models part. Every text that is not ours is escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from playground.comparison.rows import Row
from playground.figures.theme import PALETTE, percent
from playground.models.card import Metric
from playground.tabs import words
from playground.tabs.controls import megabytes
from playground.texts import say

SHORT = 3  # classes on a card


def colour_of(place: int) -> str:
    """Return the colour of the model at this place of the picker."""
    return PALETTE[place % len(PALETTE)]


def caption(big: str, more: str = "") -> str:
    """Say in one line how it stands, and in another what follows."""
    small = f'<p class="pg-more">{escape(more)}</p>' if more else ""
    return f'<div class="pg-caption" role="status"><p class="pg-caption-big">{escape(big)}</p>{small}</div>'


def summary(rows: Sequence[Row], asked: int) -> str:
    """Say how many have answered and how far the classifiers agree."""
    if len(rows) < asked:
        return caption(say("compare_running", done=len(rows), count=asked))
    failed = sum(bool(row.failed) for row in rows)
    best: dict[str, int] = {}
    for row in rows:
        if row.prediction is not None and row.prediction.classes and not row.untrained:
            label = row.prediction.classes[0].label
            best[label] = best.get(label, 0) + 1
    trouble = [say("compare_failed_one" if failed == 1 else "compare_failed", count=failed)] if failed else []
    if not best:
        return caption(say("compare_done_one" if asked == 1 else "compare_done", count=asked), " ".join(trouble))
    voters, (label, votes) = sum(best.values()), max(best.items(), key=lambda item: item[1])
    others = ", ".join(f"{name} ({count})" for name, count in best.items() if name != label)
    if voters == 1:
        big = say("compare_one_classifier", label=label)
    elif votes == voters:
        big = say("compare_agree", count=voters, label=label)
    elif votes == 1:
        big, others = say("compare_differ", count=voters), ""
    else:
        big = say("compare_split", votes=votes, count=voters, label=label)
    return caption(big, " ".join([*([say("compare_others", others=others)] if others else []), *trouble]))


def cards(names: Sequence[str], rows: Mapping[str, Row], titles: Mapping[str, str], over: bool = True) -> str:
    """Return one card a model in the order of the picker; those without a row yet wait."""
    made = [_card(rows.get(name), titles.get(name, name), colour_of(i), over) for i, name in enumerate(names)]
    return f'<ul class="pg-cards" aria-label="{escape(say("compare_cards"))}">{"".join(made)}</ul>'


def table(names: Sequence[str], rows: Mapping[str, Row]) -> str:
    """Return the sortable table of what is known of each model."""
    there = [rows[name] for name in names if name in rows]
    if not there:
        return ""
    head = "".join(
        f'<th scope="col"><button type="button" title="{escape(say(f"column_{key}_more"))}">'
        f"{escape(say(f'column_{key}'))}</button></th>"
        for key in COLUMNS
    )
    body = "".join("<tr>" + "".join(_cell(*cell) for cell in _cells(row)) + "</tr>" for row in there)
    return (
        f'<div class="pg-sheet"><table aria-label="{escape(say("compare_table"))}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


COLUMNS = (
    "model", "answer", "parameters", "macs", "latency", "memory", "accuracy", "published", "licence",
)  # fmt: skip


def answer(row: Row) -> tuple[str, str]:
    """Return what a model answers in two lines: the answer, and how sure it is or what it found."""
    if row.prediction is None:
        return say("compare_no_answer"), row.failed
    big, more = words.said(row.prediction, row.prediction.shown_from)
    if row.prediction.boxes and not row.prediction.segments and not row.prediction.above().boxes:
        best = row.prediction.boxes[0]  # there is no field for the least score here
        more = say("compare_strongest", label=best.label, share=percent(best.score))
    return big, more


def metric(value: Metric | None) -> tuple[str, str, float | None]:
    """Return a metric in words, where it comes from, and its value."""
    if value is None:
        return "–", "", None
    said = f"{value.value:.1f} {value.unit}".strip()
    return said, f"{value.name}, {value.dataset}", value.value


def heading(key: str) -> str:
    """Return the heading of a part of the tab and what it is for."""
    return f'<div class="pg-part-head"><h2>{escape(say(f"{key}_title"))}</h2><p>{escape(say(f"{key}_lead"))}</p></div>'


def key(entries: Iterable[tuple[str, str]]) -> str:
    """Return which colour stands for what."""
    dots = "".join(f'<span><i style="background:{colour}"></i>{escape(text)}</span>' for colour, text in entries)
    return f'<p class="pg-key">{dots}</p>'


def note(text: str) -> str:
    """Return a quiet line."""
    return f'<p class="pg-about">{escape(text)}</p>' if text else ""


def _card(row: Row | None, title: str, colour: str, over: bool) -> str:
    broken = escape(row.title if row else title).replace("_", "_<wbr>")  # timm's names break where they may
    name = f'<p class="pg-card-name"><i style="background:{colour}"></i>{broken}</p>'
    if row is None:
        waits = escape(say("compare_not_asked" if over else "compare_waiting"))
        return f'<li class="pg-card waiting">{name}<p class="pg-card-kind">{waits}</p></li>'
    if row.failed or row.prediction is None:
        return f'<li class="pg-card failed" role="alert">{name}<p class="pg-card-failed">{escape(row.failed)}</p></li>'
    big, more = answer(row)
    kind = f'<p class="pg-card-kind">{escape(say(f"compare_{row.prediction.task}"))}</p>'
    badge = f'<p><span class="pg-badge">{escape(say("compare_untrained"))}</span></p>' if row.untrained else ""
    missing = f'<p class="pg-card-missing">{escape(row.missing)}</p>' if row.missing else ""
    said = f'<p class="pg-card-answer">{escape(big)}</p><p class="pg-card-more">{escape(more)}</p>'
    return f'<li class="pg-card">{name}{kind}{badge}{said}{_short(row)}{missing}</li>'


def _short(row: Row) -> str:
    assert row.prediction is not None
    items = "".join(
        f"<li><span>{escape(entry.label)}</span><b>{percent(entry.score)}</b>"
        f'<i style="--share:{100 * entry.score:.1f}%"></i></li>'
        for entry in row.prediction.classes[:SHORT]
    )
    return f'<ul class="pg-short">{items}</ul>' if items else ""


def _cells(row: Row) -> list[tuple[str, str, float | str | None]]:
    """Return each cell as its text, a small second line, and what it is sorted by."""
    big, more = answer(row)
    best = row.prediction.classes[0] if row.prediction and row.prediction.classes else None
    said = (best.label, percent(best.score), best.label) if best else (big, "" if row.prediction else more, big)
    measured = metric(row.metrics[0] if row.metrics else None)
    published = metric(row.published)
    source = f"{published[1]}. {row.published.source}" if row.published and row.published.source else published[1]
    pixels = say("compare_at", rows=row.size[0], cols=row.size[1]) if row.size and row.macs is not None else ""
    runs = say("compare_runs", runs=row.runs, device=row.device) if row.latency_ms is not None else ""
    memory = row.peak_memory_mb
    kind = say("compare_untrained") if row.untrained else ""
    return [
        (row.title, kind, row.title),
        said,
        (words.parameters(row.parameters) if row.parameters is not None else "–", "", row.parameters),
        (multiply_adds(row.macs), pixels, row.macs),
        (words.duration(row.latency_ms / 1000) if row.latency_ms is not None else "–", runs, row.latency_ms),
        (megabytes(memory * 1e6) if memory is not None else "–", "", memory),
        measured,
        (published[0], source, published[2]),
        (row.licence or "–", "", row.licence),
    ]


def multiply_adds(count: int | None) -> str:
    """Return a number of multiply-adds in words: "1.08 G"."""
    if count is None:
        return "–"
    return f"{count / 1e9:.2f} G" if count >= 1e8 else f"{count / 1e6:.1f} M"


def _cell(text: str, small: str, by: float | str | None) -> str:
    more = f"<small>{escape(small)}</small>" if small else ""
    return f'<td data-sort="{escape("" if by is None else str(by))}">{escape(text)}{more}</td>'
