"""A map as a file that leaves: a picture at print size, a page that needs nothing else, arrays, and the call."""

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from html import escape
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from playground.explanations import Map, Target, method_of
from playground.figures.overlay import STRENGTH, overlay
from playground.figures.picture import encode
from playground.figures.scales import RISING, SIGNED, levels, limits, palette
from playground.image import Picture
from playground.models.card import Card
from playground.models.labels import labels

PRINT = 2000  # pixels of the longer side: 17 cm at 300 dots an inch
DPI = 300
FORMATS = ("png", "html", "npz")


def as_file(
    kind: str, made: Map, picture: Picture, card: Card, options: Mapping[str, Any], name: str = "photo.jpg"
) -> bytes:
    """Return a map as a file of one of FORMATS; raises ValueError for another."""
    if kind not in FORMATS:
        raise ValueError(f"A map can be written as one of {', '.join(FORMATS)}; choose a file name that ends so.")
    if kind == "png":
        return as_png(made, picture, card, options, name)
    if kind == "html":
        return as_html(made, picture, card, options, name).encode("utf-8")
    return as_npz(made, card, picture.rgb.size, options, name)


def as_png(
    made: Map, picture: Picture, card: Card, options: Mapping[str, Any], name: str, strength: float = STRENGTH
) -> bytes:
    """Return the picture at print size with the map over it and its scale below; the settings go with the file."""
    scale = PRINT / max(picture.rgb.size)
    width, height = picture.rgb.size
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shot = picture.rgb.resize(size, Image.Resampling.LANCZOS)
    low, high = limits(made.values, made.signed)
    colours = palette(SIGNED if made.signed else RISING)
    _blend(shot, colours[levels(made.values, low, high)], [edge * scale for edge in made.region_xyxy], strength)
    whole = Image.new("RGB", (shot.width, shot.height + _SCALE), "white")
    whole.paste(shot)
    _scale(whole, shot.height, colours, f"{low:.3g}", f"{high:.3g}", title(made, card))
    about = PngInfo()
    about.add_text("Software", "Vision transformer playground")
    about.add_text("Description", described(made, card, options, name))
    file = io.BytesIO()
    whole.save(file, "PNG", dpi=(DPI, DPI), pnginfo=about)
    return file.getvalue()


def as_html(made: Map, picture: Picture, card: Card, options: Mapping[str, Any], name: str) -> str:
    """Return a page with the figure that needs no network: Plotly is part of it."""
    size = picture.rgb.size
    drawn = overlay(made.values, made.region_xyxy, encode(picture.rgb), size, title(made, card), made.signed)
    drawn.update_traces(showscale=True, colorbar={"thickness": 14, "outlinewidth": 0}, selector={"type": "heatmap"})
    drawn.update_layout(height=640, margin={"t": 8, "b": 8, "l": 8, "r": 8})
    inner = drawn.to_html(full_html=False, include_plotlyjs=True, config={"displaylogo": False})
    heading = escape(f"{title(made, card)} · {card.title}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{heading}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
        '<body style="font-family: system-ui, sans-serif; max-width: 1000px; margin: 24px auto; padding: 0 16px">'
        f"<h1 style='font-size: 20px'>{heading}</h1>{inner}"
        f"<pre style='white-space: pre-wrap'>{escape(call(made, card, options, name))}</pre></body></html>"
    )


