"""The Patches tab without a browser: every part for every family, and those from pixels to positions."""

# ruff: noqa: F811  (fixtures come by import)

import base64
import io
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from patching import LIMIT, NAMES, START, begun, cards, kept, known, page, photo, value  # noqa: F401  fixtures
from PIL import Image

from playground import inference
from playground.embeddings.stem import convolved
from playground.embeddings.tokens import grid_tokens
from playground.figures import Figure
from playground.image import Picture
from playground.models.card import Card
from playground.tabs.patches import filters, patchify, positions
from playground.tabs.patches.page import PARTS, Page
from playground.trace import Trace

# every part for every family


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("name", NAMES)
def test_every_part_can_be_shown_for_every_model(page: Page, name: str, part: str) -> None:
    values = list(START)
    values[-1] = "vit" if name != "vit" else "axial"
    made = begun(page, name, part, None, tuple(values))
    assert made[page.problem] == "", made[page.problem]
    drawn = [found for found in map(value, made.values()) if isinstance(found, Figure)]
    texts = [found for found in map(value, made.values()) if isinstance(found, str)]
    assert drawn or part == "positions"
    for figure in drawn:
        assert len(figure.to_json()) < LIMIT
    assert all(len(text) < LIMIT for text in texts)
    assert not any("Traceback" in text or "nan" in re.findall(r">(nan)<", text) for text in texts)
    assert set(made) <= set(page.outputs)


def test_a_part_that_is_drawn_is_not_computed_again(page: Page) -> None:
    first = begun(page, "vit", "depth")
    again = page.begin(photo(), "vit", first[page.held], "depth", *START)
    assert page.depth.view not in again
    other = page.begin(photo(), "vit", first[page.held], "filters", *START)
    assert page.filters.learned in other
    assert other[page.held] is first[page.held]


def test_another_picture_or_model_is_looked_at_anew(page: Page) -> None:
    first = begun(page, "vit", "depth")[page.held]
    assert page.begin(photo(seed=1), "vit", first, "depth", *START)[page.held] is not first
    assert page.begin(photo(), "coatnet", first, "depth", *START)[page.held].card.name == "coatnet"


def test_a_model_without_patch_tokens_says_so_and_nothing_breaks(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    real = inference.trace

    def bare(picture: Picture, card: Card, progress: Any = None) -> Trace:
        return replace(real(picture, card, progress), tokens=())

    monkeypatch.setattr(inference, "trace", bare)
    made = begun(page, "vit", "depth")
    assert "shows no tokens that lie on the picture" in made[page.problem]
    assert page.depth.view not in made


def test_an_unknown_model_is_said_aloud_so_that_the_picker_goes_back(page: Page) -> None:
    with pytest.raises(gr.Error, match="no-such-model"):
        begun(page, "no-such-model", "depth")


def test_a_second_model_that_fails_gives_way_to_the_one_before(page: Page) -> None:
    made = begun(page, "vit", "twin")
    assert page.twin.go_back(made[page.twin.other]) == made[page.twin.model]
    assert page.twin.go_back(None) == gr.skip()


def test_without_a_picture_that_is_said_and_nothing_else_changes(page: Page) -> None:
    made = page.begin(None, "vit", None, "depth", *START)
    assert list(made) == [page.problem]
    assert "no picture" in made[page.problem]


def test_a_trace_that_made_room_is_asked_for_again(page: Page) -> None:
    held, trace = kept("vit")
    assert page.patchify.detail in page.quickly(page.patchify.choose, held, 0, 1, 1)
    del trace
    inference.forget()
    assert page.quickly(page.patchify.choose, held, 4, 1, 1) == {page.asked: 5}


# 1: from pixels to tokens


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("vit", ["48 × 80 × 3", "3 × 5 × 192", "15 × 192", "16 × 192"]),
        ("registers", ["64 × 64 × 3", "4 × 4 × 96", "16 × 96", "20 × 96"]),
    ],
)
def test_the_story_has_the_models_own_shapes(name: str, shapes: list[str]) -> None:
    told = json.loads(patchify.story(*kept(name), (0, 0)))
    assert [step["shape"] for step in told["steps"]] == shapes
    assert [step["kind"] for step in told["steps"]] == ["picture", "grid", "row", "prefix"]
    assert told["steps"][1]["cut"]


