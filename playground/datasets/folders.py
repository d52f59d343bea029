"""A folder of pictures with one folder a class, as ImageNet is published: CLASS/x.jpg, or train/CLASS and val/CLASS."""

import zlib
from pathlib import Path

import numpy as np

from playground.datasets.everyday import SIDE, Photos, Split
from playground.datasets.nouns import DataError, LabelledPictures
from playground.image import ImageError, Picture, Preprocess, read, view

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"}
MOST_CLASSES = 50_000
HELD_BACK = 5  # without folders train and val, every fifth picture serves validation


def labelled(folder: Path, split: Split) -> LabelledPictures:
    """Pictures with their folder's name as class. Raises DataError when there are none or a class is empty.

    Without folders train and val, one picture in five, chosen by its name, is the validation part.
    """
    files, labels, classes = _listed(folder, split)
    part = {"val": "validation", "train": "training"}[split]
    return LabelledPictures(
        f"image folder, {part} part ({len(files):,} pictures of {len(classes):,} classes)",
        classes,
        classes,
        labels,
        lambda i: picture_at(files[i]),
    )


def photos(folder: Path, split: Split) -> Photos:
    """The pictures for training: read as uploads are, shorter side to 64 pixels, the middle; boxes cover all of it."""
    files, labels, classes = _listed(folder, split)
    whole = Preprocess("crop", (SIDE, SIDE), 1.0, "bicubic")
    images = np.stack([np.asarray(view(picture_at(file), whole).image) for file in files])
    return Photos(images, labels, np.tile(np.array([0, 0, SIDE, SIDE], np.float32), (len(files), 1)), classes)


def mark(folder: Path, split: Split) -> str:
    """Text that changes when a picture of this part is added, removed, moved or written anew."""
    files, _, _ = _listed(folder, split)
    facts = ((str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return f"{zlib.crc32(repr(sorted(facts)).encode()):08x}"


def classes_of(folder: Path) -> tuple[str, ...]:
    """The names of the class folders of all parts, sorted. Raises DataError when there are none."""
    found = {place.name for base in _parts(folder) or [folder] for place in _class_folders(base, bare=True)}
    if not 0 < len(found) <= MOST_CLASSES:
        raise DataError(f"The data folder needs one folder for each class, 1 to {MOST_CLASSES:,}; it has {len(found)}.")
    return tuple(sorted(found))


def is_image_folder(folder: Path) -> bool:
    """Whether some folder below, or below val or train, holds pictures."""
    return any(_class_folders(base) for base in (folder / "val", folder / "train", folder) if base.is_dir())


def picture_at(path: Path) -> Picture:
    """Read one picture as an upload is read. Raises DataError that names the file and says what is wrong."""
    try:
        return read(path)
    except ImageError as error:
        what = "is missing" if not path.is_file() else f"cannot be used: {error}"
        raise DataError(f"Picture {path.name[:80]} {what}{'.' if what == 'is missing' else ''}") from error


def _listed(folder: Path, split: Split) -> tuple[list[Path], np.ndarray, tuple[str, ...]]:
    """(files, labels, class names), classes in the order of their names; a class of any part has its number in all."""
    base, whole = folder / split, not _parts(folder)
    if not whole and not base.is_dir():
        raise DataError(f"The data folder has no folder called {split}; it needs {split}/CLASS with pictures.")
    classes = classes_of(folder)
    files: list[Path] = []
    labels: list[int] = []
    for number, name in enumerate(classes):
        place = (folder if whole else base) / name
        found = _pictures(place) if place.is_dir() else []
        if not found and (whole or place.is_dir()):
            raise DataError(f"The class folder {name[:64]!r} has no pictures; fill it or remove it.")
        chosen = [file for file in found if not whole or held_back(f"{name}/{file.name}") == (split == "val")]
        files += chosen
        labels += [number] * len(chosen)
    if not files:
        raise DataError(f"The {split} part of the data folder has no pictures.")
    return files, np.array(labels, np.int64), classes


def _parts(folder: Path) -> list[Path]:
    return [base for base in (folder / "train", folder / "val") if base.is_dir()]


def _class_folders(base: Path, bare: bool = False) -> list[Path]:
    """Folders below that hold pictures; with `bare`, empty ones too."""
    found = sorted(place for place in base.iterdir() if place.is_dir() and not place.name.startswith((".", "_")))
    return found if bare else [place for place in found if any(_is_picture(file) for file in place.iterdir())]


def _pictures(place: Path) -> list[Path]:
    return sorted(file for file in place.iterdir() if _is_picture(file))


def _is_picture(file: Path) -> bool:
    return file.suffix.lower() in ENDINGS and not file.name.startswith(".")


def held_back(name: str) -> bool:
    """Whether the picture of this name belongs to the validation part where nothing else says so."""
    return zlib.crc32(name.encode()) % HELD_BACK == 0
