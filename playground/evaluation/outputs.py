"""Writing results: whole or not at all, with one sentence when the disk refuses."""

import os
from pathlib import Path


class WriteError(ValueError):
    """A result could not be written; the text is one sentence."""


def write_whole(path: Path, text: str) -> None:
    """Write under another name, flush, rename: a killed run leaves the old file or the new one."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
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
