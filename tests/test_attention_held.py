"""What the Attention tab offers of a model, the map that answers a wish, clicks on it, and its words."""

# ruff: noqa: F811  (fixtures come by import)

from dataclasses import replace

import numpy as np
import pytest
from attending import NAMES, NASTY, cards, kept, known, photo, shown  # noqa: F401  fixtures

from playground import maps
from playground.explanations import Target, explain, method_of
from playground.models.card import Card
from playground.tabs.attention import held, words
from playground.tabs.attention.held import Wish, explained, look, picked, picked_query
from playground.trace import Box


def test_every_model_is_offered_what_works_on_it_and_nothing_else(cards: dict[str, Card]) -> None:
    every = {method.name for method in held.METHODS}
    walks = {"rollout", "gradient_rollout", "relevance"}
    offered = {name: {method.name for method in look(photo(), name).methods} for name in NAMES}
    assert offered["vit"] == offered["registers"] == offered["coatnet"] == offered["axial"] == every
    assert offered["detr"] == every - {"lens"}
    assert offered["resnet"] == every - walks - {"attention", "lens"}
    assert all("receptive" in methods for methods in offered.values())
    for name in NAMES:
        picture, card = photo(), cards[name]
        for method in look(picture, name).methods:
            maps.make(picture, card, method.name)  # none of them refuses


def test_a_model_without_attention_says_so() -> None:
    assert "no attention" in look(photo(), "resnet").unread
    assert look(photo(), "vit").unread == ""


def test_the_pickers_know_the_ranges_of_the_model() -> None:
    _, vit = shown("vit")
    assert [name for name, _ in vit.layers] == ["block 1", "block 2", "block 3"]
    assert (vit.heads, vit.grid) == (3, (3, 5))
    _, registers = shown("registers")
    assert registers.tokens == ("register 1", "register 2", "register 3", "register 4")
    _, detr = shown("detr")
    assert all("among" not in name for name, _ in detr.layers)  # queries among each other are no map
    assert detr.asks_query
    assert detr.grid is None
    _, encoder = shown("detr", Wish(layer=0))
    assert (encoder.asks_query, encoder.grid) == (False, encoder.made.values.shape)


def test_a_map_is_the_one_the_method_gives() -> None:
    found, trace = kept("vit")
    made = explained(found, Wish(start="patch", row=1, col=4, layer=1, head=2), None, trace).made
    expected = explain("attention", trace, Target(patch=(1, 4), layer=1, head=2))
    assert np.array_equal(made.values, expected.values)


def test_a_patch_keeps_its_place_on_the_picture_when_the_grid_changes() -> None:
    found, trace = kept("coatnet")
    grids = [link.writes.grid for link in trace.links]
    assert len(set(grids)) > 1
    fine = explained(found, Wish(start="patch", row=3, col=0, layer=0), None, trace)
    assert fine.grid == (4, 4)
    coarse = explained(found, replace(fine.wish, layer=fine.layers[-1][1]), fine, trace)
    assert coarse.grid == (2, 2)
    assert coarse.made.target.patch == (1, 0)


def test_what_looks_at_a_mean_becomes_what_looks_at_a_patch() -> None:
    _, back = shown("coatnet", Wish(options={"direction": "is looked at by"}))
    assert back.made.target.patch is not None
    _, token = shown("vit", Wish(options={"direction": "is looked at by"}))
    assert token.made.target.patch is None  # the class token can be looked at


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial"])
def test_a_click_chooses_the_patch_under_it(name: str) -> None:
    _, made = shown(name)
    assert made.grid is not None
    rows, cols = made.grid
    x0, y0, x1, y1 = made.grid_xyxy or (0, 0, 0, 0)
    for row, col in [(0, 0), (rows - 1, cols - 1), (0, cols - 1)]:
        x = x0 + (col + 0.5) * (x1 - x0) / cols
        y = y0 + (row + 0.5) * (y1 - y0) / rows
        assert picked(made, x, y) == (row, col)
    assert picked(made, x1 + 1, y0) is None
    for bad in (None, "1", float("nan"), True):
        assert picked(made, bad, 1.0) is None


def test_a_click_chooses_the_smallest_box_around_it_or_the_nearest() -> None:
    found, _ = kept("detr")
    boxes = (
        Box("a", 0.9, (0.0, 0.0, 100.0, 60.0), 0, 4),
        Box("b", 0.8, (10.0, 10.0, 30.0, 30.0), 1, 2),
        Box("c", 0.7, (60.0, 10.0, 70.0, 20.0), 1, 0),
        Box("d", 0.1, (80.0, 50.0, 90.0, 60.0), 1, 3),
    )
    with_boxes = replace(found, objects=boxes)
    assert picked_query(with_boxes, 20, 20) == 2
    assert picked_query(with_boxes, 50, 50) == 4
    assert picked_query(replace(found, objects=boxes[1:]), 82, 30) == 0  # "d" is no likely object
    assert picked_query(with_boxes, float("nan"), 0) is None


def test_captions_say_what_is_shown_and_escape_labels() -> None:
    found, made = shown("registers", Wish(start="patch", row=1, col=2, head=0))
    said = words.caption(found, made)
    assert "block 3, head 1" in said
    assert "the patch in row 1, column 2" in said
    assert "register 4" in said
    found, made = shown("detr")
    nasty = replace(found, objects=tuple(replace(box, label=NASTY) for box in found.objects))
    assert "<img" not in words.caption(nasty, made)
    assert "&lt;img" in words.caption(nasty, made)


def test_methods_that_ignore_the_class_say_so() -> None:
    assert "same for every class" in words.about(method_of("rollout"))
    assert "same for every class" not in words.about(method_of("gradcam"))


def test_the_field_of_a_place_starts_in_the_middle_and_follows_a_click() -> None:
    found, _ = kept("coatnet")
    graph = maps.trace_for(photo(), found.card, "receptive")
    middle = explained(found, Wish("receptive", layer=0), None, graph)
    assert middle.grid == (32, 32)
    assert middle.made.target.patch == (16, 16)
    assert [start for _, start in words.starts(middle)] == ["patch"]
    at = explained(found, Wish("receptive", layer=1, start="patch", row=3, col=2), None, graph)
    assert "row 3, column 2" in words.caption(found, at)
    named = explained(found, Wish("receptive", start="register 1"), None, graph)  # a token of the map before
    assert named.wish.start == "patch"


def test_axial_tiles_say_what_they_compose_and_other_methods_where_a_click_leads() -> None:
    found, made = shown("axial")
    assert "Columns attend first (height), then rows (width)" in words.heading("tiles", found, made)
    assert "Columns attend first" in words.caption(found, made)
    _, column = shown("axial", Wish(options={"axis": "column"}))
    assert "the column step of one head alone" in words.heading("tiles", found, column)
    _, rolled = shown("axial", Wish("rollout"))
    for below in ("tiles", "atlas"):
        assert "A click leaves Attention rollout and shows raw attention" in words.heading(below, found, rolled)
        assert "A click leaves" not in words.heading(below, found, made)
