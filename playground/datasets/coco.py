"""COCO's layouts: one JSON file that lists pictures, categories and boxes, or panoptic segments drawn in PNG files.

As published for 2017: `annotations/instances_val2017.json` or `annotations/panoptic_val2017.json` (with PNG files in
`annotations/panoptic_val2017`), pictures in `val2017`. One's own: a JSON file of this form in the folder or its
`annotations`, pictures in `val2017`, `val`, `images` or beside the file. Where a file names no part, one picture in
five, chosen by its name, is the validation part.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from playground.datasets.everyday import Split
from playground.datasets.folders import held_back, picture_at
from playground.datasets.nouns import BoxedPictures, DataError, Segmented, SegmentedPictures, Truth
from playground.image import Picture

Kind = Literal["instances", "panoptic"]
SLACK = 1.0  # pixels that a box may reach over its picture's edge: COCO's own are rounded so


@dataclass(frozen=True)
class _Listing:
    """What the JSON file says, checked: pictures by id, annotations by picture, categories in order of their ids."""

    images: tuple[dict[str, Any], ...]
    annotations: Mapping[int, list[dict[str, Any]]]
    names: tuple[str, ...]
    index: Mapping[int, int]  # category id -> place in names
    things: np.ndarray


def boxed(folder: Path, split: Split) -> BoxedPictures:
    """Pictures with boxes. Raises DataError for a file that is missing, damaged or false about its pictures."""
    file = annotation_file(folder, split, "instances")
    listing = _listing(file)
    place = _picture_folder(folder, split, listing)
    images = listing.images
    if not _names_a_part(file.stem):
        images = tuple(image for image in images if held_back(image["file_name"]) == (split == "val"))
        if not images:
            raise DataError(
                f"No picture of {file.name[:80]} falls to the {split} part; add pictures, or name the parts."
            )
    truths = [_truth(listing, image) for image in images]
    return BoxedPictures(
        f"{file.stem[:64]} ({len(truths):,} pictures)",
        listing.names,
        tuple(map(str, listing.index)),
        len(truths),
        lambda i: _picture(place, images[i]),
        lambda i: truths[i],
    )


def _picture(place: Path, image: Mapping[str, Any]) -> Picture:
    """Read a picture; its size must be the listed one, or its boxes would be elsewhere."""
    picture = picture_at(place / image["file_name"])
    listed = image["width"], image["height"]
    if picture.rgb.size != listed:
        raise DataError(
            f"Picture {image['file_name'][:80]} is {picture.rgb.width} x {picture.rgb.height} pixels when read, but "
            f"the file lists {listed[0]} x {listed[1]}; was it resized or turned after its boxes were drawn?"
        )
    return picture


def segmented(folder: Path, split: Split) -> SegmentedPictures:
    """Pictures with panoptic segments. Raises DataError as `boxed` does."""
    file = annotation_file(folder, split, "panoptic")
    listing = _listing(file)
    drawn = file.parent / file.stem
    if not drawn.is_dir():
        raise DataError(f"{file.name[:80]} needs a folder called {drawn.name[:80]} with its PNG files beside it.")
    place = _picture_folder(folder, split, listing)

    def segments(i: int) -> Segmented:
        found = listing.annotations.get(listing.images[i]["id"], [])
        if len(found) != 1 or not isinstance(found[0].get("segments_info"), list):
            raise DataError(f"Picture {listing.images[i]['file_name'][:80]} needs one entry with segments_info.")
        return _segments(listing, found[0], drawn, listing.images[i])

    return SegmentedPictures(
        f"{file.stem[:64]} ({len(listing.images):,} pictures)",
        listing.names,
        tuple(map(str, listing.index)),
        listing.things,
        len(listing.images),
        lambda i: picture_at(place / listing.images[i]["file_name"]),
        segments,
    )


def annotation_file(folder: Path, split: Split, kind: Kind) -> Path:
    """The JSON file of this kind and part. Raises DataError that says which names were looked for."""
    published = folder / "annotations" / f"{kind}_{split}2017.json"
    if published.is_file():
        return published
    found = [file for base in (folder / "annotations", folder) if base.is_dir() for file in sorted(base.glob("*.json"))]
    fitting = [file for file in found if (kind == "panoptic") == ("panoptic" in file.stem)]
    of_part = [file for file in fitting if split in file.stem] or [f for f in fitting if not _names_a_part(f.stem)]
    if len(of_part) != 1:
        what = "No" if not of_part else "More than one"
        raise DataError(
            f"{what} file with {kind} of the {split} part is in the data folder; "
            f"it needs annotations/{kind}_{split}2017.json, or one JSON file of that form."
        )
    return of_part[0]


def has(folder: Path, kind: Kind) -> bool:
    """Whether the folder holds JSON files of this kind."""
    files = [*folder.glob("*.json"), *(folder / "annotations").glob("*.json")]
    return any((kind == "panoptic") == ("panoptic" in file.stem) for file in files)


def _names_a_part(stem: str) -> bool:
    return any(part in stem for part in ("train", "val", "test"))


def _listing(file: Path) -> _Listing:
    try:
        given = json.loads(file.read_text(encoding="utf-8"))
        images = tuple(sorted(given["images"], key=lambda image: image["id"]))
        categories = sorted(given["categories"], key=lambda category: category["id"])
        annotations: dict[int, list[dict[str, Any]]] = {int(image["id"]): [] for image in images}
        for one in given["annotations"]:
            annotations[one["image_id"]].append(one)
        names = tuple(str(category["name"]) for category in categories)
        index = {int(category["id"]): place for place, category in enumerate(categories)}
        things = np.array([bool(category.get("isthing", 1)) for category in categories])
        sizes = [(int(image["width"]), int(image["height"]), str(image["file_name"])) for image in images]
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{file.name[:80]} is damaged or not of COCO's form: images, categories and annotations that fit together."
        ) from error
    if not images or not categories:
        raise DataError(f"{file.name[:80]} lists no {'categories' if images else 'pictures'}.")
    if any(Path(name).is_absolute() or ".." in Path(name).parts for _, _, name in sizes):
        raise DataError(f"{file.name[:80]} names a picture outside the data folder.")
    return _Listing(images, annotations, names, index, things)


def _truth(listing: _Listing, image: Mapping[str, Any]) -> Truth:
    """The boxes of a picture; those without area are left out, as is usual with COCO's."""
    boxes, labels, areas, crowd = [], [], [], []
    name = str(image["file_name"])[:80]
    for one in listing.annotations[image["id"]]:
        try:
            left, top, wide, high = (float(number) for number in one["bbox"])
            label = listing.index[one["category_id"]]
            area = float(one.get("area", wide * high))
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"A box of picture {name} is not four numbers, or its category is not listed.") from error
        if not np.isfinite([left, top, wide, high, area]).all() or wide < 0 or high < 0:
            raise DataError(f"A box of picture {name} is not four numbers: left, top, width and height.")
        if min(left, top) < -SLACK or left + wide > image["width"] + SLACK or top + high > image["height"] + SLACK:
            raise DataError(f"A box of picture {name} lies outside the picture.")
        if wide and high:
            boxes.append((left, top, left + wide, top + high))
            labels.append(label)
            areas.append(area)
            crowd.append(bool(one.get("iscrowd", 0)))
    return Truth(
        np.array(labels, np.int64),
        np.array(boxes, np.float64).reshape(-1, 4),
        np.array(areas, np.float64),
        np.array(crowd, bool),
    )


