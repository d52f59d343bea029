"""`python -m playground explain`: a map of one picture, written to a file."""

import argparse
from pathlib import Path
from typing import Any

from playground import export, image, maps
from playground.explanations import METHODS, Option, Target, method_of
from playground.models import catalogue
from playground.models.card import Card
from playground.models.labels import labels

HOW = "Give --target as class:NAME, class:NUMBER, patch:ROW,COL, query:NUMBER or token:NAME."


def add(commands: Any) -> None:
    """Add the command to the subparsers of the shell's parser."""
    explain = commands.add_parser("explain", help="write a map of what a model looks at in a picture")
    explain.add_argument("image", help="a picture file")
    explain.add_argument("--model", required=True, help="a name from the list that `models` prints")
    names = ", ".join(method.name for method in METHODS)
    explain.add_argument("--method", default="rollout", help=f"one of {names} (default rollout)")
    explain.add_argument("--target", action="append", default=[], metavar="KIND:VALUE", help=HOW.replace("Give ", ""))
    explain.add_argument("--layer", type=int, help="a layer, counted from 0")
    explain.add_argument("--head", type=int, help="a head, counted from 0")
    explain.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="an option of the method")
    explain.add_argument("--out", required=True, help="where to write: a name that ends in .png, .html or .npz")
    explain.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the map and write it; raises ValueError with one sentence for bad input."""
    out = Path(options.out)
    kind = out.suffix.lower().removeprefix(".")
    if kind not in export.FORMATS:
        raise ValueError("The --out file must end in .png, .html or .npz.")
    card = catalogue.find(options.model)
    picture = image.read(Path(options.image))
    method = method_of(options.method)
    target = target_of(options.target, card, options.layer, options.head)
    settings = settings_of(options.option, method.options)
    made = maps.make(picture, card, method.name, target, settings)
    written = export.as_file(kind, made, picture, card, settings, Path(options.image).name)
    try:
        out.write_bytes(written)
    except OSError as error:
        raise ValueError("The --out file cannot be written there; choose another place.") from error
    print(f"{export.title(made, card)}: {out.name}, {len(written) / 1000:.0f} kB")
    if target.class_index is not None and not method.by_class:
        print(f"note: {method.title} is the same for every class")
    return 0


def target_of(texts: list[str], card: Card, layer: int | None = None, head: int | None = None) -> Target:
    """Return what `--target`, `--layer` and `--head` say; classes may be named by their label."""
    found: dict[str, Any] = {}
    for text in texts:
        kind, _, value = text.partition(":")
        if kind == "class":
            found["class_index"] = _whole(value) if value.lstrip("-").isdigit() else _class(value, card)
        elif kind == "patch" and value.count(",") == 1:
            row, col = value.split(",")
            found["patch"] = (_whole(row), _whole(col))
        elif kind == "query":
            found["query"] = _whole(value)
        elif kind == "token" and value:
            found["token"] = value
        else:
            raise ValueError(HOW)
    return Target(layer=layer, head=head, **found)


def settings_of(texts: list[str], options: tuple[Option, ...]) -> dict[str, Any]:
    """Return what `--option NAME=VALUE` says, each value as its option's kind; the method checks the ranges."""
    known = {option.name: option for option in options}
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError("Give --option as NAME=VALUE.")
        option = known.get(name)
        found[name] = value if option is None or option.choices else _value(value, option)
    return found


def _value(text: str, option: Option) -> Any:
    if isinstance(option.default, bool):
        return {"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text)
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if isinstance(option.default, int) and number.is_integer() else number


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(HOW) from None


def _class(name: str, card: Card) -> int:
    known = [(label or "").lower() for label in labels(card)]
    if name.lower() not in known:
        raise ValueError(f"This model knows no class called '{name[:40]}'; give its number or another name.")
    return known.index(name.lower())
