"""The tables of a report: sortable by a click, downloadable, readable without either."""

from collections.abc import Sequence
from dataclasses import dataclass

from playground.report.words import Values, best, many, metric, text
from playground.texts import say


@dataclass(frozen=True)
class Cell:
    """What a cell shows, by what it is sorted (a number, or its text), and what the download holds."""

    shown: str
    number: float | None = None
    note: str = ""

    def html(self) -> str:
        by = "" if self.number is None else f' data-by="{self.number:.12g}"'
        note = f"<small>{text(self.note)}</small>" if self.note else ""
        return f"<td{by}>{text(self.shown)}{note}</td>"


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]], name: str) -> str:
    """Return a table as HTML; `name` is what its download is called."""
    head = "".join(f'<th scope="col"><button type="button">{text(h)}</button></th>' for h in headings)
    body = "".join(f"<tr>{''.join(cell.html() for cell in row)}</tr>" for row in rows)
    return (
        f'<div class="wide"><table data-name="{text(name)}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f'</div><p><button type="button" class="csv">{text(say("report_download"))}</button></p>'
    )


def models(pictures: Sequence[Values]) -> str:
    """Return the table of the models: what they answer, or how many pictures they answered, and what they cost."""
    rows = []
    one = len(pictures) == 1
    for place in range(len(pictures[0]["rows"])):
        same = [picture["rows"][place] for picture in pictures]
        answered = [row for row in same if not row["failed"]]
        rows.append(_model(answered[0] if answered else same[0], same, one))
    keys = ("model", "answer" if one else "answered", "size", "parameters", "macs", "latency", "runs", "memory")
    headings = [say(f"report_{key}") for key in (*keys, "measured", "published", "licence")]
    return table(headings, rows, "models")


def _model(row: Values, same: Sequence[Values], one: bool) -> list[Cell]:
    answered = sum(not other["failed"] for other in same)
    said = Cell(best(row)) if one else Cell(f"{answered} / {len(same)}", answered, row["failed"])
    size, published = row["size"], row["published"]
    latency, memory = row["latency_ms"], row["peak_memory_mb"]
    measured = next(iter(row["metrics"]), None)
    notes = [note for note in (say("report_untrained") if row["untrained"] else "", row["missing"]) if note]
    return [
        Cell(row["title"], note=" ".join(notes)),
        said,
        Cell(f"{size[0]} × {size[1]}" if size else "", size[0] * size[1] if size else None),
        Cell(many(row["parameters"]), row["parameters"]),
        Cell(many(row["macs"]), row["macs"]),
        Cell("" if latency is None else f"{latency:.3g}", latency),
        Cell(str(row["runs"] or ""), row["runs"] or None),
        Cell("" if memory is None else f"{memory:.3g}", memory),
        _metric(measured),
        _metric(published),
        Cell(row["licence"]),
    ]


def _metric(found: Values | None) -> Cell:
    if found is None:
        return Cell("")
    return Cell(metric(found), found["value"], f"{found['dataset']}; {found['source']}")


def ranking(pictures: Sequence[Values]) -> str:
    """Return all pictures by the greatest disagreement of any two models."""
    rows = []
    for picture in pictures:
        found = [pair for pair in picture["agreement"] if pair["value"] is not None]
        most = min(found, key=lambda pair: pair["value"], default=None)
        gap = None if most is None else 1 - most["value"]
        between = "" if most is None else f"{most['a']} / {most['b']}"
        cells = [Cell(picture["picture"]), Cell("" if gap is None else f"{gap:.2f}", gap), Cell(between)]
        rows.append((-(gap if gap is not None else -1.0), [*cells, *(Cell(best(row)) for row in picture["rows"])]))
    titles = [row["title"] for row in pictures[0]["rows"]]
    headings = [say("report_picture"), say("report_disagreement"), say("report_between"), *titles]
    return table(headings, [cells for _, cells in sorted(rows, key=lambda row: row[0])], "pictures")
