"""The leaderboard of methods: how faithful each was to this model over a whole data set, as a table."""

from html import escape

from playground.evaluation.leaderboard import SHELF, Leaderboard, LeaderboardError, Row
from playground.evaluation.shelf import key
from playground.models.card import Card
from playground.texts import say


def ranked(card: Card) -> str:
    """Return the leaderboard of the card's model as HTML, or how to make it where there is none."""
    if key(card.name) not in SHELF.names():
        return _line(say("ranked_none"), say("ranked_command", model=card.name))
    try:
        return laid_out(SHELF.read(card.name), card)
    except LeaderboardError as error:
        return _line(str(error))


def laid_out(found: Leaderboard, card: Card) -> str:
    """Return a leaderboard as a table, best method first, baselines among them, and how it was measured."""
    title = escape(say("ranked_method"))
    head = f'<th scope="col">{title}</th>' + "".join(
        f'<th scope="col" title="{escape(measure.meaning)}">{escape(measure.title)} {_arrow(measure.better)}</th>'
        for measure in found.measures
    )
    best = {measure.name: found.best(measure.name) for measure in found.measures}
    body = "".join(_row(found, row, best) for row in found.rows)
    about = say("ranked_about", photos=found.photos, data=found.data, date=found.date, hardware=found.hardware)
    other = say("ranked_other_weights") if card.sha256 and found.sha256 and found.sha256 != card.sha256 else ""
    left = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found.left_out.items())
    left = f"<p>{escape(say('ranked_left_out'))}</p><ul>{left}</ul>" if left else ""
    terms = "".join(f"<li>{escape(measure.title)}: {escape(measure.meaning)}</li>" for measure in found.measures)
    how = f"<ul>{terms}</ul><p>{escape(found.protocol)}</p>{left}<pre>{escape(found.command)}</pre>"
    table = f'<table class="pg-ranked"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return (
        f"{_line(' '.join(filter(None, (other, about))))}"
        f'<div class="pg-table">{table}</div>'
        f'<details class="pg-call"><summary>{escape(say("ranked_how"))}</summary>{how}</details>'
    )


def _row(found: Leaderboard, row: Row, best: dict[str, Row | None]) -> str:
    cells = []
    for measure in found.measures:
        value = row.values.get(measure.name)
        if value is None:
            cells.append("<td>–</td>")
            continue
        strong = best[measure.name] is row
        mean = f"<b>{value.mean:.3f}</b>" if strong else f"{value.mean:.3f}"
        cells.append(f"<td>{mean} <small>{value.low:.3f} … {value.high:.3f}</small></td>")
    kind = ' class="pg-baseline"' if row.kind == "baseline" else ""
    return f'<tr{kind}><th scope="row">{escape(row.title)}</th>{"".join(cells)}</tr>'


def _arrow(better: str) -> str:
    return "↑" if better == "high" else "↓"


def _line(text: str, code: str = "") -> str:
    after = f"<pre>{escape(code)}</pre>" if code else ""
    return f'<div class="pg-call"><p class="pg-about">{escape(text)}</p>{after}</div>'
