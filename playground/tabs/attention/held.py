"""What the Attention tab keeps of a picture and a model, what a visitor wishes to see, and the map that answers."""

import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from playground import inference, maps
from playground.explanations import METHODS, Map, Method, Target, method_of
from playground.explanations.artefacts import levels_with_grid
from playground.explanations.bias import relative_bias
from playground.explanations.places import region_of
from playground.explanations.targets import attention_links, chosen, is_detector
from playground.explanations.walk import used
from playground.figures.picture import encode
from playground.image import Picture, content_key
from playground.models import catalogue
from playground.models.card import Card
from playground.trace import AxialAttention, Box, ClassScore, Link, Pool, Sequence, Trace

MOST_CLASSES = 10
GROUPS = {"trace": "attention", "head": "tokens", "gradient": "gradients", "perturbation": "perturbation"}
WALKS = ("rollout", "gradient_rollout", "relevance")
OF_LEVELS = ("gradcam", "receptive")
RAW = "attention"
RECEPTIVE = "receptive"
BACKWARD = "is looked at by"
PATCH = "patch"
ANSWER = ""

Grid = tuple[int, int]
XYXY = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Held:
    """One picture with one model: what drawing needs, and a loose hold on the trace, which the cache may drop.

    `asked` tells it from other pictures and models.
    """

    asked: tuple[str, str]
    card: Card
    picture: str
    size: tuple[int, int]
    seen_xyxy: XYXY
    classes: tuple[ClassScore, ...]
    objects: tuple[Box, ...]
    methods: tuple[Method, ...]
    last_start: int
    axial: bool
    biased: bool
    unread: str
    loose: Callable[[], Trace | None]
    memo: dict[Any, Any] = field(default_factory=dict)  # what was measured of this picture; small

    @property
    def trace(self) -> Trace | None:
        """The kept trace, or None when it had to make room."""
        return self.loose()


@dataclass(frozen=True)
class Wish:
    """What a visitor asks for, as the fields of the page give it; None is chosen by the model's answer.

    `start`: "" for what the answer reads, "patch" for (row, col), or the name of a prefix token.
    """

    method: str = METHODS[0].name
    class_index: Any = None
    query: Any = None
    start: str = ANSWER
    row: Any = None
    col: Any = None
    layer: Any = None
    head: Any = None
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, eq=False)
class Shown:
    """A map that was made: for which wish, on which patches it may start, and what could be chosen besides.

    `layers` are (name, number) of the method's layers; `heads` how many the layer has, 0 where none can be chosen;
    `tokens` the prefix tokens it may start from; `from_answer` whether it may start from what the answer reads;
    `asks_query` whether an object query is part of the question.
    """

    wish: Wish
    made: Map
    grid: Grid | None
    grid_xyxy: XYXY | None
    layers: tuple[tuple[str, int], ...]
    heads: int
    tokens: tuple[str, ...]
    from_answer: bool
    asks_query: bool


def asked_of(picture: Picture, model: Any) -> tuple[str, str]:
    """Return what tells one picture with one model from others."""
    return content_key(picture), str(model)


def look(picture: Picture, model: Any, progress: Callable[[float, str], None] | None = None) -> Held:
    """Run the model named `model` on the picture, or take the kept trace. Raises ValueError with one sentence."""
    card = catalogue.find(model)
    found = inference.predict(picture, card, MOST_CLASSES, 0.0, progress)
    trace = inference.trace(picture, card)
    methods = tuple(method for method in METHODS if offered(method, trace, card))
    view = trace.view
    return Held(
        asked=asked_of(picture, model),
        card=card,
        picture=encode(picture.rgb),
        size=view.picture_size,
        seen_xyxy=view.region_xyxy,
        classes=found.classes,
        objects=found.boxes,
        methods=methods,
        last_start=_last_start(trace),
        axial=_axial(trace),
        biased=bool(biased_links(trace)),
        unread=_unread(trace),
        loose=weakref.ref(trace),
    )