def as_npz(made: Map, card: Card, picture_size: tuple[int, int], options: Mapping[str, Any], name: str) -> bytes:
    """Return the raw arrays and settings: values, region_xyxy, picture_size (width, height), apart, settings, call."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        values=made.values,
        region_xyxy=np.array(made.region_xyxy),
        picture_size=np.array(picture_size),
        apart_names=np.array([part for part, _ in made.apart], dtype=np.str_),
        apart_values=np.array([value for _, value in made.apart], dtype=np.float64),
        settings=np.array(described(made, card, options, name)),
        call=np.array(call(made, card, options, name)),
    )
    return file.getvalue()


def call(made: Map, card: Card, options: Mapping[str, Any], name: str = "photo.jpg") -> str:
    """Return the Python that makes this map again."""
    given = {key: value for key, value in asdict(made.target).items() if value is not None}
    target = f"pg.Target({', '.join(f'{key}={value!r}' for key, value in given.items())})"
    changed = _changed(made, options)
    parts = [repr(name), repr(card.name), repr(made.method), *([target] if given else [])]
    if changed:
        parts.append(f"{'' if given else 'options='}{changed!r}")
    return f"import playground as pg\n\nmade = pg.explain({', '.join(parts)})\nmade.values  # float32 [rows, cols]"


def described(made: Map, card: Card, options: Mapping[str, Any], name: str) -> str:
    """Return everything that made the map as JSON text."""
    settings = {
        "picture": name,
        "model": card.name,
        "sha256": card.sha256,
        "method": made.method,
        "target": asdict(made.target),
        "options": dict(method_of(made.method).settings(options)),
        "sequence": made.sequence,
        "region_xyxy": list(made.region_xyxy),
        "apart": dict(made.apart),
        "notes": list(made.notes),
    }
    return json.dumps(settings, ensure_ascii=False)


def title(made: Map, card: Card) -> str:
    """Name a map in a few words; layer, head and query are counted from 0 as in the call that makes it."""
    target: Target = made.target
    known = labels(card)
    number = target.class_index
    label = known[number] if number is not None and number < len(known) else None
    named = [("layer", target.layer), ("head", target.head), ("class", label or number), ("query", target.query)]
    parts = [f"{word} {value}" for word, value in [*named, ("patch", target.patch)] if value is not None]
    return ", ".join([method_of(made.method).title, *parts])


_SCALE = 120  # pixels below the picture


def _changed(made: Map, options: Mapping[str, Any]) -> dict[str, Any]:
    method = method_of(made.method)
    usual = method.settings()
    return {key: value for key, value in method.settings(options).items() if value != usual[key]}


def _blend(shot: Image.Image, colours: np.ndarray, region: list[float], strength: float) -> None:
    """Lay coloured cells uint8 [rows, cols, 3] over a region of the picture, nearest neighbour, in place."""
    x0, y0, x1, y1 = region
    left, top, right, bottom = (
        max(0, round(x0)),
        max(0, round(y0)),
        min(shot.width, round(x1)),
        min(shot.height, round(y1)),
    )
    rows, cols = colours.shape[:2]
    down = np.clip(((np.arange(top, bottom) + 0.5 - y0) / (y1 - y0) * rows).astype(int), 0, rows - 1)
    along = np.clip(((np.arange(left, right) + 0.5 - x0) / (x1 - x0) * cols).astype(int), 0, cols - 1)
    over = Image.fromarray(colours[np.ix_(down, along)])
    shot.paste(Image.blend(shot.crop((left, top, right, bottom)), over, strength), (left, top))


def _scale(whole: Image.Image, top: int, colours: np.ndarray, low: str, high: str, text: str) -> None:
    """Draw the colour scale, its ends and a title below the picture."""
    draw, margin = ImageDraw.Draw(whole), 24
    font = ImageFont.load_default(32)
    widths = [draw.textlength(end, font) for end in (low, high)]
    left, right = round(margin + widths[0] + 16), round(whole.width - margin - widths[1] - 16)
    if right - left > 8:
        bar = Image.fromarray(np.repeat(colours[None], 28, axis=0)).resize(
            (right - left, 28), Image.Resampling.BILINEAR
        )
        whole.paste(bar, (left, top + 24))
    draw.text((margin, top + 38), low, "#1B2330", font, anchor="lm")
    draw.text((whole.width - margin, top + 38), high, "#1B2330", font, anchor="rm")
    draw.text((margin, top + 92), text, "#1B2330", font, anchor="lm")
