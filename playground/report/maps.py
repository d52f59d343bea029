"""The maps of one place of the picture, side by side on one colour scale."""

from collections.abc import Sequence

import numpy as np
from PIL import Image

from playground.comparison.places import PlaceMap
from playground.explanations import method_of
from playground.figures.picture import encode_overlay
from playground.figures.scales import RISING, SIGNED, levels, palette
from playground.report.words import text
from playground.texts import say

STRENGTH = 0.62  # how much of the picture a map covers


def maps(found: Sequence[PlaceMap], place: Sequence[float], method: str, size: tuple[int, int], shot: str) -> str:
    """Return one block for each model; `size` is (width, height) of the upload that the maps lie on."""
    there = next((f for f in found if f.made is not None), None)
    said = ""
    if there is not None:
        keys = ("x", "y") if len(place) == 2 else ("x0", "y0", "x1", "y1")
        where = say(
            f"report_maps_{'point' if len(place) == 2 else 'box'}", **dict(zip(keys, map(float, place), strict=True))
        )
        ends = {"low": f"{there.low:.3g}", "high": f"{there.high:.3g}", "unit": there.unit}
        said = f"<p>{text(say('report_maps_more', method=method_of(method).title, place=where, **ends))}</p>"
    return f'{said}<div class="cards">{"".join(_card(f, size, shot) for f in found)}</div>'


def _card(found: PlaceMap, size: tuple[int, int], shot: str) -> str:
    if found.made is None or found.values is None:
        inner = f'<p class="failed">{text(found.failed)}</p>'
    else:
        alt = text(say("report_map_alt", title=found.title, start=found.start))
        outline = "" if found.start_xyxy is None else f'<u style="{_lies(found.start_xyxy, size)}"></u>'
        inner = (
            f'<div class="shot {shot}" role="img" aria-label="{alt}" style="aspect-ratio:{size[0]}/{size[1]}">'
            f'<img alt="" src="{_picture(found)}" style="{_lies(found.made.region_xyxy, size)};opacity:{STRENGTH}">'
            f"{outline}</div><p>{text(found.start)}</p>"
        )
    return f'<article class="card"><h3>{text(found.title)}</h3>{inner}</article>'


def _picture(found: PlaceMap) -> str:
    """Return the map as a picture of one pixel a cell, which the page stretches; colours go by the square root."""
    assert found.made is not None and found.values is not None
    colours = palette(SIGNED if found.low < 0 else RISING)
    share = found.values / found.high  # -1..1, or 0..1
    rooted = np.sign(share) * np.sqrt(np.abs(share))
    return encode_overlay(Image.fromarray(colours[levels(rooted, -1.0 if found.low < 0 else 0.0, 1.0)]))


def _lies(xyxy: Sequence[float], size: tuple[int, int]) -> str:
    x0, y0, x1, y1 = xyxy
    wide, high = 100 / size[0], 100 / size[1]
    return f"left:{x0 * wide:.2f}%;top:{y0 * high:.2f}%;width:{(x1 - x0) * wide:.2f}%;height:{(y1 - y0) * high:.2f}%"
