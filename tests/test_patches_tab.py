"""The Patches tab without a browser: what each part draws, says and refuses, on small random models of every family."""

import base64
import io
import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from explaining import SMALL, model_of, noise
from PIL import Image
from safetensors.torch import save_file

from playground import inference
from playground.embeddings.projection import fit
from playground.embeddings.similarity import between
from playground.embeddings.stem import convolved
from playground.embeddings.tokens import grid_tokens
from playground.figures import Figure
from playground.image import Picture, read
from playground.models import catalogue
from playground.models.card import Card
from playground.tabs.patches import depth, filters, leaving, likeness, patchify, positions, twin
from playground.tabs.patches.held import Held, look
from playground.tabs.patches.page import PARTS, Page, lay_out
from playground.trace import Trace

LIMIT = 200_000
FAMILIES = ("vit", "coatnet", "axial", "detr")
NAMES = (*FAMILIES, "registers", "resnet", "beit")
START = (None, None, 0, None, None, "like", None, None, None, 5, None, None, None)  # the fields before anything


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name in NAMES:
        path = folder / f"{name}.safetensors"
        save_file({key: value.contiguous() for key, value in model_of(name).state_dict().items()}, path)
        made[name] = replace(SMALL[name], name=name, title=f"{name}, small", labels=tuple("abcde"), filename=str(path))
    return made


