"""Where two models part: what only the one finds, what only the other, and how alike the maps of all are."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from playground.comparison import disagreement
from playground.comparison.disagreement import (
    Difference,
    Pairing,
    Region,
    map_correlation,
    read_on,
    shared_region,
)
from playground.comparison.places import PlaceMap
from playground.explanations import Map
from playground.figures import Figure
from playground.figures.agreement import agreement
from playground.figures.difference import Found, Side, difference
from playground.figures.picture import encode
from playground.figures.theme import QUIET, percent
from playground.image import Picture
from playground.tabs.compare import drawing, words
from playground.tabs.compare.held import Held
from playground.texts import say
from playground.trace import Box, ClassScore, Prediction, Segment

LISTED = 8
CELLS = 32  # a side of the grid on which two maps are held against each other
CLEAR = 0.15  # differences of rank below this share are left clear


def said(held: Held, pair: tuple[str, str]) -> str:
    """Return in three columns what only the first finds, what both, and what only the second; how far they agree."""
    found = _answers(held, pair)
    if found is None:
        return f'<p class="pg-about">{escape(say("part_need_two"))}</p>'
    one, two = found
    titles = [held.rows[name].title for name in pair]
    how = _measured(held.pairings, pair)
    parted = held.regions.get(pair) or _parted(one, two)
    if parted is None:
        return f'<p class="pg-about">{escape(how)}</p>'
    only = [say("part_only", title=title) for title in titles]
    names: dict[Side, str] = {"first": only[0], "both": say("part_both"), "second": only[1]}
    lists: dict[Side, list[str]] = {
        "first": [_line(entry) for entry in parted.only_a],
        "both": [_both(a, b) for a, b in parted.both],
        "second": [_line(entry) for entry in parted.only_b],
    }
    first, second = colours(held, pair)
    by_side: dict[Side, str] = {"first": first, "both": QUIET, "second": second}
    columns = "".join(_column(by_side[side], names[side], lines) for side, lines in lists.items())
    return f'<div class="pg-versus">{columns}</div><p class="pg-about">{escape(how)}</p>'


def boxes(shown: Picture, held: Held, pair: tuple[str, str]) -> Figure | None:
    """Draw the boxes of two detectors in the colour of who found them; None where they are none."""
    found = _answers(held, pair)
    if found is None or not all(answer.task in ("detection", "panoptic") and answer.boxes for answer in found):
        return None
    parted = disagreement.boxes(*found)
    drawn = [Found(box, "first") for box in parted.only_a] + [Found(box, "second") for box in parted.only_b]
    drawn += [Found(box, "both") for box, _ in parted.both]
    titles = (held.rows[pair[0]].title, held.rows[pair[1]].title)
    return difference(drawn, titles, encode(shown.rgb), shown.rgb.size, colours(held, pair))


def colours(held: Held, pair: tuple[str, str]) -> tuple[str, str]:
    """Return the colours of the two models' cards."""
    first, second = (words.colour_of(held.asked.names.index(name)) for name in pair)
    return first, second


def maps_apart(shown: Picture, held: Held, made: Sequence[PlaceMap], pair: tuple[str, str]) -> str:
    """Return the picture with the colour of each model where its map ranks higher; alike left clear."""
    maps = {found.model: found for found in made if found.made is not None}
    if pair[0] not in maps or pair[1] not in maps:
        return ""
    one, two = maps[pair[0]], maps[pair[1]]
    assert one.made is not None
    assert two.made is not None
    apart = rank_difference(one.made, two.made)
    if apart is None:
        return ""
    values, region_xyxy = apart
    values = np.where(np.abs(values) < CLEAR, 0.0, values)
    sides = colours(held, pair)
    key = words.key(zip(sides, (one.title, two.title), strict=True))
    title, line = say("part_maps"), say("part_maps_more")
    frame = drawing.Frame(title, line, "", values, region_xyxy, None, f"{title}. {line}", sides)
    return key + drawing.frames(shown, [frame], (), -1, 1, within="pg-part-maps")


def ranks(made: Sequence[PlaceMap]) -> Figure | None:
    """Draw the rank correlation of each two maps; None where there are fewer than two."""
    there = [found for found in made if found.made is not None]
    if len(there) < 2:
        return None
    values = np.full((len(there), len(there)), np.nan)
    for row, one in enumerate(there):
        for col, two in enumerate(there):
            if row != col:  # a map and itself say nothing
                values[row, col] = _correlation(one.made, two.made)
    pairs = [
        f"{one.title} and {two.title} {values[row, col]:z.2f}"
        for row, one in enumerate(there)
        for col, two in enumerate(there)
        if row < col and np.isfinite(values[row, col])
    ]
    alt = f"{say('part_ranks')}: {', '.join(pairs)}"
    return agreement([found.title for found in there], values, say("part_ranks_short"), alt)


def rank_difference(one: Map, two: Map) -> tuple[np.ndarray, Region] | None:
    """Return the first map's ranks less the second's, [rows, cols] in -1..1, and where they lie on the picture.

    Both are read on one grid over the part of the picture that both cover, the nearest cell each; None without one.
    """
    try:
        region_xyxy = shared_region(one, two)
    except ValueError:
        return None
    first, second = (_ranked(read_on(made, region_xyxy, (CELLS, CELLS))) for made in (one, two))
    return first - second, region_xyxy


def _ranked(values: np.ndarray) -> np.ndarray:
    """Return each value's share of the values below it, ties in their middle, 0..1."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts + 1) / 2
    return (middle / max(values.size - 1, 1))[place].reshape(values.shape)


def _correlation(one: Map | None, two: Map | None) -> float:
    assert one is not None
    assert two is not None
    try:
        return map_correlation(one, two)
    except ValueError:
        return float("nan")


def _answers(held: Held, pair: tuple[str, str]) -> tuple[Prediction, Prediction] | None:
    rows = [held.rows.get(name) for name in pair]
    found = [row.prediction for row in rows if row is not None and row.prediction is not None]
    return (found[0], found[1]) if len(found) == 2 else None


def _measured(pairings: Sequence[Pairing], pair: tuple[str, str]) -> str:
    """Say how far the two agree, or why that cannot be said."""
    found = next((one for one in pairings if {one.a, one.b} == set(pair)), None)
    if found is None:
        return ""
    if found.value is None:
        return found.why
    return say("part_agreement", value=f"{found.value:.2f}", measure=found.measure)


def _parted(one: Prediction, two: Prediction) -> Difference[Any] | None:
    if one.classes and two.classes:
        return disagreement.classes(one, two)
    if {one.task, two.task} <= {"detection", "panoptic"}:
        return disagreement.boxes(one, two)
    return None


def _line(entry: Box | Segment | ClassScore) -> str:
    return f"{entry.label} {percent(entry.score)}"


def _both(one: Any, two: Any) -> str:
    return f"{one.label} {percent(one.score)} / {percent(two.score)}"


def _column(colour: str, title: str, lines: Sequence[str]) -> str:
    shown = [*lines[:LISTED], *([f"… {len(lines) - LISTED}"] if len(lines) > LISTED else [])]
    items = "".join(f"<li>{escape(line)}</li>" for line in shown) or f"<li>{escape(say('part_nobody'))}</li>"
    return f'<section style="--side:{colour}"><h3>{escape(title)}</h3><ul>{items}</ul></section>'
