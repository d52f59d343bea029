"""`python -m playground evaluate`: a model measured on a data set of one's own or a published one."""

import argparse
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playground import checks
from playground.datasets import opening
from playground.datasets.nouns import BoxedPictures, DataSet, LabelledPictures
from playground.datasets.shapes import MOST_THINGS
from playground.evaluation import measuring
from playground.evaluation.hardware import hardware, peak_bytes
from playground.evaluation.measuring import Measured, Tell
from playground.evaluation.outputs import write_whole
from playground.evaluation.progress import Bar
from playground.evaluation.report import Report
from playground.models import catalogue
from playground.models.card import Card
from playground.models.labels import labels
from playground.models.preprocess import preprocess_of


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    made = commands.add_parser(
        "evaluate",
        help="measure a model on a data set",
        description="Measure a model: classes of an image folder or of Everyday; boxes or panoptic segments in COCO's "
        "layout, or on scenes composed from Everyday; `--data shapes` draws its own.",
    )
    made.add_argument("--model", required=True, help="a name from the list that `models` prints")
    made.add_argument("--data", type=Path, required=True, help="the data folder, or shapes")
    made.add_argument("--split", choices=("val", "train"), default="val", help="which part (default val)")
    made.add_argument("--limit", type=int, help="only this many pictures, drawn at random; all by default")
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    made.add_argument("--out", type=Path, help="write the report as JSON to this file")
    made.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Measure and print; raises ValueError with one sentence for bad input."""
    card = catalogue.find(options.model)
    limit = None if options.limit is None else checks.whole(options.limit, "--limit", 1, 100_000_000)
    data, measure = opened(card, options.data, options.split)
    measured = measure(limit, Bar(len(data), "pictures").of)
    report = Report(
        model=card.name,
        sha256=card.sha256 or "",
        task=card.task,
        data=data.source,
        pictures=measured.pictures,
        left_out=measured.left_out,
        metrics=measured.metrics,
        measure=measured.measure,
        classes=measured.classes,
        confusions=measured.confusions,
        rate=round(measured.pictures / max(measured.seconds, 1e-9), 2),
        model_rate=round(measured.pictures / max(measured.model_seconds, 1e-9), 2),
        peak_bytes=peak_bytes(),
        hardware=hardware(),
        command=said(options),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )
    if options.out:
        write_whole(options.out, report.to_json())
    print(report.to_json() if options.json else report.to_text(), end="")
    return 0


Measure = Callable[[int | None, Tell], Measured]


def opened(card: Card, folder: Path, split: Any) -> tuple[DataSet, Measure]:
    """(the data set that fits the model's task, the function that measures it). Raises ValueError."""
    if card.task == "classification":
        labelled: LabelledPictures = opening.labelled(folder, split)
        return labelled, lambda limit, tell: measuring.classifier(labelled, card, limit, tell)
    if card.task not in ("detection", "panoptic"):
        raise ValueError(f"{card.name} gives features and no answers, so there is nothing to measure.")
    if card.task == "panoptic" and (opening.is_shapes(folder) or opening.has_segments(folder)):
        segmented = opening.segmented(folder, split, preprocess_of(card).size[0], *_drawn(card))
        return segmented, lambda limit, tell: measuring.panoptic(segmented, card, limit, tell)
    pictures = boxed(card, folder, split)
    return pictures, lambda limit, tell: measuring.detector(pictures, card, limit, tell)


def boxed(card: Card, folder: Path, split: Any) -> BoxedPictures:
    """Pictures with boxes of the classes that the card's detector knows. Raises ValueError."""
    names = tuple(name for name in labels(card) if name)
    return opening.boxed(folder, split, names, preprocess_of(card).size[0], *_drawn(card))


def _drawn(card: Card) -> tuple[int, bool]:
    """The drawn world that the card's model learned: the most things on a scene, and whether they are plain."""
    most = checks.whole(card.training.get("most things", MOST_THINGS), "The card's most things", 1, 20)
    return most, card.training.get("plain things") is True


def said(options: argparse.Namespace) -> str:
    """The command that gives this report again; a folder's own name is nobody's business."""
    data = str(options.data) if opening.is_shapes(options.data) else "FOLDER"
    parts = ["python -m playground evaluate", "--model", options.model, "--data", data]
    parts += ["--split", options.split] if options.split != "val" else []
    return " ".join(parts + (["--limit", str(options.limit)] if options.limit else []))
