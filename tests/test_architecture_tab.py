"""The Architecture tab without a browser: diagram, costs, accuracy against cost, studies and the papers' tables."""

import math
import re
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import torch

from playground.architecture import growth, measured
from playground.architecture.costs import count
from playground.architecture.growth import WAYS, Point, Way, fitted, scores, sides, timed
from playground.architecture.measured import Measured
from playground.architecture.published import TABLES, Claim, agrees, rebuilt
from playground.evaluation import study as studies_file
from playground.evaluation.study import Axis, Series, Study
from playground.evaluation.study import Point as Measurement
from playground.figures.pareto import Model, Panel, front, pareto
from playground.figures.stages import COLOURS
from playground.figures.treemap import Area, treemap
from playground.models import catalogue
from playground.tabs.architecture import body, cost, studies, tables, trade, words
from playground.tabs.architecture.page import lay_out
from playground.texts import en, say

LIMIT = 200_000
FAMILIES = ("vit-tiny-patch16-224", "coatnet-0-224", "everyday-axial", "detr-resnet-50-panoptic")
NASTY = "<img src=x onerror=alert(1)>"


@pytest.fixture
def page() -> Any:
    with gr.Blocks():
        return lay_out()


# growth


@pytest.mark.parametrize("exponent", [2.0, 3.0, 4.0])
def test_the_fit_finds_the_exponent_of_made_up_points(exponent: float) -> None:
    exact = [Point(side, 1e-9 * side**exponent) for side in (16, 24, 32, 64, 128)]
    assert fitted(exact) == pytest.approx(exponent, abs=1e-9)
    noisy = [replace(p, value=p.value * (1.1 if i % 2 else 0.9)) for i, p in enumerate(exact)]
    assert fitted(noisy) == pytest.approx(exponent, abs=0.1)
    assert fitted(exact[:2]) is None


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.key)
def test_sides_span_a_factor_of_eight_and_work_grows_as_theory_says(way: Way) -> None:
    chosen = sides(way.span)
    assert chosen[-1] == 8 * chosen[0]
    assert all(side % growth.WINDOW == 0 for side in chosen)
    assert fitted([Point(side, way.products(side)) for side in chosen]) == pytest.approx(way.order)
    assert fitted([Point(side, scores(way, side, side)) for side in chosen]) == pytest.approx(way.order)


def test_each_way_mixes_what_it_says() -> None:
    """A change at one position reaches all, its column and row, its window, or its neighbours; blocks do not matter."""
    x = 0.1 * torch.randn(16, 16, growth.WIDTH, generator=torch.Generator().manual_seed(0))  # weights nearly even
    bent = x.clone()
    bent[5, 6] += 1.0
    reached = {}
    for way in WAYS:
        before, after = way.run(x, 2**62), way.run(bent, 2**62)
        assert before.shape == x.shape
        assert torch.allclose(way.run(x, 300), before, atol=1e-5)
        reached[way.key] = (before - after).abs().sum(-1) > 1e-6
    everything = {key: int(seen.sum()) for key, seen in reached.items()}
    assert everything["full"] == everything["axial"] == 256  # axial: down the column, then along every row
    assert everything["windowed"] == growth.WINDOW**2
    assert reached["windowed"][:8, :8].all()
    assert everything["convolution"] == 9


def test_timing_stops_when_asked_and_takes_the_least() -> None:
    ticks = iter(range(10**6))
    points = list(timed(WAYS[3], (16, 24), runs=2, clock=lambda: float(next(ticks))))
    assert [(p.side, p.runs) for p in points] == [(16, 2), (24, 2)]
    assert list(timed(WAYS[3], (16, 24), cancelled=lambda: True)) == []


def test_measurements_survive_their_file_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    times = {way.key: tuple(Point(side, side**way.order, 3) for side in (16, 32, 64)) for way in WAYS}
    kept = Measured(times, times, "1 thread", "2", "2026-01-01", "python benchmarks/cost.py")
    file = tmp_path / "measured.json"
    assert measured.read(file) is None
    file.write_text(kept.to_json())
    assert measured.read(file) == kept
    file.write_text(kept.to_json().replace('"side": 16', '"side": 0'))
    with pytest.raises(ValueError, match=r"run benchmarks/cost\.py again"):
        measured.read(file)


def test_what_was_measured_grows_as_theory_says() -> None:
    """The record that the page and the README show: full and axial attention within 0.15 over a factor of 8."""
    record = measured.read()
    assert record is not None
    for way in WAYS[:2]:
        points = record.times[way.key]
        assert points[-1].side >= 8 * points[0].side
        assert fitted(points) == pytest.approx(way.order, abs=0.15)


