"""`python -m playground embed`: the tokens of one picture, written to a file or for the Embedding Projector."""

import argparse
from pathlib import Path
from typing import Any

from playground import export_tokens, image, inference
from playground.embeddings import cloud, projector, tokens
from playground.models import catalogue
from playground.models.card import Card
from playground.models.labels import labels
from playground.trace import Trace


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    embed = commands.add_parser("embed", help="write the tokens of a picture")
    embed.add_argument("image", help="a picture file")
    embed.add_argument("--model", required=True, help="a name from the list that `models` prints")
    embed.add_argument("--layer", type=int, default=-1, help="a layer, counted from 0 (default -1: the last)")
    embed.add_argument("--out", help="where to write: a name that ends in .npz, .parquet or .html")
    embed.add_argument("--projector", metavar="FOLDER", help="a folder for the TensorFlow Embedding Projector's files")
    embed.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compute the tokens and write them; raises ValueError with one sentence for bad input."""
    if not options.out and not options.projector:
        raise ValueError("Say where to write: --out FILE that ends in .npz, .parquet or .html, or --projector FOLDER.")
    out = Path(options.out) if options.out else None
    kind = out.suffix.lower().removeprefix(".") if out else ""
    if out and kind not in export_tokens.FORMATS:
        raise ValueError("The --out file must end in .npz, .parquet or .html.")
    card = catalogue.find(options.model)
    picture = image.read(Path(options.image))
    trace = inference.trace(picture, card)
    found = tokens.grid_tokens(trace, options.layer)
    classes = classes_of(trace, options.layer, card)
    if out:
        written = export_tokens.as_file(kind, found, picture, trace.view, card, classes, Path(options.image).name)
        _write(out, written, "--out file")
        print(f"{_title(card, found)}: {out.name}, {len(written) / 1000:.0f} kB")
    if options.projector:
        folder = Path(options.projector)
        for name, content in projector.files(found, trace.view, classes).items():
            _write(folder / name, content, "--projector folder")
            print(f"{_title(card, found)}: {name}, {len(content) / 1000:.0f} kB")
    return 0


def classes_of(trace: Trace, layer: int, card: Card) -> tuple[cloud.PatchClass, ...]:
    """Return the class that the head reads in every patch, or nothing where it cannot read patches."""
    try:
        return cloud.patch_classes(trace, layer, inference.readers(card)[0], labels(card))
    except ValueError:
        return ()


def _title(card: Card, found: tokens.GridTokens) -> str:
    rows, cols = found.grid
    return f"{card.title}, {found.name}, {rows} × {cols} patches of {found.values.shape[1]} channels"


def _write(path: Path, content: bytes, what: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ValueError(f"The {what} cannot be written there; choose another place.") from error
