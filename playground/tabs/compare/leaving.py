"""A comparison leaves as a page, as JSON, and its table as CSV."""

import csv
import io
import json
from collections.abc import Sequence

from playground.comparison import records
from playground.comparison.rows import Row
from playground.comparison.run import compare
from playground.image import Picture
from playground.report import page
from playground.tabs.compare import placing, words
from playground.tabs.compare.held import Held
from playground.texts import say

FORMATS = ("html", "json", "csv")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet recognises what it would run
HEAD = (
    "model", "title", "family", "task", "answer", "score", "parameters", "multiply_adds", "size", "latency_ms", "runs",
    "peak_memory_mb", "device", "measured", "measured_value", "measured_on", "published", "published_value",
    "published_on", "published_source", "licence", "untrained", "failed",
)  # fmt: skip


def file_of(kind: str, shown: Picture, held: Held | None) -> bytes:
    """Return the comparison of the touched picture as a file; the models' kept traces answer.

    Raises ValueError with one sentence where there is no comparison yet.
    """
    if held is None or not held.whole or held.place is None:
        raise ValueError(say("leave_nothing"))
    names = held.asked.names
    if kind == "csv":
        return as_csv([held.rows[name] for name in names])
    came = {row.model: row for row in compare(shown, names, held.asked.measured)}
    name = say("leave_picture", notes="; ".join(shown.notes)) if shown.notes else say("picture")
    whole = records.whole(names, [records.of_picture(name, [came[model] for model in names])], {})
    if kind == "json":
        return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False).encode()
    asked = page.Asked(placing.look(shown, held, held.place), held.place.on(shown), held.place.method)
    return page.as_html(whole, lambda _: shown.rgb, asked).encode()


def as_csv(rows: Sequence[Row]) -> bytes:
    """Return the table as CSV with plain numbers: one row a model."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(HEAD)
    for row in rows:
        best = row.prediction.classes[0] if row.prediction and row.prediction.classes else None
        own, told = row.metrics[0] if row.metrics else None, row.published
        cells = [
            row.model, row.title, row.family, row.task, best.label if best else words.answer(row)[0],
            best and best.score, row.parameters, row.macs, row.size and f"{row.size[0]}x{row.size[1]}",
            row.latency_ms, row.runs or None, row.peak_memory_mb, row.device, own and own.name, own and own.value,
            own and own.dataset, told and told.name, told and told.value, told and told.dataset,
            told and told.source, row.licence, row.untrained, row.failed,
        ]  # fmt: skip
        writer.writerow([_plain(cell) for cell in cells])
    return buffer.getvalue().encode("utf-8-sig")  # so that spreadsheets read it as UTF-8


def _plain(cell: object) -> object:
    """Return a cell that no spreadsheet runs."""
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
