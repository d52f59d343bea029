"""The Compare tab without a server: what its handlers do, its files, folders, picker and links."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from compare_rows import NAMES, PICTURE, Parsed, a_map, held, row
from hand_made import CLASSES, answer, photo

from playground.comparison.places import PlaceMap
from playground.comparison.rows import Row, unknown
from playground.image import Picture
from playground.tabs import examples, links
from playground.tabs.compare import folder, handlers, leaving, picker, placing, touching
from playground.tabs.compare.held import Held, paired, wished
from playground.tabs.compare.parts import Parts, lay_out
from playground.texts import say

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
    assert set(run(do.ask(PICTURE, *settings(kept)))) == {parts.caption}
    again = run(do.ask(PICTURE, *settings(kept, touch=("mask", 1, 8, 0, "0,0"))))
    assert len(asked) == 2
    assert asked[1][0].key != PICTURE.key
    assert again[parts.held].asked.touch.kind == "mask"
    assert run(do.measure(PICTURE, *settings(kept)))[parts.held].asked.measured


def test_no_models_and_bad_fields_are_said(parts: Parts, asked: list[Any]) -> None:
    do = handlers.Handlers(parts)
    assert "Choose at least one model" in run(do.ask(PICTURE, *settings(None, names=())))[parts.caption]
    bad = run(do.ask(PICTURE, *settings(None, touch=("mask", 7, 8, 0, ""))))
    assert "Strength must be" in bad[parts.touching.problem]
    assert asked == []


@pytest.mark.parametrize("verb", ["ask", "measure"])
def test_without_a_picture_one_is_wanted_and_no_card_promises_an_answer(
    parts: Parts, asked: list[Any], verb: str
) -> None:
    do = handlers.Handlers(parts)
    said = run(getattr(do, verb)(None, *settings(None)))
    assert "There is no picture" in said[parts.caption]
    assert Parsed(said[parts.cards]).texts.count(say("compare_not_asked")) == len(NAMES)
    with pytest.raises(gr.Error, match="There is no picture"):
        do.leave("html", None, None)
    assert asked == []
    kept = run(do.ask(PICTURE, *settings(None)))[parts.held]
    assert set(run(getattr(do, verb)(None, *settings(kept)))) == {parts.caption}, "the answers stay"
    again = run(do.ask(PICTURE, *settings(kept)))
    assert "There is no picture" not in again[parts.caption]


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
    "layer": gr.Dropdown([], render=False),  # its choices come with the model
}
KEYS = ("predict", "compare")


def test_a_link_opens_the_view_it_was_made_of() -> None:
    example = examples.examples()[-1]
    shown = Picture(example.open().convert("RGB"))
    given = (["a", "untrained:b"], "mask", 0.25, "1,2:3,4", "untrained:b", 3)
    query = links.make(KEYS, FIELDS, shown, "everyday-vit", "compare", *given)
    values = links.fields_of("?" + query, KEYS, FIELDS)
    assert values[0]["selected"] == "compare"
    assert [update["value"] for update in values[1:]] == list(given)
    picture, family, model = links.panel_of(query)
    assert picture.size == example.open().size
    assert (family["value"], model["value"]) == ("vit", "everyday-vit")


def test_a_picture_of_one_s_own_is_not_in_the_link_and_too_much_is_refused() -> None:
    query = links.make(KEYS, FIELDS, PICTURE, None, "no-such-tab", [], "", 0.5, "", "a", None)
    assert query == "", "nor is what the page opens with"
    with pytest.raises(ValueError, match="more than a link can carry"):
        links.make(KEYS, FIELDS, PICTURE, None, "compare", [], "mask", 1, "1,2 " * 60, "", None)


@pytest.mark.parametrize(
    "query",
    [
        "", "tab=no-such&s.strength=7&s.touch=%22evil%22&s.cells=5", "s.strength=NaN&s.touch=1&models=<x>,../y",
        "s.strength=true&tab=%00&s.first=7&s.layer=true", "x" * 10_000, None,
        "s.model=%22hf-hub:some/where%22&picture=../../etc/passwd",
    ],
)  # fmt: skip
def test_a_forged_link_changes_nothing(query: Any) -> None:
    assert all(value == gr.skip() for value in links.fields_of(query, KEYS, FIELDS))
    assert all(value == gr.skip() for value in links.panel_of(query))
