"""The figures of the Patches tab: the right marks in the right place, small enough to travel, words beside them."""

import base64
import io

import numpy as np
import pytest
from hand_made import NASTY, photo
from PIL import Image

from playground.figures.levels import Level, Words, levels, pair
from playground.figures.lines import Chart, Curve, lines
from playground.figures.mosaic import lossless, mosaic, small_maps
from playground.figures.overlay import overlay
from playground.figures.picture import encode
from playground.figures.regions import COLOURS, regions
from playground.figures.vectors import ACROSS, Strip, vectors

LIMIT = 200_000
WORDS = Words("picture", "colours", "component {number}: {share}")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def pixels(source: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))


def level(name: str, rows: int, cols: int, seed: int = 0) -> Level:
    return Level(name, noise(rows, cols, 3, seed=seed), (1.0, 1.0), [0.5, 0.25, 0.004])


def test_a_lossless_picture_comes_back_number_for_number() -> None:
    tile = noise(7, 5, 3)
    assert np.array_equal(pixels(lossless(tile)), tile)


def test_a_mosaic_shows_every_tile_once_and_nothing_between_them() -> None:
    tiles = noise(5, 2, 3, 3)
    drawn = mosaic(tiles, ["a", "b", "c", "d", NASTY], "five tiles", across=3)
    canvas = pixels(drawn.data[0].source)
    step = drawn.data[1].dy, drawn.data[1].dx
    for i, tile in enumerate(tiles):
        y, x = (i // 3) * step[0], (i % 3) * step[1]
        times = (canvas[y:, x, 3] == 0).argmax() // 2 or (canvas.shape[0] - y) // 2
        assert np.array_equal(canvas[y : y + 2 * times : times, x : x + 3 * times : times, :3], tile)
    assert (canvas[..., 3] == 0).any()
    said = np.array(drawn.data[1].text)
    assert said.shape == (2, 3)
    assert said[1, 2] == ""
    assert "<img" not in said[1, 1]
    assert drawn.layout.meta["alt"] == "five tiles"


def test_a_chosen_tile_is_framed() -> None:
    drawn = mosaic(noise(4, 8, 8, 3), [""] * 4, "four", across=2, chosen=3)
    frame, step = drawn.layout.shapes[0], drawn.data[1]
    assert (frame.x0, frame.y0) == (step.dx, step.dy)


def test_small_maps_share_one_scale() -> None:
    maps = np.array([[[0.0, 1.0]], [[0.5, 1.0]]])
    drawn = small_maps(maps, 0.0, 1.0)
    assert drawn.shape == (2, 1, 2, 3)
    assert np.array_equal(drawn[0, 0, 1], drawn[1, 0, 1])
    assert not np.array_equal(drawn[0, 0, 0], drawn[1, 0, 0])


def test_levels_have_a_frame_a_layer_with_colours_components_and_shares() -> None:
    found = [level("one", 4, 6), level("two", 2, 3, seed=1)]
    drawn = levels(found, "data:,", 1.5, 1, WORDS, "two layers")
    assert len(drawn.frames) == 2
    assert [step.label for step in drawn.layout.sliders[0].steps] == ["one", "two"]
    first = drawn.frames[0].data
    assert np.array_equal(pixels(first[0].source), found[0].colours)
    assert list(first[4].text[2:]) == ["component 1: 50 %", "component 2: 25 %", "component 3: 0.4 %"]
    assert drawn.data[0].source == drawn.frames[1].data[0].source  # the active one is shown first
    for frame, own in zip(drawn.frames, found, strict=True):  # grids of different fineness fill the same tile
        rows, cols = own.colours.shape[:2]
        assert frame.data[0].dx * cols == pytest.approx(1)
        assert frame.data[0].dy * rows == pytest.approx(1 / 1.5)


def test_a_grid_that_ends_before_the_picture_does_is_not_stretched() -> None:
    half = Level("half", noise(4, 4, 3), (0.5, 0.75), [1.0, 0.0, 0.0])
    image = levels([half], "data:,", 1.0, 0, WORDS, "").data[0]
    assert (image.dy * 4, image.dx * 4) == (pytest.approx(0.5), pytest.approx(0.75))


@pytest.mark.parametrize(("layers", "side"), [(12, 37), (24, 37), (8, 64)])
def test_many_fine_layers_stay_small(layers: int, side: int) -> None:
    picture = encode(photo(), 560, 30_000)
    drawn = levels([level(str(i), side, side, i) for i in range(layers)], picture, 1.0, 0, WORDS, "noise")
    assert len(drawn.to_json()) < LIMIT


def test_two_models_play_together() -> None:
    rows = [("A", [level("a1", 4, 4), level("a2", 4, 4, 1)]), (NASTY, [level("b1", 2, 2), level("b1", 2, 2)])]
    drawn = pair(rows, "data:,", 1.0, ["half", "whole"], "two")
    assert len(drawn.frames) == 2
    assert np.array_equal(pixels(drawn.frames[0].data[0].source), rows[0][1][0].colours)
    assert drawn.data[2].text[0] == "A<br>a2"
    assert "<img" not in drawn.data[2].text[1]


def test_lines_of_one_name_have_one_colour_and_one_place_in_the_legend() -> None:
    curve = Curve("same", [0, 1], np.array([1.0, 2.0]))
    drawn = lines(
        [Chart("left", "x", [curve]), Chart("right", "x", [curve, Curve("other", [0], np.array([3.0]))])], "two"
    )
    assert drawn.data[0].line.color == drawn.data[1].line.color != drawn.data[2].line.color
    assert [trace.showlegend for trace in drawn.data] == [True, False, True]
    assert drawn.layout.xaxis.domain[1] < drawn.layout.xaxis2.domain[0]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([28.0, 73.0], ("30", "40", "50", "60", "70")),
        ([3.5, 15.0], ("5", "7", "10")),
        ([0.45, np.nan, 18.0], ("0.5", "1", "2", "5", "10")),
        ([3.0, 70_000.0], ("10", "100", "1,000", "10,000")),
        ([10.3, 10.4], ("10.3", "10.4")),
        ([0.0, np.nan], None),
    ],
)
def test_ticks_of_a_logarithmic_scale_are_written_in_full(values: list[float], ticks: tuple[str, ...] | None) -> None:
    drawn = lines([Chart("one", "x", [Curve("a", range(len(values)), np.array(values))])], "one", log=True)
    assert drawn.layout.yaxis.ticktext == ticks


