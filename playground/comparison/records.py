"""A comparison as plain values for JSON: every number under its own name, no pixels."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from playground.comparison.disagreement import Pairing, agreement
from playground.comparison.rows import Row
from playground.trace import Prediction

VERSION = 2
CLASSES = 10  # of each answer
BOXES = 100

Values = dict[str, Any]


def of_row(row: Row) -> Values:
    """Return a row as plain values: its fields by name, with the ten best classes and the hundred best boxes."""
    plain = {name: value for name, value in vars(row).items() if name not in ("prediction", "metrics", "published")}
    return {
        **plain,
        "size": None if row.size is None else list(row.size),
        "metrics": [asdict(metric) for metric in row.metrics],
        "published": None if row.published is None else asdict(row.published),
        "prediction": None if row.prediction is None else of_prediction(row.prediction),
    }


def of_prediction(answer: Prediction) -> Values:
    """Return an answer as plain values, without the pixels of its regions."""
    return {
        "task": answer.task,
        "classes": [asdict(entry) for entry in answer.classes[:CLASSES]],
        "boxes": [{**asdict(box), "box_xyxy": list(box.box_xyxy)} for box in answer.boxes[:BOXES]],
        "segments": [asdict(segment) for segment in answer.segments],
        "unsure": answer.unsure,
        "shown_from": answer.shown_from,
        "seconds": answer.seconds,
        "device": answer.device,
        "notes": list(answer.notes),
        "picture_size": list(answer.picture_size),
    }


def of_picture(name: str, rows: Sequence[Row]) -> Values:
    """Return what all models made of one picture: their rows and how far each two agree."""
    return {
        "picture": name,
        "rows": [of_row(row) for row in rows],
        "agreement": [of_pairing(found) for found in agreement(rows)],
    }


def of_pairing(found: Pairing) -> Values:
    """Return an agreement as plain values."""
    return asdict(found)


def whole(models: Sequence[str], pictures: Sequence[Values], unreadable: Mapping[str, str]) -> Values:
    """Return a whole comparison as plain values, as `--json` prints it.

    "pictures" are those of `of_picture`; "unreadable" says for each file that is no picture why not; "ranking" names
    for each pair of models the pictures by how far they disagree, most first.
    """
    return {
        "version": VERSION,
        "models": list(models),
        "pictures": list(pictures),
        "unreadable": [{"picture": name, "failed": failed} for name, failed in unreadable.items()],
        "ranking": rankings(pictures),
    }


def rankings(pictures: Sequence[Values]) -> list[Values]:
    """Return for each pair of models where it disagrees most: pictures with 1 - agreement, 0 to 1, most first."""
    found: dict[tuple[str, str, str], list[Values]] = {}
    for picture in pictures:
        for pair in picture["agreement"]:
            if pair["value"] is not None:
                entry = {"picture": picture["picture"], "disagreement": 1 - pair["value"]}
                found.setdefault((pair["a"], pair["b"], pair["measure"]), []).append(entry)
    return [
        {"a": a, "b": b, "measure": measure, "pictures": sorted(entries, key=lambda e: -e["disagreement"])}
        for (a, b, measure), entries in found.items()
    ]
