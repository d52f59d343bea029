"""The Compare tab without a server: what it touches, says and draws."""

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from compare_rows import NAMES, PICTURE, Parsed, a_map, held, row
from hand_made import BOXES, CLASSES, NASTY, SEGMENTS, answer
from PIL import Image

from playground.comparison.places import PlaceMap
from playground.comparison.records import of_row
from playground.comparison.rows import unknown
from playground.figures.agreement import LONGEST_NAME, agreement
from playground.figures.difference import Found, difference
from playground.figures.heat import heat
from playground.figures.strengths import Curve, strengths
from playground.figures.theme import PALETTE, QUIET
from playground.report import words as report_words
from playground.tabs.compare import drawing, folder, parting, placing, touching, words
from playground.tabs.compare import strengths as measured
from playground.tabs.compare.held import Place, light
from playground.tabs.compare.touching import Touch

# touching


def test_cells_and_pairs_are_read_from_a_line_and_anything_else_is_refused() -> None:
    assert touching.parse("1,2 3,4") == (((1, 2), (3, 4)), ())
    assert touching.parse("1,2:3,4 5,6:") == ((), (((1, 2), (3, 4)),))
    for wrong in ("x", "1;2", "1,2,3", "1,2>3,4", "-1,2", "1,", "1,2" * 2000):
        with pytest.raises(ValueError, match="Write cells as row,column"):
            touching.parse(wrong)


@pytest.mark.parametrize(
    ("fields", "words_"),
    [
        (("no-such", 0.5, 8, 0, ""), "there are shuffle"),
        (("mask", 2, 8, 0, ""), "Strength must be a number from 0 to 1"),
        (("mask", 0.5, 99, 0, ""), "The grid must be a whole number from 2 to 32"),
        (("mask", 0.5, 8, -1, ""), "Seed must be a whole number"),
        (("mask", 0.5, 8, 0, 7), "Write cells as"),
        (("mask", 0.5, 8, 0, "8,0"), "The row of a cell must be a whole number from 0 to 7"),
        (("swap", 0.5, 8, 0, "0,0:0,8"), "The column of a cell"),
    ],
)
def test_a_wrong_touch_is_refused(fields: tuple[Any, ...], words_: str) -> None:
    with pytest.raises(ValueError, match=words_):
        touching.wished(*fields)


def test_clicks_put_cells_there_and_take_them_away_and_join_pairs() -> None:
    mask, swap = touching.wished("mask", 1, 8, 0, ""), touching.wished("swap", 1, 8, 0, "")
    assert touching.clicked("", mask, (1, 2)) == "1,2"
    assert touching.clicked("1,2 3,4", mask, (1, 2)) == "3,4"
    begun = touching.clicked("", swap, (1, 2))
    assert begun == "1,2:"
    assert touching.begun(begun) == (1, 2)
    assert touching.clicked(begun, swap, (3, 4)) == "1,2:3,4"
    assert touching.clicked("1,2:3,4", swap, (0, 0)) == "1,2:3,4 0,0:"
    assert touching.clicked("1,2:3,4", mask, (0, 0)) == "0,0", "pairs mean nothing to a mask"


def test_a_touched_picture_is_the_same_for_all_and_nothing_leaves_it_alone() -> None:
    assert touching.touched(PICTURE, Touch()) is PICTURE
    touch = touching.wished("mask", 1, 4, 0, "0,0")
    changed = np.asarray(touching.touched(PICTURE, touch).rgb) != np.asarray(PICTURE.rgb)
    assert changed[:12, :16].any()
    changed[:12, :16] = False
    assert not changed.any()


# words


def test_cards_stand_in_the_order_of_the_picker_and_say_what_is_missing() -> None:
    rows = {"b": row("b", untrained=True, missing="No attention can be read."), "bad": unknown("bad", "There is none.")}
    html = words.cards(NAMES, rows, {"a": "Model a"}, over=False)
    said = " ".join(Parsed(html).texts)
    assert [said.index(part) for part in ("Model a", "Model b", "There is none.")] == sorted(
        said.index(part) for part in ("Model a", "Model b", "There is none.")
    )
    assert "is being asked" in said
    assert "untrained: random weights" in said
    assert "No attention can be read." in said
    assert html.count('role="alert"') == 1