# the diagram and its blocks


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_drawn_with_every_block_and_a_table(page: Any, name: str) -> None:
    drawn = page.begin(None, name, None, "parameters", None)
    shown, costs = drawn[page.body.shown], count(catalogue.find(name))
    figure = drawn[page.body.diagram]
    blocks = [block for stage in costs.stages for block in stage.blocks]
    assert len(figure.data[0].x) == len(blocks) == len(drawn[page.body.block]["choices"])
    assert len(figure.to_json()) < LIMIT
    assert len(drawn[page.body.areas].to_json()) < LIMIT
    assert drawn[page.body.table].count("<tr>") == len(costs.stages) + 1
    assert blocks[shown.block].part.attention
    assert "softmax" in drawn[page.body.details]
    assert f"{costs.parameters:,}" in drawn[page.body.areas].to_json().replace(
        str(costs.parameters), f"{costs.parameters:,}"
    )
    for place in (0, len(blocks) - 1):
        chosen = page.choose(shown, place)
        assert chosen[page.body.shown].block == place
        assert f"{blocks[place].part.macs:,}" in chosen[page.body.details]
    for bad in (-1, len(blocks), True, "1", None, 1.5):
        assert page.choose(shown, bad) == gr.skip()


def test_a_larger_picture_is_counted_and_a_wrong_size_falls_back_to_its_own(page: Any) -> None:
    name = "vit-tiny-patch16-224"
    first = page.begin(None, name, None, "macs", None)
    shown = first[page.body.shown]
    assert shown.size == (224, 224)
    larger = page.begin(None, name, "448x448", "macs", shown)
    assert larger[page.body.shown].size == (448, 448)
    assert "448 × 448" in larger[page.body.headline]
    for bad in ("9999x9999", "abc", None, NASTY, "224", 5):
        assert page.begin(None, name, bad, "macs", shown)[page.body.shown].size == (224, 224)
    typed = page.resize(None, name, " 320 × 256 ", "macs", shown)
    assert typed[page.body.shown].size == (320, 256)
    assert typed[page.body.size]["value"] == "320x256"
    assert page.resize(None, name, "256", "macs", shown)[page.body.shown].size == (256, 256)
    for bad in ("abc", None, NASTY, "1x2x3", 5, "٣x٣", "999999 x 999999"):
        said = page.resize(None, name, bad, "macs", shown)[page.problem]
        assert "such as 224 x 320" in said
        assert "at most 2048" in said
    assert "from 1 to 2048" in page.resize(None, name, "9999x9999", "macs", shown)[page.problem]
    refused = page.begin(None, "no such model", None, "macs", shown)
    assert list(refused) == [page.problem]
    assert "No model is called" in refused[page.problem]


def test_words_say_what_a_position_sees_and_escape_what_is_not_ours() -> None:
    stages = count(catalogue.find("coatnet-0-224")).stages
    assert words.sees(stages[0].reach, (224, 224)) == "sees 7 × 7 px"
    assert words.sees(stages[1].reach, (224, 224)) == "sees 25 × 25 px; a gate sees all"
    assert words.sees(stages[-1].reach, (224, 224)) == "sees the whole picture"
    first, then = "6 heads; 196 positions read 196", "12 heads; 196 positions read 196"
    assert words.mixes(stages[3].attention) == f"{first}; then {then}"
    assert words.amount(86_567_656) == "86.6 M"
    assert words.amount(999_900) == "1 M"
    assert NASTY not in words.plain_table([NASTY], [[NASTY]]) + words.about(NASTY)
    assert all(f"kind_{kind.key}" in en.TEXTS and kind.group in COLOURS for kind in words_kinds())


def words_kinds() -> Any:
    from playground.architecture.kinds import KINDS

    return KINDS


def test_a_treemap_leaves_out_what_is_empty_and_names_what_is_there() -> None:
    drawn = treemap(
        [Area("a", "", NASTY, 10, "stem"), Area("b", "a", "b", 0, "stem"), Area("c", "a", "c", 10, "head")], "x", ""
    )
    assert list(drawn.data[0].ids) == ["a", "c"]
    assert NASTY not in drawn.to_json()


# cost


def test_cost_marks_this_picture_and_says_the_pairs(page: Any) -> None:
    times = {way.key: tuple(Point(side, 1e-9 * side**way.order, 3) for side in (16, 32, 64)) for way in WAYS}
    drawn = page.grow(256, 16, times)
    figure = drawn[page.cost.view]["value"]
    assert figure.layout.shapes[0].x0 == 16
    assert len(figure.to_json()) < LIMIT
    table = drawn[page.cost.table]
    assert "s⁴·⁰⁰" in table
    assert "65.5 k" in table  # 256 positions, each with each
    for bad in ((0, 16), (256, 1000), ("x", 16), (math.nan, 16)):
        assert page.problem in page.grow(*bad, times)


