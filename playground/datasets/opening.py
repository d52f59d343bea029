"""From a folder, or the name of a drawn world, to a data set: the layout is recognised by what lies there."""

from pathlib import Path
from typing import get_args

from playground.datasets import everyday
from playground.datasets.everyday import Split
from playground.datasets.nouns import DataError, LabelledPictures


def labelled(folder: Path, split: Split = "val") -> LabelledPictures:
    """Pictures with one class each. Raises DataError with one sentence that says what was looked for."""
    check(folder, split)
    photos = everyday.read(folder, split)
    part = {"val": "validation", "train": "training"}[split]
    return everyday.labelled(photos, f"Everyday, {part} part ({len(photos):,} photos)")


def check(folder: Path, split: str) -> None:
    """Refuse what is no folder and what is no part."""
    if not folder.is_dir():
        raise DataError("The data folder does not exist; give --data a folder with pictures.")
    if split not in get_args(Split):
        raise DataError("The part of the data must be train or val.")
