"""What stands below the map on the Attention tab, and the figures it is drawn with."""

# ruff: noqa: F811  (fixtures come by import)

import re
from dataclasses import replace
from typing import Any

import gradio as gr
import numpy as np
import pytest
import torch
from attending import LIMIT, NAMES, NASTY, cards, kept, known, parts, photo, sent, shown  # noqa: F401  fixtures

from playground import inference, maps
from playground.evaluation.leaderboard import Leaderboard, Measure, Row, Value
from playground.explanations import Target, explain
from playground.explanations.pointing import agreement, pointing
from playground.explanations.slots import slots
from playground.explanations.targets import second_class
from playground.figures.overlay import LONGEST, Outline, overlay
from playground.figures.panels import Layer, across, panels
from playground.figures.theme import percent
from playground.tabs.attention import detector, drawing, further, leaderboard, trust
from playground.tabs.attention.handlers import Handlers
from playground.tabs.attention.held import Wish, look
from playground.tabs.attention.looks import Asked
from playground.tabs.attention.parts import Parts


def test_the_map_is_drawn_on_the_part_the_model_saw() -> None:
    """Elsewhere the map of a centre crop is stretched over the whole picture, smoothed, and added to its brightness."""
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


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_offered_below_the_map_can_be_drawn(name: str, parts: Parts) -> None:
    page = Handlers(parts)
    found = look(photo(), name)
    trace = inference.trace(photo(), found.card)
    wish = Wish(found.methods[0].name)
    (answer,) = list(page.run(photo(), *sent(parts, found, None, method=wish.method)))
    offered = [key for _, key in further.offered(found, trace)]
    assert ("tiles" in offered) == (name != "resnet")
    assert ("life" in offered) == (name == "detr")
    assert ("bias" in offered) == (name == "coatnet")
    assert ("terms" in offered) == (name == "axial")
    assert ("queries" in offered) == ("slots" in offered) == (name == "detr")
    assert {"artefacts", "trust"} <= set(offered)
    assert ("ranked" in offered) == (name != "detr")
    for key in offered:
        below = page.look_at(*sent(parts, found, answer[parts.shown], look=key, method=wish.method))
        assert below[parts.look]["value"] == key
        text_alone = key in ("trust", "ranked", "preferred")
        assert bool(below[parts.further].data) != text_alone
        if not text_alone:
            assert len(below[parts.further].to_json()) < LIMIT


def test_a_dot_of_the_atlas_is_a_head_of_a_layer(parts: Parts) -> None:
    found, before = shown("vit")
    trace = found.trace
    assert trace is not None
    event = gr.EventData(None, {"index": 4, "curve": 0})
    answer = Handlers(parts).choose(event, *sent(parts, found, before, look="atlas"))
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
    settings = [*sent(parts, found, made, look="atlas")]
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
    figure, said = further.draw("life", found, made, trace, Asked())
    assert figure is not None
    assert said.count("<tr>") == 1 + 3
    best = next(box for box in found.objects if box.query == made.made.target.query)
    last = next(part for part in figure.data if part.name.startswith("3: "))
    assert last.name == f"3: {best.label}"
    assert (min(last.x), min(last.y), max(last.x), max(last.y)) == pytest.approx(best.box_xyxy, abs=0.1)


def test_queries_among_each_other_stand_in_the_order_of_their_scores() -> None:
    found, made = shown("detr")
    trace = found.trace
    assert trace is not None
    figure, _ = further.draw("queries", found, made, trace, Asked())
    assert figure is not None
    link = trace.links[2]
    assert link.name == "decoder layer 1, among queries"
    order = [box.query for box in found.objects]
    weights = link.step.weights().mean(0)
    z = np.asarray(figure.frames[0].data[0].z)
    assert z[1, 4] == pytest.approx(1000 * float(weights[order[1], order[4]]), abs=0.6)
    assert len(figure.frames) == 3
    assert figure.data[0].y[0].endswith(f"query {order[0]}")
    assert detector.picked(found, trace, "queries", [2, 0]) == order[2]
    assert detector.picked(found, trace, "slots", 2) == 2
    for bad in (None, 9, -1, True, [0], [9, 0], ["x", 0], 1.5):
        assert detector.picked(found, trace, "queries", bad) is None


def test_every_query_has_a_dot_where_it_answers_and_a_line_to_where_it_looks() -> None:
    found, made = shown("detr")
    trace = found.trace
    assert trace is not None
    figure, said = further.draw("slots", found, made, trace, Asked())
    assert figure is not None
    ways, dots = figure.data
    spots = slots(trace)
    width, height = found.size
    assert dots.x[3] == pytest.approx(spots[3].box_cxcywh[0] * width, abs=0.1)
    assert (ways.x[9], ways.y[9]) == pytest.approx((spots[3].looks_xy[0] * width, spots[3].looks_xy[1] * height))
    box = next(box for box in found.objects if box.query == 3).box_xyxy
    assert box[0] - 1 <= dots.x[3] <= box[2] + 1
    assert sum(int(number) for number in re.findall(r"\d+ (?=small|wide|tall)", said)) == 6