def offered(method: Method, trace: Trace, card: Card) -> bool:
    """Whether the method can work on this model at all."""
    if method.by_class and trace.logits is None:
        return False
    if method.needs == "head" and inference.readers(card)[0] is None:
        return False
    try:
        if method.name in WALKS:
            used(trace)
        elif method.needs in ("trace", "head"):
            method.layers(trace)
        elif method.name in OF_LEVELS:
            levels_with_grid(trace)
    except ValueError:
        return False
    return True


def explained(
    held: Held,
    wish: Wish,
    before: Shown | None,
    trace: Trace,
    progress: Callable[[float], None] = maps.stay,
    cancelled: Callable[[], bool] = maps.never,
) -> Shown:
    """Make the map that is wished for. Raises ValueError with one sentence; Cancelled when told to stop."""
    method = method_of(wish.method)
    layers = layers_of(method, trace, wish)
    wish = replace(wish, layer=_kept_layer(method, wish.layer, layers))
    tokens = start_tokens(method, trace, wish)
    grid = tokens.grid if tokens else None
    named = tokens.prefix if tokens and grid and method.name != RECEPTIVE else ()
    one = (backward(wish) or method.name == RECEPTIVE) and "class" not in named  # nobody looks at a mean
    if one and grid and wish.start not in (PATCH, *named):
        wish = replace(wish, start=PATCH)
    wish = _moved(wish, grid, before.grid if before else None)
    made = maps.of_trace(
        trace, held.card, method.name, _target(method, trace, wish, grid), wish.options, progress, cancelled
    )
    used = made.target
    layer = used.layer if layers else None
    row, col = used.patch or (wish.row, wish.col)
    settled = replace(
        wish, layer=layer, class_index=used.class_index if method.by_class else wish.class_index,
        query=used.query if used.query is not None else wish.query, row=row, col=col,
    )  # fmt: skip
    return Shown(
        wish=settled,
        made=made,
        grid=grid,
        grid_xyxy=region_of(trace.view, grid) if grid else None,
        layers=layers,
        heads=heads_of(method, trace, layer),
        tokens=named,
        from_answer=not one,
        asks_query=is_detector(trace) and (method.by_class or grid is None),
    )


def layers_of(method: Method, trace: Trace, wish: Wish) -> tuple[tuple[str, int], ...]:
    """Return (name, number) of the layers whose map can be drawn: of raw attention those that look at the picture."""
    names = method.layers(trace)
    if method.name != RAW:
        return tuple((name, i) for i, name in enumerate(names))
    links = attention_links(trace)
    return tuple(
        (link.name, i)
        for i, link in enumerate(links)
        if (link.writes if backward(wish) else link.reads).grid is not None
    )


def start_tokens(method: Method, trace: Trace, wish: Wish) -> Sequence | None:
    """Return the tokens from one of which the map starts, or None where it starts from none."""
    if backward(wish):
        links = attention_links(trace)
        return links[chosen(tuple(link.name for link in links), wish.layer)].reads
    return method.starts(trace, Target(layer=wish.layer))


def backward(wish: Wish) -> bool:
    """Whether raw attention is asked for what looks at the start, not what the start looks at."""
    return wish.method == RAW and wish.options.get("direction") == BACKWARD


def heads_of(method: Method, trace: Trace, layer: int | None) -> int:
    """Return how many heads can be chosen in a layer; raw attention alone shows single heads."""
    if method.name != RAW or layer is None:
        return 0
    step = attention_links(trace)[layer].step
    return getattr(step, "heads", 0)


def picked(shown: Shown, x: Any, y: Any) -> tuple[int, int] | None:
    """Return the patch (row, col) under a point of the upload, or None where the map does not start from patches."""
    if shown.grid is None or shown.grid_xyxy is None or not _finite(x, y):
        return None
    x0, y0, x1, y1 = shown.grid_xyxy
    rows, cols = shown.grid
    row, col = int((y - y0) / (y1 - y0) * rows), int((x - x0) / (x1 - x0) * cols)
    return (row, col) if 0 <= row < rows and 0 <= col < cols else None


