"""One place of the picture, every model's map for it: made, drawn in frames, and said."""

from collections.abc import Callable, Sequence

import numpy as np

from playground import checks, maps
from playground.comparison.places import PlaceMap, maps_at
from playground.explanations import method_of
from playground.image import Picture
from playground.tabs.compare import drawing
from playground.tabs.compare.held import Held, Place
from playground.tabs.compare.words import colour_of
from playground.texts import say


def checked(shares: Sequence[object]) -> tuple[float, ...]:
    """Return a point or a box in shares of the picture, as a click says it. Raises ValueError for anything else."""
    if len(shares) not in (2, 4):
        raise ValueError(say("place_form"))
    keys = ("place_x", "place_y", "place_x1", "place_y1")
    return tuple(checks.share(share, say(key)) for share, key in zip(shares, keys, strict=False))


def look(
    shown: Picture,
    held: Held,
    place: Place,
    progress: Callable[[float], None] = maps.stay,
    cancelled: Callable[[], bool] = maps.never,
) -> tuple[PlaceMap, ...]:
    """Return the map of every model that answered. Raises ValueError with one sentence; Cancelled when told to stop."""
    names = [name for name in held.asked.names if name in held.rows and not held.rows[name].failed]
    if not names:
        return ()
    return maps_at(shown, names, place.on(shown), place.method, progress=progress, cancelled=cancelled)


def frames(shown: Picture, held: Held, made: Sequence[PlaceMap], place: Place) -> str:
    """Return the pictures with the maps, in the order of the picker."""
    if not made:
        return drawing.frames(shown, [drawing.Frame(say("place_picture"))], place.shares, 0, 1)
    signed = any(found.made is not None and found.made.signed for found in made)
    low, high = _ends(made)
    drawn = [_frame(found, colour_of(held.asked.names.index(found.model))) for found in made]
    return drawing.frames(shown, drawn, place.shares, low, high, signed)


def legend(made: Sequence[PlaceMap]) -> str:
    """Return the one colour scale of all maps, and what it counts."""
    there = [found for found in made if found.values is not None]
    if not there:
        return ""
    low, high = _ends(made)
    signed = any(found.made is not None and found.made.signed for found in there)
    return drawing.legend(low, high, signed, say("place_unit", unit=there[0].unit))


def _ends(made: Sequence[PlaceMap]) -> tuple[float, float]:
    return next(((found.low, found.high) for found in made if found.values is not None), (0.0, 1.0))


def _frame(found: PlaceMap, colour: str) -> drawing.Frame:
    if found.made is None or found.values is None:
        return drawing.Frame(found.title, found.failed, colour)
    row, col = np.unravel_index(int(np.abs(found.values).argmax()), found.values.shape)
    title = method_of(found.made.method).title
    alt = say("place_alt", title=found.title, method=title, start=found.start, row=int(row), col=int(col))
    return drawing.Frame(found.title, found.start, colour, found.values, found.made.region_xyxy, found.start_xyxy, alt)
