"""The figures of the Attention tab, made of what is held and shown."""

from dataclasses import replace
from typing import Any

from playground.explanations import Target, method_of
from playground.explanations.attention import column, row
from playground.explanations.targets import attention_links, one_hot
from playground.figures.overlay import Figure, Outline, bare, nothing, overlay
from playground.figures.panels import Layer, across, panels
from playground.tabs.attention import words
from playground.tabs.attention.held import (
    PATCH,
    RAW,
    XYXY,
    Grid,
    Held,
    Shown,
    Wish,
    backward,
    box_of,
    layers_of,
    likely_objects,
)
from playground.texts import say
from playground.trace import Link, Pool, Trace

__all__ = ["every_head", "map_over", "maps_of", "nothing", "picture", "tile"]


def picture(held: Held) -> Figure:
    """Draw the picture alone, while there is no map of it."""
    return bare(held.picture, held.size, say("attention_bare_alt"))


def map_over(held: Held, shown: Shown, strength: float, box_xyxy: XYXY | None = None) -> Figure:
    """Draw the map over the picture, with the chosen patch, the boxes that can be chosen, or one that was drawn."""
    made = shown.made
    outlines: list[Outline] = []
    if shown.asks_query:
        wanted = box_of(held, made.target.query)
        outlines = [Outline(box.box_xyxy, box.label) for box in likely_objects(held)]
        outlines += [Outline(wanted.box_xyxy, wanted.label, chosen=True)] if wanted else []
    if box_xyxy is not None:
        outlines.append(Outline(box_xyxy, say("box_drawn"), chosen=True))
    return overlay(
        made.values,
        made.region_xyxy,
        held.picture,
        held.size,
        words.alt(held, shown),
        made.signed,
        strength,
        _patch_box(shown),
        outlines,
        held.seen_xyxy,
    )


def every_head(trace: Trace, shown: Shown, shared: bool) -> Figure:
    """Draw the raw attention of all heads of all layers, from where the map starts."""
    links = drawn_links(trace, shown)
    layers = [Layer(link.name, maps_of(trace, link, shown)) for _, link in links]
    target = shown.made.target
    numbers = [number for number, _ in links]
    raw = shown.made.method == RAW
    active = numbers.index(target.layer) if raw and target.layer in numbers else len(numbers) - 1
    return panels(layers, active, target.head if raw else None, say("tiles_alt", layers=len(layers)), shared)


def tile(trace: Trace, shown: Shown, index: Any, step: Any) -> tuple[int, int] | None:
    """Return the (layer, head) of a clicked tile [row, col] while the slider stood on `step`; None for no tile."""
    try:
        down, along = (int(place) for place in index)
        layer = int(step)
    except (TypeError, ValueError):
        return None
    links = drawn_links(trace, shown)
    heads = [link.step.heads for _, link in links if not isinstance(link.step, Pool)]
    if not (0 <= layer < len(links) and min(down, along) >= 0):
        return None
    head = down * across(max(heads)) + along
    return (links[layer][0], head) if along < across(max(heads)) and head < heads[layer] else None


def drawn_links(trace: Trace, shown: Shown) -> list[tuple[int, Link]]:
    """Return (number, link) of the layers among the small pictures, in their order."""
    wish = shown.wish if shown.made.method == RAW else Wish()
    links = attention_links(trace)
    return [(number, links[number]) for _, number in layers_of(method_of(RAW), trace, wish)]


def maps_of(trace: Trace, link: Link, shown: Shown) -> Any:
    """Return one link's maps, float32 [heads, rows, cols], from the same place on the picture as the map shown."""
    back = backward(shown.wish)
    start_on, read = (link.reads, link.writes) if back else (link.writes, link.reads)
    target = replace(shown.made.target, layer=None, head=None, class_index=None)
    if target.token is not None and target.token not in start_on.prefix:
        target = replace(target, token=None)
    if target.patch is not None and start_on.grid is not None and shown.grid is not None:
        target = replace(target, patch=_scaled(target.patch, shown.grid, start_on.grid))
    if start_on.grid is None:
        target = Target(query=target.query)
    start = one_hot(trace, start_on, target)  # [N]
    if back and int((start > 0).sum()) != 1:
        start = one_hot(trace, start_on, replace(target, patch=(start_on.grid[0] // 2, start_on.grid[1] // 2)))  # type: ignore[index]
    axis = shown.wish.options.get("axis", "both") if shown.made.method == RAW else "both"
    values = column(link, start, slice(None)) if back else row(link, start, slice(None), axis)  # [heads, N]
    assert read.grid is not None
    return values[:, len(read.prefix) :].reshape(-1, *read.grid).numpy().astype("float32")


def _scaled(patch: tuple[int, int], old: Grid, new: Grid) -> tuple[int, int]:
    return int((patch[0] + 0.5) * new[0] / old[0]), int((patch[1] + 0.5) * new[1] / old[1])


def _patch_box(shown: Shown) -> XYXY | None:
    if shown.wish.start != PATCH or shown.grid is None or shown.grid_xyxy is None or shown.made.target.patch is None:
        return None
    x0, y0, x1, y1 = shown.grid_xyxy
    row_, col = shown.made.target.patch
    across, down = (x1 - x0) / shown.grid[1], (y1 - y0) / shown.grid[0]
    return x0 + col * across, y0 + row_ * down, x0 + (col + 1) * across, y0 + (row_ + 1) * down
