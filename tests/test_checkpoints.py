"""The bundled checkpoints: a sample of what each card claims is measured again; what each gets wrong is said."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

import playground as pg
from playground import inference
from playground.commands.evaluate import opened
from playground.datasets.nouns import SegmentedPictures
from playground.evaluation import detection, measuring
from playground.evaluation.panoptic import PanopticQuality
from playground.evaluation.report import Confusion
from playground.image import Picture
from playground.models import catalogue
from playground.models.card import Card
from playground.samples import SAMPLES
from playground.training.failures import chart, failures, section

PHOTOS, SCENES, DRAWN = 400, 250, 60
ERRORS = 4  # standard errors that a sample may differ by: one honest claim in 16,000 falls outside
TASKS = ("classification", "detection", "panoptic")
BUNDLED = {task: [card for card in catalogue.bundled() if card.task == task] for task in TASKS}


def claim(card: Card, name: str) -> float:
    return next(metric.value for metric in card.metrics if metric.name == name)


def quiet(done: int, total: int) -> None:
    """Nobody watches."""


@pytest.mark.parametrize("card", BUNDLED["classification"], ids=lambda card: card.name)
def test_a_sample_of_a_classifier_s_claim_is_measured_again(card: Card, photos: Path) -> None:
    _, measure = opened(card, photos, "val")
    measured = {number.name: number.value for number in measure(PHOTOS, quiet).metrics}
    for name in ("top-1", "top-5"):
        share = claim(card, name) / 100
        error = 100 * math.sqrt(share * (1 - share) / PHOTOS)
        assert measured[name] == pytest.approx(claim(card, name), abs=ERRORS * error), name


@pytest.mark.parametrize("card", BUNDLED["detection"], ids=lambda card: card.name)
def test_a_sample_of_a_detector_s_claim_is_measured_again(card: Card, photos: Path) -> None:
    """The standard error is that of mAP50 over samples of scenes drawn with replacement."""
    data, _ = opened(card, photos, "val")
    made = measuring.boxes(data, card, SCENES, quiet)  # type: ignore[arg-type]

    def score(chosen: np.ndarray) -> float:
        found, truths = ([part[i] for i in chosen] for part in (made.found, made.truths))
        return 100 * detection.average_precision(found, truths, len(card.labels))["mAP50"]

    rng = np.random.default_rng(0)
    error = float(np.std([score(rng.integers(SCENES, size=SCENES)) for _ in range(12)], ddof=1))
    assert score(np.arange(SCENES)) == pytest.approx(claim(card, "mAP50"), abs=ERRORS * error)


@pytest.mark.parametrize("card", BUNDLED["panoptic"], ids=lambda card: card.name)
def test_a_sample_of_the_claim_on_drawn_shapes_is_measured_again(card: Card) -> None:
    """Always: there is nothing to download."""
    data, _ = opened(card, Path("shapes"), "val")
    assert isinstance(data, SegmentedPictures)
    scenes = [cut.quality for cut in measuring.segments(data, card, DRAWN, quiet)]
    rng = np.random.default_rng(0)

    def score(chosen: np.ndarray) -> float:
        whole = PanopticQuality(len(data.classes))
        for i in chosen:
            whole.merge(scenes[i])
        means = whole.of(np.ones(len(data.classes), bool))
        return 100 * means.pq if means else 0.0

    error = float(np.std([score(rng.integers(DRAWN, size=DRAWN)) for _ in range(100)], ddof=1))
    assert score(np.arange(DRAWN)) == pytest.approx(claim(card, "PQ"), abs=ERRORS * error)


# --- what goes wrong --------------------------------------------------------------------------------------------------


def test_known_failures_are_counted_and_drawn() -> None:
    each = np.array([0.9, 0.1, np.nan, 0.5, 0.7])
    found = failures("top-1", each, ("cat", "dog", "cow", "<hen>", "pig"), [(1, 0, 7, 10), (3, -1, 2, 4)])
    assert found.worst == (("dog", 0.1), ("<hen>", 0.5))
    assert found.best == (("cat", 0.9), ("pig", 0.7))
    assert found.mistakes == (Confusion("dog", "cat", 7, 10), Confusion("<hen>", "nothing", 2, 4))
    text = section(found)
    assert "| dog | cat | 7 of 10 |" in text
    assert "dog 10, <hen> 50. Best: cat 90, pig 70." in text
    drawn = ElementTree.fromstring(chart(found))
    bars = [float(one.get("width", "")) for one in drawn.iter() if one.get("class") == "bar"]
    assert bars == [30.0, 150.0, 210.0, 150.0]  # of 300
    assert any(one.text == "dog → cat" for one in drawn.iter())
    assert not failures("PQ", each, ("a", "b", "c", "d", "e")).mistakes


@pytest.fixture(scope="module")
def drawings() -> dict[str, Image.Image]:
    return {one.title: one.draw() for one in SAMPLES}


@pytest.mark.parametrize("card", catalogue.bundled(), ids=lambda card: card.name)
def test_the_readme_says_how_the_drawn_pictures_are_answered(card: Card, drawings: dict[str, Image.Image]) -> None:
    """Names that stand in the table are those that the model gives now, and the sheet lies beside it."""
    folder = catalogue.folder_of(card.name)
    text = (folder / "README.md").read_text(encoding="utf-8")
    table = text.split("<!-- examples: written by scripts/examples.py -->")[1].split("<!-- /examples -->")[0]
    for title, drawing in drawings.items():
        answer = pg.predict(drawing, card.name)
        told = next(line for line in table.splitlines() if line.startswith(f"| {title} |"))
        parts = answer.segments or answer.boxes or answer.classes[:1]
        assert {part.label for part in parts} == set(re.findall(r"([a-z/][a-z/ ]*) \d+ %", told)), told
        assert ("not sure" in told) == answer.unsure
    with Image.open(folder / "examples.webp") as sheet:
        assert sheet.width > 1000


def test_a_detector_s_mistakes_are_counted_by_object() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]])
    truth = detection.Truth(np.array([0, 1, 1]), boxes)
    answer = detection.Found(np.array([2, 1, 2, 0]), np.array([0.9, 0.6, 0.8, 0.3]), boxes[[0, 1, 1, 2]])
    assert detection.confusions([answer], [truth], 0.5) == [(0, 2, 1, 1), (1, -1, 1, 2)]
    assert detection.confusions([answer], [truth], 0.95) == [(1, -1, 2, 2), (0, -1, 1, 1)]


def test_the_detector_s_backbone_attends_too_and_its_calls_are_not_the_transformer_s() -> None:
    """CoAtNet stands under DETR's encoder; it has one size, so for another one the network is made anew."""
    card, picture = catalogue.find("everyday-detr"), Picture(Image.new("RGB", (200, 150), (90, 140, 60)))
    encoder, decoder = (int(card.options[part]) for part in ("enc", "dec"))
    for side in (128, 160):
        trace = inference.at_size(picture, card, side)
        assert trace.view.pixels.shape[1:] == (side, side)
        assert [link.reads.name for link in trace.links[:encoder]] == ["memory"] * encoder
        assert len(trace.links) == encoder + 2 * decoder
        for link in trace.links:
            memory = link.reads.name == "memory"
            assert link.step.shape[1] == ((side // 16) ** 2 if memory else int(card.options["num_queries"]))