def picked_query(held: Held, x: Any, y: Any) -> int | None:
    """Return the query whose box a point of the upload means: the smallest likely box around it, or the nearest."""
    likely = likely_objects(held)
    if not likely or not _finite(x, y):
        return None
    around = [box for box in likely if _inside(box.box_xyxy, x, y)]
    if around:
        return min(around, key=lambda box: _area(box.box_xyxy)).query
    return min(likely, key=lambda box: _away(box.box_xyxy, x, y)).query


def likely_objects(held: Held, least: float = 0.5, fewest: int = 3) -> tuple[Box, ...]:
    """Return the boxes worth showing: those that score at least `least`, but never less than `fewest`."""
    sure = sum(box.score >= least for box in held.objects)
    return held.objects[: max(sure, fewest)]


def box_of(held: Held, query: int | None) -> Box | None:
    """Return what one object query answers."""
    return next((box for box in held.objects if box.query == query), None)


def biased_links(trace: Trace) -> list[Link]:
    """Return the links with a learned bias for every offset."""
    found = []
    for link in trace.links:
        try:
            relative_bias(link)
        except ValueError:
            continue
        found.append(link)
    return found


def _axial(trace: Trace) -> bool:
    return any(isinstance(link.step, AxialAttention) for link in trace.links)


def _last_start(trace: Trace) -> int:
    """Return the last layer at which a walk through the layers may start."""
    attending = [link for link in trace.links if not isinstance(link.step, Pool)]
    encoder = sum(link.writes.grid is not None for link in attending)
    return encoder if is_detector(trace) else max(0, len(attending) - 1)


def _unread(trace: Trace) -> str:
    """Say that a model has no attention to show, or nothing."""
    try:
        attention_links(trace)
    except ValueError as error:
        return str(error)
    return ""


def _target(method: Method, trace: Trace, wish: Wish, grid: Grid | None) -> Target:
    patch = token = None
    if wish.start == PATCH:
        patch = (wish.row, wish.col) if grid else None
    elif wish.start != ANSWER and grid:
        token = wish.start
    return Target(
        class_index=wish.class_index if method.by_class else None,
        patch=patch,
        token=token,
        query=wish.query if is_detector(trace) else None,
        layer=wish.layer,
        head=wish.head if method.name == RAW else None,
    )


def _kept_layer(method: Method, layer: Any, layers: tuple[tuple[str, int], ...]) -> Any:
    """Keep a layer that the method has; for raw attention without one, take the last that can be drawn."""
    numbers = [number for _, number in layers]
    if not numbers or (method.name != RAW and layer is None):
        return None
    skipped = isinstance(layer, int) and 0 <= layer <= numbers[-1] and layer not in numbers  # shows no picture
    return numbers[-1] if layer is None or skipped else layer


def _moved(wish: Wish, grid: Grid | None, before: Grid | None) -> Wish:
    """Keep the patch at its place on the picture when the grid becomes another; the middle, where there was none."""
    if wish.start != PATCH or grid is None:
        return wish
    if wish.row is None or wish.col is None:
        return replace(wish, row=grid[0] // 2, col=grid[1] // 2)
    if before is None or before == grid or not _finite(wish.row, wish.col):
        return wish
    row = min(int((wish.row + 0.5) * grid[0] / before[0]), grid[0] - 1)
    col = min(int((wish.col + 0.5) * grid[1] / before[1]), grid[1] - 1)
    return replace(wish, row=row, col=col)


def _finite(*numbers: Any) -> bool:
    return all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in numbers)


def _inside(box: XYXY, x: float, y: float) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _area(box: XYXY) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _away(box: XYXY, x: float, y: float) -> float:
    return math.hypot((box[0] + box[2]) / 2 - x, (box[1] + box[3]) / 2 - y)
