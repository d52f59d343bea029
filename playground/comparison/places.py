"""One place of the picture asked of several models: each one's map for it, all on one colour scale.

for found in maps_at(picture, ["everyday-vit", "everyday-detr"], (320, 240)):
    found.values, found.low, found.high  # float32 [rows, cols] on the model's own grid, and the shared ends
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from playground import checks, inference, maps
from playground.comparison.boxes import iou, reaches
from playground.comparison.run import cards_of, named
from playground.explanations import Map, Method, Settings, Target, method_of
from playground.explanations.targets import is_detector
from playground.image import Picture, View
from playground.models.card import Card
from playground.trace import Box, Trace

MOST_CELLS = 36  # of a box, spread evenly: more would show the same and take longer
EVEN, STRONGEST = "times an even spread", "of each map's strongest"
UNSEEN = "This model sees the middle of the picture alone, and that place lies outside; choose another."

XYXY = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class PlaceMap:
    """One model's map for a place of the picture, or the sentence `failed` that says why there is none.

    `values` float32 [rows, cols] are drawn between `low` and `high`, which all models share, and count in `unit`:
    where every map shares out the same whole, in times of what an even spread would give each cell; else in parts of
    each map's own strongest. `made` is the map as the method gave it, for a box the mean over its cells. `start` says
    what the map starts from and `start_xyxy` where on the picture that lies, None where the method starts from no
    place and explains the whole answer.
    """

    model: str
    title: str
    made: Map | None = None
    values: np.ndarray | None = None
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    start: str = ""
    start_xyxy: XYXY | None = None
    failed: str = ""


def maps_at(
    picture: Picture,
    names: Sequence[str | Card],
    place: Sequence[float],
    method: str = "attention",
    settings: Settings | None = None,
    depth: float = 1.0,
    progress: Callable[[float], None] = maps.stay,
    cancelled: Callable[[], bool] = maps.never,
) -> tuple[PlaceMap, ...]:
    """Return each model's map for a point (x, y) or a box (left, top, right, bottom) in pixels of the upload.

    A method that starts from a patch starts from the cell below the point, or is averaged over the cells of the box:
    a row of attention of ViT and CoAtNet, both axial steps composed, the encoder's row of a detector. Where it starts
    from an object query, the query that found something there is taken; where it starts from neither, it explains the
    model's whole answer. `depth` chooses among the layers that start from patches, 0 the first and 1 the last.
    A model without such a map says so in its `failed`. Raises ValueError for a bad place, method, setting or list of
    models; Cancelled when told to stop.
    """
    where = _checked(place, picture.rgb.size)
    checks.share(depth, "The depth")
    method_of(method).settings(settings)
    chosen = cards_of(names)

    def one(i: int, name: str, card: Card | ValueError) -> PlaceMap:
        if isinstance(card, ValueError):
            return PlaceMap(name, name, failed=str(card))
        try:
            return _map_of(
                picture, card, where, method_of(method), settings, depth,
                lambda share: progress((i + share) / len(chosen)), cancelled,
            )  # fmt: skip
        except ValueError as error:
            return PlaceMap(card.name, card.title, failed=str(error))

    return _on_one_scale([one(i, *pair) for i, pair in enumerate(zip(named(names), chosen, strict=True))])


def _map_of(
    picture: Picture,
    card: Card,
    where: XYXY,
    method: Method,
    settings: Settings | None,
    depth: float,
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> PlaceMap:
    trace = maps.trace_for(picture, card, method.name)
    targets, start, start_xyxy = _targets(picture, card, trace, method, where, depth)
    made = [maps.of_trace(trace, card, method.name, t, settings, progress, cancelled) for t in targets]
    return PlaceMap(card.name, card.title, _mean(made), start=start, start_xyxy=start_xyxy)


def _targets(
    picture: Picture, card: Card, trace: Trace, method: Method, where: XYXY, depth: float
) -> tuple[list[Target], str, XYXY | None]:
    """Return what is to be explained of this model, what that is in words, and where it lies on the picture."""
    layer = _layer(method, trace, depth)
    grid = _grid(method, trace, layer)
    if grid is not None:
        cells = _cells(trace.view, grid, where)
        if not cells:
            raise ValueError(UNSEEN)
        boxes = trace.view.cell_boxes(grid)  # [rows, cols, 4]
        lie = np.array([boxes[cell] for cell in cells])
        around = (*lie[:, :2].min(0).tolist(), *lie[:, 2:].max(0).tolist())
        row, col = cells[0]
        said = f"row {row}, column {col}" if len(cells) == 1 else f"{len(cells)} cells"
        return [Target(patch=cell, layer=layer) for cell in cells], f"{said} of {grid[0]} × {grid[1]}", around
    if is_detector(trace):
        box = _found_at(inference.predict(picture, card).boxes, where)
        return [Target(query=box.query)], f"the query that found “{box.label}”", box.box_xyxy
    return [Target()], "the whole answer", None


def _layer(method: Method, trace: Trace, depth: float) -> int | None:
    """Return the layer at this depth among those that start from patches; None where there is nothing to choose."""
    fitting = [i for i in range(len(method.layers(trace))) if _grid(method, trace, i) is not None]
    return fitting[round(depth * (len(fitting) - 1))] if fitting else None


def _grid(method: Method, trace: Trace, layer: int | None) -> tuple[int, int] | None:
    """Return the (rows, cols) of the patches that the method can start from, None where it starts from none."""
    tokens = method.starts(trace, Target(layer=layer))
    return None if tokens is None else tokens.grid


def _cells(view: View, grid: tuple[int, int], where: XYXY) -> list[tuple[int, int]]:
    """Return the cells whose middle lies in the box, or the one below its middle; [] where the model did not look."""
    boxes = view.cell_boxes(grid)  # [rows, cols, 4]
    x, y = boxes[..., 0::2].mean(-1), boxes[..., 1::2].mean(-1)  # each [rows, cols]
    inside = (where[0] <= x) & (x <= where[2]) & (where[1] <= y) & (y <= where[3])
    found = [(int(row), int(col)) for row, col in np.argwhere(inside)]
    if not found:
        below = view.cell_at((where[0] + where[2]) / 2, (where[1] + where[3]) / 2, grid)
        return [] if below is None else [below]
    spread = np.linspace(0, len(found) - 1, min(len(found), MOST_CELLS)).round().astype(int)
    return [found[i] for i in spread]


def _found_at(boxes: Sequence[Box], where: XYXY) -> Box:
    """Return the box that a place means: the best overlap with a box, the surest of those around a point."""
    if where[2] > where[0]:
        met = [box for box in boxes if iou(box.box_xyxy, where) > 0]
        if met:
            return max(met, key=lambda box: iou(box.box_xyxy, where))
    else:
        around = [box for box in boxes if reaches(box.box_xyxy, where[:2])]
        if around:
            return max(around, key=lambda box: box.score)
    raise ValueError("This model found nothing there, and this method explains what was found; choose raw attention.")


def _mean(made: list[Map]) -> Map:
    if len(made) == 1:
        return made[0]
    values = np.stack([m.values for m in made]).mean(0, dtype=np.float64).astype(np.float32)
    apart = tuple((name, float(np.mean([m.apart[i][1] for m in made]))) for i, (name, _) in enumerate(made[0].apart))
    notes = (*made[0].notes, f"The mean over {len(made)} cells of the box.")
    return replace(made[0], values=values, apart=apart, notes=notes)


def _on_one_scale(found: list[PlaceMap]) -> tuple[PlaceMap, ...]:
    there = [f.made for f in found if f.made is not None]
    if not there:
        return tuple(found)
    even = all(_shares(made) for made in there)
    scaled = [made.values * (made.values.size if even else 1 / (np.abs(made.values).max() or 1)) for made in there]
    high = max(float(np.abs(values).max()) for values in scaled) or 1.0
    low = -high if any(made.signed for made in there) else 0.0
    unit, ready = EVEN if even else STRONGEST, iter(scaled)
    return tuple(
        f if f.made is None else replace(f, values=next(ready).astype(np.float32), low=low, high=high, unit=unit)
        for f in found
    )


def _shares(made: Map) -> bool:
    """Whether the map, with what stands apart, shares out a whole."""
    whole = float(made.values.sum(dtype=np.float64)) + sum(value for _, value in made.apart)
    return not made.signed and float(made.values.min()) >= 0 and abs(whole - 1) < 1e-3


def _checked(place: Sequence[float], size: tuple[int, int]) -> XYXY:
    """Return the place as left, top, right, bottom, without extent for a point."""
    ask = "The place must be a point (x, y) or a box (left, top, right, bottom) in pixels of the picture."
    if not isinstance(place, list | tuple) or len(place) not in (2, 4):
        raise ValueError(ask)
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in place):
        raise ValueError(ask)
    x0, y0, x1, y1 = (float(v) for v in (*place, *place)[:4])
    width, height = size
    if len(place) == 4 and (x1 <= x0 or y1 <= y0):
        raise ValueError("The box is empty; its right must lie beyond its left and its bottom below its top.")
    if x1 < 0 or y1 < 0 or x0 > width or y0 > height:
        raise ValueError(f"The place lies outside the picture, which is {width} × {height} pixels; choose another.")
    return max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height))
