"""Results kept as JSON, one kind to a shelf: FOLDER/PREFIXname.json; no torch."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

STUDIES = Path(__file__).parents[2] / "checkpoints" / "studies"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}")

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Shelf(Generic[Kind]):
    """Where results of one kind lie and how they are read.

    `make` builds a result from its parsed JSON; what cannot be true is raised as `error`, in one sentence that names
    the `noun` and the `command` that measures it. A file has at most `most` characters.
    """

    noun: str
    make: Callable[[Any], Kind]
    error: type[ValueError]
    command: str
    prefix: str = ""
    most: int = 1_000_000
    folder: Path = STUDIES

    def path(self, name: str, folder: Path | None = None) -> Path:
        """Return where the result of this name is kept; a repository's slash becomes a dash."""
        return (folder or self.folder) / f"{self.prefix}{key(name)}.json"

    def names(self, folder: Path | None = None) -> tuple[str, ...]:
        """Return what is there, by name."""
        found = (path.stem.removeprefix(self.prefix) for path in (folder or self.folder).glob(f"{self.prefix}*.json"))
        return tuple(sorted(name for name in found if NAME.fullmatch(name)))

    def read(self, name: str, folder: Path | None = None) -> Kind:
        """Return the result of this name; the text is compared with the names there are, never joined to a path."""
        known = self.names(folder)
        if key(name) not in known:
            there = ", ".join(known) or "none yet"
            raise self.error(f"There is no {self.noun} called {str(name)[:64]!r}; there are: {there}.")
        try:
            return self.parse(self.path(name, folder).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise self._unreadable() from error

    def parse(self, text: str) -> Kind:
        """Return the result of a file's text; a part that is missing, unknown or of the wrong kind is an error."""
        if len(text) > self.most:
            raise self.error(f"The file is far larger than a {self.noun}.")
        try:
            return self.make(json.loads(text))
        except self.error:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise self._unreadable() from error

    def _unreadable(self) -> ValueError:
        again = f"measure it again with `python -m playground {self.command}`"
        return self.error(f"The file is not the JSON of a {self.noun}; {again}.")


def key(name: str) -> str:
    """Return a model's name as file names have it."""
    return str(name).replace("/", "-")