def test_masks_show_where_each_sure_query_looks() -> None:
    found, made = shown("detr")
    trace = found.trace
    assert trace is not None
    assert "mask" not in [key for _, key in further.offered(found, trace)]
    drawn = replace(trace, mask_queries=torch.tensor([4, 1]), mask_attention=torch.rand(2, 4, 3, 5))
    assert "mask" in [key for _, key in further.offered(found, drawn)]
    figure, _ = further.draw("mask", found, made, drawn, Asked())
    assert figure is not None
    assert [step.label.split("query ")[1] for step in figure.layout.sliders[0].steps] == ["4", "1"]
    nothing = replace(drawn, mask_queries=torch.zeros(0, dtype=torch.long), mask_attention=torch.zeros(0, 4, 3, 5))
    assert "No query" in further.draw("mask", found, made, nothing, Asked())[1]


def test_the_terms_of_an_axial_block_are_drawn_beside_the_whole() -> None:
    found, made = shown("axial", Wish(layer=1, start="patch", row=1, col=2))
    trace = found.trace
    assert trace is not None
    figure, said = further.draw("terms", found, made, trace, Asked())
    assert figure is not None
    labels = [step.label.removeprefix(f"{trace.links[1].name}: ") for step in figure.layout.sliders[0].steps]
    assert labels == ["all terms", "q · k alone", "q · r alone", "k · r alone"]
    assert said.count("<tr>") == 1 + 8


def test_the_answer_is_followed_from_layer_to_layer_and_ends_as_it_is() -> None:
    found, made = shown("vit", Wish("lens", class_index=3))
    trace = found.trace
    assert trace is not None
    figure, said = further.draw("depth", found, made, trace, Asked())
    assert figure is not None
    assert trace.logits is not None
    ends = {line.name: line.y[-1] for line in figure.data}
    assert list(figure.data[0].x) == [1, 2, 3]  # as the blocks are named
    assert next(iter(ends)) == "d"  # the class that is asked for stands first
    assert ends["d"] == pytest.approx(float(trace.logits.softmax(-1)[3]), abs=1e-5)
    assert said.count("<tr>") == 1 + len(trace.tokens)
    assert f"<td>{found.classes[0].label}</td><td>{percent(found.classes[0].score)}</td>" in said


def test_scores_are_tempered_as_those_of_the_answer() -> None:
    logits = torch.tensor([2.0, -1.0, 0.5, 0.0])
    found = further.tempered(logits.softmax(-1).numpy(), 1.7)
    assert np.allclose(found, (logits / 1.7).softmax(-1), atol=1e-6)


def test_outliers_are_listed_and_left_out_at_a_press(parts: Parts) -> None:
    found, made = shown("vit")
    trace = found.trace
    assert trace is not None
    _, said = further.draw("artefacts", found, made, trace, Asked())
    assert "No patch stands out after block 3" in said
    values = trace.tokens[-1].values.clone()
    values[1 + 7] *= 100  # the class token stands first
    loud = replace(trace, tokens=(*trace.tokens[:-1], replace(trace.tokens[-1], values=values)))
    figure, said = further.draw("artefacts", found, made, loud, Asked())
    assert figure is not None
    assert list(figure.data[-1].x) == [len(trace.tokens)]  # counted from 1
    assert "<td>1, 2</td>" in said
    settings = sent(parts, found, made, look="artefacts")
    page = Handlers(parts)
    assert page.look_at(*settings)[parts.without]["visible"]
    answer = page.without_artefacts(*settings)
    assert answer[parts.shown].made.method == "rollout"
    assert answer[parts.shown].wish.options["without_artefacts"] is True
    assert "none was left out" in answer[parts.caption]
    switch = next(f for owner, o, f in parts.fields.options if (owner, o.name) == ("rollout", "without_artefacts"))
    assert answer[switch]["value"] is True


def test_a_leaderboard_is_a_table_or_the_command_that_makes_it() -> None:
    found, _ = shown("vit")
    assert "python -m playground faithfulness --model vit --data" in leaderboard.ranked(found.card)
    rows = (
        Row("rollout", NASTY, "method", {"gain": Value(0.25, 0.2, 0.3, 40)}),
        Row("random", "Random", "baseline", {"gain": Value(0.01, -0.02, 0.03, 40)}),
        Row("lens", "Logit lens", "method", {}),
    )
    columns = (Measure("gain", "Gain", "high", "insertion less deletion"),)
    board = Leaderboard(
        "vit", "a" * 64, "photos", 40, 0, 16, "how", "python", "CPU", "float32", 1.0, "2026-01-01", columns, rows,
        {"relevance": "why not"},
    )  # fmt: skip
    said = leaderboard.laid_out(board, replace(found.card, sha256="b" * 64))
    assert "<b>0.250</b> <small>0.200 … 0.300</small>" in said
    assert "earlier weights" in said
    assert "why not" in said
    assert NASTY not in said
    assert said.count('class="pg-baseline"') == 1
    assert "earlier weights" not in leaderboard.laid_out(board, replace(found.card, sha256="a" * 64))


