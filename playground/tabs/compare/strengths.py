"""Accuracy against the strength of the chosen disturbance, where that was measured."""

from pathlib import Path

from playground.disturb import kind_of
from playground.evaluation import study
from playground.figures import Figure
from playground.figures.strengths import Curve, strengths
from playground.tabs.compare import picker
from playground.tabs.compare.touching import NOTHING, Touch
from playground.texts import say

STUDY = "disturbances"


def measured(touch: Touch, folder: Path = study.STUDIES) -> Figure | None:
    """Draw the curves of the touch's kind, one a model, from series named "KIND: MODEL"; None without measurements."""
    if touch.kind == NOTHING or STUDY not in study.names(folder):
        return None
    try:
        found = study.read(STUDY, folder)
    except study.StudyError:
        return None
    start = f"{touch.kind}: "
    names = [series.name.removeprefix(start) for series in found.series if series.name.startswith(start)]
    if not names:
        return None
    titles = picker.titles(names)
    chosen = [series for series in found.series if series.name.startswith(start) and series.points]
    curves = [
        Curve(
            titles[series.name.removeprefix(start)],
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
