"""Studies: what is written is what is read, and what cannot be true is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from playground.evaluation.study import Axis, Point, Series, Study, StudyError, names, read, write


def study(**changes: Any) -> Study:
    values: dict[str, Any] = {
        "study": "data-hunger",
        "title": "How hungry?",
        "question": "Does more data help?",
        "command": "python -m playground study data-hunger --data FOLDER",
        "hardware": "1 thread",
        "seeds": (0, 1),
        "date": "2026-11-21",
        "finding": "",
        "x": Axis("share", "%"),
        "y": Axis("top-1", "%"),
        "series": (Series("ViT", (Point(5, 10.5, 10.0, 11.0, 100), Point(10, 12, None, None, 100))),),
        "facts": {"parameters": {"ViT": 3}},
    }
    return Study(**(values | changes))


def test_a_study_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert names(tmp_path) == ()
    path = write(study(), tmp_path)
    assert names(tmp_path) == ("data-hunger",)
    assert read("data-hunger", tmp_path) == study()
    assert set(json.loads(path.read_text())["axes"]) == {"x", "y"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["nothing", "../data-hunger", ""])
def test_an_unknown_study_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    write(study(), tmp_path)
    with pytest.raises(StudyError, match="there are: data-hunger"):
        read(name, tmp_path)


def damage(values: dict[str, Any], how: str) -> str:
    if how == "cut off":
        return json.dumps(values)[:-20]
    if how == "a list":
        return "[1]"
    if how == "lacks the seeds":
        del values["seeds"]
    if how == "another field":
        values["mood"] = "good"
    if how == "text for a number":
        values["series"][0]["points"][0]["y"] = "high"
    if how == "not finite":
        return json.dumps(values).replace("10.5", "NaN")
    if how == "outside its spread":
        values["series"][0]["points"][0]["low"] = 10.9
    if how == "out of order":
        values["series"][0]["points"].reverse()
    if how == "twice one name":
        values["series"] *= 2
    return json.dumps(values)


@pytest.mark.parametrize(
    "how",
    [
        *("cut off", "a list", "lacks the seeds", "another field", "text for a number", "not finite"),
        *("outside its spread", "out of order", "twice one name"),
    ],
)
def test_a_damaged_study_is_refused(how: str) -> None:
    with pytest.raises(StudyError):
        Study.from_json(damage(json.loads(study().to_json()), how))


def test_a_failed_writing_leaves_the_old_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(study(), tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StudyError, match="disk full"):
        write(study(finding="More helps."), tmp_path)
    monkeypatch.undo()
    assert read("data-hunger", tmp_path).finding == ""
    assert len(list(tmp_path.iterdir())) == 1
