"""The same verbs from Python and from the shell, on the bundled models."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import gradio.media
import pytest
from PIL import Image

import playground as pg
from playground import checks
from playground.models import catalogue

ROOT = Path(__file__).parent.parent
PHOTOS = Path(gradio.media.MEDIA_ROOT) / "images"
BUNDLED = [card.name for card in catalogue.bundled()]


def shell(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "playground", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_the_four_families_are_bundled() -> None:
    assert {card.family for card in catalogue.bundled()} == {"vit", "coatnet", "axial", "detr"}


@pytest.mark.parametrize("name", BUNDLED)
def test_every_bundled_model_answers_a_photo(name: str) -> None:
    answer = pg.predict(PHOTOS / "lion.jpg", name, top_k=3, threshold=0.0)
    with Image.open(PHOTOS / "lion.jpg") as picture:
        assert answer.picture_size == picture.size
    if answer.task == "classification":
        assert len(answer.classes) == 3
        assert 0 < sum(c.score for c in answer.classes) <= 1 + 1e-6
    else:
        assert answer.boxes
        assert all(0 <= box.box_xyxy[0] <= box.box_xyxy[2] <= answer.picture_size[0] for box in answer.boxes)


def test_boxes_start_at_the_score_that_the_card_names(monkeypatch: pytest.MonkeyPatch) -> None:
    name = next(card.name for card in catalogue.bundled() if card.task == "detection")
    every = pg.predict(PHOTOS / "lion.jpg", name, threshold=0).boxes
    low = replace(catalogue.find(name), threshold=every[1].score)
    monkeypatch.setattr(catalogue, "find", lambda given: low)
    found = pg.predict(PHOTOS / "lion.jpg", name)
    assert found.boxes == every[:2]
    assert found.shown_from == low.threshold
    assert pg.predict(PHOTOS / "lion.jpg", name, threshold=1).boxes == ()


def test_a_path_the_bytes_an_open_file_and_a_pil_picture_answer_alike() -> None:
    path = PHOTOS / "lion.jpg"
    with path.open("rb") as file, Image.open(path) as picture:
        sources = [path, str(path), path.read_bytes(), file, picture]
        answers = [pg.predict(source, BUNDLED[0]).classes for source in sources]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere.jpg", BUNDLED[0]), r"file"),
        ((PHOTOS / "lion.jpg", "no-such-model"), r"model"),
        ((PHOTOS / "lion.jpg", BUNDLED[0], 0), r"top_k must be a whole number from 1 to 1000"),
        ((PHOTOS / "lion.jpg", BUNDLED[0], 2.5), r"top_k must be a whole number"),
        ((PHOTOS / "lion.jpg", BUNDLED[0], True), r"top_k must be a whole number"),
        ((PHOTOS / "lion.jpg", BUNDLED[0], 5, float("nan")), r"threshold must be a number from 0 to 1"),
        ((PHOTOS / "lion.jpg", BUNDLED[0], 5, "0.5"), r"threshold must be a number from 0 to 1"),
    ],
)
def test_bad_input_is_a_value_error_of_one_sentence(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        pg.predict(*arguments)  # type: ignore[arg-type]
    assert "Traceback" not in str(refused.value)
    assert str(ROOT) not in str(refused.value)


def test_the_shell_answers_in_json() -> None:
    done = shell("predict", str(PHOTOS / "lion.jpg"), "--model", BUNDLED[0], "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["model"] == BUNDLED[0]


def test_without_a_name_the_best_bundled_classifier_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    best = catalogue.first()
    assert best is not None
    rivals = [card for card in pg.cards() if card.task == best.task and card.source == "bundled"]
    assert best.metrics[0].value == max(card.metrics[0].value for card in rivals)
    assert best.name in shell("predict", str(PHOTOS / "lion.jpg")).stdout
    monkeypatch.setattr(catalogue, "bundled", lambda: ())
    with pytest.raises(ValueError, match="No model is bundled"):
        pg.predict(PHOTOS / "lion.jpg")


def test_the_shell_says_nothing_when_its_reader_leaves() -> None:
    asked = subprocess.Popen(
        [sys.executable, "-m", "playground", "models", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert asked.stdout is not None
    assert asked.stderr is not None
    asked.stdout.close()
    assert asked.stderr.read() == b""
    assert asked.wait(60) == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (9, "9"),
        (0.5, "0.5"),
        (float("nan"), "nan"),
        ("x" * 99, "“" + "x" * 24 + "”"),
        (None, "empty"),
        ([1], "something"),
    ],
)
def test_a_value_that_is_refused_is_named(value: object, said: str) -> None:
    with pytest.raises(ValueError, match=f"^top_k must be a whole number from 1 to 5, not {said}"):
        checks.whole(value, "top_k", 1, 5)


def test_a_threshold_for_classes_is_noted() -> None:
    said = shell("predict", str(PHOTOS / "lion.jpg"), "--model", BUNDLED[1], "--threshold", "0.5").stdout
    assert "--threshold is for boxes" in said
    assert "--threshold" not in shell("predict", str(PHOTOS / "lion.jpg"), "--model", BUNDLED[1]).stdout


def test_the_shell_lists_every_model() -> None:
    done = shell("models", "--json")
    assert [card["name"] for card in json.loads(done.stdout)] == [card.name for card in pg.cards()]


@pytest.mark.parametrize(
    "arguments", [("nowhere.jpg", "--model", "everyday-vit"), ("x.jpg", "--model", "../../etc/passwd")]
)
def test_the_shell_says_one_sentence_and_exits_with_two(arguments: tuple[str, ...]) -> None:
    done = shell("predict", *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
