"""A comparison leaves as a page, as JSON, and its table as CSV."""

import csv
import io
from collections.abc import Sequence

from playground.comparison.rows import Row
from playground.tabs.compare import words
from playground.texts import say

FORMATS = ("html", "json", "csv")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how a spreadsheet recognises what it would run


def as_csv(rows: Sequence[Row]) -> bytes:
    """Return the table as CSV with plain numbers: one row a model."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(
        ["model", "title", "family", "task", "answer", "score", "parameters", "multiply_adds", "size", "latency_ms",
         "runs", "peak_memory_mb", "device", "measured", "measured_value", "measured_on", "published",
         "published_value", "published_on", "published_source", "licence", "untrained", "failed"]
    )  # fmt: skip
    for row in rows:
        best = row.prediction.classes[0] if row.prediction and row.prediction.classes else None
        own, told = row.metrics[0] if row.metrics else None, row.published
        cells = [
            row.model, row.title, row.family, row.task, words.answer(row)[0], best and best.score, row.parameters,
            row.macs, row.size and f"{row.size[0]}x{row.size[1]}", row.latency_ms, row.runs or None,
            row.peak_memory_mb, row.device, own and own.name, own and own.value, own and own.dataset,
            told and told.name, told and told.value, told and told.dataset, told and told.source, row.licence,
            row.untrained, row.failed,
        ]  # fmt: skip
        writer.writerow([_plain(cell) for cell in cells])
    return buffer.getvalue().encode("utf-8-sig")  # so that spreadsheets read it as UTF-8


def _plain(cell: object) -> object:
    """Return a cell that no spreadsheet runs."""
    if cell is None:
        return ""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def nothing() -> str:
    """Say that there is no comparison yet."""
    return say("leave_nothing")
