"""The Attention tab without a browser: what is offered, drawn, clicked and refused, on small random models."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from explaining import SMALL, model_of, noise
from safetensors.torch import save_file

from playground import inference, maps
from playground.explanations import Cancelled, Target, explain, method_of
from playground.figures.overlay import LONGEST, Outline, overlay
from playground.figures.panels import Layer, across, panels
from playground.image import Picture, View, read
from playground.models import FAMILIES, Family, catalogue
from playground.models.card import Card
from playground.tabs.attention import drawing, further, held, words
from playground.tabs.attention.handlers import Handlers
from playground.tabs.attention.held import Held, Shown, Wish, explained, look, picked, picked_query
from playground.tabs.attention.parts import Parts, lay_out
from playground.tabs.attention.working import told
from playground.trace import Box, Trace

LIMIT = 200_000
NAMES = ("vit", "registers", "coatnet", "axial", "detr", "resnet")
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    folder = tmp_path_factory.mktemp("weights")
    made = {}
    for name in NAMES:
        path = folder / f"{name}.safetensors"
        save_file(model_of(name).state_dict(), path)
        named = replace(SMALL[name], name=name, labels=tuple("abcde"), filename=str(path))
        made[name] = named
    return made


@pytest.fixture(autouse=True)
def _known(cards: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    inference.forget()
    found = catalogue.find
    monkeypatch.setattr(catalogue, "find", lambda name: cards.get(name) or found(name))
    yield
    inference.forget()


def photo(seed: int = 0) -> Picture:
    return read(noise(seed=seed))


def kept(name: str) -> tuple[Held, Trace]:
    found = look(photo(), name)
    trace = found.trace
    assert trace is not None
    return found, trace


def shown(name: str, wish: Wish | None = None) -> tuple[Held, Shown]:
    found, trace = kept(name)
    return found, explained(found, wish or Wish(), None, trace)


# what is offered


def test_every_model_is_offered_what_works_on_it_and_nothing_else(cards: dict[str, Card]) -> None:
    every = {method.name for method in held.METHODS}
    walks = {"rollout", "gradient_rollout", "relevance"}
    offered = {name: {method.name for method in look(photo(), name).methods} for name in NAMES}
    assert offered["vit"] == offered["registers"] == offered["coatnet"] == every
    assert offered["axial"] == every - {"gradient_rollout", "relevance"}
    assert offered["detr"] == every - {"lens"}
    assert offered["resnet"] == every - walks - {"attention", "lens"}
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


# maps


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


# handlers


@pytest.fixture
def parts() -> Parts:
    with gr.Blocks():
        return lay_out()


def values(parts: Parts, **given: Any) -> list[Any]:
    """The fields as the page sends them, with some of them set."""
    fields = parts.fields
    usual = [component.value for component in fields.inputs]
    usual[4:6] = [None, ""]
    places = {"method": 0, "class_index": 1, "query": 2, "layer": 3, "head": 4, "start": 5, "row": 6, "col": 7}
    for name, value in given.items():
        if name in places:
            usual[places[name]] = value
        else:
            method = given.get("method", "attention")
            found = next(i for i, (m, o, _) in enumerate(fields.options) if (m, o.name) == (method, name))
            usual[8 + found] = value
    return usual


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Count the forward passes of all families."""
    seen: list[str] = []

    def counting(family: Family) -> Family:
        def trace(model: torch.nn.Module, view: View, card: Card, device: torch.device, graph: bool = False) -> Trace:
            seen.append(card.name)
            return family.trace(model, view, card, device, graph)

        return replace(family, trace=trace)

    families = {family.name: counting(family) for family in FAMILIES}
    monkeypatch.setattr(inference, "family_of", lambda card: families[card.family])
    return seen


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr"])
def test_layer_head_patch_class_and_method_cost_no_forward_pass(
    name: str, parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = counted(monkeypatch)
    page = Handlers(parts)
    first = page.begin(photo(), name, None, None, 0, 0.6, True, None, *values(parts))
    found, before = first[parts.held], first[parts.shown]
    keep = inference.trace(photo(), found.card)  # as the cache does
    assert seen == [name]
    asked: list[dict[str, Any]] = [
        {"layer": 0},
        {"layer": before.layers[0][1], "head": 1},
        {"start": "patch", "row": 0, "col": 1},
        {"method": "rollout"},
        {"method": "rollout", "residual": 0.3},
        {"method": "norms"},
        {"query": 1},
    ]
    if name != "detr":
        asked.append({"method": "lens", "class_index": 2})
    for given in asked:
        answer = page.change(found, before, 0, 0.6, True, "tiles", *values(parts, **given))
        assert isinstance(answer[parts.shown], Shown), given
        assert len(answer[parts.view].to_json()) < LIMIT
    click = gr.EventData(None, {"x": 30.0, "y": 30.0, "index": [0, 0]})
    assert isinstance(page.click(click, found, before, 0, 0.6, True, "tiles", *values(parts))[parts.shown], Shown)
    assert seen == [name]
    del keep


def test_gradients_go_the_slow_way_and_perturbation_waits_for_its_button(parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), "vit")
    assert page.change(found, None, 3, 0.6, True, "tiles", *values(parts, method="relevance"))[parts.todo] == 4
    waiting = page.change(found, None, 3, 0.6, True, "tiles", *values(parts, method="occlusion"))
    assert parts.shown not in waiting
    assert waiting[parts.run]["visible"]
    (answer,) = list(
        page.run(photo(), found, None, 0, 0.6, True, "tiles", *values(parts, method="relevance", class_index=2))
    )
    assert answer[parts.shown].made.target.class_index == 2
    *told_so_far, last = list(page.run(photo(), found, None, 0, 0.6, True, "tiles", *values(parts, method="occlusion")))
    assert told_so_far
    assert last[parts.shown].made.method == "occlusion"


