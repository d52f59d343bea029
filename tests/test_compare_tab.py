"""The Compare tab without a server: its words, pictures to point at, files, links, and what its handlers do."""

import base64
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from hand_made import BOXES, CLASSES, NASTY, SEGMENTS, answer, photo
from PIL import Image

from playground.comparison.places import PlaceMap
from playground.comparison.records import of_row
from playground.comparison.rows import Row, unknown
from playground.explanations import Map, Target
from playground.figures.agreement import LONGEST_NAME, agreement
from playground.figures.difference import Found, difference
from playground.figures.heat import heat
from playground.figures.strengths import Curve, strengths
from playground.figures.theme import PALETTE, QUIET
from playground.image import Picture
from playground.models.card import Metric
from playground.report import words as report_words
from playground.tabs import examples, links
from playground.tabs.compare import drawing, folder, handlers, leaving, parting, picker, placing, touching, words
from playground.tabs.compare import strengths as measured
from playground.tabs.compare.held import Asked, Held, Place, agreed, light, paired, wished
from playground.tabs.compare.parts import Parts, lay_out
from playground.tabs.compare.touching import Touch
from playground.texts import say

PICTURE = Picture(photo(64, 48))
NAMES = ("a", "b", "bad")


class Parsed(HTMLParser):
    """Tags, attributes and texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.given: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.given.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def row(name: str, **parts: Any) -> Row:
    made = Row(
        name, f"Model {name}", "vit", "classification", "bundled", prediction=answer(classes=CLASSES, model=name),
        parameters=1_600_000, macs=500_000_000, size=(64, 64), licence="apache-2.0",
        metrics=(Metric("top-1", 38.3, "%", "Everyday", "measured here"),),
    )  # fmt: skip
    return replace(made, **parts)


def held(*rows: Row) -> Held:
    names = tuple(one.model for one in rows)
    asked = Asked(PICTURE.key, names, Touch(), measured=False)
    place = Place("attention", (0.5, 0.5))
    return Held(asked, {one.model: one for one in rows}, **agreed(rows), place=place)


def a_map(values: np.ndarray, region: tuple[float, float, float, float] = (0, 0, 64, 48)) -> Map:
    return Map("attention", values.astype(np.float32), False, region, (), (), Target())


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
        words.problem(NASTY), words.note(NASTY), words.caption(NASTY, NASTY),
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
    made = [PlaceMap("a", "A", a_map(np.eye(4)), np.eye(4, dtype=np.float32) * 2, 0, 2, "times", "row 1", (0, 0, 8, 8)),
            PlaceMap("b", "B", failed="No map.")]  # fmt: skip
    html = placing.frames(PICTURE, held(row("a"), row("b")), made, Place("attention", (0.25, 0.5)))
    assert html.count("data:image/webp") == 1
    assert html.count("data:image/png") == 1
    parsed = Parsed(html)
    alts = [given.get("aria-label") for given in parsed.given if given.get("role") == "img"]
    assert alts == ["A: Raw attention from row 1, strongest in row 1, column 1", "B"]
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


# leaving


def test_the_table_leaves_with_plain_numbers_and_no_formulas() -> None:
    rows = [row("a", title="=cmd()", latency_ms=12.5), unknown("bad", "@No.")]
    head, first, second = csv.reader(io.StringIO(leaving.as_csv(rows).decode("utf-8-sig")))
    found = dict(zip(head, first, strict=True))
    assert (found["title"], found["latency_ms"], found["parameters"]) == ("'=cmd()", "12.5", "1600000")
    assert (found["answer"], found["score"], found["size"]) == ("lion", "0.9", "64x64")
    assert dict(zip(head, second, strict=True))["failed"] == "'@No."


def test_page_and_json_hold_the_touched_picture_s_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row("a"), row("b")]
    monkeypatch.setattr(leaving, "compare", lambda *given: iter(rows))
    monkeypatch.setattr(placing, "maps_at", lambda *given, **more: (PlaceMap("a", "A", failed="No map."),))
    shown = touching.touched(PICTURE, touching.wished("blur", 1, 8, 0, ""))
    compared = json.loads(leaving.file_of("json", shown, held(*rows)))
    assert compared["models"] == ["a", "b"]
    assert "disturbed: blur" in compared["pictures"][0]["picture"]
    html = leaving.file_of("html", shown, held(*rows)).decode()
    assert "No map." in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    with pytest.raises(ValueError, match="no comparison"):
        leaving.file_of("html", PICTURE, None)


# a folder


def test_the_most_disputed_picture_comes_first_and_bad_files_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(3):
        photo(40 + i, 40).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")

    def made(picture: Picture, names: Any, **more: Any) -> Iterator[Row]:
        labels = ("lion", "cat") if picture.rgb.width != 41 else ("cat", "lion")
        classes = tuple(replace(entry, label=label) for entry, label in zip(CLASSES, labels, strict=False))
        yield row("a", prediction=answer(classes=CLASSES[:2], model="a"))
        yield row("b", prediction=answer(classes=classes, model="b"))

    monkeypatch.setattr(folder, "compare", made)
    shares: list[float] = []
    files = folder.files_of([str(path) for path in sorted(tmp_path.iterdir())])
    found = folder.contest(files, ("a", "b"), shares.append, lambda: False)
    assert found.disputed[0].name == "1.png"
    assert found.disputed[0].value is not None
    assert found.disputed[0].value > (found.disputed[1].value or 0)
    assert [name for name, _ in found.unreadable] == ["bad.png"]
    assert shares[-1] == 1.0
    html = folder.gallery(found, ("A", "B"))
    assert html.count("<figure>") == 3
    assert "bad.png" in html
    assert folder.contest(files, ("a", "b"), shares.append, lambda: True).disputed == ()


def test_no_pictures_and_too_many_are_refused() -> None:
    with pytest.raises(ValueError, match="Choose pictures first"):
        folder.files_of(None)
    with pytest.raises(ValueError, match="at most 40 pictures; these are 41"):
        folder.files_of(["x.png"] * 41)


# handlers


@pytest.fixture
def parts() -> Iterator[Parts]:
    with gr.Blocks():
        yield lay_out()


def settings(
    kept: Held | None, names: tuple[str, ...] = NAMES, touch: tuple[Any, ...] = ("", 0.5, 8, 0, "")
) -> list[Any]:
    return [kept, list(names), *touch, "attention", "point", 50, 50, 75, 75, "a", "b"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Picture, tuple[str, ...]]]:
    """What the models were asked; "bad" always fails, the others come one after the other."""
    heard: list[tuple[Picture, tuple[str, ...]]] = []

    def compare(picture: Picture, names: tuple[str, ...], *given: Any, **more: Any) -> Iterator[Row]:
        heard.append((picture, names))
        for name in reversed(names):
            yield unknown(name, "There is no such model.") if name == "bad" else row(name)

    def maps_at(picture: Picture, names: list[str], *given: Any, **more: Any) -> tuple[PlaceMap, ...]:
        return tuple(
            PlaceMap(n, n, a_map(np.eye(3)), np.eye(3, dtype=np.float32), 0, 1, "times", "row 1") for n in names
        )

    monkeypatch.setattr(handlers, "compare", compare)
    monkeypatch.setattr(placing, "maps_at", maps_at)
    return heard


def run(steps: Iterator[dict[Any, Any]]) -> dict[Any, Any]:
    state: dict[Any, Any] = {}
    for step in steps:
        state |= step
    return state


def test_rows_come_one_by_one_and_a_failing_model_fills_its_own(parts: Parts, asked: list[Any]) -> None:
    state = run(handlers.Handlers(parts).ask(PICTURE, *settings(None)))
    kept = state[parts.held]
    assert kept.whole
    assert list(kept.rows) == list(reversed(NAMES))
    cards = Parsed(state[parts.cards])
    assert "There is no such model." in cards.texts
    assert [text for text in cards.texts if text.startswith("Model ")] == ["Model a", "Model b"]
    assert state[parts.placing.frames].count("<figure>") == 2, "a model without an answer has no map"
    assert state[parts.picking.stop]["visible"] is False
    assert state[parts.parting.ranks].data[0].z[0][1] == pytest.approx(1.0)


def test_a_stopped_run_says_which_models_it_never_reached(parts: Parts, asked: list[Any]) -> None:
    do = handlers.Handlers(parts)
    begun = next(do.ask(PICTURE, *settings(None)))
    assert Parsed(begun[parts.cards]).texts.count(say("compare_waiting")) == len(NAMES)
    stopped = do.stopped(replace(begun[parts.held], rows={"a": row("a")}))
    assert Parsed(stopped[parts.cards]).texts.count(say("compare_not_asked")) == len(NAMES) - 1
    assert stopped[parts.picking.stop]["visible"] is False
    assert parts.cards not in do.stopped(None)


def test_the_two_that_part_are_among_those_that_answered(parts: Parts, asked: list[Any]) -> None:
    given = settings(None, names=("bad", "a", "b"))
    given[-2:] = ["bad", "a"]
    state = run(handlers.Handlers(parts).ask(PICTURE, *given))
    first, second = state[parts.parting.first], state[parts.parting.second]
    assert (first["value"], second["value"]) == ("b", "a")
    assert [name for _, name in first["choices"]] == ["a", "b"]
    assert state[parts.parting.apart].count("<figure>") == 1


def test_a_model_that_was_left_out_meanwhile_is_no_error(parts: Parts) -> None:
    for field in (parts.parting.first, parts.parting.second):
        assert field.preprocess("left-out-meanwhile") == "left-out-meanwhile"
    assert paired(("a", "b"), "left-out-meanwhile", "a") == ("b", "a")


def test_an_equal_question_is_not_asked_twice_and_another_touch_is_another(parts: Parts, asked: list[Any]) -> None:
    do = handlers.Handlers(parts)
    kept = run(do.ask(PICTURE, *settings(None)))[parts.held]
    assert list(do.ask(PICTURE, *settings(kept))) == []
    again = run(do.ask(PICTURE, *settings(kept, touch=("mask", 1, 8, 0, "0,0"))))
    assert len(asked) == 2
    assert asked[1][0].key != PICTURE.key
    assert again[parts.held].asked.touch.kind == "mask"
    assert run(do.measure(PICTURE, *settings(kept)))[parts.held].asked.measured


def test_no_models_no_picture_and_bad_fields_are_said(parts: Parts, asked: list[Any]) -> None:
    do = handlers.Handlers(parts)
    assert "Choose a picture first" in run(do.ask(None, *settings(None)))[parts.caption]
    assert "Choose at least one model" in run(do.ask(PICTURE, *settings(None, names=())))[parts.caption]
    bad = run(do.ask(PICTURE, *settings(None, touch=("mask", 7, 8, 0, ""))))
    assert "Strength must be" in bad[parts.touching.problem]
    assert asked == []


def test_pointing_and_touching_run_no_model(parts: Parts, asked: list[Any]) -> None:
    do = handlers.Handlers(parts)
    click = gr.EventData(None, {"x0": 0.5, "y0": 0.25})
    updates = do.pick(click)
    assert [updates[field]["value"] for field in parts.placing.numbers[:2]] == [50, 25]
    box = do.pick(gr.EventData(None, {"x0": 0.1, "y0": 0.2, "x1": 0.3, "y1": 0.4}))
    assert [box[field]["value"] for field in parts.placing.numbers] == [10, 20, 30, 40]
    assert box[parts.placing.shape] == "box"
    assert do.pick(gr.EventData(None, {})) == {}
    for wrong in ({"x0": 2, "y0": 0}, {"x0": "a", "y0": 0}):
        with pytest.raises(gr.Error):
            do.pick(gr.EventData(None, wrong))
    cell = do.cell(click, PICTURE, "mask", 0.5, 8, 0, "")
    assert (cell[parts.touching.cells], cell[parts.touching.strength]) == ("2,4", 1)
    assert do.cell(click, PICTURE, "rotate", 0.5, 8, 0, "") == {}
    stroke = gr.EventData(None, {"path": [[0.06, 0.06], [0.06, 0.4], [0.2, 0.4]]})
    brushed = do.cell(stroke, PICTURE, "blur", 0.5, 8, 0, "7,7")
    assert brushed == {parts.touching.cells: "7,7 0,0 1,0 2,0 3,0 3,1"}
    assert do.cell(stroke, PICTURE, "move", 1, 8, 0, "1,1:2,2 5,5:")[parts.touching.cells] == "1,1:2,2 0,0:3,1"
    for path in ([], [[0.5, 0.5]], "path", [[0, 0], [2, 2]], [[0, 0], [1]], [[0, 0]] * 1001, [[0, 0], ["a", 0]]):
        wrong = do.cell(gr.EventData(None, {"path": path}), PICTURE, "mask", 1, 8, 0, "")
        assert list(wrong) == [parts.touching.problem]
    touched = do.touch(PICTURE, NAMES, "mask", 1, 8, 0, "2,4")
    assert "<rect" in touched[parts.touching.frame]
    assert "share of the place" in touched[parts.touching.about]
    assert "Strength must be" in do.touch(PICTURE, NAMES, "mask", None, 8, 0, "")[parts.touching.problem]
    assert asked == []


def test_another_place_redraws_maps_alone(parts: Parts, asked: list[Any]) -> None:
    do = handlers.Handlers(parts)
    kept = run(do.ask(PICTURE, *settings(None)))[parts.held]
    assert list(do.look(PICTURE, *settings(kept))) == []
    moved = settings(kept)
    moved[9] = 20
    state = run(do.look(PICTURE, *moved))
    assert state[parts.held].place.shares == (0.2, 0.5)
    assert parts.cards not in state
    moved[9] = 200
    assert "must be a number from 0 to 100" in run(do.look(PICTURE, *moved))[parts.placing.problem]
    assert len(asked) == 1


def test_a_wish_is_checked_and_its_box_is_turned_upright() -> None:
    given = [["a", "b", "a", 7], "", 0.5, 8, 0, "", "attention", "box", 80, 60, 20, 10, "a", "gone"]
    wish = wished(given)
    assert wish.place.shares == (0.2, 0.1, 0.8, 0.6)
    assert wish.place.on(PICTURE) == pytest.approx((12.8, 4.8, 51.2, 28.8))
    assert wish.names == ("a", "b")
    assert wish.pair == ("a", "b")
    with pytest.raises(ValueError, match="a width and a height"):
        wished([*given[:8], 20, 20, 20, 20, "a", "b"])
    with pytest.raises(ValueError):
        wished([*given[:6], "no-such-method", *given[7:]])


# the picker and links


def test_a_search_finds_timm_and_untrained_models_and_keeps_the_chosen() -> None:
    found = picker.found("deit_tiny", ["everyday-vit", "none"])
    names = [name for _, name in found]
    assert any(name.startswith("untrained:") for name in names)
    assert names[-2:] == ["everyday-vit", "none"] or {"everyday-vit", "none"} <= set(names)
    assert any("untrained" in title for title, _ in found)
    assert picker.wished(None) == ()
    assert picker.wished([" x ", "x", 3, ""]) == ("x",)
    assert picker.wished(["vit_tiny_patch16_224.augreg_in21k_ft_in1k"])[0] in [
        "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", "vit-tiny-patch16-224",
    ]  # fmt: skip


FIELDS = {
    "models": gr.Dropdown(multiselect=True, choices=["a"], value=[], allow_custom_value=True, render=False),
    "touch": gr.Dropdown([("No", ""), ("Mask", "mask")], value="", render=False),
    "strength": gr.Slider(0, 1, 0.5, render=False),
    "cells": gr.Textbox(render=False),
    "first": gr.Dropdown(["a"], value="a", allow_custom_value=True, render=False),
}
KEYS = ("predict", "compare")


def test_a_link_opens_the_view_it_was_made_of() -> None:
    example = examples.examples()[-1]
    shown = Picture(example.open().convert("RGB"))
    given = (["a", "untrained:b"], "mask", 0.25, "1,2:3,4", "untrained:b")
    query = links.make(KEYS, list(FIELDS), shown, "everyday-vit", "compare", *given)
    values = links.fields_of("?" + query, KEYS, FIELDS)
    assert values[0]["selected"] == "compare"
    assert [update["value"] for update in values[1:]] == list(given)
    picture, family, model = links.panel_of(query)
    assert picture.size == example.open().size
    assert (family["value"], model["value"]) == ("vit", "everyday-vit")


def test_a_picture_of_one_s_own_is_not_in_the_link_and_too_much_is_refused() -> None:
    query = links.make(KEYS, list(FIELDS), PICTURE, None, "no-such-tab", [], "", 0.5, "", "")
    assert "picture" not in query
    assert "tab" not in query
    with pytest.raises(ValueError, match="more than a link can carry"):
        links.make(KEYS, list(FIELDS), PICTURE, None, "compare", [], "mask", 1, "1,2 " * 60, "")


@pytest.mark.parametrize(
    "query",
    [
        "", "tab=no-such&s.strength=7&s.touch=%22evil%22&s.cells=5", "s.strength=NaN&s.touch=1&models=<x>,../y",
        "s.strength=true&tab=%00&s.first=7", "x" * 10_000, None,
        "s.model=%22hf-hub:some/where%22&picture=../../etc/passwd",
    ],
)  # fmt: skip
def test_a_forged_link_changes_nothing(query: Any) -> None:
    assert all(value == gr.skip() for value in links.fields_of(query, KEYS, FIELDS))
    assert all(value == gr.skip() for value in links.panel_of(query))