def _segments(listing: _Listing, one: Mapping[str, Any], drawn: Path, image: Mapping[str, Any]) -> Segmented:
    name = str(one.get("file_name", ""))
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise DataError("A PNG file with segments lies outside the data folder.")
    try:
        with Image.open(drawn / name) as png:
            colours = np.asarray(png.convert("RGB")).astype(np.int32)
        numbers = np.array([segment["id"] for segment in one["segments_info"]], np.int64)
        labels = np.array([listing.index[segment["category_id"]] for segment in one["segments_info"]], np.int64)
        crowd = np.array([bool(segment.get("iscrowd", 0)) for segment in one["segments_info"]], bool)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DataError(f"The segments of {name[:80] or 'a picture'} are missing or damaged.") from error
    ids = colours @ np.array([1, 256, 65536])
    if ids.shape != (image["height"], image["width"]):
        raise DataError(f"The segments of {name[:80]} are of another size than their picture.")
    if missing := set(np.unique(ids).tolist()) - {0, *numbers.tolist()}:
        raise DataError(f"{name[:80]} draws segment {min(missing)}, which the file does not list.")
    return Segmented(ids.astype(np.int32), numbers, labels, crowd)


def _picture_folder(folder: Path, split: Split, listing: _Listing) -> Path:
    """The first of the usual folders that holds the first picture."""
    name = listing.images[0]["file_name"]
    usual = [folder / f"{split}2017", folder / split, folder / "images" / split, folder / "images", folder]
    for place in usual:
        if (place / name).is_file():
            return place
    raise DataError(
        f"Picture {name[:80]} is in none of {split}2017, {split}, images or the data folder itself; put pictures there."
    )