def test_a_trace_that_made_room_is_made_again(parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), "vit")
    gone = replace(found, loose=lambda: None)
    assert page.change(gone, None, 0, 0.6, True, "tiles", *values(parts))[parts.todo] == 1
    (answer,) = list(page.run(photo(), gone, None, 1, 0.6, True, "tiles", *values(parts)))
    assert answer[parts.shown].made.method == "attention"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("vit", {"layer": 3}, "layer must be a whole number from 0 to 2"),
        ("vit", {"layer": -2}, "layer must be a whole number from 0 to 2"),
        ("vit", {"head": 3}, "head must be a whole number from 0 to 2"),
        ("vit", {"start": "patch", "row": 3, "col": 0}, "row of the patch must be a whole number from 0 to 2"),
        ("vit", {"start": "patch", "row": 0, "col": float("nan")}, "column of the patch must be a whole number"),
        ("vit", {"start": "patch", "row": "x", "col": 0}, "row of the patch must be a whole number"),
        ("vit", {"start": "register 9"}, "no token called 'register 9'"),
        ("vit", {"direction": "sideways"}, "direction must be one of"),
        ("vit", {"method": "magic"}, "no method 'magic'"),
        ("vit", {"method": "lens", "class_index": 5}, "class must be a whole number from 0 to 4"),
        ("vit", {"method": "rollout", "residual": float("nan")}, "residual weight must be a number from 0 to 1"),
        ("vit", {"method": "rollout", "start_layer": 7}, "start layer must be a whole number from 0 to 2"),
        ("detr", {"query": 6}, "object query must be a whole number from 0 to 5"),
        ("resnet", {"method": "attention"}, "no attention"),
    ],
)
def test_bad_input_is_one_sentence_that_names_what_is_allowed(
    name: str, given: dict[str, Any], said: str, parts: Parts
) -> None:
    found, trace = kept(name)
    with pytest.raises(gr.Error, match=said):
        Handlers(parts).change(found, None, 0, 0.6, True, "tiles", *values(parts, **given))
    page = Handlers(parts)
    quiet = page.quietly(lambda: page.change(found, None, 0, 0.6, True, "tiles", *values(parts, **given)))
    assert list(quiet) == [parts.problem]  # the last map stays
    assert re.search(said, html.unescape(quiet[parts.problem]))
    del trace