@pytest.fixture(autouse=True)
def _known(cards: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    inference.forget()
    found = catalogue.find
    monkeypatch.setattr(catalogue, "find", lambda name: cards.get(name) or found(name))
    yield
    inference.forget()


@pytest.fixture(scope="module")
def page() -> Page:
    with gr.Blocks():
        return lay_out()


def photo(seed: int = 0, rows: int = 60, cols: int = 100) -> Picture:
    return read(noise(rows, cols, seed=seed))


def kept(name: str, seed: int = 0) -> tuple[Held, Trace]:
    found = look(photo(seed), name)
    trace = found.trace
    assert trace is not None
    return found, trace


def begun(
    page: Page, name: str, part: str, held: Held | None = None, values: tuple[Any, ...] = START
) -> dict[Any, Any]:
    made = page.begin(photo(), name, held, part, *values)
    assert isinstance(made, dict)
    return made


def value(update: Any) -> Any:
    return update.get("value") if isinstance(update, dict) else update


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


# 4: through the layers


def test_layers_of_one_width_share_one_fit() -> None:
    held, trace = kept("vit")
    tokens = [grid_tokens(trace, i) for i in range(len(held.layers))]
    found = depth.fitted(tokens)
    whole = fit([level.values for level in tokens], 3)
    assert len(found.fits) == 1
    assert np.allclose(found.scores(1), whole.scores[1])
    widths = {grid_tokens(kept("coatnet")[1], i).values.shape[1] for i in range(len(kept("coatnet")[0].layers))}
    some = depth.fitted([grid_tokens(kept("coatnet")[1], i) for i in range(len(kept("coatnet")[0].layers))])
    assert len(some.fits) == len(widths) > 1


def test_the_cloud_holds_every_layer_patch_and_class() -> None:
    held, trace = kept("vit")
    text, note = depth.cloud(held, trace, depth.fitted([grid_tokens(trace, i) for i in range(3)]))
    told = json.loads(text)
    assert [layer["name"] for layer in told["layers"]] == ["block 1", "block 2", "block 3"]
    for layer in told["layers"]:
        assert len(base64.b64decode(layer["points"])) == 3 * 15
        codes = base64.b64decode(layer["classes"])
        assert len(codes) == 15
        assert all(code < len(told["classes"]) or code == depth.OTHER for code in codes)
    assert "head" in note


def test_points_lie_in_a_ball_on_one_scale_with_the_extremes_at_its_surface() -> None:
    rng = np.random.default_rng(0)
    layers = [rng.standard_normal((500, 3)), 4 * rng.standard_normal((500, 3)) + 2]
    layers[1][0] = 1000, 0, 0
    first, second = (depth._points(layers, scores).astype(float) / 127.5 - 1 for scores in layers)
    away = np.linalg.norm(np.concatenate([first, second]), axis=1)
    assert away.max() < 1.01  # of rounding to whole numbers
    assert np.allclose(second[0], (1, 0, 0), atol=0.02)
    assert second.std() / first.std() == pytest.approx(4, rel=0.1)


def test_a_detector_has_a_cloud_without_classes_and_says_why() -> None:
    held, trace = kept("detr")
    text, note = depth.cloud(held, trace, depth.fitted([grid_tokens(trace, i) for i in range(len(held.layers))]))
    assert json.loads(text)["classes"] == []
    assert "object queries" in note


def test_a_cloud_can_keep_neighbours_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    held, trace = kept("vit")
    monkeypatch.setattr(depth, "reduce", lambda sets, dimensions, how: tuple(s[:, :dimensions] for s in sets))
    told = json.loads(depth.cloud_by(held, trace, "tsne")[0])
    assert [layer["name"] for layer in told["layers"]] == ["block 3"]
    points = np.frombuffer(base64.b64decode(told["layers"][0]["points"]), dtype=np.uint8).reshape(-1, 3)
    values = grid_tokens(trace).values[:, :3]
    order = [np.corrcoef(points[:, i], values[:, i])[0, 1] for i in range(3)]
    assert min(order) > 0.99
    with pytest.raises(ValueError, match="one of"):
        depth.cloud_by(held, trace, "guess")


def test_norms_tell_tokens_before_the_patches_apart() -> None:
    held, trace = kept("registers")
    names = [line.name for line in depth.lengths(trace, held).data]
    assert names == ["patches, median", "longest patch", *(f"register {i}" for i in range(1, 5))]


# 5: likeness


def test_the_map_is_the_cosine_similarity(page: Page) -> None:
    held, trace = kept("vit")
    made = page.likeness.choose(held, trace, "like", 1, 2, 3, 5, None)
    tokens = grid_tokens(trace, 1)
    assert np.allclose(made[page.likeness.here].data[0].z, between(tokens.values, 13, tokens.values).reshape(3, 5))
    crops = made[page.likeness.list]
    assert crops.count("<li>") == 1 + likeness.NEAREST
    assert "row 2, column 3" in crops


def test_layers_are_chosen_by_their_names(page: Page) -> None:
    held, trace = kept("vit")
    made = page.likeness.show(held, trace, "like", None, None, None, 5, None)
    assert made[page.likeness.layer]["choices"] == [("block 1", 0), ("block 2", 1), ("block 3", 2)]
    again = page.likeness.choose(held, trace, "like", 1, None, None, 5, None)
    assert "After block 2" in again[page.likeness.name]


def test_a_click_chooses_the_patch_under_it(page: Page) -> None:
    held, trace = kept("axial")
    box = trace.view.cell_boxes(held.grids[-1])[1, 2]
    event = SimpleNamespace(x=float(box[[0, 2]].mean()), y=float(box[[1, 3]].mean()))
    fields = ("like", len(held.layers) - 1, 0, 0, 5, None)
    made = page.likeness.pick(held, trace, event, *fields)
    assert (made[page.likeness.row]["value"], made[page.likeness.col]["value"]) == (1, 2)
    for bad in (
        SimpleNamespace(x=-5, y=1),
        SimpleNamespace(x="a", y=1),
        SimpleNamespace(),
        SimpleNamespace(x=True, y=1),
    ):
        assert page.likeness.pick(held, trace, bad, *fields) == {}


def test_a_patch_keeps_its_place_when_the_grid_becomes_another(page: Page) -> None:
    held, trace = kept("coatnet")
    fine = held.grids[0]
    page.likeness.choose(held, trace, "like", 0, fine[0] - 1, 0, 5, None)
    made = page.likeness.choose(held, trace, "like", len(held.layers) - 1, fine[0] - 1, 0, 5, None)
    assert (made[page.likeness.row]["value"], made[page.likeness.col]["value"]) == (held.grids[-1][0] - 1, 0)


@pytest.mark.parametrize("place", [(None, 0), (0, None), (99, 0)])
def test_a_field_that_names_no_patch_is_refused_also_with_another_layer(page: Page, place: tuple[Any, Any]) -> None:
    held, trace = kept("coatnet")
    page.likeness.choose(held, trace, "like", 0, 0, 0, 5, None)
    for layer in (0, len(held.layers) - 1):  # the fields still hold a place on the grid of the first
        made = page.quickly(page.likeness.choose, held, 0, "like", layer, *place, 5, None)
        assert set(made) == {page.problem}
        assert f"must be a whole number from 0 to {held.grids[0][0] - 1}, not" in made[page.problem]


def test_a_second_picture_of_another_size_is_compared_on_one_scale(page: Page) -> None:
    held, trace = kept("vit")
    fields = ("like", 2, 1, 1, 5, None)
    made = page.likeness.beside(held, trace, photo(seed=1, rows=90, cols=40), *fields)
    second = made[page.likeness.second]
    here, there = made[page.likeness.here].data[0], made[page.likeness.there].data[0]
    assert (here.zmin, here.zmax) == (there.zmin, there.zmax)
    assert second.size == (40, 90)
    assert made[page.likeness.list].count("<ol") == 2
    later = page.likeness.choose(held, trace, "like", 1, 0, 0, 5, second)  # it stays for the next click
    assert len(later[page.likeness.there].data) > 0
    gone = page.likeness.beside(held, trace, None, *fields)
    assert gone[page.likeness.second] is None
    assert not gone[page.likeness.there].data


@pytest.mark.parametrize("count", [2, 5, 12])
def test_parts_are_as_many_as_asked(page: Page, count: int) -> None:
    held, trace = kept("vit")
    made = page.likeness.choose(held, trace, "parts", 2, 0, 0, count, None)
    assert len(np.unique(made[page.likeness.here].data[0].z)) <= count
    assert made[page.likeness.list] == ""


@pytest.mark.parametrize(
    "fields",
    [
        ("like", 3, 0, 0, 5),
        ("like", -1, 0, 0, 5),
        ("like", 1.5, 0, 0, 5),
        ("other", 0, 0, 0, 5),
        ("parts", 0, 0, 0, 13),
    ],
)
def test_what_is_not_there_is_refused_and_the_figures_stay(page: Page, fields: tuple[Any, ...]) -> None:
    held, _ = kept("vit")
    made = page.quickly(page.likeness.choose, held, 0, *fields, None)
    assert set(made) == {page.problem}
    assert 'role="alert"' in made[page.problem]


def test_a_sample_can_be_the_second_picture() -> None:
    assert likeness.sample_of(0).size[0] > 10
    with pytest.raises(ValueError, match="example"):
        likeness.sample_of(999)


# 6: two models


def test_models_of_one_width_share_their_colours(page: Page, cards: dict[str, Card]) -> None:
    held, trace = kept("vit")
    _, said = twin.together(held, trace, *kept("vit"))
    assert "one fit" in said
    figure, said = twin.together(held, trace, *kept("detr"))
    assert "own fit" in said
    assert len(figure.frames) == max(len(held.layers), len(kept("detr")[0].layers))


def test_signs_are_turned_to_agree() -> None:
    _, trace = kept("vit")
    tokens = [grid_tokens(trace, i) for i in range(3)]
    model = depth.fitted(tokens)
    turned = replace(model.fits[0], basis=-model.fits[0].basis, scores=tuple(-s for s in model.fits[0].scores))
    back = twin.aligned(depth.Fits((turned,), model.places), tokens, model, tokens)
    assert np.allclose(back.scores(2), model.scores(2))
    assert np.allclose(back.fits[0].basis, model.fits[0].basis)


def test_a_long_title_is_cut_above_a_tile() -> None:
    assert twin.shortened("Axial attention") == "Axial attention"
    assert twin.shortened("vit_small_patch14_dinov2") == "vit_small_patch…"


def test_a_click_asks_both_models(page: Page) -> None:
    held, trace = kept("vit")
    other, seen = kept("axial")
    made = page.twin.at(held, trace, other, seen, 50.0, 30.0)
    assert made[page.twin.first].data[0].z.shape == held.grids[-1]
    assert made[page.twin.second].data[0].z.shape == other.grids[-1]
    assert page.twin.at(held, trace, other, seen, -1, None) == {}


def test_a_bad_second_model_is_a_sentence(page: Page) -> None:
    held, trace = kept("vit")
    with pytest.raises(ValueError, match="No model"):
        page.twin.ask(photo(), held, trace, "no-such-model")


# files


def test_tokens_leave_as_arrays_page_and_projector_files() -> None:
    held, trace = kept("vit")
    name, content = leaving.file_of("npz", photo(), held, 1)
    assert name == "vit-block-2.npz"
    assert np.array_equal(np.load(io.BytesIO(content))["values"], grid_tokens(trace, 1).values)
    _, text = leaving.file_of("html", photo(), held, 1)
    assert b"Plotly.newPlot" in text
    _, folder = leaving.file_of("projector", photo(), held, 1)
    with zipfile.ZipFile(io.BytesIO(folder)) as files:
        assert {"vectors.tsv", "metadata.tsv"} <= set(files.namelist())
        assert len(files.read("vectors.tsv").splitlines()) == 15


def test_the_call_makes_the_same_tokens() -> None:
    held, _ = kept("vit")
    assert "pg.embed(" in leaving.call(held, 1)
    assert "layer=1" in leaving.call(held, 1)


@pytest.mark.parametrize(("kind", "layer"), [("npz", 9), ("exe", 0)])
def test_files_that_cannot_be_are_refused(kind: str, layer: int) -> None:
    held, _ = kept("vit")
    with pytest.raises(ValueError, match=r"must be|one of"):
        leaving.file_of(kind, photo(), held, layer)
    with pytest.raises(ValueError, match="no tokens"):
        leaving.file_of("npz", None, None, 0)
