"""From a folder, or the name of a drawn world, to a data set: the layout is recognised by what lies there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from playground.datasets import coco, everyday, folders, scenes, shapes
from playground.datasets.everyday import Photos, Split
from playground.datasets.nouns import BoxedPictures, DataError, LabelledPictures, Segmented, SegmentedPictures, Truth
from playground.image import Picture, read

SHAPES = "shapes"  # in place of a folder
SHAPES_COUNT, SHAPES_SEED = 1000, 3  # the scenes that cards are measured on
PARTS = {"val": "validation", "train": "training"}
LOOKED_FOR = (
    "the Everyday shards (boxes.csv, classes.txt, val-0.tar), Tiny-ImageNet-200 (val/val_annotations.txt), "
    "or pictures in CLASS or val/CLASS folders"
)


def labelled(folder: Path, split: Split = "val") -> LabelledPictures:
    """Pictures with one class each. Raises DataError with one sentence that says what was looked for."""
    _check(folder, split)
    if everyday.is_everyday(folder):
        photos = everyday.read(folder, split)
        return everyday.labelled(photos, f"Everyday, {PARTS[split]} part ({len(photos):,} photos)")
    if folders.is_image_folder(folder):
        return folders.labelled(folder, split)
    raise DataError(f"The data folder holds no pictures with classes; looked for {LOOKED_FOR}.")


def boxed(
    folder: Path, split: Split, names: tuple[str, ...], size: int, things: int = shapes.MOST_THINGS, plain: bool = False
) -> BoxedPictures:
    """Pictures with boxes: COCO's layout, scenes composed from Everyday's photos, or drawn shapes.

    `names` are the classes that scenes hold, `size` their side in pixels, `things` the most on a drawn one, where
    they may be `plain`. Raises DataError.
    """
    if is_shapes(folder):
        return _boxes_of_shapes(_shapes(size, things, plain))
    _check(folder, split)
    if coco.has(folder, "instances"):
        return coco.boxed(folder, split)
    if everyday.is_everyday(folder):
        photos = everyday.read(folder, split)
        composed = scenes.fixed(photos, names, size)
        source = f"Scenes composed from Everyday, {PARTS[split]} part ({len(photos):,} photos)"
        truths = [Truth(scene.labels, scene.boxes_xyxy.astype(np.float64)) for scene in composed]
        return BoxedPictures(
            source,
            names,
            names,
            len(composed),
            lambda i: read(Image.fromarray(composed[i].image)),
            lambda i: truths[i],
        )
    raise DataError(
        "The data folder holds no pictures with boxes; looked for annotations/instances_val2017.json (or one JSON file "
        "of that form) and the Everyday shards."
    )


def segmented(
    folder: Path, split: Split, size: int, things: int = shapes.MOST_THINGS, plain: bool = False
) -> SegmentedPictures:
    """Pictures with panoptic segments: COCO's layout or drawn shapes. Raises DataError."""
    if is_shapes(folder):
        return _segments_of_shapes(_shapes(size, things, plain))
    _check(folder, split)
    if coco.has(folder, "panoptic"):
        return coco.segmented(folder, split)
    raise DataError(
        "The data folder holds no panoptic segments; looked for annotations/panoptic_val2017.json (or one JSON file "
        f"of that form); --data {SHAPES} draws its own."
    )


def load(folder: Path, split: Split, cache: Path) -> Photos:
    """Photos of 64 x 64 pixels for training, decoded once and kept under `cache`: Everyday or an image folder.

    Raises DataError with one sentence that says what was looked for.
    """
    _check(folder, split)
    if everyday.is_everyday(folder):
        return everyday.load(folder, split, cache)
    if folders.is_image_folder(folder):
        mark = folders.mark(folder, split)
        return everyday.kept(folders.classes_of(folder), split, cache, lambda: folders.photos(folder, split), mark)
    raise DataError(f"The data folder holds no pictures with classes; looked for {LOOKED_FOR}.")


def is_shapes(folder: Path) -> bool:
    """Whether the drawn world is meant, and not a folder that happens to have its name."""
    return re.fullmatch(SHAPES, str(folder)) is not None and not folder.exists()


def has_segments(folder: Path) -> bool:
    """Whether the folder holds panoptic segments in COCO's layout."""
    return coco.has(folder, "panoptic")


def _shapes(size: int, things: int, plain: bool) -> list[shapes.ShapesScene]:
    maker, rng = shapes.ShapesMaker((1, things), plain), np.random.default_rng(SHAPES_SEED)
    return [maker.compose(rng, size) for _ in range(SHAPES_COUNT)]


def _boxes_of_shapes(drawn: list[shapes.ShapesScene]) -> BoxedPictures:
    things = [scene.is_thing for scene in drawn]
    truths = [
        Truth(scene.labels[thing], scene.boxes_xyxy[thing].astype(np.float64))
        for scene, thing in zip(drawn, things, strict=True)
    ]
    return BoxedPictures(_drawn(drawn), shapes.THINGS, shapes.THINGS, len(drawn), _picture(drawn), lambda i: truths[i])


def _segments_of_shapes(drawn: list[shapes.ShapesScene]) -> SegmentedPictures:
    def segments(i: int) -> Segmented:
        labels = drawn[i].labels
        return Segmented(drawn[i].segments, np.arange(1, len(labels) + 1), labels, np.zeros(len(labels), bool))

    things = np.arange(len(shapes.NAMES)) < len(shapes.THINGS)
    return SegmentedPictures(_drawn(drawn), shapes.NAMES, shapes.NAMES, things, len(drawn), _picture(drawn), segments)


def _picture(drawn: list[shapes.ShapesScene]) -> Callable[[int], Picture]:
    return lambda i: read(Image.fromarray(drawn[i].image))


def _drawn(drawn: list[shapes.ShapesScene]) -> str:
    return f"Shapes, drawn from seed {SHAPES_SEED} ({len(drawn):,} scenes of {len(drawn[0].image)} px)"


def _check(folder: Path, split: str) -> None:
    """Refuse what is no folder and what is no part."""
    if not folder.is_dir():
        raise DataError("The data folder does not exist; give --data a folder with pictures.")
    if split not in get_args(Split):
        raise DataError("The part of the data must be train or val.")