def test_another_model_takes_the_same_method_where_it_can(parts: Parts) -> None:
    page = Handlers(parts)
    answer = page.begin(
        photo(),
        "axial",
        None,
        None,
        0,
        0.6,
        True,
        None,
        *values(parts, method="rollout", residual=0.25, layer=2, head=1),
    )
    assert answer[parts.shown].made.method == "rollout"
    assert answer[parts.shown].wish.options["residual"] == 0.25
    answer = page.begin(photo(), "resnet", None, None, 0, 0.6, True, None, *values(parts, method="rollout"))
    assert answer[parts.shown].made.method == "gradcam"
    assert page.begin(None, "vit", None, None, 0, 0.6, True, None, *values(parts)) == {}
    unknown = page.begin(photo(), "no-such-model", None, None, 0, 0.6, True, None, *values(parts))
    assert list(unknown) == [parts.caption]
    assert "no-such-model" in unknown[parts.caption]


def test_a_tile_chooses_its_layer_and_head(parts: Parts) -> None:
    found, before = shown("vit")
    keep = found.trace
    event = gr.EventData(None, {"index": [0, 2], "step": 1})
    answer = Handlers(parts).choose(event, found, before, 0, 0.6, True, "tiles", *values(parts))
    assert (answer[parts.shown].made.target.layer, answer[parts.shown].made.target.head) == (1, 2)
    assert keep is not None
    for index, step in [([0, 3], 0), ([0, 0], 9), ([-1, 0], 0), (None, 0), ([0, 0], None), (["x", 0], 0)]:
        assert drawing.tile(keep, before, index, step) is None


def test_another_object_brings_its_own_class(parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), "detr")
    asked = {"method": "gradcam", "query": 0, "class_index": 3}
    (first,) = list(page.run(photo(), found, None, 0, 0.6, True, "tiles", *values(parts, **asked)))
    assert first[parts.shown].made.target.class_index == 3
    asked["query"] = 1
    (other,) = list(page.run(photo(), found, first[parts.shown], 0, 0.6, True, "tiles", *values(parts, **asked)))
    best = next(box for box in found.objects if box.query == 1)
    assert other[parts.shown].made.target.class_index == best.index


# figures


def test_the_map_is_drawn_on_the_part_the_model_saw() -> None:
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    drawn = overlay(
        grid, (20.0, 0.0, 80.0, 40.0), "", (100, 40), "alt", marked=(20, 0, 40, 20), seen_xyxy=(20, 0, 80, 40)
    )
    heat = drawn.data[0]
    assert np.array_equal(heat.z, grid)
    assert (heat.x0, heat.dx, heat.y0, heat.dy) == (30, 20, 10, 20)
    assert (heat.zmin, heat.zmax, heat.zsmooth) == (0, 5, False)
    assert [(s.x0, s.x1) for s in drawn.layout.shapes] == [(0, 20), (80, 100)]
    signed = overlay(grid - 1, (0, 0, 3, 2), "", (3, 2), "", signed=True).data[0]
    assert (signed.zmin, signed.zmax) == (-4, 4)


def test_a_fine_map_travels_as_bytes_and_keeps_its_peaks() -> None:
    fine = np.zeros((800, 1066), dtype=np.float32)
    fine[401, 533] = 7
    drawn = overlay(fine, (0, 0, 1066, 800), "", (1066, 800), "", outlines=[Outline((0, 0, 9, 9), NASTY)])
    z = np.asarray(drawn.data[0].z)
    assert max(z.shape) <= LONGEST
    assert z.dtype == np.uint8
    assert z.max() == 255
    assert len(drawn.to_json()) < LIMIT
    assert NASTY not in drawn.to_json()


@pytest.mark.parametrize(
    ("layers", "heads", "grid"), [(12, 12, (14, 14)), (8, 8, (56, 56)), (12, 8, (25, 34)), (4, 24, (7, 7))]
)
def test_all_layers_and_heads_fit_in_one_figure(layers: int, heads: int, grid: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    given = [Layer(f"block {i}", rng.random((heads, *grid), dtype=np.float32) ** 4) for i in range(layers)]
    drawn = panels(given, layers - 1, 2, "alt")
    assert len(drawn.frames) == layers
    assert drawn.layout.sliders[0].active == layers - 1
    assert len(drawn.to_json()) < LIMIT
    assert heads % across(heads) == 0


def test_every_family_draws_its_map_and_its_tiles() -> None:
    for name in ("vit", "registers", "coatnet", "axial", "detr"):
        found, made = shown(name)
        trace = found.trace
        assert trace is not None
        assert drawing.map_over(found, made, 0.5).layout.meta["alt"].startswith("Raw attention")
        tiles = drawing.every_head(trace, made, shared=True)
        assert len(tiles.frames) == len(made.layers)


# below the map


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_offered_below_the_map_can_be_drawn(name: str, parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), name)
    trace = inference.trace(photo(), found.card)
    wish = Wish(found.methods[0].name)
    (answer,) = list(page.run(photo(), found, None, 0, 0.6, True, "tiles", *values(parts, method=wish.method)))
    offered = [key for _, key in further.offered(found, trace)]
    assert ("tiles" in offered) == (name != "resnet")
    assert ("life" in offered) == (name == "detr")
    assert ("bias" in offered) == (name == "coatnet")
    for key in offered:
        below = page.look_at(found, answer[parts.shown], 0, 0.6, True, key, *values(parts, method=wish.method))
        assert below[parts.look]["value"] == key
        assert bool(below[parts.further].data) == (key != "trust")
        if key != "trust":
            assert len(below[parts.further].to_json()) < LIMIT


