"""Pictures to point at: one frame a model with its map on it, and the frame in which cells are touched."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from playground.disturb.cells import cell_box
from playground.figures.heat import heat, sided
from playground.figures.overlay import MARK
from playground.figures.picture import encode
from playground.figures.scales import RISING, SIGNED, css
from playground.image import Picture
from playground.tabs.compare.touching import BY_PAIRS, Cell, Touch, begun, parse, uses_cells
from playground.texts import say

LONGEST = 480
BUDGET = 60_000
STRENGTH = 0.62
WIDE, TALL = 440, 360  # CSS pixels of the frame in which cells are touched

XYXY = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture to point at: its title and a line below, and a map.

    `values` is [rows, cols] on `region_xyxy` in pixels of the picture; None leaves the picture bare. `start_xyxy` is
    where the map starts from. `sides` are the colours above and below 0 of a map of -1 to 1, in place of a scale.
    """

    title: str
    line: str = ""
    colour: str = ""
    values: np.ndarray | None = None
    region_xyxy: XYXY = (0.0, 0.0, 1.0, 1.0)
    start_xyxy: XYXY | None = None
    alt: str = ""
    sides: tuple[str, str] | None = None


def frames(
    picture: Picture,
    made: Sequence[Frame],
    shares: Sequence[float],
    low: float,
    high: float,
    signed: bool = False,
    within: str = "pg-places",
) -> str:
    """Return the frames side by side, all maps on one scale from `low` to `high`, for the part of the page `within`.

    shares: the place asked about as shares of the picture, x and y of a point or of two corners, or ().
    """
    width, height = picture.rgb.size
    ground = f"background-image:url({encode(picture.rgb, LONGEST, BUDGET)})"
    mark, corners = _place(shares), " data-corners" if len(shares) == 4 else ""
    figures = []
    for frame in made:
        layers = "" if frame.values is None else _heat(frame, (width, height), low, high, signed)
        if frame.start_xyxy is not None:
            layers += _start(frame.start_xyxy, (width, height))
        dot = f'<i class="pg-dot" style="background:{frame.colour}"></i>' if frame.colour else ""
        line = f"<small>{escape(frame.line)}</small>" if frame.line else ""
        alt, shape = escape(frame.alt or frame.title), f"aspect-ratio:{width}/{height}"
        figures.append(
            f'<figure><div class="pg-frame" data-frame data-drag{corners} role="img" aria-label="{alt}" '
            f'style="{shape}">{layers}{mark}</div>'
            f"<figcaption>{dot}{escape(frame.title)}{line}</figcaption></figure>"
        )
    style = f"<style>#{within} .pg-frame{{{ground}}}</style>"  # the picture travels once
    return f'{style}<div class="pg-frames">{"".join(figures)}</div>'


def legend(low: float, high: float, signed: bool, unit: str) -> str:
    """Return the one colour scale of all maps."""
    colours = SIGNED if signed else RISING
    ends = f"<span>{low:.3g}</span><i style='background:{css(colours)}'></i><span>{high:.3g}</span>"
    return f'<div class="pg-legend">{ends}<small>{escape(unit)}</small></div>'


def touch_frame(shown: Picture, touch: Touch) -> str:
    """Return the touched picture with the grid over it, the named cells outlined and pairs joined."""
    width, height = shown.rgb.size
    cells = uses_cells(touch.kind) and min(width, height) >= touch.place.grid
    lines, brush = (_grid((width, height), touch), " data-brush") if cells else ("", "")
    fits = min(WIDE, TALL * width / height)
    ground = f"background-image:url({encode(shown.rgb, LONGEST, BUDGET)})"
    look = f"max-width:{fits:.0f}px;aspect-ratio:{width}/{height};{ground}"
    return (
        f'<div class="pg-frame pg-touch-frame" data-frame{brush} role="img" aria-label="{escape(say("touch_alt"))}" '
        f'style="{look}">{lines}</div>'
    )


def _heat(frame: Frame, size: tuple[int, int], low: float, high: float, signed: bool) -> str:
    assert frame.values is not None
    x0, y0, x1, y1 = frame.region_xyxy
    style = _at(x0 / size[0], y0 / size[1], x1 / size[0], y1 / size[1])
    if frame.sides is not None:
        return f'<img alt="" src="{sided(frame.values, *frame.sides)}" style="{style}">'
    return f'<img alt="" src="{heat(frame.values, low, high, signed)}" style="{style};opacity:{STRENGTH}">'


def _at(x0: float, y0: float, x1: float, y1: float) -> str:
    parts = {"left": x0, "top": y0, "width": x1 - x0, "height": y1 - y0}
    return ";".join(f"{name}:{100 * share:.3f}%" for name, share in parts.items())


def _place(shares: Sequence[float]) -> str:
    if not shares:
        return ""
    if len(shares) == 4:
        return f'<span class="pg-box" style="{_at(*shares)}"></span>'
    return f'<span class="pg-spot" style="left:{100 * shares[0]:.2f}%;top:{100 * shares[1]:.2f}%"></span>'


def _start(box_xyxy: XYXY, size: tuple[int, int]) -> str:
    """Outline the cell, the cells or the object from which the map starts."""
    shares = [min(max(edge / size[i % 2], 0.0), 1.0) for i, edge in enumerate(box_xyxy)]
    return f'<span class="pg-start" style="{_at(*shares)}"></span>'


def _grid(size: tuple[int, int], touch: Touch) -> str:
    """Draw the grid's lines, the named cells, and an arrow for each pair."""
    grid = touch.place.grid
    left, top, _, _ = cell_box(size, grid, (0, 0))
    _, _, right, bottom = cell_box(size, grid, (grid - 1, grid - 1))
    across, down = (right - left) / grid, (bottom - top) / grid
    lines = [f"M{left + i * across:.1f} {top}V{bottom}" for i in range(grid + 1)]
    lines += [f"M{left} {top + i * down:.1f}H{right}" for i in range(grid + 1)]
    cells, pairs = parse(touch.cells)
    open_cell = begun(touch.cells)
    named = [cell for pair in pairs for cell in pair] if touch.kind in BY_PAIRS else list(cells)
    named += [open_cell] if open_cell and touch.kind in BY_PAIRS and max(open_cell) < grid else []
    boxes = "".join(_outline(size, grid, cell) for cell in named)
    joins = "".join(_join(size, grid, *pair) for pair in pairs) if touch.kind in BY_PAIRS else ""
    thin = 'fill="none" vector-effect="non-scaling-stroke"'
    return (
        f'<svg viewBox="0 0 {size[0]} {size[1]}" preserveAspectRatio="none">'
        f'<path d="{"".join(lines)}" stroke="rgba(255,255,255,.55)" stroke-width="1" {thin}/>{boxes}{joins}</svg>'
    )


def _outline(size: tuple[int, int], grid: int, cell: Cell) -> str:
    left, top, right, bottom = cell_box(size, grid, cell)
    return (
        f'<rect x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" fill="none" stroke="{MARK}" '
        'stroke-width="2.5" vector-effect="non-scaling-stroke"/>'
    )


def _join(size: tuple[int, int], grid: int, one: Cell, two: Cell) -> str:
    (x0, y0), (x1, y1) = (_middle(cell_box(size, grid, cell)) for cell in (one, two))
    return (
        f'<path d="M{x0} {y0}L{x1} {y1}" stroke="{MARK}" stroke-width="2.5" vector-effect="non-scaling-stroke"/>'
        f'<circle cx="{x1}" cy="{y1}" r="{min(size) / 80:.1f}" fill="{MARK}"/>'
    )


def _middle(box: tuple[int, int, int, int]) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
