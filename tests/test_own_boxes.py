"""A detector of one's own pictures: cuts keep their boxes, a COCO file becomes a model, faults are one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from playground.__main__ import main
from playground.datasets import coco
from playground.datasets.cuts import CutMaker, squashed
from playground.datasets.nouns import DataError
from playground.datasets.scenes import Scene
from playground.models import catalogue
from playground.training import command, recipes
from playground.training.boxed import own_detector, starting_state
from playground.training.recipe import DetectorRecipe

COLOURS = ((220, 30, 30), (30, 60, 220))
NAMES = ("red", "blue")


def write_own(folder: Path, count: int = 40) -> None:
    """Pictures of 90 x 60 pixels with a red and a blue block each, in one COCO file; a third class has no box."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    images: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for i in range(count):
        pixels = np.full((60, 90, 3), 140, np.uint8)
        for label, left in enumerate((rng.integers(0, 20), rng.integers(45, 65))):
            top, wide, high = rng.integers(0, 30), rng.integers(15, 25), rng.integers(15, 30)
            pixels[top : top + high, left : left + wide] = COLOURS[label]
            box = [int(left), int(top), int(wide), int(high)]
            boxes.append({"id": len(boxes), "image_id": i, "category_id": label + 1, "bbox": box})
        Image.fromarray(pixels).save(folder / "images" / f"{i}.png")
        images.append({"id": i, "file_name": f"{i}.png", "width": 90, "height": 60})
    categories = [{"id": i, "name": name} for i, name in enumerate(("things", *NAMES))]
    facts = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "mine.json").write_text(json.dumps(facts))


def own_scenes(folder: Path, size: int) -> list[Scene]:
    data = coco.boxed(folder, "train")
    return squashed(data, np.arange(len(data)), NAMES, size, lambda done: None)


def coloured(scene: Scene, label: int) -> np.ndarray:
    """[S, S] bool: the pixels of a class's colour."""
    other = COLOURS[1 - label]
    pixels = scene.image.astype(int)
    near, far = (np.abs(pixels - np.array(colour)).sum(-1) for colour in (COLOURS[label], other))
    return (near < 150) & (near < far)


def test_cut_scenes_hold_what_their_boxes_say(tmp_path: Path) -> None:
    write_own(tmp_path)
    maker, rng = CutMaker(own_scenes(tmp_path, 120), NAMES), np.random.default_rng(1)
    counts = []
    for _ in range(40):
        scene = maker.compose(rng, 96)
        assert scene.image.shape == (96, 96, 3)
        assert scene.boxes_xyxy.min(initial=0) >= 0 and scene.boxes_xyxy.max(initial=0) <= 96
        counts.append(len(scene.labels))
        for label, (x0, y0, x1, y1) in zip(scene.labels.tolist(), scene.boxes_xyxy.round().astype(int), strict=True):
            inside = coloured(scene, label)[y0:y1, x0:x1]
            assert inside.mean() > 0.8
    assert max(counts) > 2  # four cuts side by side
    again = [CutMaker(own_scenes(tmp_path, 120), NAMES).compose(np.random.default_rng(2), 64) for _ in range(2)]
    assert np.array_equal(again[0].image, again[1].image)
    blank = Scene(np.zeros((8, 8, 3), np.uint8), np.zeros(0, int), np.zeros((0, 4), np.float32), (0,))
    assert len(CutMaker([*own_scenes(tmp_path, 64), blank], NAMES).compose(np.random.default_rng(0), 64).image) == 64
    with pytest.raises(DataError, match="No picture to train on has a box"):
        CutMaker([blank], NAMES)


def test_an_own_detector_starts_from_the_bundled_one_but_for_its_classes() -> None:
    base = recipes.find("everyday-detr")
    assert isinstance(base, DetectorRecipe)
    own = own_detector(base, ("one", "two", "three"))
    assert (own.name, own.title, own.labels) == ("own-detr", "DETR, 3 classes of your own", ("one", "two", "three"))
    state = starting_state(own)
    model = recipes.build(own, own.size)
    model.load_state_dict(state)
    given = catalogue.folder_of("everyday-detr") / "model.safetensors"
    taken = {name for name, value in load_file(given).items() if torch.equal(value.to(state[name].dtype), state[name])}
    assert set(state) - taken == {"class_embed.weight", "class_embed.bias"}


def test_a_coco_file_of_ones_own_trains_a_detector_that_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_own(tmp_path / "data")
    given = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert command.main(["everyday-detr", "--minutes", "0.05", *given]) == 0
    assert "left out, since no picture to train on has a box of it: things" in capsys.readouterr().out
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path / "out")
    card = catalogue.find("own-detr")
    assert (card.labels, card.task, card.license) == (NAMES, "detection", "none")
    assert {metric.name for metric in card.metrics} == {"mAP", "mAP50", "mAP75"}
    assert card.training["command"].startswith("python -m playground train everyday-detr --data FOLDER")
    assert "64 px photos" not in (tmp_path / "out" / "own-detr" / "README.md").read_text()
    assert command.main(["everyday-detr", "--measure", *given]) == 0
    assert catalogue.find("own-detr") == card
    capsys.readouterr()
    assert main(["evaluate", "--model", "own-detr", "--data", str(tmp_path / "data"), "--json"]) == 0
    measured = {one["name"]: one["value"] for one in json.loads(capsys.readouterr().out)["metrics"]}
    for metric in card.metrics:
        assert measured[metric.name] == pytest.approx(metric.value, abs=0.006)  # the card's two digits


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda facts: facts.update(images=facts["images"][:10], annotations=facts["annotations"][:20]), "at least 20"),
        (lambda facts: facts.update(annotations=[]), "has a box; draw some"),
        (lambda facts: facts["annotations"][0].update(bbox=[80, 0, 20, 20]), "outside the picture"),
        (lambda facts: [image.update(width=60, height=90) for image in facts["images"]], "outside the picture|resized"),
        (lambda facts: [image.update(width=200, height=90) for image in facts["images"]], "resized or turned"),
    ],
)
def test_faults_of_ones_own_file_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    write_own(tmp_path / "data")
    facts = json.loads((tmp_path / "data" / "mine.json").read_text())
    change(facts)
    (tmp_path / "data" / "mine.json").write_text(json.dumps(facts))
    given = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert command.main(["everyday-detr", "--minutes", "0.05", *given]) == 2
    told = capsys.readouterr().err.strip()
    assert any(part in told for part in sentence.split("|")) and str(tmp_path) not in told
    assert not (tmp_path / "out").exists()


def test_a_damaged_picture_is_named_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_own(tmp_path / "data")
    for file in sorted((tmp_path / "data" / "images").iterdir())[5:]:
        file.write_bytes(file.read_bytes()[:60])
    given = ["--data", str(tmp_path / "data"), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert command.main(["everyday-detr", "--minutes", "0.05", *given]) == 2
    assert "cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