def test_foreign_text_is_escaped_in_cards_table_columns_and_frames() -> None:
    nasty = row("a", title=NASTY, licence=NASTY, missing=NASTY)
    other = row("b", failed=NASTY, prediction=None)
    frame = drawing.Frame(NASTY, NASTY, alt=NASTY)
    disputed = folder.Disputed(NASTY, "data:", (NASTY, NASTY), 0.5)
    shown = [
        words.cards(("a", "b"), {"a": nasty, "b": other}, {}),
        words.table(("a", "b"), {"a": nasty, "b": other}),
        parting.said(held(nasty, row("b", title=NASTY)), ("a", "b")),
        drawing.frames(PICTURE, [frame], (0.5, 0.5), 0, 1),
        folder.gallery(folder.Contest((disputed,), ((NASTY, NASTY),)), (NASTY, NASTY)),
        words.note(NASTY), words.caption(NASTY, NASTY),
    ]  # fmt: skip
    for html in shown:
        parsed = Parsed(html)
        assert not any("onerror" in given for given in parsed.given)
        assert "<b>bold</b>" not in html


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("lion", "lion", "lion"), "All 3 classifiers say “lion”"),
        (("lion", "lion", "cat"), "2 of 3 classifiers say “lion”"),
        (("lion", "cat", "dog"), "3 classifiers, 3 different answers"),
        (("lion",), "The classifier says “lion”"),
    ],
)
def test_the_summary_counts_who_agrees(labels: tuple[str, ...], said: str) -> None:
    rows = [
        row(str(i), prediction=answer(classes=(replace(CLASSES[0], label=label),))) for i, label in enumerate(labels)
    ]
    assert said in words.summary(rows, len(rows))
    assert "have answered" in words.summary(rows, len(rows) + 1)


def test_a_detector_below_the_least_score_names_its_strongest_box() -> None:
    weak = replace(BOXES[0], score=0.3)
    big, more = words.answer(row("a", prediction=answer("detection", boxes=(weak,))))
    assert "50 %" in big
    assert more == f"The strongest: {weak.label}, 30 %."
    big, _ = words.answer(row("a", prediction=answer("detection", boxes=(weak,), shown_from=0.25)))
    assert "1 object" in big  # the model's own least score


def test_one_of_a_thing_is_said_in_the_singular() -> None:
    found = row("a", prediction=answer("detection", boxes=(replace(BOXES[0], score=0.9),)))
    assert "The model has answered" in words.summary([found], 1)
    assert report_words.best(of_row(found)) == f"1 object: {BOXES[0].label}"


def test_a_long_name_may_break_at_its_underscores_and_is_escaped() -> None:
    card = words.cards(("a",), {"a": replace(row("a"), title=f"deit_tiny {NASTY}")}, {})
    assert "deit_<wbr>tiny" in card
    assert NASTY not in card


def test_untrained_models_have_no_vote_and_failures_are_counted() -> None:
    rows = [row("a"), row("b", untrained=True), unknown("bad", "No.")]
    said = words.summary(rows, 3)
    assert "The classifier says" in said
    assert "1 model gave no answer" in said


def test_the_table_is_sorted_by_numbers_and_unknown_ones_are_empty() -> None:
    rows = {"a": row("a", latency_ms=12.34, runs=5, device="CPU"), "bad": unknown("bad", "No.")}
    parsed = Parsed(words.table(("a", "bad"), rows))
    by = [given["data-sort"] for given in parsed.given if "data-sort" in given]
    assert by[: len(words.COLUMNS)] == [
        "Model a", "lion", "1600000", "500000000", "12.34", "", "38.3", "", "apache-2.0",
    ]  # fmt: skip
    assert by[len(words.COLUMNS) + 2] == ""
    assert "median of 5 runs on CPU" in parsed.texts
    assert parsed.tags.count("tr") == 1 + 2


# pictures to point at


def test_all_frames_share_one_picture_and_say_what_they_show() -> None:
    made = [PlaceMap("a", "A", a_map(np.eye(4)), np.eye(4, dtype=np.float32) * 2, 0, 2, "times", "row 0", (0, 0, 8, 8)),
            PlaceMap("b", "B", failed="No map.")]  # fmt: skip
    html = placing.frames(PICTURE, held(row("a"), row("b")), made, Place("attention", (0.25, 0.5)))
    assert html.count("data:image/webp") == 1
    assert html.count("data:image/png") == 1
    parsed = Parsed(html)
    alts = [given.get("aria-label") for given in parsed.given if given.get("role") == "img"]
    assert alts == ["A: Raw attention from row 0, strongest in row 0, column 0", "B"]
    assert "No map." in parsed.texts
    assert html.count("left:25.00%;top:50.00%") == 2
    assert "data-corners" not in html
    assert "2" in Parsed(placing.legend(made)).texts
    assert "data-corners" in placing.frames(PICTURE, held(row("a")), made[:1], Place("attention", (0, 0, 0.5, 0.5)))


