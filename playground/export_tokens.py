"""Tokens as a file that leaves: arrays, a table, and a page that needs nothing else."""

import io
import json
from collections.abc import Sequence
from html import escape
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from playground.embeddings import projection
from playground.embeddings.cloud import PatchClass
from playground.embeddings.tokens import GridTokens
from playground.figures.embedding import cloud, painted
from playground.figures.picture import encode
from playground.image import Picture, View
from playground.models.card import Card

HEIGHT = "min(520px, 94vw)"  # of a figure: as tall as wide on a phone
FORMATS = ("npz", "parquet", "html")


def as_file(
    kind: str,
    tokens: GridTokens,
    picture: Picture,
    view: View,
    card: Card,
    classes: Sequence[PatchClass] = (),
    name: str = "photo.jpg",
) -> bytes:
    """Return tokens as a file of one of FORMATS; raises ValueError for another, and where a library is missing."""
    if kind not in FORMATS:
        raise ValueError(f"Tokens can be written as one of {', '.join(FORMATS)}; choose a file name that ends so.")
    if kind == "npz":
        return as_npz(tokens, view, card, classes, name)
    if kind == "parquet":
        return as_parquet(tokens, view, card, classes, name)
    return as_html(tokens, picture, view, card, classes, name).encode("utf-8")


def as_npz(
    tokens: GridTokens, view: View, card: Card, classes: Sequence[PatchClass] = (), name: str = "photo.jpg"
) -> bytes:
    """Return the arrays: values [N, D], grid, prefix_names, prefix_values [p, D], where the grid lies, classes."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        values=tokens.values,
        grid=np.array(tokens.grid),
        prefix_names=np.array(tokens.prefix, dtype=np.str_),
        prefix_values=tokens.prefix_values,
        region_xyxy=np.array(view.region_xyxy),
        picture_size=np.array(view.picture_size),
        classes=np.array([found.label for found in classes], dtype=np.str_),
        shares=np.array([found.share for found in classes], dtype=np.float32),
        settings=np.array(described(tokens, card, name)),
    )
    return file.getvalue()


def as_parquet(
    tokens: GridTokens, view: View, card: Card, classes: Sequence[PatchClass] = (), name: str = "photo.jpg"
) -> bytes:
    """Return a table with a row for each token: token, row, col, class, share, where it lies, and its embedding.

    Tokens without a place come first, with nothing in the columns that need one. Raises ValueError without pyarrow.
    """
    if find_spec("pyarrow") is None:
        raise ValueError("A .parquet file needs the package pyarrow: `pip install pyarrow`, or choose .npz.")
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    count, apart = len(tokens.values), len(tokens.prefix)
    rows, cols = np.divmod(np.arange(count), tokens.grid[1])
    boxes = view.cell_boxes(tokens.grid).reshape(-1, 4)  # [N, 4] in pixels of the upload
    empty: list[Any] = [None] * apart
    known: Sequence[PatchClass | None] = classes or [None] * count
    columns = {
        "token": [*tokens.prefix, *["patch"] * count],
        "row": arrow.array([*empty, *rows.tolist()], arrow.int32()),
        "col": arrow.array([*empty, *cols.tolist()], arrow.int32()),
        "class": arrow.array([*empty, *[found and found.label for found in known]], arrow.string()),
        "share": arrow.array([*empty, *[found and found.share for found in known]], arrow.float32()),
        "box_xyxy": arrow.array([*empty, *boxes.tolist()], arrow.list_(arrow.float32())),
        "embedding": arrow.FixedSizeListArray.from_arrays(
            np.concatenate([tokens.prefix_values, tokens.values]).ravel(), tokens.values.shape[1]
        ),
    }
    table = arrow.table(columns).replace_schema_metadata({"playground": described(tokens, card, name)})
    file = io.BytesIO()
    parquet.write_table(table, file)
    return file.getvalue()


def as_html(
    tokens: GridTokens,
    picture: Picture,
    view: View,
    card: Card,
    classes: Sequence[PatchClass] = (),
    name: str = "photo.jpg",
) -> str:
    """Return a page that needs no network: the patches in the colours of their first three components, and a cloud."""
    if tokens.values.shape[1] < 3:
        raise ValueError("A page shows three components, and these tokens have fewer channels; choose .npz.")
    found = projection.fit([tokens.values], 3)
    colours = projection.colours(found)[0]  # [N, 3]
    said = _said(tokens, classes)
    title = f"{card.title}, {tokens.name}"
    size = picture.rgb.size
    on_picture = painted(
        colours.reshape(*tokens.grid, 3), view.region_xyxy, encode(picture.rgb), size, said, f"Patches of {title}"
    )
    axes = [f"component {i + 1}: {share:.1%}" for i, share in enumerate(found.explained)]
    in_space = cloud(found.scores[0], colours, said, axes, f"Cloud of the patches of {title}")
    config = {"displaylogo": False, "responsive": True}
    drawn = [
        figure.update_layout(height=None).to_html(
            full_html=False, include_plotlyjs=first, config=config, default_height=HEIGHT
        )
        for figure, first in ((on_picture, True), (in_space, False))
    ]
    rows, cols = tokens.grid
    facts = (
        f"{rows} × {cols} patches of {tokens.values.shape[1]} channels. Red, green and blue are the first three "
        f"principal components; together they hold {found.explained.sum():.0%} of the variance."
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        "<style>body{font:16px/1.5 system-ui,sans-serif;max-width:1000px;margin:24px auto;padding:0 16px;"
        "color:#1b2330;background:#fff}h1{font-size:20px}pre{white-space:pre-wrap;font-size:13px}</style></head>"
        f"<body><h1>{escape(title)}</h1><p>{escape(facts)}</p>{''.join(drawn)}"
        f"<pre>{escape(call(tokens, card, name))}</pre></body></html>"
    )


def call(tokens: GridTokens, card: Card, name: str = "photo.jpg") -> str:
    """Return the Python that makes these tokens again."""
    return (
        f"import playground as pg\n\ntokens = pg.embed({name!r}, {card.name!r}, layer={tokens.layer})\n"
        "tokens.values  # float32 [rows * cols, D]"
    )


def described(tokens: GridTokens, card: Card, name: str) -> str:
    """Return what made the tokens as JSON text."""
    settings = {
        "picture": name,
        "model": card.name,
        "sha256": card.sha256,
        "layer": tokens.layer,
        "layer_name": tokens.name,
        "grid": list(tokens.grid),
        "prefix": list(tokens.prefix),
        "call": call(tokens, card, name),
    }
    return json.dumps(settings, ensure_ascii=False)


def _said(tokens: GridTokens, classes: Sequence[PatchClass]) -> list[str]:
    cols = tokens.grid[1]
    places = [f"row {i // cols}, col {i % cols}" for i in range(len(tokens.values))]
    if not classes:
        return places
    return [f"{place}: {found.label}, {found.share:.0%}" for place, found in zip(places, classes, strict=True)]