@pytest.mark.parametrize("name", ["coatnet", "axial", "detr"])
def test_a_convolution_has_a_window_that_overlaps(name: str) -> None:
    told = json.loads(patchify.story(*kept(name), (0, 0)))
    window = told["steps"][1]["window"]
    assert not told["steps"][1]["cut"]
    assert window["kernel"][0] > window["stride"][0]
    assert (told["row"] is None) == (name == "axial")  # its grid is never laid flat


def test_the_numbers_under_the_row_are_the_embeddings() -> None:
    held, trace = kept("vit")
    told = json.loads(patchify.story(held, trace, (0, 0)))
    drawn = np.asarray(Image.open(io.BytesIO(base64.b64decode(told["numbers"].partition(",")[2]))))
    values = convolved(inference.parts(held.card), trace.view.pixels)
    assert drawn.shape == (patchify.SHOWN_NUMBERS, len(values), 3)  # a column a token
    red, blue = drawn[..., 0].T.astype(int), drawn[..., 2].T.astype(int)
    strong = np.abs(values[:, : len(drawn)]) > np.percentile(np.abs(values), 50)
    assert ((red > blue) == (values[:, : len(drawn)] > 0))[strong].mean() > 0.95


def test_a_patch_shows_its_pixels_its_embedding_and_its_position() -> None:
    held, trace = kept("vit")
    figure, said = patchify.detail(held, trace, 1, 2)
    parts = inference.parts(held.card)
    made = convolved(parts, trace.view.pixels)[1 * 5 + 2]
    drawn = [np.array(heat.z, dtype=np.float32).ravel()[: made.size] for heat in figure.data[1:]]
    assert np.allclose(drawn[0], made, atol=1e-5)
    table = parts.positions[0].table
    assert table is not None
    assert np.allclose(drawn[1], table[7], atol=1e-6)
    assert np.allclose(drawn[2], drawn[0] + drawn[1], atol=1e-5)
    shown = Image.open(io.BytesIO(base64.b64decode(figure.data[0].source.partition(",")[2])))
    assert np.array_equal(np.asarray(shown), np.asarray(trace.view.image)[16:32, 32:48])
    assert "the same" in said


@pytest.mark.parametrize("place", [(3, 0), (0, 5), (-1, 0), (0.5, 0), (None, 0), ("1", 0), (float("nan"), 0)])
def test_a_patch_that_is_not_there_is_refused_in_a_sentence(page: Page, place: tuple[Any, Any]) -> None:
    held, _ = kept("vit")
    made = page.quickly(page.patchify.choose, held, 0, *place)
    assert set(made) == {page.problem}
    assert "must be a whole number from 0 to" in made[page.problem]


# 2 and 3: filters and positions


def test_all_filters_are_shown_where_they_fit() -> None:
    held, _ = kept("coatnet")
    _, said = filters.learned(held)
    assert said.startswith("All ")
    _, more = filters.components(held)
    assert "100 %" in more  # as many components as the filters have dimensions


@pytest.mark.parametrize("name", ["vit", "detr"])
def test_positions_on_a_grid_can_be_clicked(page: Page, name: str) -> None:
    held, trace = kept(name)
    found = positions.own(held, trace, 0)
    assert found.grid == held.grids[-1]
    event = SimpleNamespace(index=[1, 2])
    made = page.positions.pick(held, trace, event, 0, None, None)
    assert (made[page.positions.row]["value"], made[page.positions.col]["value"]) == (1, 2)
    assert page.positions.pick(held, trace, SimpleNamespace(index="x"), 0, 0, 0) == {}


def test_relative_tables_are_drawn_as_tiles(page: Page) -> None:
    for name in ("coatnet", "axial"):
        held, trace = kept(name)
        made = page.positions.show(held, trace, 0, None, None)
        assert len(made[page.positions.grid].frames) == len(inference.parts(held.card).positions[0].relative)
        assert made[page.positions.row]["visible"] is False


