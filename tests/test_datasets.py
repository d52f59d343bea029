"""Data sets: every layout comes back as written; what is missing, damaged or wrong is said in one sentence."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from drawn import NAMES, drawn_photos, write_everyday
from PIL import Image

from playground.datasets.everyday import load, split_held_out
from playground.datasets.nouns import DataError
from playground.datasets.scenes import LAYOUTS, SceneMaker

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


def test_bad_data_is_one_sentence_and_leaves_no_cache(tmp_path: Path) -> None:
    def broken(change: str) -> Path:
        folder = tmp_path / change
        write_everyday(folder, drawn_photos(4), "train")
        return folder

    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "none", "train", tmp_path / "cache")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"wordnet\.tsv is missing"):
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
    assert not (tmp_path / "cache").exists()


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