def test_a_map_is_one_pixel_a_cell_on_the_common_scale_and_clear_where_there_is_none() -> None:
    values = np.array([[0.0, 1.0, np.nan]])
    png = Image.open(io.BytesIO(base64.b64decode(heat(values, 0, 1).split(",")[1]))).convert("RGBA")
    assert png.size == (3, 1)
    assert [png.getpixel((i, 0)) for i in range(2)] == [(0x44, 0x01, 0x54, 255), (0xFD, 0xE7, 0x25, 255)]
    assert png.getpixel((2, 0))[3] == 0  # type: ignore[index]


def test_the_grid_is_drawn_for_kinds_that_have_cells_with_those_chosen() -> None:
    mask = drawing.touch_frame(PICTURE, touching.wished("mask", 1, 4, 0, "0,0 1,1"))
    assert mask.count("<rect") == 2
    swap = drawing.touch_frame(PICTURE, touching.wished("swap", 1, 4, 0, "0,0:1,1 2,2:"))
    assert swap.count("<rect") == 3
    assert swap.count("<circle") == 1
    assert "<svg" not in drawing.touch_frame(PICTURE, touching.wished("rotate", 1, 4, 0, ""))
    assert drawing.touch_frame(PICTURE, touching.wished("swap", 1, 4, 0, "9,9:")).count("<rect") == 0


@pytest.mark.parametrize("shares", [(), (0.5,), (0.5, 1.5), (0.5, "x"), (0.1, 0.2, 0.3), (float("nan"), 0.5)])
def test_a_forged_place_is_refused(shares: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match=r"must be a number from 0 to 1|Point at"):
        placing.checked(shares)


# two models part


def test_what_only_one_names_stands_on_its_side() -> None:
    other = row("b", prediction=answer(classes=(CLASSES[0], replace(CLASSES[1], label="dog")), model="b"))
    parsed = Parsed(parting.said(held(row("a"), other), ("a", "b")))
    assert [text for text in parsed.texts if text in ("cat 6 %", "dog 6 %", "lion 90 % / 90 %")] == [
        "cat 6 %", "lion 90 % / 90 %", "dog 6 %",
    ]  # fmt: skip
    assert any("Agreement 1.00" in text for text in parsed.texts), "over the class that both know"


def test_boxes_of_two_detectors_are_drawn_by_who_found_them() -> None:
    one = answer("detection", boxes=BOXES[:2], model="a")
    two = answer("detection", boxes=(replace(BOXES[0], score=0.8), replace(BOXES[1], label="dog")), model="b")
    both = held(row("a", prediction=one), row("b", prediction=two))
    figure = parting.boxes(PICTURE, both, ("a", "b"))
    assert figure is not None
    assert {trace.line.color for trace in figure.data} == {*PALETTE[:2], QUIET}, "as on the cards, and grey for both"
    assert parting.boxes(PICTURE, held(row("a"), row("b")), ("a", "b")) is None
    kinds = parting.said(held(row("a"), row("b", prediction=two)), ("a", "b"))
    assert "different kinds" in kinds


def test_regions_of_two_panoptic_models_are_compared_while_their_maps_are_there() -> None:
    ids = np.full((4, 4), 7, dtype=np.int32)
    made = [row(n, prediction=answer("panoptic", segments=SEGMENTS[:1], segment_map=ids, model=n)) for n in "ab"]
    kept = replace(held(*made), rows={one.model: light(one) for one in made})
    assert all(one.prediction and one.prediction.segment_map is None for one in kept.rows.values())
    assert "sky 80 % / 80 %" in Parsed(parting.said(kept, ("a", "b"))).texts


def test_a_pair_needs_two_models() -> None:
    assert "at least two models" in parting.said(held(row("a")), ("a", ""))
    assert parting.ranks([PlaceMap("a", "A", a_map(np.eye(3)))]) is None


