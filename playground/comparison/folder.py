"""Models compared over many pictures: one line of JSON as each ends, so that a run that was stopped goes on.

done = over(pictures_in(Path("photos")), ["everyday-vit", "everyday-coatnet"], Path("photos.jsonl"))
done.pictures, done.unreadable
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from playground import image
from playground.comparison import records
from playground.comparison.records import Values
from playground.comparison.run import Progress, compare, named, never, stay
from playground.image.reading import KINDS_READ
from playground.models.card import Card

SUFFIXES = frozenset((".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif"))


@dataclass(frozen=True)
class Done:
    """What a run over pictures left: an entry for each that was read, and why others could not be.

    `pictures` are values of `records.of_picture`, in order; `whole` is false where the run was stopped before its end.
    """

    models: tuple[str, ...]
    pictures: tuple[Values, ...]
    unreadable: Mapping[str, str]
    whole: bool = True


def pictures_in(folder: Path) -> dict[str, Path]:
    """Return the picture files of a folder and of those inside it, by their place in it, in order of their names.

    Files are chosen by how their names end; whether they are pictures is found out when they are read. Raises
    ValueError where there are none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise ValueError(f"There are no pictures in this folder; {KINDS_READ} files are looked for.")
    return {path.relative_to(folder).as_posix(): path for path in found}


def over(
    pictures: Mapping[str, Path],
    names: Sequence[str | Card],
    record: Path | None = None,
    measure: bool = True,
    progress: Progress = stay,
    cancelled: Callable[[], bool] = never,
) -> Done:
    """Compare models on each picture, by name; time and memory are measured for each size once.

    `record` gets a line as each picture ends. Where it holds lines of the same models, pictures that have not changed
    since are not asked again. Raises ValueError for a list of models that cannot be compared, for a record of other
    models and for one that cannot be written.
    """
    models = named(names)
    known = _resumed(record, models) if record is not None else {}
    found: dict[str, Values] = {}
    unreadable: dict[str, str] = {}
    for place, (name, path) in enumerate(pictures.items()):
        if cancelled():
            return Done(models, tuple(found.values()), unreadable, whole=False)
        mark = _mark(path)
        if name in known and known[name]["mark"] == mark:
            found[name] = known[name]["entry"]
            continue

        def say(share: float, text: str, place: int = place, name: str = name) -> None:
            progress((place + share) / len(pictures), f"{name}: {text}")

        try:
            picture = image.read(path)
        except image.ImageError as error:
            unreadable[name] = str(error)
            continue
        rows = {row.model: row for row in compare(picture, names, measure, say, cancelled)}
        if len(rows) < len(names):
            return Done(models, tuple(found.values()), unreadable, whole=False)
        found[name] = records.of_picture(name, [rows[model] for model in models])
        if record is not None:
            _append(record, {"mark": mark, "entry": found[name]})
    progress(1.0, "done")
    return Done(models, tuple(found.values()), unreadable)


def _mark(path: Path) -> list[int]:
    """Return what tells a file from a changed one."""
    try:
        facts = path.stat()
    except OSError:
        return [0, 0]
    return [facts.st_size, facts.st_mtime_ns]


def _resumed(record: Path, models: tuple[str, ...]) -> dict[str, Values]:
    """Return what a record already holds by picture, or begin it; a line that was cut off is taken away."""
    head = {"comparison": records.VERSION, "models": list(models)}
    try:
        text = record.read_bytes() if record.exists() else b""
        lines = text[: text.rfind(b"\n") + 1].splitlines()
        if lines:
            if _parsed(lines[0]) != head:
                raise ValueError("The record is of other models or is no record; choose another place for it.")
            with record.open("r+b") as file:
                file.truncate(text.rfind(b"\n") + 1)
        else:
            record.write_text(json.dumps(head, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError:
        raise ValueError("The record cannot be written there; choose another place for it.") from None
    found = [_parsed(line) for line in lines[1:]]
    return {line["entry"]["picture"]: line for line in found if line is not None and "entry" in line}


def _parsed(line: bytes) -> Values | None:
    with suppress(ValueError):
        value = json.loads(line)
        return value if isinstance(value, dict) else None
    return None


def _append(record: Path, values: Values) -> None:
    try:
        with record.open("a", encoding="utf-8") as file:
            file.write(json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n")
    except OSError:
        raise ValueError("The record cannot be written any more; the disk may be full.") from None