def test_trust_is_measured_on_demand_and_said_of_the_shown_map_alone(parts: Parts) -> None:
    page = Handlers(parts)
    found, made = shown("vit", Wish("rollout"))
    settings = [*sent(parts, found, made, look="trust", method="rollout")]
    before = page.look_at(*settings)
    assert before[parts.measure]["visible"]
    assert "Ignores the class you picked" in before[parts.more]
    after = list(page.measure(photo(), *settings))[-1]
    assert len(after[parts.further].data) == 4 * 3
    assert "random here" in after[parts.more]
    assert not after[parts.measure]["visible"]
    other = replace(made, made=replace(made.made))
    again = page.look_at(*sent(parts, found, other, look="trust", method="rollout"))
    assert again[parts.measure]["visible"]


def test_class_and_weights_are_checked_on_demand(parts: Parts) -> None:
    """The badges say what another class and random weights leave of a map, each with its number."""
    page = Handlers(parts)
    found, trace = kept("vit")
    asked: dict[str, Any] = {"method": "relevance", "class_index": 1}
    (first,) = list(page.run(photo(), *sent(parts, found, None, look="trust", **asked)))
    settings = sent(parts, found, first[parts.shown], look="trust", **asked)
    assert first[parts.check]["visible"]
    last = list(page.check(photo(), *settings))[-1]
    assert not last[parts.check]["visible"]
    assert last[parts.measure]["visible"]  # the curves are still to be measured
    checks = trust.checks_of(found, first[parts.shown])
    assert checks is not None
    assert checks.rival == second_class(trace, Target(class_index=1)) != 1
    expected = explain("relevance", maps.trace_for(photo(), found.card, "relevance"), Target(class_index=checks.rival))
    assert checks.other == agreement(first[parts.shown].made, expected)
    assert [len(drawn) for _, drawn in checks.random] == [1, 1, 3]
    for said in ("for “", "mean of 3", "100 % of the layers"):
        assert said in last[parts.more]


@pytest.mark.parametrize("method", ["lens", "occlusion"])
def test_methods_that_run_the_model_are_checked_with_the_random_one(method: str) -> None:
    found, trace = kept("vit")
    made = maps.of_trace(trace, found.card, method, Target(class_index=0))
    changed = maps.of_random_weights(photo(), found.card, made, {})
    assert changed.target == made.target
    assert not np.allclose(changed.values, made.values)
    same = maps.of_random_weights(photo(), found.card, made, {})
    assert np.array_equal(changed.values, same.values)


def test_a_box_is_drawn_with_two_clicks_or_typed(parts: Parts) -> None:
    page = Handlers(parts)
    found, before = shown("vit")
    x0, y0, x1, y1 = before.made.region_xyxy
    wide, high = (x1 - x0) / 5, (y1 - y0) / 3
    assert page.draw_box()[parts.box.corner] == 1
    click = gr.EventData(None, {"x": x0 + 3.5 * wide, "y": y0 + 1.5 * high, "index": [1, 3]})
    first = page.click(click, *sent(parts, found, before, look="trust", box=(1, None, None, None, None)))
    assert first[parts.box.corner] == 2
    assert parts.shown not in first  # the map stays
    edges = tuple(first[edge]["value"] for edge in parts.box.edges)
    assert edges == pytest.approx((x0 + 3 * wide, y0 + high, x0 + 4 * wide, y0 + 2 * high), abs=0.05)
    click = gr.EventData(None, {"x": x0 + 1.5 * wide, "y": y0 + 0.5 * high, "index": [0, 1]})
    second = page.click(click, *sent(parts, found, before, look="trust", box=(2, *edges)))
    assert second[parts.box.corner] == 0
    box = tuple(second[edge]["value"] for edge in parts.box.edges)
    assert box == pytest.approx((x0 + wide, y0, x0 + 4 * wide, y0 + 2 * high), abs=0.05)
    expected = pointing(before.made, box)
    assert f"highest place inside {percent(expected.hit)}" in second[parts.more]
    assert percent(expected.energy or 0) in second[parts.more]
    assert second[parts.view].data[-1].name == "Your box"
    typed = page.boxed(*sent(parts, found, before, look="trust", box=(0, 10, 0, 5, 40)))
    assert "The box is empty" in typed[parts.more]
    for none in ((10, None, 50, 40), (0, 0, 0, 0)):  # a browser may send empty fields as 0
        assert "box" not in page.boxed(*sent(parts, found, before, look="trust", box=(0, *none)))[parts.more]