def test_ranks_of_maps_are_taken_on_the_place_that_both_cover() -> None:
    rising = np.arange(16).reshape(4, 4)
    same = parting.rank_difference(a_map(rising), a_map(rising * 7 + 3))
    assert same is not None
    assert np.abs(same[0]).max() == 0
    turned = parting.rank_difference(a_map(rising), a_map(-rising))
    assert turned is not None
    assert turned[0][0, 0] == pytest.approx(-1, abs=0.07)
    assert turned[0][-1, -1] == pytest.approx(1, abs=0.07)
    assert parting.rank_difference(a_map(rising, (0, 0, 10, 10)), a_map(rising, (20, 20, 30, 30))) is None
    half = parting.rank_difference(a_map(rising, (0, 0, 40, 40)), a_map(rising, (20, 0, 60, 40)))
    assert half is not None
    assert half[1] == (20, 0, 40, 40)


# figures


def test_figures_say_in_words_what_they_draw() -> None:
    values = np.array([[1.0, -0.25], [-0.25, np.nan]])
    drawn = agreement(["one", NASTY], values, "Rank correlation", "alt")
    assert drawn.layout.xaxis.title.text == "Rank correlation"
    assert drawn.layout.xaxis.zeroline is drawn.layout.yaxis.zeroline is False
    assert [note.text for note in drawn.layout.annotations] == ["1.00", "-0.25", "-0.25", "–"]
    assert "<img" not in str(drawn.layout.yaxis.ticktext)
    apart = difference([Found(BOXES[0], "first"), Found(BOXES[1], "both")], ("A", "B"), "data:", (640, 480))
    assert apart.layout.meta["alt"] == "Only A: 1 boxes, only B: 0, both: 1."
    assert len(difference([], ("A", "B"), "data:", (640, 480)).data) == 1
    curve = Curve("m", "#123456", (0.0, 1.0), (40.0, 10.0), (39.0, None), (41.0, None))
    lines = strengths([curve, curve], "strength", "top-1 (%)", "alt", 0.5)
    assert len({line.line.dash for line in lines.data}) == 2
    assert lines.data[0].line.color == "#123456"
    assert list(lines.data[0].error_y.array) == [1.0, 0.0]
    assert lines.layout.shapes[0].x0 == 0.5


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("ViT-B/16, patches of 16", "ViT-S/16, patches of 16"), ["ViT-B/16", "ViT-S/16"]),
        (("ViT, small", "ViT, large"), ["ViT, small", "ViT, large"]),  # the heads alone do not tell them apart
        (("a" * 60, "b"), ["a" * (LONGEST_NAME - 1) + "…", "b"]),
    ],
)
def test_names_beside_the_matrix_are_short_and_stay_apart(names: tuple[str, ...], shown: list[str]) -> None:
    drawn = agreement(names, np.eye(2), "Rank correlation", "alt")
    assert [text.split("  ", 1)[1] for text in drawn.layout.yaxis.ticktext] == shown  # after their numbers


def test_curves_of_strength_are_drawn_where_they_were_measured(tmp_path: Path) -> None:
    touch = touching.wished("shuffle", 0.5, 8, 0, "")
    assert measured.measured(touch, (), tmp_path) is None
    point = {"x": 0.0, "y": 40.0, "low": None, "high": None, "n": 500}
    values = {
        "study": "disturbances", "title": "t", "question": "q", "command": "c", "hardware": "h", "seeds": [0],
        "date": "2026-01-01", "finding": "f", "facts": {},
        "axes": {"x": {"name": "strength", "unit": ""}, "y": {"name": "top-1", "unit": "%"}},
        "series": [{"name": "shuffle: one", "points": [point, {**point, "x": 1.0, "y": 5.0}]},
                   {"name": "shuffle: two", "points": [point]}, {"name": "blur: one", "points": [point]}],
    }  # fmt: skip
    (tmp_path / "disturbances.json").write_text(json.dumps(values))
    drawn = measured.measured(touch, (), tmp_path)
    assert drawn is not None
    assert [(line.name, line.line.color) for line in drawn.data] == [("one", PALETTE[0]), ("two", PALETTE[1])]
    compared = measured.measured(touch, ("elsewhere", "two"), tmp_path)
    assert compared is not None
    assert [(line.name, line.line.color) for line in compared.data] == [("two", PALETTE[1]), ("one", PALETTE[2])]
    assert "500 validation photos" in drawn.layout.meta["alt"]
    assert measured.measured(touching.wished("rotate", 0.5, 8, 0, ""), (), tmp_path) is None
    (tmp_path / "disturbances.json").write_text("{")
    assert measured.measured(touch, (), tmp_path) is None
