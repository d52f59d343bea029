"""Photos for training: read once, decoded once, kept as uint8 in memory.

Two layouts are understood: the *Everyday* shards (`train-0.tar` ..., `val-0.tar`, `boxes.csv`, `classes.txt`) and the
public Tiny-ImageNet-200 archive (`train/WNID/images`, `val/val_annotations.txt`). Its WordNet ids are folded into plain
classes as `everyday.tsv` beside this module says, or a `wordnet.tsv` in the data folder.
"""

import csv
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from PIL import Image

from playground import image
from playground.datasets.nouns import DataError, LabelledPictures
from playground.whole import replacing

SIDE = 64  # every photo is SIDE x SIDE
FOLDING = Path(__file__).with_name("everyday.tsv")  # WordNet id -> class
Split = Literal["train", "val"]


@dataclass(frozen=True)
class Photos:
    """Photos of one split.

    images: uint8 [N, 64, 64, 3]; labels: int64 [N], indices into `classes`; boxes_xyxy: float32 [N, 4], one box a photo
    in pixels 0..64 (the right and bottom edges are exclusive).
    """

    images: np.ndarray
    labels: np.ndarray
    boxes_xyxy: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Photos":
        """The photos at these indices, copied."""
        return Photos(self.images[indices], self.labels[indices], self.boxes_xyxy[indices], self.classes)


@dataclass(frozen=True)
class _Row:
    """Where one photo is and what it shows."""

    shard: int
    name: str
    label: int
    box: tuple[int, int, int, int]


def load(folder: Path, split: Split, cache: Path) -> Photos:
    """Read one split, decoding it on the first call and memory-mapping the decoded copy under `cache` afterwards.

    Raises DataError when the folder is neither of the two layouts or a photo cannot be read.
    """
    _check(folder)
    return kept(read_classes(folder), split, cache, lambda: read(folder, split))


def kept(classes: tuple[str, ...], split: Split, cache: Path, make: Callable[[], Photos], mark: str = "") -> Photos:
    """Photos as `make` gives them, from the copy under `cache` where one of the same `mark` is there.

    Raises DataError when that copy holds other classes or is damaged, and when a new one cannot be written.
    """
    images_file, facts_file = cache / f"{split}-images.npy", cache / f"{split}-facts.npz"
    if images_file.exists() and facts_file.exists():
        try:
            with np.load(facts_file) as facts:
                found = Photos(
                    np.load(images_file, mmap_mode="r"), facts["labels"], facts["boxes_xyxy"], tuple(facts["classes"])
                )
                known = str(facts["mark"]) if "mark" in facts else ""
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError("The cache folder is damaged; empty it or name another with --cache.") from error
        if found.classes != classes:
            raise DataError(
                "The cache folder holds other classes than the data folder; empty it or name another with --cache."
            )
        if known == mark:
            return found
    photos = make()
    facts = {"labels": photos.labels, "boxes_xyxy": photos.boxes_xyxy}
    _write_whole(images_file, lambda stream: np.save(stream, photos.images))
    _write_whole(facts_file, lambda stream: np.savez(stream, **facts, classes=np.array(classes), mark=np.array(mark)))
    return photos


def read(folder: Path, split: Split) -> Photos:
    """Read and decode one split; raises DataError as `load` does."""
    _check(folder)
    classes = read_classes(folder)
    shards = (folder / "boxes.csv").is_file()
    images, labels, boxes = _read_shards(folder, split, len(classes)) if shards else _read_tiny(folder, split, classes)
    return Photos(images, labels, boxes, classes)


def labelled(photos: Photos, source: str) -> LabelledPictures:
    """The photos as pictures that come the way of an upload."""
    return LabelledPictures(
        source,
        photos.classes,
        photos.classes,
        photos.labels,
        lambda i: image.read(Image.fromarray(photos.images[i])),
        photos.boxes_xyxy,
    )


def is_everyday(folder: Path) -> bool:
    """Whether the folder looks like one of the two layouts."""
    marks = ("boxes.csv", "wordnet.tsv", "val/val_annotations.txt")
    return any((folder / mark).is_file() for mark in marks)


def _check(folder: Path) -> None:
    if not folder.is_dir():
        raise DataError(
            "The data folder does not exist; give --data a folder with the Everyday shards or Tiny-ImageNet-200."
        )
    if not is_everyday(folder):
        raise DataError(
            "The data folder is neither of the two layouts; it needs boxes.csv and the Everyday shards, or "
            "val/val_annotations.txt and the rest of Tiny-ImageNet-200."
        )


def read_classes(folder: Path) -> tuple[str, ...]:
    """Class names in index order, from `classes.txt` or, without it, those that WordNet ids are folded into."""
    if (listed := folder / "classes.txt").is_file():
        return tuple(line.strip() for line in _lines(listed))
    return tuple(sorted(set(_folding(folder).values())))


