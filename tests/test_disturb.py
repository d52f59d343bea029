"""Pictures disturbed on purpose: exact at strength 0, seeded, and each kind against a known answer."""

import numpy as np
import pytest
from PIL import Image

from playground.disturb import DISTURBANCES, MOST_PIXELS, Place, disturb, patches, quality
from playground.disturb.cells import all_cells, cell_box, cell_slices, cell_under
from playground.image import Picture

NAMES = [kind.name for kind in DISTURBANCES]
KEEP_PIXELS = ("shuffle", "swap")  # nothing is added or lost


def picture(width: int = 65, height: int = 51) -> Picture:
    """Return smooth colours with fine noise, of sides that no grid divides."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([255 * x / width, 255 * y / height, 128 + 100 * np.sin(x / 5)], -1)
    return Picture(Image.fromarray(np.clip(smooth + random.normal(0, 9, smooth.shape), 0, 255).astype(np.uint8)))


def pixels(made: Picture) -> np.ndarray:
    return np.asarray(made.rgb)


def colours(made: Picture) -> list[tuple[int, ...]]:
    return sorted(map(tuple, pixels(made).reshape(-1, 3).tolist()))


@pytest.mark.parametrize("kind", NAMES)
def test_strength_0_is_the_picture_and_a_seed_is_a_picture(kind: str) -> None:
    asked = picture()
    before = pixels(asked).copy()
    assert np.array_equal(pixels(disturb(asked, kind, 0, 7)), before)
    once, again = (disturb(asked, kind, 0.6, 7) for _ in range(2))
    assert once.key == again.key
    assert once.key != asked.key
    assert np.array_equal(pixels(asked), before), "the picture itself was changed"
    assert once.rgb.mode == "RGB"
    assert "strength 0.6" in once.notes[-1]
    if kind != "crop":
        assert once.rgb.size == asked.rgb.size


@pytest.mark.parametrize("kind", ["shuffle", "swap", "move", "mask", "noise"])
def test_another_seed_is_another_picture(kind: str) -> None:
    assert disturb(picture(), kind, 0.5, 1).key != disturb(picture(), kind, 0.5, 2).key


@pytest.mark.parametrize("kind", [n for n in NAMES if n not in ("crop", "rotate", *KEEP_PIXELS, "move", "mask")])
def test_more_strength_is_further_from_the_picture(kind: str) -> None:
    asked = picture()
    far = [
        np.abs(pixels(disturb(asked, kind, s, 1)).astype(float) - pixels(asked)).mean() for s in (0.0, 0.2, 0.5, 1.0)
    ]
    assert far == sorted(far)
    assert far[1] > 0


# patches


@pytest.mark.parametrize("kind", KEEP_PIXELS)
@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_patches_that_trade_places_keep_every_pixel(kind: str, strength: float) -> None:
    asked = picture()
    assert colours(disturb(asked, kind, strength, 5, Place(grid=4))) == colours(asked)


@pytest.mark.parametrize(("strength", "moved"), [(1.0, 16), (0.5, 8), (0.01, 2)])
def test_a_shuffle_moves_as_many_patches_as_it_says_each_to_a_new_place(strength: float, moved: int) -> None:
    numbered = np.zeros((16, 16, 3), dtype=np.uint8)
    for number, cell in enumerate(all_cells(4)):
        numbered[cell_slices((16, 16), 4, cell)] = number
    shuffled = patches.shuffle(numbered, strength, np.random.default_rng(0), Place(grid=4))
    new = [shuffled[cell_slices((16, 16), 4, cell)] for cell in all_cells(4)]
    assert all(len(np.unique(cell)) == 1 for cell in new)
    order = [int(cell[0, 0, 0]) for cell in new]
    assert sorted(order) == list(range(16))
    assert sum(number != place for place, number in enumerate(order)) == moved


def test_the_given_patches_alone_are_shuffled() -> None:
    asked = picture(64, 64)
    changed = pixels(disturb(asked, "shuffle", 1, 0, Place(grid=4, cells=((0, 0), (3, 3))))) != pixels(asked)
    corners = changed.any(-1)
    assert corners[:16, :16].any()
    assert corners[48:, 48:].any()
    corners[:16, :16] = corners[48:, 48:] = False
    assert not corners.any()


def test_two_patches_swap_and_a_patch_moves() -> None:
    asked, pair = picture(64, 64), Place(grid=4, pairs=(((0, 1), (2, 3)),))
    one, two = cell_slices((64, 64), 4, (0, 1)), cell_slices((64, 64), 4, (2, 3))
    old, swapped, moved = (
        pixels(asked),
        pixels(disturb(asked, "swap", 1, 0, pair)),
        pixels(disturb(asked, "move", 1, 0, pair)),
    )
    assert np.array_equal(swapped[one], old[two])
    assert np.array_equal(swapped[two], old[one])
    assert np.array_equal(moved[two], old[one])
    assert np.array_equal(np.unique(moved[one].reshape(-1, 3), axis=0), [patches.mean_colour(old)])
    twice = disturb(asked, "swap", 1, 0, Place(grid=4, pairs=pair.pairs * 2))
    assert np.array_equal(pixels(twice), old)


@pytest.mark.parametrize(("strength", "hidden"), [(0.25, 4), (1.0, 16), (0.01, 1)])
def test_a_mask_hides_its_share_of_cells(strength: float, hidden: int) -> None:
    asked = picture(64, 64)
    new, mean = pixels(disturb(asked, "mask", strength, 0, Place(grid=4))), patches.mean_colour(pixels(asked))
    gone = sum(bool((new[cell_slices((64, 64), 4, cell)] == mean).all()) for cell in all_cells(4))
    assert gone == hidden


def test_a_mask_grows_from_the_middle_of_its_box_by_area() -> None:
    asked = picture(100, 80)
    for strength, area in ((1.0, 40 * 20), (0.25, 20 * 10)):
        new = pixels(disturb(asked, "mask", strength, 0, Place(box_xyxy=(20, 30, 60, 50))))
        gone = (new == patches.mean_colour(pixels(asked))).all(-1)
        assert gone.sum() == pytest.approx(area, abs=3)
        assert gone[39, 39]


def test_cells_are_equal_lie_inside_and_are_found_under_their_points() -> None:
    for cell in all_cells(7):
        left, top, right, bottom = cell_box((65, 51), 7, cell)
        assert (right - left, bottom - top) == (65 // 7, 51 // 7)
        assert 0 <= left < right <= 65
        assert 0 <= top < bottom <= 51
        assert cell_under((65, 51), 7, (left + right) / 2, (top + bottom) / 2) == cell
    assert cell_under((65, 51), 7, -5, 1000) == (6, 0)


# pixels


@pytest.mark.parametrize("kind", [kind.name for kind in DISTURBANCES if kind.inside])
def test_what_can_be_kept_inside_a_place_touches_nothing_else(kind: str) -> None:
    asked = picture(64, 64)
    for place in (Place(grid=4, cells=((1, 1), (1, 2))), Place(box_xyxy=(16, 16, 48, 32))):
        changed = (pixels(disturb(asked, kind, 0.8, 0, place)) != pixels(asked)).any(-1)
        assert changed[16:32, 16:48].any()
        changed[16:32, 16:48] = False
        assert not changed.any()


def test_noise_is_as_loud_as_it_says() -> None:
    level = Picture(Image.new("RGB", (200, 200), (128, 128, 128)))
    new = pixels(disturb(level, "noise", 0.25, 0)).astype(float)
    assert new.std() == pytest.approx(0.25 * quality.LOUDEST, rel=0.02)
    assert new.mean() == pytest.approx(128, abs=0.5)


def test_blur_keeps_the_mean_and_fine_detail_goes_first() -> None:
    board = np.indices((64, 64)).sum(0) % 2 * 255
    asked = Picture(Image.fromarray(np.repeat(board[..., None], 3, 2).astype(np.uint8)))
    new = pixels(disturb(asked, "blur", 1.0)).astype(float)
    assert new.std() < 3
    assert new.mean() == pytest.approx(127.5, abs=1)


def test_fewer_pixels_are_as_few_as_they_say() -> None:
    asked = picture(320, 320)
    new = pixels(disturb(asked, "resolution", 1.0)).astype(float)  # 10 x 10 pixels enlarged again
    coarse = np.asarray(asked.rgb.resize((10, 10), Image.Resampling.BOX)).astype(float)
    assert (
        np.abs(np.asarray(Image.fromarray(new.astype(np.uint8)).resize((10, 10), Image.Resampling.BOX)) - coarse).mean()
        < 6
    )
    assert np.abs(np.diff(new, axis=1)).mean() < 0.3 * np.abs(np.diff(pixels(asked).astype(float), axis=1)).mean()


def test_half_a_turn_is_exact_and_a_crop_reaches_its_box() -> None:
    asked = picture(64, 48)
    assert np.array_equal(pixels(disturb(asked, "rotate", 1.0)), pixels(asked)[::-1, ::-1])
    box = (8.0, 4.0, 40.0, 30.0)
    assert np.array_equal(pixels(disturb(asked, "crop", 1.0, 0, Place(box_xyxy=box))), pixels(asked)[4:30, 8:40])
    assert disturb(asked, "crop", 0.5, 0, Place(box_xyxy=box)).rgb.size == (64 - 4 - 12, 48 - 2 - 9)


def test_edges_are_drawn_where_brightness_jumps_and_nowhere_else() -> None:
    halves = np.zeros((32, 32, 3), dtype=np.uint8)
    halves[:, 16:] = 200
    new = pixels(disturb(Picture(Image.fromarray(halves)), "edges", 1.0))
    assert (new[:, 15:17] == 0).all()
    assert (np.delete(new, (15, 16), axis=1) == 255).all()


def test_flattened_texture_loses_stripes_and_keeps_the_shape() -> None:
    shape = np.full((128, 128, 3), 20, dtype=np.uint8)
    shape[32:96, 32:96] = 230
    shape[::5] = 255 - shape[::5]  # thin stripes across both
    new = pixels(disturb(Picture(Image.fromarray(shape)), "flat", 1.0)).astype(int)
    assert new[40:88, 40:88].std() < 3
    assert new[4:28].std() < 3
    assert new[40:88, 40:88].mean() - new[4:28].mean() > 180


def test_fine_detail_of_a_plain_picture_is_grey_and_colours_fade_to_brightness() -> None:
    plain = Picture(Image.new("RGB", (40, 40), (200, 30, 90)))
    assert (np.abs(pixels(disturb(plain, "high_pass", 1.0)).astype(int) - 127.5) <= 1).all()
    luma = round(0.299 * 200 + 0.587 * 30 + 0.114 * 90)
    assert (np.abs(pixels(disturb(plain, "grey", 1.0)).astype(int) - luma) <= 1).all()
    low = pixels(disturb(picture(), "contrast", 1.0))
    assert low.std(axis=(0, 1)).max() < 0.08 * pixels(picture()).std(axis=(0, 1)).max()


# bounds


def test_a_large_picture_is_reduced_first_and_the_place_with_it() -> None:
    large = Picture(Image.new("RGB", (4000, 2000), (10, 20, 30)))
    new = disturb(large, "noise", 0.5, 0, Place(box_xyxy=(0, 0, 2000, 2000)))
    width, height = new.rgb.size
    assert width * height <= MOST_PIXELS
    touched = (pixels(new) != (10, 20, 30)).any(-1)
    assert touched[:, : width // 2 - 1].mean() > 0.9
    assert not touched[:, width // 2 + 1 :].any()
    assert disturb(large, "noise", 0).rgb.size == (4000, 2000)


@pytest.mark.parametrize(
    ("kind", "strength", "seed", "words"),
    [
        ("no-such", 0.5, 0, "there are shuffle, swap"),
        (None, 0.5, 0, "there are shuffle"),
        ("blur", 1.5, 0, "The strength must be a number from 0 to 1"),
        ("blur", "1", 0, "The strength must be"),
        ("blur", float("nan"), 0, "The strength must be"),
        ("blur", 0.5, -1, "The seed must be a whole number"),
        ("blur", 0.5, 0.5, "The seed must be a whole number"),
    ],
)
def test_a_wrong_wish_is_refused_in_a_sentence(kind: object, strength: object, seed: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        disturb(picture(), kind, strength, seed)


@pytest.mark.parametrize(
    "wrong",
    [
        {"grid": 1}, {"grid": 33}, {"grid": "8"}, {"cells": ((8, 0),)}, {"cells": ((0, -1),)}, {"cells": (3,)},
        {"cells": ((0, 0.5),)}, {"pairs": (((0, 0), (0, 9)),)}, {"pairs": ((0, 0),)}, {"box_xyxy": (5, 5, 5, 9)},
        {"box_xyxy": (1, 2, 3)}, {"box_xyxy": (0, 0, float("nan"), 4)}, {"box_xyxy": "abcd"},
    ],
)  # fmt: skip
def test_a_wrong_place_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|Give|at most"):
        Place(**wrong)  # type: ignore[arg-type]


def test_pictures_too_small_are_refused_not_broken() -> None:
    with pytest.raises(ValueError, match="too small for a grid of 8 x 8"):
        disturb(picture(7, 7), "shuffle", 0.5)
    with pytest.raises(ValueError, match=r"leaves \d x \d pixels"):
        disturb(picture(30, 30), "crop", 1.0, 0, Place(box_xyxy=(10.0, 10.0, 14.0, 14.0)))
    assert disturb(picture(64, 30), "crop", 1.0).rgb.size == (8, 8)  # a tenth would be too few
    for kind in NAMES:
        if kind not in ("shuffle", "swap", "move", "mask"):
            assert disturb(picture(2, 2), kind, 1.0).rgb.size == (2, 2)
