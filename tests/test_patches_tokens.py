"""The Patches tab without a browser: layers, alike patches, two models, and what leaves it."""

# ruff: noqa: F811  (fixtures come by import)

import base64
import io
import json
import zipfile
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from patching import cards, kept, known, page, photo, value  # noqa: F401  fixtures

from playground.embeddings.projection import fit
from playground.embeddings.similarity import between
from playground.embeddings.tokens import grid_tokens
from playground.tabs.patches import depth, leaving, likeness, twin
from playground.tabs.patches.page import Page

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


def test_models_of_one_width_share_their_colours() -> None:
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