def test_measuring_here_says_how_far_it_is_and_ends_with_points(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tuple(replace(way, span=(16, 32)) for way in WAYS)
    monkeypatch.setattr(cost, "WAYS", small)
    steps = list(page.cost.measure(224, 16, None))
    times = steps[-1][page.cost.times]
    assert [len(times[way.key]) for way in small] == [3, 3, 3, 3]
    assert steps[-1][page.cost.run]["visible"]
    assert cost.source(None, times) == say("cost_here")


# accuracy against cost


def test_no_front_model_is_beaten_and_every_other_is() -> None:
    models = [Model(str(i), "f", x, y, True) for i, (x, y) in enumerate([(1, 50), (2, 40), (3, 60), (3, 55), (9, 60)])]
    assert [(m.x, m.y) for m in front(models)] == [(1, 50), (3, 60)]
    for model in models:
        beaten = any(o.x <= model.x and o.y >= model.y and (o.x, o.y) != (model.x, model.y) for o in models)
        assert beaten == (model not in front(models))


def test_different_data_sets_never_share_an_axis() -> None:
    found = trade.judged("classes", "parameters", None, lambda share: None)
    figure = trade.drawn(found, "parameters")
    sets = list(dict.fromkeys((one.metric.dataset, one.metric.name) for one in found))
    assert len(sets) > 1
    drawn = [trace for trace in figure.data if trace.mode == "markers+text"]
    assert len({trace.yaxis for trace in drawn}) == len(sets) == len(drawn)
    for trace, key in zip(drawn, sets, strict=True):
        here = [one for one in found if (one.metric.dataset, one.metric.name) == key]
        assert list(trace.y) == [one.metric.value for one in here]
        measured_here = ["circle" if one.card.source == "bundled" else "diamond-open" for one in here]
        assert list(trace.marker.symbol) == measured_here
    assert len(figure.to_json()) < LIMIT
    assert all(one.card.title in trade.tabled(found, "parameters") for one in found)


def test_seconds_are_published_or_measured_never_both(page: Any) -> None:
    found = trade.judged("boxes", "latency", None, lambda share: None)
    assert {one.card.name for one in found} == set(trade.PICTURES_A_SECOND)
    steps = list(page.trade.show(None, "nonsense", "nonsense"))
    assert steps[-1][page.trade.view]["value"] is not None


def test_names_of_the_best_stand_where_no_point_can_be() -> None:
    models = [Model(str(x), "f", x, y, True) for x, y in ((1e6, 50), (1e8, 40), (1e8, 80))]
    points = pareto([Panel("t", "a", models)], "x", ("a", "b"), "").data[-1]
    assert list(points.textposition) == ["top center", "bottom center", "top left"]


def test_names_of_near_points_stand_on_both_sides() -> None:
    models = [Model(str(x), "f", x, y, True) for x, y in ((1.50e6, 38.29), (1.55e6, 38.33), (2.4e6, 43.7))]
    points = pareto([Panel("t", "a", models)], "x", ("a", "b"), "").data[-1]
    assert list(points.textposition) == ["bottom center", "top left", "top left"]


def test_no_name_lies_on_a_point_or_another_name_and_a_crowd_leaves_some_unsaid() -> None:
    front = [Model("a" * 12, "f", 1e7 * 1.01**i, 80 + i / 100, True) for i in range(14)]
    points = pareto([Panel("t", "a", front)], "x", ("a", "b"), "").data[-1]
    assert 2 <= sum(map(bool, points.text)) < len(front)
    assert points.text[-1]


def test_titles_break_into_lines_that_fit_on_a_phone() -> None:
    panel = Panel(
        "mAP, Scenes composed from Everyday, validation part (5,362 photos)", "a", [Model("m", "f", 1, 2, True)]
    )
    title = pareto([panel], "x", ("a", "b"), "").layout.annotations[0].text
    assert [len(line) <= 44 for line in title.removeprefix("<b>").removesuffix("</b>").split("<br>")] == [True] * 2


def test_pareto_names_are_plain_text() -> None:
    panel = Panel(NASTY, NASTY, [Model(NASTY, NASTY, 1e6, 50, False)])
    assert NASTY not in pareto([panel], NASTY, (NASTY, NASTY), "").to_json()


# studies


def test_studies_are_drawn_with_their_spread_and_nothing_without_one(
    page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(studies_file, "SHELF", replace(studies_file.SHELF, folder=tmp_path))
    assert all(not update["visible"] for update in page.studies.show(None).values())
    points = (Measurement(5, 10.0, 9.0, 12.0, 100), Measurement(10, 20.0, None, None, 100))
    one = Study(
        "data-hunger", NASTY, "Why?", "python -m playground study data-hunger", "1 thread", (0, 1), "2026-01-01", "",
        Axis("share", "%"), Axis("top-1", "%"), (Series("ViT", points), Series("empty", ())),
    )  # fmt: skip
    studies_file.write(one, tmp_path)
    for elsewhere in ("disturbances", "faithfulness-x", "slots-x"):
        (tmp_path / f"{elsewhere}.json").write_text(one.to_json(), encoding="utf-8")
    shown = page.studies.show("nothing of that name")
    figure = shown[page.studies.view]["value"]
    assert [trace.name for trace in figure.data] == ["ViT"]
    assert list(figure.data[0].error_y.array) == [2.0, 0.0]
    assert list(figure.data[0].error_y.arrayminus) == [1.0, 0.0]
    assert len(shown[page.studies.name]["choices"]) == 1
    assert NASTY not in shown[page.studies.said]["value"]
    assert say("study_bars") not in shown[page.studies.said]["value"]


def test_one_seed_s_accuracy_has_the_interval_of_its_photos() -> None:
    counted = Study(
        "one-seed", "t", "q", "c", "h", (0,), "2026-01-01", "", Axis("photos", ""), Axis("top-1 here", "%"),
        (Series("ViT", (Measurement(1, 50.0, 50.0, 50.0, 10),)),),
    )  # fmt: skip
    bar = studies.drawn(counted).data[0].error_y
    assert bar.visible
    assert 50 + bar.array[0] == pytest.approx(76.34, abs=0.01)  # Wilson's interval of 5 in 10
    assert 50 - bar.arrayminus[0] == pytest.approx(23.66, abs=0.01)
    assert say("study_bars") in studies.said(counted)
    assert "23.7 – 76.3" in studies.said(counted)
    alike = replace(counted, y=Axis("cosine similarity", ""))
    assert not studies.drawn(alike).data[0].error_y.visible


# the papers' tables


def test_a_count_agrees_when_it_rounds_to_the_published_digits() -> None:
    assert agrees(86_499_999, "86M")
    assert not agrees(86_567_656, "86M")
    assert agrees(1_474_000_000, "1.47B")
    assert not agrees(1_476_000_000, "1.47B")
    assert agrees(41_302_368, "41.3M")


def test_the_papers_tables_are_equal_where_they_are_and_say_why_where_not() -> None:
    """One model a table here, for the large ones take long; all that is claimed of the rest has a text."""
    for entries in TABLES.values():
        for entry in entries:
            assert all(claim.why == "" or claim.why in en.TEXTS for claim in entry.claims)
    base = rebuilt(TABLES["vit"][0])
    assert all(check.equal for check in base.checks)
    coatnet = {check.published: check for check in rebuilt(TABLES["coatnet"][0]).checks}
    assert coatnet["25M"].equal
    assert not coatnet["4.2B"].equal
    assert coatnet["4.2B"].counted == "4.55B"
    axial = rebuilt(TABLES["axial"][0])
    assert all(check.equal for check in axial.checks)
    detr = {check.what: check for check in rebuilt(TABLES["detr"][0]).checks}
    assert detr["trainable"].equal
    assert detr["macs"].counted == "81.25G"
    said = tables.tabled([base, axial])
    assert said.count("<tr>") == 3
    assert said.count('<tr class="pg-note">') == 2
    assert "Published: 75.8 % top-1" in said
    assert escape(say("why_vit_head")) in said
    assert re.search(r"86M = 85\.80M", said)


def test_rows_of_a_table_come_one_by_one(page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "TABLES", {"axial": TABLES["axial"][:2]})
    steps = list(page.tables.show("no such family"))
    assert [step[page.tables.table].count("<b>") for step in steps] == [0, 1, 2]


def test_claims_name_what_is_counted() -> None:
    kinds = {claim.what for entries in TABLES.values() for entry in entries for claim in entry.claims}
    assert kinds <= set(tables.COUNTS)
    assert Claim("macs", "1G", "x").size is None
    assert body.chosen("800x1066") == (800, 1066)


def test_a_size_of_another_model_that_an_event_still_carries_is_no_error(page: Any) -> None:
    assert page.body.size.preprocess("17x17") == "17x17"
