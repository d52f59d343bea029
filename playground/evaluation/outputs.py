"""Writing results: whole or not at all, with one sentence when the disk refuses."""

import os
from pathlib import Path

from playground.whole import replacing


class WriteError(ValueError):
    """A result could not be written; the text is one sentence."""


def write_whole(path: Path, text: str) -> None:
    """Write a text file. Raises WriteError; the file that was there is then intact."""
    try:
        with replacing(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WriteError(f"{path.name[:80]} could not be written; is the disk full or read-only?") from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a file and see it on the disk. A line cut off before is closed first."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as stream:
            if stream.tell():
                stream.seek(-1, os.SEEK_END)
                if stream.read(1) != b"\n":
                    stream.write(b"\n")
            stream.write(line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise WriteError(f"{path.name[:80]} could not be written; is the disk full or read-only?") from error
