"""Drawn photos in the layout of Everyday, so that boxes can be checked against pixels and nothing is downloaded."""

import tarfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from playground.datasets.everyday import SIDE, Photos

NAMES = ("disc", "square", "bar", "nothing")
EIGHTY = (*NAMES, *(f"other {i}" for i in range(76)))


def drawn_photos(count: int = 80, seed: int = 0) -> Photos:
    """Drawn photos whose object has a colour of its own class, so that boxes can be checked against pixels."""
    rng = np.random.default_rng(seed)
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90)]
    images, labels, boxes = [], [], []
    for number in range(count):
        label = number % len(NAMES)
        wide, high = rng.integers(20, 45, 2)
        left, top = int(rng.integers(0, SIDE - wide)), int(rng.integers(0, SIDE - high))
        picture = Image.new("RGB", (SIDE, SIDE), (128, 128, 128))
        ImageDraw.Draw(picture).rectangle((left, top, left + wide - 1, top + high - 1), fill=colours[label])
        images.append(np.asarray(picture))
        labels.append(label)
        boxes.append((left, top, left + wide, top + high))
    return Photos(np.stack(images), np.array(labels, np.int64), np.array(boxes, np.float32), NAMES)


def write_everyday(folder: Path, photos: Photos, split: str) -> None:
    """The photos as one Everyday shard."""
    folder.mkdir(exist_ok=True)
    rows = [] if (folder / "boxes.csv").exists() else ["split,shard,name,class_index,wnid,x_min,y_min,x_max,y_max"]
    with tarfile.open(folder / f"{split}-0.tar", "w") as archive:
        for number in range(len(photos)):
            name = f"{number:06d}.webp"
            Image.fromarray(photos.images[number]).save(folder / name, lossless=True)
            archive.add(folder / name, name)
            (folder / name).unlink()
            x0, y0, x1, y1 = photos.boxes_xyxy[number].astype(int)
            rows.append(f"{split},0,{name},{photos.labels[number]},n0,{x0},{y0},{x1 - 1},{y1 - 1}")
    with (folder / "boxes.csv").open("a") as stream:
        stream.write("\n".join(rows) + "\n")
    (folder / "classes.txt").write_text("\n".join(photos.classes) + "\n")
