"""`python -m playground compare`: up to six models on a picture, on several, or on all pictures of a folder.

Exit codes: 0 all went well; 1 the comparison was made, but a file could not be read or a model gave no answer, both of
which it says; 2 the input was bad, or the output could not be written.
"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from playground import image
from playground.comparison import folder, places, records
from playground.comparison.folder import Done
from playground.comparison.records import Values
from playground.comparison.run import MOST
from playground.models import catalogue
from playground.models.card import Card
from playground.report import page, words

LOCAL = "file:"
UNWRITABLE = "The --out file cannot be written there; choose another place."
HOW_LOCAL = f"Give weights of your own as {LOCAL}PATH@ARCHITECTURE, with a .safetensors file and a name for `--model`."


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    compare = commands.add_parser("compare", help="ask several models about pictures, and say what each costs")
    compare.add_argument("images", nargs="+", metavar="IMAGE", help="picture files, or one folder of them")
    compare.add_argument(
        "--models",
        required=True,
        help=f"one to {MOST} names between commas: of timm too, untrained:NAME, hf-hub:OWNER/NAME, {LOCAL}PATH@NAME",
    )
    compare.add_argument("--out", help="where to write the report: a name that ends in .html or .json")
    compare.add_argument("--json", action="store_true", help="print the comparison as JSON")
    compare.add_argument("--record", help="file of JSON lines to go on from (default for --out: beside it)")
    compare.add_argument("--no-measure", action="store_true", help="do not measure time and memory")
    compare.add_argument("--at", help="X,Y or LEFT,TOP,RIGHT,BOTTOM in pixels: show where each model looks from there")
    compare.add_argument("--method", default="attention", help="the method of these maps (default attention)")
    compare.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare, write and print; returns the exit code. Raises ValueError with one sentence for bad input."""
    out = _writable(options.out)
    pictures = _pictures(options.images)
    names = models_of(options.models)
    asked = _asked(options.at, options.method, pictures, names)
    record = Path(options.record) if options.record else None
    if record is None and out is not None and len(pictures) > 1:
        record = out.with_suffix(".jsonl")
    bar = _Bar()
    try:
        done = folder.over(pictures, names, record, not options.no_measure, bar)
    finally:
        bar.close()
    compared = records.whole(done.models, done.pictures, done.unreadable)
    if out is not None:
        written = _written(out, compared, pictures, asked)
        print(f"{out.name}: {len(written) / 1000:.0f} kB", file=sys.stderr)
    if options.json:
        print(json.dumps(compared, indent=2, ensure_ascii=False, allow_nan=False))
    elif out is None:
        print(table(done))
    for name, failed in done.unreadable.items():
        print(f"{name}: {failed}", file=sys.stderr)
    failures = any(row["failed"] for picture in done.pictures for row in picture["rows"])
    return 1 if done.unreadable or failures else 0


def models_of(text: str) -> list[str | Card]:
    """Return the names between commas; FILE@ARCHITECTURE becomes a card of that file."""
    names = [name.strip() for name in text.split(",")]
    return [_local(name) if name.startswith(LOCAL) else name for name in names if name]


def table(done: Done) -> str:
    """Return the comparison as lines of text: for each picture a line a model."""
    lines = []
    for picture in done.pictures:
        lines.append(picture["picture"])
        wide = max(len(row["model"]) for row in picture["rows"])
        for row in picture["rows"]:
            latency, memory = row["latency_ms"], row["peak_memory_mb"]
            costs = [
                words.many(row["parameters"]) and f"{words.many(row['parameters'])} parameters",
                words.many(row["macs"]) and f"{words.many(row['macs'])} multiply-adds",
                "" if latency is None else f"{latency:.1f} ms",
                "" if memory is None else f"{memory:.1f} MB",
            ]
            lines.append("  ".join([f"  {row['model']:{wide}}", words.best(row), *filter(None, costs)]))
        lines += [
            f"  {pair['a']} / {pair['b']}: agreement {pair['value']:.2f} ({pair['measure']})"
            for pair in picture["agreement"]
            if pair["value"] is not None
        ]
    return "\n".join(lines)


class _Bar:
    """A line on stderr that says how far it is, where a person sees it."""

    def __init__(self) -> None:
        self.seen = sys.stderr.isatty()

    def __call__(self, share: float, text: str) -> None:
        if self.seen:
            done = round(24 * share)
            said = f"{'█' * done}{'░' * (24 - done)} {share:4.0%}  {text}"
            print(f"\r\033[2K{said[: os.get_terminal_size(sys.stderr.fileno()).columns - 1]}", end="", file=sys.stderr)

    def close(self) -> None:
        if self.seen:
            print("\r\033[2K", end="", file=sys.stderr)


def _local(text: str) -> Card:
    path, at, architecture = text.removeprefix(LOCAL).rpartition("@")
    if not at or not path or not architecture:
        raise ValueError(HOW_LOCAL)
    card = catalogue.local_card(path, architecture)
    name = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in Path(path).stem).strip("-")
    return replace(card, name=name[:64] or card.name)


def _pictures(given: Sequence[str]) -> dict[str, Path]:
    paths = [Path(text) for text in given]
    if len(paths) == 1 and paths[0].is_dir():
        return folder.pictures_in(paths[0])
    if any(path.is_dir() for path in paths):
        raise ValueError("Give one folder alone, or picture files.")
    if len(paths) == 1:
        image.read(paths[0])  # a single picture that cannot be read is bad input, said before any model is asked
    found: dict[str, Path] = {}
    for path in paths:
        name, again = path.name, 2
        while name in found:
            name, again = f"{path.name} ({again})", again + 1
        found[name] = path
    return found


def _asked(text: str | None, method: str, pictures: dict[str, Path], names: Sequence[str | Card]) -> page.Asked | None:
    """Return the maps that --at asks for."""
    if text is None:
        return None
    if len(pictures) > 1:
        raise ValueError("Maps of one place are made for one picture; leave out --at or give one picture.")
    try:
        place = tuple(float(number) for number in text.split(","))
    except ValueError:
        raise ValueError("Give --at as X,Y or as LEFT,TOP,RIGHT,BOTTOM in pixels of the picture.") from None
    return page.Asked(places.maps_at(image.read(next(iter(pictures.values()))), names, place, method), place, method)


def _writable(text: str | None) -> Path | None:
    """Return the path, having made sure that a file can be written there before anything is computed."""
    if text is None:
        return None
    out = Path(text)
    if out.suffix.lower() not in (".html", ".json"):
        raise ValueError("The --out file must end in .html or .json.")
    new = not out.exists()
    try:
        with out.open("ab"):
            pass
        if new:
            out.unlink()
    except OSError:
        raise ValueError(UNWRITABLE) from None
    return out


def _written(out: Path, compared: Values, pictures: dict[str, Path], asked: page.Asked | None) -> bytes:
    def opened(name: str) -> Image.Image | None:
        try:
            return image.read(pictures[name]).rgb
        except image.ImageError:  # it was there when it was compared
            return None

    if out.suffix.lower() == ".json":
        text = json.dumps(compared, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = page.as_html(compared, opened, asked)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError:
        raise ValueError(UNWRITABLE) from None
    return text.encode("utf-8")