def split_held_out(photos: Photos, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices (to train on, held out), both sorted; the held-out share serves calibration and is never trained on."""
    order = np.random.default_rng(seed).permutation(len(photos))
    held = round(len(photos) * share)
    return np.sort(order[held:]), np.sort(order[:held])


def _write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file of the cache. Raises DataError where the disk refuses."""
    try:
        with replacing(path) as part, part.open("wb") as stream:
            write(stream)
    except OSError as error:
        raise DataError(
            "The decoded photos could not be kept; is the disk full or the cache folder read-only?"
        ) from error


def _decode(data: bytes, name: str) -> np.ndarray:
    try:
        photo = Image.open(io.BytesIO(data)).convert("RGB")
    except OSError as error:
        raise DataError(f"Photo {name[:64]} cannot be read; fetch the data again.") from error
    return np.asarray(photo if photo.size == (SIDE, SIDE) else photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _read_shards(folder: Path, split: Split, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows: dict[int, dict[str, _Row]] = {}
    for row in _listed(folder / "boxes.csv", split):
        if not 0 <= row.label < count:
            raise DataError(f"boxes.csv names class {row.label}, but classes.txt has {count} classes.")
        rows.setdefault(row.shard, {})[row.name] = row
    if not rows:
        raise DataError(f"boxes.csv lists no {split} photos.")
    images = np.empty((sum(map(len, rows.values())), SIDE, SIDE, 3), np.uint8)
    kept: list[_Row] = []
    for shard in sorted(rows):
        try:
            archive = tarfile.open(folder / f"{split}-{shard}.tar")  # noqa: SIM115 (closed below)
        except (OSError, tarfile.TarError) as error:
            raise DataError(f"Shard {split}-{shard}.tar is missing or damaged; fetch the data again.") from error
        with archive:
            for name, row in rows[shard].items():
                try:
                    member = archive.extractfile(name)
                    data = b"" if member is None else member.read()
                except (KeyError, OSError, tarfile.TarError) as error:
                    raise DataError(
                        f"Shard {split}-{shard}.tar lacks photo {name[:64]} or is cut off; fetch the data again."
                    ) from error
                images[len(kept)] = _decode(data, name)
                kept.append(row)
    return images, np.array([row.label for row in kept], np.int64), _boxes([row.box for row in kept])


def _listed(file: Path, split: Split) -> Iterator[_Row]:
    """Yield the rows of one part; raises DataError for a row that lacks a field or a number."""
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            for line in csv.DictReader(stream):
                if line["split"] == split:
                    box = (int(line["x_min"]), int(line["y_min"]), int(line["x_max"]), int(line["y_max"]))
                    yield _Row(int(line["shard"]), line["name"], int(line["class_index"]), box)
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as error:
        raise DataError(f"{file.name} is damaged; fetch the data again.") from error


def _read_tiny(folder: Path, split: Split, classes: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tiny-ImageNet-200 as published; only the WordNet ids that are folded into a class are kept."""
    folding = _folding(folder)
    found: list[tuple[Path, str, tuple[int, int, int, int]]] = []
    if split == "train":
        for wnid in sorted(folding):
            found += [
                (folder / "train" / wnid / "images" / n, wnid, b)
                for n, b in _tiny_boxes(folder / "train" / wnid / f"{wnid}_boxes.txt")
            ]
    else:
        for line in _lines(folder / "val" / "val_annotations.txt"):
            name, wnid, *box = *line.split("\t"), ""
            if wnid in folding:
                found.append((folder / "val" / "images" / name, wnid, _four(box)))
    if not found:
        raise DataError(f"No {split} photos of the named classes are in the data folder.")
    index = {name: number for number, name in enumerate(classes)}
    images = np.stack([_decode(_bytes(path), path.name) for path, _, _ in found])
    labels = np.array([index[folding[wnid]] for _, wnid, _ in found], np.int64)
    return images, labels, _boxes([box for _, _, box in found])


def _folding(folder: Path) -> dict[str, str]:
    """WordNet id -> plain class."""
    own = folder / "wordnet.tsv"
    rows = [line.split("\t") for line in _lines(own if own.is_file() else FOLDING)[1:]]
    if any(len(row) < 2 for row in rows):
        raise DataError("wordnet.tsv is damaged; each line needs a WordNet id and, last, a class, with tabs between.")
    return {row[0]: row[-1] for row in rows}


def _tiny_boxes(path: Path) -> list[tuple[str, tuple[int, int, int, int]]]:
    rows = [line.split("\t") for line in _lines(path)]
    return [(row[0], _four(row[1:])) for row in rows]


def _four(fields: list[str]) -> tuple[int, int, int, int]:
    try:
        x0, y0, x1, y1 = (int(field) for field in fields[:4])
    except ValueError as error:
        raise DataError("A box in the data folder is not four whole numbers.") from error
    return x0, y0, x1, y1


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise DataError(
            f"{path.name} is missing from the data folder; "
            "it must be the Everyday shards or Tiny-ImageNet-200 as published."
        )
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is damaged; fetch the data again.") from error


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"Photo {path.name[:64]} is missing; fetch the data again.") from error


def _boxes(inclusive: list[tuple[int, int, int, int]]) -> np.ndarray:
    """Inclusive pixel corners -> edges in 0..64."""
    boxes = np.array(inclusive, np.float32).reshape(-1, 4) + np.array([0, 0, 1, 1], np.float32)
    if len(boxes) and (boxes.min() < 0 or boxes.max() > SIDE or (boxes[:, 2:] <= boxes[:, :2]).any()):
        raise DataError("A box in the data folder lies outside its photo or is empty.")
    return boxes
