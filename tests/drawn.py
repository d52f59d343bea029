"""Drawn photos in the layouts of data sets, so that answers are known and nothing is downloaded."""

import json
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


def write_folder(folder: Path, counts: dict[str, int]) -> None:
    """Pictures of 40 x 30 pixels in one folder a class, each class of another grey."""
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            Image.new("RGB", (40, 30), (40 * number, i, 90)).save(folder / name / f"{i:03d}.png")


def write_coco(folder: Path) -> None:
    """Two pictures in COCO's layout of 2017: a cat, a crowd of persons and a box without area; cats under sky."""
    for place in ("annotations/panoptic_val2017", "val2017"):
        (folder / place).mkdir(parents=True)
    images = [{"id": i, "file_name": f"{'ab'[i]}.png", "width": 40, "height": 30} for i in range(2)]
    names = {17: "cat", 1: "person", 187: "sky"}
    categories = [{"id": number, "name": name, "isthing": int(number < 100)} for number, name in names.items()]
    boxes = [
        {"id": 1, "image_id": 0, "category_id": 17, "bbox": [2, 3, 10, 20], "area": 150, "iscrowd": 0},
        {"id": 2, "image_id": 0, "category_id": 1, "bbox": [20, 0, 20, 10], "area": 200, "iscrowd": 1},
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": [5, 5, 0, 7], "area": 0, "iscrowd": 0},
    ]
    info = [{"id": 70_000, "category_id": 17, "iscrowd": 0}, {"id": 5, "category_id": 187, "iscrowd": 0}]
    segments = [{"image_id": i, "file_name": f"{'ab'[i]}.png", "segments_info": info} for i in range(2)]
    ids = np.zeros((30, 40), np.int32)
    ids[:10], ids[20:] = 70_000, 5
    png = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
    for name in "ab":
        Image.new("RGB", (40, 30), (200, 90, 10)).save(folder / "val2017" / f"{name}.png")
        Image.fromarray(png).save(folder / "annotations" / "panoptic_val2017" / f"{name}.png")
    for kind, annotations in (("instances", boxes), ("panoptic", segments)):
        facts = {"images": images, "annotations": annotations, "categories": categories}
        (folder / "annotations" / f"{kind}_val2017.json").write_text(json.dumps(facts))
