"""One row of a comparison: what one model answers about the picture, and what it costs on this machine."""

from dataclasses import dataclass

from playground.models.card import Card, Family, Metric, Source, Task
from playground.trace import Prediction


@dataclass(frozen=True, eq=False)
class Row:
    """One model of a comparison. What is not known, or was not asked for, is None.

    `prediction` has the 1000 best classes at most, best first, and boxes of any score worth showing; it is None where
    `failed` says in a sentence why the model gave no answer. `missing` says what of its attention cannot be read.
    `parameters` and multiply-adds `macs` are counted for the picture size `size` (rows, cols) that the model saw.
    `latency_ms` is the median of `runs` plain forward passes after warming up and `peak_memory_mb` (millions of
    bytes) the weights with the most that a pass holds besides; both on `device`. `metrics` were measured on the same
    validation photos, `published` was read where its source says. `untrained`: random weights, whose answers mean
    nothing.
    """

    model: str
    title: str
    family: Family | None = None
    task: Task | None = None
    source: Source | None = None
    prediction: Prediction | None = None
    failed: str = ""
    missing: str = ""
    parameters: int | None = None
    macs: int | None = None
    size: tuple[int, int] | None = None
    latency_ms: float | None = None
    runs: int = 0
    peak_memory_mb: float | None = None
    device: str = ""
    metrics: tuple[Metric, ...] = ()
    published: Metric | None = None
    licence: str = ""
    untrained: bool = False


def blank(card: Card) -> Row:
    """Return what a card says before its model was asked anything."""
    bundled = card.source == "bundled"
    return Row(
        model=card.name,
        title=card.title,
        family=card.family,
        task=card.task,
        source=card.source,
        parameters=card.parameters,
        metrics=card.metrics if bundled else (),
        published=None if bundled else next(iter(card.metrics), None),
        licence=card.license,
        untrained=card.source == "untrained",
    )


def unknown(name: str, failed: str) -> Row:
    """Return the row of a name that stands for no model."""
    return Row(model=name, title=name, failed=failed)