def test_a_dot_of_the_atlas_is_a_head_of_a_layer(parts: Parts) -> None:
    found, before = shown("vit")
    trace = found.trace
    assert trace is not None
    event = gr.EventData(None, {"index": 4, "curve": 0})
    answer = Handlers(parts).choose(event, found, before, 0, 0.6, True, "atlas", *values(parts))
    assert (answer[parts.shown].made.target.layer, answer[parts.shown].made.target.head) == (1, 1)
    drawn = answer[parts.further]
    assert list(drawn.data[0].marker.line.width) == [3 if i == 4 else 1 for i in range(9)]
    for bad in (9, -1, None, "x", [0, 0], True):
        assert further.dot(found, trace, bad) is None


@pytest.mark.parametrize("name", ["vit", "axial", "detr"])
def test_dots_grow_with_what_the_class_loses_without_the_head(name: str, parts: Parts) -> None:
    page = Handlers(parts)
    found, made = shown(name)
    keep = found.trace
    settings = [found, made, 0, 0.6, True, "atlas", *values(parts)]
    assert page.look_at(*settings)[parts.measure]["visible"]
    after = list(page.measure(photo(), *settings))[-1]
    assert not after[parts.measure]["visible"]
    assert len(set(after[parts.further].data[0].marker.size)) > 1
    assert "p(class) loses" in after[parts.further].data[0].hovertext[0]
    del keep


def test_the_life_of_a_query_ends_with_the_answer() -> None:
    found, made = shown("detr")
    trace = found.trace
    assert trace is not None
    figure, said = further.draw("life", found, made, trace, shared=True)
    assert figure is not None
    assert said.count("<tr>") == 1 + 3
    best = next(box for box in found.objects if box.query == made.made.target.query)
    last = next(part for part in figure.data if part.name.startswith("3: "))
    assert last.name == f"3: {best.label}"
    assert (min(last.x), min(last.y), max(last.x), max(last.y)) == pytest.approx(best.box_xyxy, abs=0.1)


def test_trust_is_measured_on_demand_and_said_of_the_shown_map_alone(parts: Parts) -> None:
    page = Handlers(parts)
    found, made = shown("vit", Wish("rollout"))
    settings = [found, made, 0, 0.6, True, "trust", *values(parts, method="rollout")]
    before = page.look_at(*settings)
    assert before[parts.measure]["visible"]
    assert "Ignores the class you picked" in before[parts.more]
    after = list(page.measure(photo(), *settings))[-1]
    assert len(after[parts.further].data) == 4 * 3
    assert "random here" in after[parts.more]
    assert not after[parts.measure]["visible"]
    other = replace(made, made=replace(made.made))
    again = page.look_at(found, other, 0, 0.6, True, "trust", *values(parts, method="rollout"))
    assert again[parts.measure]["visible"]


# words


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


# long work


def test_long_work_is_told_and_stops_when_nobody_waits() -> None:
    seen: list[bool] = []

    def work(progress: Any, cancelled: Any) -> str:
        progress(0.5)
        while not cancelled():
            pass
        seen.append(True)
        raise Cancelled

    running = told(work)
    assert next(running) in (0.0, 0.5)
    running.close()
    assert seen == [True]
    assert list(told(lambda progress, cancelled: "done"))[-1] == "done"
    with pytest.raises(ValueError, match="no"):
        list(told(lambda progress, cancelled: (_ for _ in ()).throw(ValueError("no"))))
