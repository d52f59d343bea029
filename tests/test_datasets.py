"""Data sets: every layout comes back as written; what is missing, damaged or wrong is said in one sentence."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drawn import NAMES, drawn_photos, write_coco, write_everyday, write_folder
from PIL import Image

from playground.datasets import coco, folders, opening
from playground.datasets.everyday import FOLDING, load, read, split_held_out
from playground.datasets.nouns import DataError
from playground.datasets.scenes import LAYOUTS, SceneMaker
from playground.models import catalogue
from playground.models.labels import labels

# --- Everyday and Tiny-ImageNet-200 -----------------------------------------------------------------------------------


def test_everyday_shards_come_back_as_written_and_from_the_cache(tmp_path: Path) -> None:
    photos = drawn_photos(12)
    write_everyday(tmp_path / "data", photos, "train")
    for _ in range(2):  # decoded, then from the cache
        again = load(tmp_path / "data", "train", tmp_path / "cache")
        assert again.classes == NAMES
        np.testing.assert_array_equal(again.images, photos.images)
        np.testing.assert_array_equal(again.labels, photos.labels)
        np.testing.assert_array_equal(again.boxes_xyxy, photos.boxes_xyxy)


def test_tiny_imagenet_layout_is_folded_into_classes(tmp_path: Path) -> None:
    (tmp_path / "wordnet.tsv").write_text("wnid\tname\tclass\nn1\ttabby\tcat\nn2\tPersian\tcat\nn3\tbus\tbus\n")
    for wnid in ("n1", "n2", "n3", "n4"):
        (tmp_path / "train" / wnid / "images").mkdir(parents=True)
        Image.new("RGB", (64, 64), (int(wnid[1]) * 50, 0, 0)).save(tmp_path / "train" / wnid / "images" / "a.png")
        (tmp_path / "train" / wnid / f"{wnid}_boxes.txt").write_text("a.png\t1\t2\t30\t63\n")
    (tmp_path / "val" / "images").mkdir(parents=True)
    Image.new("L", (64, 64), 7).save(tmp_path / "val" / "images" / "v.png")
    (tmp_path / "val" / "val_annotations.txt").write_text("v.png\tn2\t0\t0\t10\t10\nw.png\tn4\t0\t0\t1\t1\n")
    train = load(tmp_path, "train", tmp_path / "cache")
    assert train.classes == ("bus", "cat")
    assert train.labels.tolist() == [1, 1, 0]
    assert train.images[:, 0, 0, 0].tolist() == [50, 100, 150]
    assert train.boxes_xyxy[0].tolist() == [1, 2, 31, 64]
    val = load(tmp_path, "val", tmp_path / "cache")
    assert val.labels.tolist() == [1]
    assert val.images[0, 0, 0].tolist() == [7, 7, 7]


def test_tiny_imagenet_needs_no_list_of_its_own(tmp_path: Path) -> None:
    for wnid in (line.split("\t")[0] for line in FOLDING.read_text().splitlines()[1:]):
        (tmp_path / "train" / wnid / "images").mkdir(parents=True)
        Image.new("RGB", (64, 64)).save(tmp_path / "train" / wnid / "images" / "a.png")
        (tmp_path / "train" / wnid / f"{wnid}_boxes.txt").write_text("a.png\t0\t0\t63\t63\n")
    (tmp_path / "val" / "images").mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(tmp_path / "val" / "images" / "v.png")
    (tmp_path / "val" / "val_annotations.txt").write_text("v.png\tn02123394\t0\t0\t10\t10\n")  # Persian cat
    train, val = (read(tmp_path, split) for split in ("train", "val"))
    assert train.classes == labels(catalogue.find("everyday-vit"))
    assert len(train) == 123 and set(train.labels.tolist()) == set(range(80))
    assert val.classes[val.labels[0]] == "cat"


def test_bad_data_is_one_sentence_and_leaves_no_cache(tmp_path: Path) -> None:
    def broken(change: str) -> Path:
        folder = tmp_path / change
        write_everyday(folder, drawn_photos(4), "train")
        return folder

    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "none", "train", tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="neither of the two layouts"):
        load(tmp_path / "empty", "train", tmp_path / "cache")
    folder = broken("shard")
    (folder / "train-0.tar").write_bytes((folder / "train-0.tar").read_bytes()[:700])
    with pytest.raises(DataError, match="fetch the data again"):
        load(folder, "train", tmp_path / "cache")
    folder = broken("outside")
    (folder / "boxes.csv").write_text((folder / "boxes.csv").read_text() + "train,0,000000.webp,0,n0,60,0,70,5\n")
    with pytest.raises(DataError, match="outside its photo"):
        load(folder, "train", tmp_path / "cache")
    folder = broken("class")
    (folder / "boxes.csv").write_text((folder / "boxes.csv").read_text().replace(",3,n0", ",9,n0"))
    with pytest.raises(DataError, match="names class 9"):
        load(folder, "train", tmp_path / "cache")
    with pytest.raises(DataError, match="lists no val photos"):
        load(broken("split"), "val", tmp_path / "cache")
    folder = broken("cut in the middle")
    (folder / "train-0.tar").write_bytes((folder / "train-0.tar").read_bytes()[:2000])
    with pytest.raises(DataError, match="fetch the data again"):
        load(folder, "train", tmp_path / "cache")
    for number, damage in enumerate((b"train,0,a.webp\n", b"train,0,a.webp,x,n0,1,2,3,4\n", b"\xff\xfe")):
        folder = broken(f"listing {number}")
        (folder / "boxes.csv").write_bytes((folder / "boxes.csv").read_bytes() + damage)
        with pytest.raises(DataError, match=r"boxes\.csv is damaged"):
            load(folder, "train", tmp_path / "cache")
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "wordnet.tsv").write_text("wnid\tname\tclass\nn1 tabby cat\n")
    with pytest.raises(DataError, match=r"wordnet\.tsv is damaged"):
        load(tmp_path / "tiny", "train", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def test_a_damaged_cache_and_a_full_disk_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_everyday(tmp_path / "data", drawn_photos(4), "train")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(DataError, match="disk full"):
            load(tmp_path / "data", "train", tmp_path / "cache")
        assert not list((tmp_path / "cache").iterdir())
    load(tmp_path / "data", "train", tmp_path / "cache")
    for name in ("train-images.npy", "train-facts.npz"):
        file = tmp_path / "cache" / name
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(DataError, match="cache folder is damaged"):
            load(tmp_path / "data", "train", tmp_path / "cache")
        file.write_bytes(whole)


def test_held_out_photos_are_never_trained_on() -> None:
    trained_on, held_out = split_held_out(drawn_photos(100), 0.2, 5)
    assert len(held_out) == 20
    assert sorted([*trained_on, *held_out]) == list(range(100))


# --- scenes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_scene_boxes_lie_inside_and_hold_their_object(layout: str) -> None:
    photos = drawn_photos()
    maker, rng = SceneMaker(photos, np.arange(80), NAMES[:3]), np.random.default_rng(1)
    seen = 0
    for _ in range(20):
        scene = maker.compose(rng, 96, layout)
        assert scene.image.shape == (96, 96, 3)
        for label, box in zip(scene.labels, scene.boxes_xyxy, strict=True):
            assert 0 <= box[0] < box[2] <= 96
            assert 0 <= box[1] < box[3] <= 96
            x0, y0, x1, y1 = (round(float(v)) for v in box)
            inside = scene.image[y0:y1, x0:x1].reshape(-1, 3).astype(int)
            own = (inside[:, label] > 150) & (np.delete(inside, label, 1) < 110).all(1)
            if layout != "free" or own.mean() > 0.9:  # nothing lies over a tile in the other layouts
                assert own.mean() > 0.8
                seen += 1
    assert seen >= 10


def test_scenes_are_repeatable_and_use_only_the_photos_given() -> None:
    photos = drawn_photos()
    trained_on, held_out = split_held_out(photos, 0.25, 0)
    makers = [SceneMaker(photos, indices, NAMES[:2]) for indices in (trained_on, held_out)]
    rngs = [np.random.default_rng(3) for _ in range(2)]
    for _ in range(30):
        scenes = [maker.compose(rng, 64) for maker, rng in zip(makers, rngs, strict=True)]
        assert not set(scenes[0].sources) & set(scenes[1].sources)
        assert set(scenes[1].sources) <= set(held_out.tolist())
    a, b = (makers[0].compose(np.random.default_rng(9), 64) for _ in range(2))
    np.testing.assert_array_equal(a.image, b.image)
    np.testing.assert_array_equal(a.boxes_xyxy, b.boxes_xyxy)


def test_boxes_over_the_whole_photo_are_left_out_and_wrong_names_refused() -> None:
    photos = drawn_photos()
    whole = dataclasses.replace(photos, boxes_xyxy=np.tile(np.array([0, 0, 64, 64], np.float32), (80, 1)))
    with pytest.raises(DataError, match="No usable photos"):
        SceneMaker(whole, np.arange(80), NAMES[:2])
    with pytest.raises(DataError, match="no class called unicorn"):
        SceneMaker(photos, np.arange(80), ("unicorn",))


# --- image folders ----------------------------------------------------------------------------------------------------


def test_an_image_folder_in_imagenet_s_layout(tmp_path: Path) -> None:
    write_folder(tmp_path / "train", {"n1": 3, "n2": 2, "n3": 1})
    write_folder(tmp_path / "val", {"n1": 1, "n3": 2})
    (tmp_path / "val" / "n1" / "notes.txt").write_text("not a picture")
    val, train = (folders.labelled(tmp_path, split) for split in ("val", "train"))
    assert val.classes == train.classes == ("n1", "n2", "n3")
    assert val.labels.tolist() == [0, 2, 2]
    assert train.labels.tolist() == [0, 0, 0, 1, 1, 2]
    assert val.picture(0).rgb.size == (40, 30)
    assert val.boxes_xyxy is None


def test_a_plain_image_folder_holds_a_fifth_back_for_good(tmp_path: Path) -> None:
    write_folder(tmp_path, {"cat": 60, "dog": 60})
    val, train = (folders.labelled(tmp_path, split) for split in ("val", "train"))
    assert len(val) + len(train) == 120
    assert 12 <= len(val) <= 36
    write_folder(tmp_path, {"cat": 61})
    assert abs(len(folders.labelled(tmp_path, "val")) - len(val)) <= 1  # the others stay where they were


def test_an_image_folder_s_photos_serve_training(tmp_path: Path) -> None:
    write_folder(tmp_path / "data" / "train", {"cat": 2, "dog": 1})
    for _ in range(2):  # decoded, then from the cache
        photos = opening.load(tmp_path / "data", "train", tmp_path / "cache")
        assert photos.images.shape == (3, 64, 64, 3)
        assert photos.classes == ("cat", "dog")
        assert photos.labels.tolist() == [0, 0, 1]
        assert photos.boxes_xyxy.tolist() == [[0, 0, 64, 64]] * 3
    write_folder(tmp_path / "data" / "train", {"cat": 3})  # another picture of a known class
    assert opening.load(tmp_path / "data", "train", tmp_path / "cache").labels.tolist() == [0, 0, 0, 1]
    write_folder(tmp_path / "data" / "train", {"cow": 1})
    with pytest.raises(DataError, match="other classes"):
        opening.load(tmp_path / "data", "train", tmp_path / "cache")


def test_faults_of_an_image_folder_are_one_sentence(tmp_path: Path) -> None:
    write_folder(tmp_path / "damaged" / "val", {"cat": 1})
    file = tmp_path / "damaged" / "val" / "cat" / "000.png"
    file.write_bytes(b"no picture")
    damaged = folders.labelled(tmp_path / "damaged", "val")
    with pytest.raises(DataError, match=r"000\.png cannot be used"):
        damaged.picture(0)
    file.unlink()
    with pytest.raises(DataError, match=r"000\.png is missing"):
        damaged.picture(0)
    write_folder(tmp_path / "empty", {"cat": 1})
    (tmp_path / "empty" / "dog").mkdir()
    with pytest.raises(DataError, match="'dog' has no pictures"):
        folders.labelled(tmp_path / "empty", "train")
    write_folder(tmp_path / "half" / "train", {"cat": 1})
    with pytest.raises(DataError, match="no folder called val"):
        folders.labelled(tmp_path / "half", "val")
    (tmp_path / "nothing").mkdir()
    sentence = r"looked for the Everyday shards .* or pictures in CLASS"
    with pytest.raises(DataError, match=sentence):
        opening.labelled(tmp_path / "nothing")
    with pytest.raises(DataError, match=sentence):
        opening.load(tmp_path / "nothing", "val", tmp_path)
    with pytest.raises(DataError, match="train or val"):
        opening.labelled(tmp_path / "empty", "test")  # type: ignore[arg-type]


# --- COCO's layouts ---------------------------------------------------------------------------------------------------


def test_coco_boxes_come_back_as_written(tmp_path: Path) -> None:
    write_coco(tmp_path)
    data = opening.boxed(tmp_path, "val", (), 64)
    assert data.classes == ("person", "cat", "sky")
    assert data.keys == ("1", "17", "187")
    assert len(data) == 2
    first = data.truth(0)
    assert first.labels.tolist() == [1, 0]
    assert first.boxes_xyxy.tolist() == [[2, 3, 12, 23], [20, 0, 40, 10]]
    assert first.crowd is not None and first.crowd.tolist() == [False, True]
    assert first.areas is not None and first.areas.tolist() == [150, 200]
    assert data.truth(1).labels.tolist() == []  # its only box has no area
    assert data.picture(1).rgb.size == (40, 30)


def test_coco_segments_come_back_as_written(tmp_path: Path) -> None:
    write_coco(tmp_path)
    data = opening.segmented(tmp_path, "val", 64)
    assert data.things.tolist() == [True, True, False]
    found = data.segments(0)
    assert (found.ids[0, 0], found.ids[15, 20], found.ids[29, 39]) == (70_000, 0, 5)
    assert found.numbers.tolist() == [70_000, 5]
    assert found.labels.tolist() == [1, 2]


def test_one_s_own_json_file_is_found(tmp_path: Path) -> None:
    write_coco(tmp_path)
    (tmp_path / "annotations" / "instances_val2017.json").rename(tmp_path / "mine.json")
    (tmp_path / "val2017").rename(tmp_path / "images")
    facts = json.loads((tmp_path / "mine.json").read_text())
    facts["images"] = [facts["images"][0] | {"id": i, "file_name": f"{i}.png"} for i in range(20)]
    (tmp_path / "mine.json").write_text(json.dumps(facts))
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "0.png")
    parts = [coco.boxed(tmp_path, split) for split in ("train", "val")]
    assert sum(map(len, parts)) == 20 and 0 < len(parts[1]) < 10
    assert sum(len(part.truth(i).labels) for part in parts for i in range(len(part))) == 2  # nothing twice
    (tmp_path / "another.json").write_text("{}")
    with pytest.raises(DataError, match="More than one file with instances"):
        coco.boxed(tmp_path, "val")


def test_a_picture_of_another_size_than_listed_is_refused(tmp_path: Path) -> None:
    write_coco(tmp_path)
    Image.new("RGB", (30, 40)).save(tmp_path / "val2017" / "a.png")
    with pytest.raises(DataError, match=r"30 x 40 pixels when read, but the file lists 40 x 30"):
        coco.boxed(tmp_path, "val").picture(0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda facts: facts["annotations"][0].update(bbox=[30, 3, 12, 20]), "outside the picture"),
        (lambda facts: facts["annotations"][0].update(bbox=[-9, 3, 12, 20]), "outside the picture"),
        (lambda facts: facts["annotations"][0].update(bbox=[1, 3, -12, 20]), "not four numbers"),
        (lambda facts: facts["annotations"][0].update(bbox=[1, 3, 12]), "not four numbers"),
        (lambda facts: facts["annotations"][0].update(bbox=["a", 3, 12, 2]), "not four numbers"),
        (lambda facts: facts["annotations"][0].update(category_id=5), "category is not listed"),
        (lambda facts: facts["annotations"][0].update(image_id=99), "not of COCO's form"),
        (lambda facts: facts.pop("categories"), "not of COCO's form"),
        (lambda facts: facts.update(categories=[], annotations=[]), "lists no categories"),
        (lambda facts: facts.update(images=[], annotations=[]), "lists no pictures"),
        (lambda facts: facts["images"][0].update(file_name="../a.png"), "outside the data folder"),
        (lambda facts: facts["images"][0].update(file_name="gone.png"), "is in none of"),
    ],
)
def test_faults_of_a_coco_file_are_one_sentence(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    write_coco(tmp_path)
    file = tmp_path / "annotations" / "instances_val2017.json"
    facts = json.loads(file.read_text())
    change(facts)
    file.write_text(json.dumps(facts))
    with pytest.raises(DataError, match=sentence) as raised:
        coco.boxed(tmp_path, "val")
    assert str(tmp_path) not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_faults_of_segments_are_one_sentence(tmp_path: Path) -> None:
    write_coco(tmp_path)
    drawn = tmp_path / "annotations" / "panoptic_val2017"
    data = coco.segmented(tmp_path, "val")
    Image.new("RGB", (40, 30), (9, 0, 0)).save(drawn / "a.png")
    with pytest.raises(DataError, match="draws segment 9"):
        data.segments(0)
    Image.new("RGB", (4, 3)).save(drawn / "a.png")
    with pytest.raises(DataError, match="another size"):
        data.segments(0)
    (drawn / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match="missing or damaged"):
        data.segments(0)
    drawn.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="needs a folder called panoptic_val2017"):
        coco.segmented(tmp_path, "val")
    (tmp_path / "annotations" / "instances_val2017.json").write_text("{")
    with pytest.raises(DataError, match="damaged"):
        coco.boxed(tmp_path, "val")
    with pytest.raises(DataError, match="No file with instances of the train part"):
        coco.boxed(tmp_path, "train")


# --- drawn worlds -----------------------------------------------------------------------------------------------------


def test_shapes_are_a_data_set_with_nothing_to_download(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "SHAPES_COUNT", 3)
    boxes, segments = opening.boxed(Path("shapes"), "val", (), 64), opening.segmented(Path("shapes"), "val", 64)
    assert len(boxes) == len(segments) == 3
    for i in range(3):
        assert boxes.picture(i).rgb.tobytes() == segments.picture(i).rgb.tobytes()
        found = segments.segments(i)
        things = segments.things[found.labels]
        assert boxes.truth(i).labels.tolist() == found.labels[things].tolist()
        assert set(np.unique(found.ids)) == set(found.numbers)


def test_scenes_of_everyday_are_the_same_each_time(tmp_path: Path) -> None:
    write_everyday(tmp_path, drawn_photos(), "val")
    a, b = (opening.boxed(tmp_path, "val", NAMES[:2], 96) for _ in range(2))
    assert len(a) == 1500
    assert a.classes == NAMES[:2]
    assert a.picture(7).rgb.tobytes() == b.picture(7).rgb.tobytes()
    assert a.truth(7).boxes_xyxy.tolist() == b.truth(7).boxes_xyxy.tolist()
