"""Accuracy against the strength of the chosen disturbance, where that was measured."""

from collections.abc import Sequence
from pathlib import Path

from playground.disturb import kind_of
from playground.evaluation.study import SHELF, StudyError
from playground.figures import Figure
from playground.figures.strengths import Curve, strengths
from playground.tabs.compare import picker, words
from playground.tabs.compare.touching import NOTHING, Touch
from playground.texts import say

STUDY = "disturbances"


def measured(touch: Touch, models: Sequence[str] = (), folder: Path = SHELF.folder) -> Figure | None:
    """Draw the curves of the touch's kind, one a model, from series named "KIND: MODEL"; None without measurements.

    Those of `models` have the colours of their cards and come first.
    """
    if touch.kind == NOTHING or STUDY not in SHELF.names(folder):
        return None
    try:
        found = SHELF.read(STUDY, folder)
    except StudyError:
        return None
    start = f"{touch.kind}: "
    names = [series.name.removeprefix(start) for series in found.series if series.name.startswith(start)]
    if not names:
        return None
    titles = picker.titles(names)
    order = list(dict.fromkeys([*models, *names]))
    chosen = [series for series in found.series if series.name.startswith(start) and series.points]
    chosen.sort(key=lambda series: order.index(series.name.removeprefix(start)))
    curves = [
        Curve(
            titles[name := series.name.removeprefix(start)],
            words.colour_of(order.index(name)),
            tuple(point.x for point in series.points),
            tuple(point.y for point in series.points),
            tuple(point.low for point in series.points),
            tuple(point.high for point in series.points),
        )
        for series in chosen
    ]
    counted = max((point.n for series in chosen for point in series.points), default=0)
    alt = say("touch_curves", title=kind_of(touch.kind).title, n=counted)
    unit = f"{found.y.name} ({found.y.unit})" if found.y.unit else found.y.name
    return strengths(curves, alt, unit, alt, touch.strength)