def test_vectors_keep_every_number_and_pad_the_last_row() -> None:
    values = np.linspace(-2, 1, ACROSS + 5)
    drawn = vectors(noise(4, 4, 3), "4 × 4", [Strip("embedding", values)], "a patch")
    shown = np.array(drawn.data[1].z, dtype=np.float32).ravel()
    assert np.allclose(shown[: values.size], values)
    assert np.isnan(shown[values.size :]).all()
    assert (drawn.data[1].zmin, drawn.data[1].zmax) == (-2, 2)
    assert drawn.data[1].text[0][0] == "0: -2"


def test_regions_give_every_part_its_own_colour() -> None:
    labels = np.arange(12).reshape(3, 4)
    drawn = regions(labels, (10, 20, 50, 80), "data:,", (100, 100), "parts")
    heat = drawn.data[0]
    assert len(set(COLOURS)) == 12
    colours = {}
    for value in range(12):
        share = (value + 1 - heat.zmin) / (heat.zmax - heat.zmin)
        colours[value] = next(colour for stop, colour in heat.colorscale[1::2] if share <= stop)
    assert list(colours.values()) == list(COLOURS)
    assert (heat.x0, heat.dx, heat.y0, heat.dy) == (15, 10, 30, 20)


def test_overlays_can_share_a_scale() -> None:
    low, high = (
        overlay(np.full((2, 2), v), (0, 0, 9, 9), "", (9, 9), "", scale=(0.0, 1.0)).data[0] for v in (0.2, 0.9)
    )
    assert (low.zmin, low.zmax) == (high.zmin, high.zmax) == (0.0, 1.0)
