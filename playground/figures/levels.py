"""The tokens of every layer as colours on the picture's grid, played in the browser without asking the server."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from playground.figures.mosaic import lossless
from playground.figures.player import CONTROLS, player, slider
from playground.figures.scales import RISING, palette
from playground.figures.theme import figure, percent, plain

HEIGHT = 620
GAP = 0.04  # between tiles, as a share of the width of a large one
LINE = 0.06  # for the words above a tile, of which the first stand in the margin
TOP = 12  # CSS pixels of that margin
SIZE = 12
BUDGET = 140_000  # characters of all tiles together
STEPS = (0xFF, 0xF8, 0xF0, 0xE0)  # steps of colour, coarser where there are many layers or fine grids


@dataclass(frozen=True, eq=False)
class Level:
    """One layer: `colours` uint8 [rows, cols, 3], the first three components as red, green and blue.

    `covers` is how far the grid reaches, (down, across), as a share of the picture; `explained` [3].
    """

    name: str
    colours: np.ndarray
    covers: tuple[float, float]
    explained: Sequence[float]


@dataclass(frozen=True)
class Words:
    """What stands above the tiles; `component` takes the number and the share that it explains."""

    picture: str
    colours: str
    component: str


def levels(found: Sequence[Level], picture: str, aspect: float, active: int, words: Words, alt: str) -> go.Figure:
    """Draw the encoded picture, of width over height `aspect`, beside a layer's colours and its three components.

    A slider and a play button walk through the layers.
    """
    places = _places(aspect)
    sources = _within_budget([found], lambda level, steps: _coloured(level, steps, components=True))[0]

    def drawn(i: int) -> list[Any]:
        tiles = zip(sources[i], places[1:], strict=True)
        return [*(_tile(source, found[i], place, aspect) for source, place in tiles), _titles(found[i], places, words)]

    size = (2 + GAP, places[-1][1] + places[-1][2] / aspect)
    names = [level.name for level in found]
    return _played(drawn, names, active, picture, places[0], size, aspect, HEIGHT + CONTROLS, alt)


def pair(
    rows: Sequence[tuple[str, Sequence[Level]]], picture: str, aspect: float, names: Sequence[str], alt: str
) -> go.Figure:
    """Draw several models' colours side by side under their titles, (title, levels), as many as names."""
    places = [(i * (1 + GAP), 3 * LINE, 1.0) for i in range(len(rows) + 1)]
    sources = _within_budget([found for _, found in rows], lambda level, steps: _coloured(level, steps))

    def drawn(i: int) -> list[Any]:
        tiles = zip(sources, rows, places[1:], strict=True)
        said = [f"{plain(title)}<br>{plain(found[i].name)}" for title, found in rows]
        text = go.Scatter(
            x=[x for x, _, _ in places[1:]], y=[3 * LINE - 0.02] * len(rows), text=said, mode="text",
            textposition="top right", textfont={"size": SIZE}, cliponaxis=False, hoverinfo="skip",
        )  # fmt: skip
        return [*(_tile(source[i][0], found[i], place, aspect) for source, (_, found), place in tiles), text]

    size = (places[-1][0] + 1, 3 * LINE + 1 / aspect)
    return _played(drawn, names, len(names) - 1, picture, places[0], size, aspect, HEIGHT, alt)


def _played(
    drawn: Callable[[int], list[Any]],
    names: Sequence[str],
    active: int,
    picture: str,
    place: tuple[float, float, float],
    size: tuple[float, float],
    aspect: float,
    height: int,
    alt: str,
) -> go.Figure:
    """Return the frames `drawn` on a ground of (width, height) `size` with the encoded picture at its place."""
    axis: dict[str, Any] = {"visible": False, "fixedrange": True, "constrain": "domain"}
    x, y, wide = place
    ground = {"source": picture, "xref": "x", "yref": "y", "x": x, "y": y, "sizex": wide, "sizey": wide / aspect}
    layout = {
        "images": [{**ground, "sizing": "stretch", "layer": "below"}],
        "xaxis": {**axis, "range": [0, size[0]], "constraintoward": "left"},
        "yaxis": {**axis, "range": [size[1], 0], "scaleanchor": "x", "constraintoward": "top"},
        "margin": {"l": 0, "r": 0, "t": TOP, "b": CONTROLS, "pad": 0},
        "sliders": [slider([plain(name) for name in names], active)],
        "updatemenus": [player()],
        "hovermode": False,
    }
    first = drawn(active)
    whole = figure(first, layout, alt, height)
    whole.layout.meta = {"alt": alt, "aspect": size[0] / size[1], "below": CONTROLS + TOP}
    whole.frames = [go.Frame(name=str(i), data=drawn(i), traces=list(range(len(first)))) for i in range(len(names))]
    return whole


def _within_budget(
    models: Sequence[Sequence[Level]], sources: Callable[[Level, int], list[str]]
) -> list[list[list[str]]]:
    """Return the sources of every level of every model, in fewer steps of colour where they are too many characters."""
    made: list[list[list[str]]] = []
    for steps in STEPS:
        made = [[sources(level, steps) for level in found] for found in models]
        if sum(len(source) for found in made for level in found for source in level) <= BUDGET:
            break
    return made


def _places(aspect: float) -> list[tuple[float, float, float]]:
    """Return (left, top, width) of the picture, of the colours, and of the three components below them."""
    small = (2 - GAP) / 3
    below = LINE + 1 / aspect + GAP + LINE
    top = [(0.0, LINE, 1.0), (1 + GAP, LINE, 1.0)]
    return [*top, *((i * (small + GAP), below, small) for i in range(3))]


def _coloured(level: Level, steps: int, components: bool = False) -> list[str]:
    colours = level.colours & steps
    scale = palette(RISING)
    return [lossless(colours), *(lossless(scale[colours[..., i]]) for i in range(3) if components)]


def _tile(source: str, level: Level, place: tuple[float, float, float], aspect: float) -> go.Image:
    rows, cols = level.colours.shape[:2]
    left, top, wide = place
    down, across = wide / aspect * level.covers[0] / rows, wide * level.covers[1] / cols
    return go.Image(source=source, x0=left + across / 2, dx=across, y0=top + down / 2, dy=down, hoverinfo="skip")


def _titles(level: Level, places: Sequence[tuple[float, float, float]], words: Words) -> go.Scatter:
    said = [words.picture, words.colours]
    said += [words.component.format(number=i + 1, share=percent(level.explained[i])) for i in range(3)]
    return go.Scatter(
        x=[left for left, _, _ in places], y=[top - 0.012 for _, top, _ in places], text=[plain(text) for text in said],
        mode="text", textposition="top right", textfont={"size": SIZE}, cliponaxis=False, hoverinfo="skip",
    )  # fmt: skip