def test_vectors_of_offsets_are_compared_by_what_they_meet(page: Page) -> None:
    held, trace = kept("axial")
    made = page.positions.show(held, trace, 0, None, None)
    table = inference.parts(held.card).positions[0].relative[-1]
    assert made[page.positions.grid].data[1].text == (" queries", " keys", " values")
    lengths = {line.name: line.y for line in made[page.positions.curves].data[-3:]}
    spans = np.split(table.values[:, 0], np.cumsum([count for _, count in table.spans])[:-1])
    for name, vectors in zip(("queries", "keys", "values"), spans, strict=True):
        assert np.allclose(lengths[name], np.linalg.norm(vectors, axis=0), atol=1e-6)
    assert "diagonal" in made[page.positions.about]
    assert "middle of a table" in made[page.positions.resized]


def test_another_resolution_draws_the_grown_tables_of_bias(page: Page) -> None:
    held, trace = kept("coatnet")
    usual = page.positions.show(held, trace, 0, None, None)
    made = page.positions.at_side(photo(), held, 0, None, None, 2 * inference.sizes(held.card).usual)
    assert [max(line.x) for line in usual[page.positions.curves].data] == [1, 1]  # the last grid is 2 x 2
    assert [max(line.x) for line in made[page.positions.curves].data] == [3, 3]  # and then 4 x 4
    assert "interpolated in two dimensions" in made[page.positions.resized]


def test_a_place_stays_where_it_is_on_the_picture_at_every_resolution(page: Page) -> None:
    held, _ = kept("vit")
    usual, step, places = inference.sizes(held.card).usual, inference.sizes(held.card).step, page.positions
    rows, cols = held.grids[-1]
    row, col = rows - 1, cols - 1
    for side in (usual + step, usual + 2 * step, usual):
        made = places.at_side(photo(), held, 0, row, col, side)
        row, col = made[places.row]["value"], made[places.col]["value"]
        assert f"{row}" == made[places.row]["label"].split()[-1]  # the last place of any grid
    assert (row, col) == (rows - 1, cols - 1)


def test_a_place_is_chosen_on_the_grid_that_is_drawn(page: Page) -> None:
    held, trace = kept("vit")
    allowed, places = inference.sizes(held.card), page.positions
    rows, cols = grid_tokens(inference.at_size(photo(), held.card, allowed.usual + allowed.step)).grid
    places.at_side(photo(), held, 0, None, None, allowed.usual + allowed.step)
    with pytest.raises(ValueError, match="side"):
        places.at_side(photo(), held, 0, 0, 0, 10_000)
    made = places.choose(held, trace, 0, rows - 1, cols - 1)
    assert made[places.row]["value"] == rows - 1
    with pytest.raises(ValueError, match=f"from 0 to {rows - 1}, not {rows}"):
        places.choose(held, trace, 0, rows, 0)


def test_a_model_without_positions_says_so(page: Page) -> None:
    made = page.positions.show(*kept("resnet"), 0, None, None)
    assert "No table, rotation or bias" in made[page.positions.about]


def test_another_resolution_interpolates_the_table_and_answers_again(page: Page) -> None:
    held, trace = kept("vit")
    allowed = inference.sizes(held.card)
    made = page.positions.at_side(photo(), held, 0, None, None, allowed.usual + allowed.step)
    other = inference.at_size(photo(), held.card, allowed.usual + allowed.step)
    rows, cols = grid_tokens(other).grid
    assert f"on a grid of {rows} × {cols}" in made[page.positions.grid].layout.meta["alt"]
    assert (rows, cols) != held.grids[-1]
    assert made[page.positions.answer].count("<th ") == 2
    assert torch.isfinite(trace.logits).all()  # type: ignore[arg-type]


@pytest.mark.parametrize("side", [7, 10_000, None, 61, "64"])
def test_a_side_that_cannot_be_is_refused(page: Page, side: Any) -> None:
    held, _ = kept("vit")
    with pytest.raises(ValueError, match="side"):
        page.positions.at_side(photo(), held, 0, None, None, side)
