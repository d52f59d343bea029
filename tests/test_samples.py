"""The drawn examples: whole pictures, the same every time, showing what their titles say."""

import numpy as np
import pytest
from PIL import Image

from playground.image import content_key, read
from playground.samples import SAMPLES, Sample, sample


@pytest.mark.parametrize("entry", SAMPLES, ids=lambda entry: entry.name)
def test_a_sample_is_a_clean_picture_and_always_the_same(entry: Sample) -> None:
    first, second = entry.draw(), sample(entry.name)
    assert first.mode == "RGB"
    assert first.size in {(640, 480), (480, 480)}
    assert first.tobytes() == second.tobytes()
    picture = read(first)
    assert picture.notes == ()
    blocks = np.asarray(first, float).reshape(12, 40, -1, 40, 3).mean(axis=(1, 3))  # [12, 16 or 12, 3]
    assert blocks.std(axis=(0, 1)).min() > 20  # a scene, not a flat sheet


def test_samples_differ_and_have_names_and_titles() -> None:
    assert len({content_key(read(entry.draw())) for entry in SAMPLES}) == len(SAMPLES)
    assert len({entry.name for entry in SAMPLES}) == len(SAMPLES)
    assert all(entry.name.isidentifier() and entry.title for entry in SAMPLES)


@pytest.mark.parametrize(
    ("name", "at", "colour"),  # what a person would point at
    [
        ("lake", (40, 20), (90, 145, 205)),
        ("lake", (366, 130), (238, 242, 248)),
        ("lake", (300, 465), (85, 118, 50)),
        ("bus", (320, 290), (248, 238, 220)),
        ("bus", (250, 182), (225, 66, 55)),
        ("fruit", (160, 300), (215, 115, 25)),
        ("fruit", (420, 376), (245, 205, 70)),
        ("fruit", (390, 270), (185, 42, 38)),
        ("boat", (188, 236), (255, 235, 185)),
        ("boat", (440, 300), (185, 52, 55)),
    ],
)
def test_things_are_where_they_belong(name: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    x, y = at
    patch = np.asarray(sample(name).crop((x - 4, y - 4, x + 5, y + 5)), float)
    assert np.abs(patch.mean(axis=(0, 1)) - colour).max() < 26


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="no such example"):
        sample("castle")


def test_drawing_leaves_the_callers_random_numbers_alone() -> None:
    np.random.seed(4)
    expected = np.random.random(3).tolist()
    np.random.seed(4)
    image = sample("bus")
    assert isinstance(image, Image.Image)
    assert np.random.random(3).tolist() == expected
