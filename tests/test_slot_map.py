"""The slot map of a detector: what is kept, the command that measures it, its figure, and its place on the tab."""

import json
from dataclasses import replace
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from attending import LIMIT, cards, kept, known, parts, sent, shown  # noqa: F401  fixtures
from small_models import small_card

from playground import inference
from playground.__main__ import main
from playground.datasets import opening
from playground.evaluation import slot_map
from playground.evaluation.slot_map import SlotMap, SlotMapError
from playground.explanations.slots import shape_of, slots
from playground.figures import slot_map as drawing
from playground.models import catalogue
from playground.tabs.attention import detector, further, preferred
from playground.tabs.attention.handlers import Handlers
from playground.tabs.attention.looks import Asked
from playground.tabs.attention.parts import Parts

ANSWERS = tuple(tuple((100 * q, 50 * p, 300, 200, 10 * p) for p in range(4)) for q in range(6))


def made(answers: tuple[tuple[tuple[int, ...], ...], ...] = ANSWERS) -> SlotMap:
    return SlotMap("detr", "a" * 64, "drawn <b>", 0, "python -m playground slots", "2026-01-01", answers)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The studies lie here."""
    monkeypatch.setattr(slot_map, "SHELF", replace(slot_map.SHELF, folder=tmp_path))
    return tmp_path


def test_what_is_kept_comes_back_and_stands_a_query_a_line() -> None:
    text = made().to_json()
    assert SlotMap.from_json(text) == made()
    assert sum(line.startswith("[[") for line in text.splitlines()) == 6
    assert made().values()[2, 3].tolist() == [0.2, 0.15, 0.3, 0.2, 0.03]
    assert slot_map.thousandths(np.array([0.12345, -0.1, 1.2])) == (123, 0, 1000)


@pytest.mark.parametrize(
    "answers",
    [(), ((),), (((1, 2, 3, 4),),), (((1, 2, 3, 4, 1001),),), (((1, 2, 3, 4, True),),), (((1,) * 5,), ((1,) * 5,) * 2)],
)
def test_a_slot_map_that_cannot_be_true_is_refused(answers: tuple[tuple[tuple[int, ...], ...], ...]) -> None:
    with pytest.raises(SlotMapError, match=r"^[A-Z].*\.$"):
        made(answers)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"answers": 3}', '{"answers": [[[1, 2, 3, 4, 5]]], "x": 1}', "9" * 10**7 + "9"]
)
def test_a_file_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SlotMapError):
        SlotMap.from_json(text)


def test_a_name_is_compared_and_never_joined_to_a_path(folder: Path) -> None:
    (folder / "slots-detr.json").write_text(made().to_json())
    assert slot_map.SHELF.names() == ("detr",)
    assert slot_map.SHELF.read("detr") == made()
    with pytest.raises(SlotMapError, match="there are: detr"):
        slot_map.SHELF.read("../slots-detr")


def test_every_bundled_slot_map_can_be_read() -> None:
    for name in slot_map.SHELF.names():
        assert slot_map.SHELF.read(name).pictures >= 100


def test_the_command_keeps_what_every_query_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ("disc", "square", "triangle", "star", "ring", "cross")
    card = small_card(tmp_path, "detection", labels)
    monkeypatch.setattr(catalogue, "find", lambda name: card)
    monkeypatch.setattr(opening, "SHAPES_COUNT", 9)
    out = tmp_path / "slots.json"
    asked = ["slots", "--model", card.name, "--data", "shapes", "--seed", "4", "--out", str(out), "--pictures"]
    assert main([*asked, "5"]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 3 + 6 and "5 pictures" in said
    found = SlotMap.from_json(out.read_text())
    assert (len(found.answers), found.pictures) == (6, 5)
    data = opening.boxed(Path("shapes"), "val", labels, 64)
    chosen = np.random.default_rng(4).permutation(9)[:5]
    spots = slots(inference.trace(data.picture(int(chosen[3])), card))
    expected = [[*spot.box_cxcywh, spot.score] for spot in spots]
    assert np.allclose(found.values()[:, 3], expected, atol=0.00051)
    assert main([*asked, "10"]) == 2
    assert "holds 9 pictures only" in capsys.readouterr().err
    monkeypatch.setattr(catalogue, "find", lambda name: small_card(tmp_path))
    assert main([*asked, "5"]) == 2
    assert "Only a detector has object queries" in capsys.readouterr().err


@pytest.mark.parametrize(("wide", "high", "shape"), [(0.05, 0.05, "small"), (0.4, 0.2, "wide"), (0.2, 0.4, "tall")])
def test_boxes_are_small_wide_or_tall(wide: float, high: float, shape: str) -> None:
    assert shape_of(wide, high) == shape


@pytest.mark.parametrize(("queries", "columns"), [(1, 1), (6, 3), (20, 5), (25, 5), (100, 10), (300, 20)])
def test_every_dot_lies_in_its_query_s_tile_and_the_page_can_bear_it(queries: int, columns: int) -> None:
    pictures = drawing.drawn(queries, 200)
    places = np.random.default_rng(0).random((queries, pictures, 2))
    names = [str(query) for query in range(queries)]
    figure = drawing.slot_map(places, np.zeros((queries, pictures)), names, 0, "said")
    assert figure.layout.xaxis.range[1] == columns
    x, y = (np.asarray(axis).reshape(queries, pictures) for axis in (figure.data[0].x, figure.data[0].y))
    for query, tile in enumerate(figure.layout.shapes):
        assert tile.x0 <= x[query].min() and x[query].max() <= tile.x1
        assert tile.y0 <= y[query].min() and y[query].max() <= tile.y1
    assert len(figure.to_json()) < LIMIT


def test_the_tab_shows_the_slot_map_or_the_command_that_makes_it(parts: Parts, folder: Path) -> None:  # noqa: F811
    found, before = shown("detr")
    trace = found.trace
    assert trace is not None
    figure, said = further.draw("preferred", found, before, trace, Asked())
    assert figure is None
    assert "python -m playground slots --model detr --data FOLDER" in said
    (folder / "slots-detr.json").write_text(made().to_json())
    figure, said = further.draw("preferred", found, before, trace, Asked())
    assert figure is not None
    assert [note.text for note in figure.layout.annotations][:2] == ["0 · 2 %", "1 · 2 %"]
    assert set(np.asarray(figure.data[0].marker.color)) == {1}  # all wide
    assert "drawn &lt;b&gt;" in said and "earlier weights" not in said
    assert "earlier weights" in preferred.drawn(replace(found, card=replace(found.card, sha256="b" * 64)), None)[1]
    assert detector.picked(found, trace, "preferred", 4 * 4 + 1) == 4
    for bad in (None, -1, 24, True, "x", [0, 0]):
        assert detector.picked(found, trace, "preferred", bad) is None
    answer = Handlers(parts).choose(gr.EventData(None, {"index": 9}), *sent(parts, found, before, look="preferred"))
    assert answer[parts.shown].made.target.query == 2
    (folder / "slots-detr.json").write_text(made(ANSWERS[:5]).to_json())
    assert "another number of object queries" in further.draw("preferred", found, before, trace, Asked())[1]
    (folder / "slots-detr.json").write_text(json.dumps({}))
    assert "not the JSON of a slot map" in further.draw("preferred", found, before, trace, Asked())[1]
