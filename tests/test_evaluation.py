"""Evaluation: measures with known answers, data sets in their published layouts, the shell's command."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn import write_coco, write_folder
from small_models import small_card

from playground import inference
from playground.__main__ import main
from playground.datasets import opening
from playground.datasets.nouns import DataError, Segmented, Truth
from playground.datasets.shapes import STUFF, THINGS
from playground.evaluation import classification, detection, measuring
from playground.evaluation.classes import matched
from playground.evaluation.detection import Found
from playground.evaluation.panoptic import PanopticQuality
from playground.evaluation.progress import Bar
from playground.image import Picture, read
from playground.models import catalogue
from playground.models.card import Card
from playground.trace import Box, Prediction, Segment

# --- measures ---------------------------------------------------------------------------------------------------------


def test_top_k_and_classes_known_answers() -> None:
    logits = np.array([[3.0, 2, 1], [1, 2, 3], [2, 3, 1], [3, 1, 2]])
    labels = np.array([0, 0, 1, 1])
    assert classification.top_k(logits, labels, 1) == 0.5
    assert classification.top_k(logits, labels, 2) == 0.5
    assert classification.top_k(logits, labels, 3) == 1.0
    each = classification.per_class(logits, labels)
    assert each[:2].tolist() == [0.5, 0.5]
    assert np.isnan(each[2])


def test_calibration_known_answers() -> None:
    sure = np.tile(np.log([0.8, 0.2]), (10, 1))
    labels = np.array([0] * 8 + [1] * 2)
    assert classification.calibration_error(sure, labels) == pytest.approx(0, abs=1e-9)
    assert classification.calibration_error(sure, np.zeros(10, int)) == pytest.approx(0.2)
    assert classification.fit_temperature(sure * 2.5, labels) == pytest.approx(2.5, abs=1e-3)


def test_unsure_threshold_is_the_least_that_holds_the_precision() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, False])
    assert classification.unsure_threshold(confidence, right, 0.75) == 0.6
    assert classification.unsure_threshold(confidence, right, 0.9) == 0.8
    assert classification.unsure_threshold(confidence, ~right, 0.9) == 1.0
    assert classification.unsure_threshold(confidence, right, 0.6) == 0.0  # three of all five are right


def test_average_precision_known_answers() -> None:
    truth = Truth(np.array([0, 0]), np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]]))
    perfect = Found(truth.labels, np.array([0.9, 0.8]), truth.boxes_xyxy)
    assert detection.average_precision([perfect], [truth], 2)["mAP"] == pytest.approx(1.0)
    half = Found(np.array([0]), np.array([0.9]), truth.boxes_xyxy[:1])
    assert detection.average_precision([half], [truth], 2)["mAP50"] == pytest.approx(51 / 101)  # recalls 0, 0.01 .. 0.5
    shifted = Found(np.array([0, 0]), np.array([0.9, 0.8]), truth.boxes_xyxy + np.array([0, 0, 0, 3]))  # IoU 10 / 13
    results = detection.average_precision([shifted], [truth], 2)
    assert results["mAP50"] == results["mAP75"] == pytest.approx(1.0)
    assert results["mAP"] == pytest.approx(0.6)  # 0.50 to 0.75
    first_wrong = Found(
        np.array([0, 0, 0]), np.array([0.95, 0.9, 0.8]), np.concatenate([[[50.0, 50, 60, 60]], truth.boxes_xyxy])
    )
    assert detection.average_precision([first_wrong], [truth], 2)["mAP50"] == pytest.approx(2 / 3)
    doubled = Found(np.array([0, 0]), np.array([0.9, 0.8]), truth.boxes_xyxy[[0, 0]])
    assert detection.average_precision([doubled], [truth], 2)["mAP50"] == pytest.approx(51 / 101)
    nothing = Found(np.zeros(0, int), np.zeros(0), np.zeros((0, 4)))
    assert detection.average_precision([nothing], [truth], 2)["mAP50"] == 0.0


def test_detection_threshold_wants_class_and_place() -> None:
    truth = Truth(np.array([0, 1]), np.array([[0.0, 0, 10, 10], [20, 20, 30, 30]]))
    found = Found(np.array([0, 1, 1]), np.array([0.9, 0.6, 0.7]), truth.boxes_xyxy[[0, 1, 0]])
    assert detection.detection_threshold([found], [truth], 0.9) == 0.9
    assert detection.detection_threshold([found], [truth], 0.6) == 0.0  # two of all three are right


def test_the_best_f1_is_that_of_the_best_of_all_thresholds() -> None:
    truth = Truth(np.array([0, 1, 1]), np.array([[0.0, 0, 10, 10], [20, 20, 30, 30], [40, 40, 50, 50]]))
    place = truth.boxes_xyxy[[0, 1, 0, 2, 1]]
    found = Found(np.array([0, 1, 1, 1, 1]), np.array([0.9, 0.7, 0.7, 0.4, 0.3]), place)
    assert detection.best_f1([found], [truth]) == (0.4, pytest.approx(2 * 3 / (4 + 3)))
    third_missed = Truth(truth.labels[:2], truth.boxes_xyxy[:2])  # 0.7 shows a right and a wrong box together
    assert detection.best_f1([found], [third_missed]) == (0.7, pytest.approx(2 * 2 / (3 + 2)))
    nowhere = Found(found.labels, found.scores, place + 100)
    assert detection.best_f1([nowhere], [truth]) is None


def random_scenes(seed: int, pictures: int = 25, classes: int = 4) -> tuple[list[Found], list[Truth]]:
    """Objects of all sizes, some of them crowds; detections near them and elsewhere."""
    rng = np.random.default_rng(seed)
    found, truths = [], []
    for _ in range(pictures):
        count = int(rng.integers(0, 7))
        corner, extent = rng.uniform(0, 300, (count, 2)), np.exp(rng.uniform(2, 5.3, (count, 2)))
        boxes, labels = np.concatenate([corner, corner + extent], axis=1), rng.integers(0, classes, count)
        truths.append(Truth(labels, boxes, extent.prod(1) * rng.uniform(0.5, 1, count), rng.random(count) < 0.15))
        near = np.repeat(boxes, 3, axis=0)
        near = near + rng.normal(0, 0.12, near.shape) * np.tile(near[:, 2:] - near[:, :2], 2)
        away = np.concatenate([rng.uniform(0, 200, (4, 2)), rng.uniform(210, 400, (4, 2))], axis=1)
        given = np.concatenate([near, away])
        given[:, 2:] = np.maximum(given[:, 2:], given[:, :2] + 1)
        said = np.concatenate([np.repeat(labels, 3), rng.integers(0, classes, 4)])
        said = np.where(rng.random(len(said)) < 0.2, rng.integers(0, classes, len(said)), said)
        found.append(Found(said, rng.permutation(len(said)) / 100 + rng.random(), given))
    return found, truths


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_equals_the_library_s(seed: int) -> None:
    """faster-coco-eval, which follows COCO's own code: all sizes, crowds, several thresholds, each class."""
    library = pytest.importorskip("faster_coco_eval", reason="needs faster-coco-eval, a requirement of development")
    found, truths = random_scenes(seed)
    annotations = [
        {
            "id": 1000 * i + j + 1,
            "image_id": i + 1,
            "category_id": int(truth.labels[j]) + 1,
            "bbox": [*truth.boxes_xyxy[j, :2], *(truth.boxes_xyxy[j, 2:] - truth.boxes_xyxy[j, :2])],
            "area": float(truth.areas[j]),
            "iscrowd": int(truth.crowd[j]),
        }
        for i, truth in enumerate(truths)
        if truth.areas is not None and truth.crowd is not None
        for j in range(len(truth.labels))
    ]
    images = [{"id": i + 1, "width": 500, "height": 500} for i in range(len(truths))]
    facts = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": i + 1, "name": str(i)} for i in range(4)],
    }
    answers = [
        {
            "image_id": i + 1,
            "category_id": int(label) + 1,
            "score": float(score),
            "bbox": [*box[:2], *(box[2:] - box[:2])],
        }
        for i, one in enumerate(found)
        for label, score, box in zip(one.labels, one.scores, one.boxes_xyxy, strict=True)
    ]
    reference = library.COCO(facts)
    judge = library.COCOeval_faster(reference, reference.loadRes(answers), iouType="bbox")
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    ours = detection.average_precision(found, truths, 4)
    names = ("mAP", "mAP50", "mAP75", "mAP small", "mAP medium", "mAP large")
    for name, theirs in zip(names, judge.stats, strict=False):
        assert ours[name] == pytest.approx(theirs, abs=1e-6), name
    table = judge.eval["precision"]  # [10, 101, classes, sizes, limits]
    for label in range(4):
        assert ours[f"AP/{label}"] == pytest.approx(table[:, :, label, 0, -1].mean(), abs=1e-6)


def test_crowds_are_neither_wanted_nor_wrong() -> None:
    boxes = np.array([[0.0, 0, 10, 10], [20, 20, 60, 60]])
    truth = Truth(np.array([0, 0]), boxes, None, np.array([False, True]))
    inside = np.array([[0.0, 0, 10, 10], [22, 22, 30, 30], [40, 40, 50, 50]])  # two lie in the crowd
    results = detection.average_precision([Found(np.zeros(3, int), np.array([0.5, 0.9, 0.8]), inside)], [truth], 1)
    assert results["mAP"] == pytest.approx(1.0)
    nothing = detection.average_precision([], [], 2)
    assert np.isnan(nothing["mAP"])
    assert set(nothing) == {"mAP", "mAP50", "mAP75", "mAP small", "mAP medium", "mAP large"}


def test_confusions_count_the_most_frequent_mistakes() -> None:
    labels, answers = np.array([0, 0, 0, 1, 1, 2]), np.array([1, 1, 0, 2, 1, 0])
    assert classification.confusions(answers, labels) == [(0, 1, 2, 3), (1, 2, 1, 2), (2, 0, 1, 1)]
    assert classification.confusions(answers, labels, 1) == [(0, 1, 2, 3)]
    assert classification.confusions(labels, labels) == []


# --- panoptic quality -------------------------------------------------------------------------------------------------


def segments(rows: list[str], labels: dict[str, int], crowd: str = "") -> Segmented:
    """A map drawn in letters, "." for none; every letter is a segment, numbered by its place in `labels`."""
    numbers = {letter: 10 * (i + 1) for i, letter in enumerate(labels)}
    ids = np.array([[numbers.get(letter, 0) for letter in row] for row in rows], np.int32)
    return Segmented(
        ids,
        np.array(list(numbers.values()), np.int64),
        np.array(list(labels.values()), np.int64),
        np.array([letter in crowd for letter in labels], bool),
    )


def quality(truth: Segmented, answer: Segmented, classes: int = 3) -> np.ndarray:
    adding = PanopticQuality(classes)
    adding.add(truth, answer)
    return adding.each()


def test_a_perfect_answer_has_quality_one() -> None:
    truth = segments(["aabb", "aacc"], {"a": 0, "b": 1, "c": 1})
    table = quality(truth, truth)
    assert table[:2].tolist() == [[1, 1, 1], [1, 1, 1]]
    assert np.isnan(table[2]).all()


def test_panoptic_quality_known_answers() -> None:
    truth = segments(["aaaabbbb"], {"a": 0, "b": 1})
    answer = segments(["aaabbbbb"], {"a": 0, "b": 1})  # IoU 3/4 and 4/5
    table = quality(truth, answer)
    np.testing.assert_allclose(table[:2, 0], [3 / 4, 4 / 5])
    half = segments(["aabbbbbb"], {"a": 0, "b": 1})  # a: IoU 1/2, which is not above it: one missed, one wrong
    table = quality(truth, half)
    assert table[0].tolist() == [0, 0, 0]
    np.testing.assert_allclose(table[1], [4 / 6, 4 / 6, 1])
    wrong_class = segments(["aaaabbbb"], {"a": 2, "b": 1})
    table = quality(truth, wrong_class)
    assert table[:, 0].tolist() == [0, 1, 0]
    split = segments(["aaaxbbbb"], {"a": 0, "x": 0, "b": 1})  # one found (3/4), one wrong
    np.testing.assert_allclose(quality(truth, split)[0], [3 / 4 / 1.5, 3 / 4, 1 / 1.5])


def test_pixels_of_no_segment_and_crowds_are_forgiven() -> None:
    truth = segments(["aaaa....", "cccccccc"], {"a": 0, "c": 1}, crowd="c")
    answer = segments(["aaaaaax.", "yyyyzzzz"], {"a": 0, "x": 0, "y": 1, "z": 2})
    table = quality(truth, answer)
    assert table[0].tolist() == [1, 1, 1]  # x lies on no segment, and so do two pixels of a
    assert np.isnan(table[1]).all()  # the crowd is not wanted, and y on it is not wrong
    assert table[2].tolist() == [0, 0, 0]  # z is of another class than the crowd


def test_means_are_over_classes_that_were_seen() -> None:
    adding = PanopticQuality(4)
    adding.add(segments(["aabb"], {"a": 0, "b": 1}), segments(["aab."], {"a": 0, "b": 1}))
    whole = adding.of(np.ones(4, bool))
    assert whole is not None and whole.classes == 2
    assert whole.pq == pytest.approx(0.5)  # 1 and, with an IoU of 1/2, 0
    assert adding.of(np.array([False, False, True, True])) is None


# --- which class is which ---------------------------------------------------------------------------------------------


def test_classes_are_matched_by_wordnet_id_by_number_and_by_name() -> None:
    imagenet = catalogue.find("vit-tiny-patch16-224")
    assert matched(imagenet, ("x", "n01443537", "n01440764"), ("x", "n01443537", "n01440764")).tolist() == [-1, 1, 0]
    assert matched(imagenet, ("Great_White Shark",)).tolist() == [2]
    coco = catalogue.find("detr-resnet-50")
    assert matched(coco, ("person", "toothbrush"), ("1", "90")).tolist() == [1, 90]
    assert matched(coco, ("toothbrush", "person"), ("1", "2")).tolist() == [90, 1]  # one's own numbers
    panoptic = catalogue.find("detr-resnet-50-panoptic")
    assert matched(panoptic, ("cat", "door-stuff"), ("17", "112")).tolist() == [17, 112]
    with pytest.raises(DataError, match="None of the 2 classes"):
        matched(coco, ("unicorn", "dragon"), ("1", "2"))


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run `evaluate` on a small model with these labels, over a folder."""

    def run(task: str, labels: tuple[str, ...], data: Path | str, *more: str) -> int:
        card = small_card(tmp_path, task, labels)
        monkeypatch.setattr(catalogue, "find", lambda name: card)
        return main(["evaluate", "--model", "small", "--data", str(data), *more])

    return run


def test_evaluate_measures_classes_in_imagenet_s_layout(
    tmp_path: Path, asked: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Pictures of a class that the model does not know are left out; the answer is the one the page gives."""
    write_folder(tmp_path / "in" / "val", {"n1": 6, "n2": 5, "n9": 4})
    out = tmp_path / "report.json"
    assert asked("classification", ("n2", "n1", "n3"), tmp_path / "in", "--json", "--out", str(out)) == 0
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert report == json.loads(out.read_text())
    assert (report["pictures"], report["left_out"]) == (11, 4)
    card = small_card(tmp_path, "classification", ("n2", "n1", "n3"))
    right = sum(
        inference.predict(read(file), card).classes[0].label == file.parent.name
        for file in (tmp_path / "in" / "val").glob("n[12]/*.png")
    )
    values = {number["name"]: number["value"] for number in report["metrics"]}
    assert values["top-1"] == pytest.approx(100 * right / 11, abs=1e-3)
    assert values["top-5"] == 100
    assert sum(pair["times"] for pair in report["confusions"]) == 11 - right
    assert {one["name"]: one["n"] for one in report["classes"]} == {"n1": 6, "n2": 5}
    assert report["rate"] > 0 and report["peak_bytes"] > 10_000_000
    assert "11/11 pictures" in printed.err and "left" in printed.err
    assert str(tmp_path) not in printed.out


def test_evaluate_measures_boxes_and_segments_in_coco_s_layout(
    tmp_path: Path, asked: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    write_coco(tmp_path / "coco")
    assert asked("detection", ("cat", "person"), tmp_path / "coco", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert {number["name"] for number in report["metrics"]} >= {"mAP", "mAP50", "mAP75", "mAP small"}
    assert [one["name"] for one in report["classes"]] == ["cat"]  # the only person is a crowd
    assert asked("panoptic", ("cat", "person", "sky"), tmp_path / "coco") == 0
    said = capsys.readouterr().out
    assert "PQ" in said and "RQ of stuff" in said and "peak memory" in said


def test_a_detector_that_is_always_right_scores_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way from answers to measures: numbers of classes, pixels of the upload, segments."""
    write_coco(tmp_path)
    labels = ("sky", "cat", "person")
    boxes, cut = opening.boxed(tmp_path, "val", (), 64), opening.segmented(tmp_path, "val", 64)
    truth, drawn = boxes.truth(0), cut.segments(0)
    box = Box("cat", 0.9, tuple(truth.boxes_xyxy[0].tolist()), 1, 0)
    parts = tuple(
        Segment(int(number), boxes.classes[label], 0.9, 0.3, True)
        for number, label in zip(drawn.numbers, drawn.labels, strict=True)
    )
    answer = Prediction("m", "panoptic", (), (box,), parts, drawn.ids, False, 0.1, "CPU", (), (40, 30))
    monkeypatch.setattr(inference, "predict", lambda picture, card, threshold: answer)
    card = small_card(tmp_path, "panoptic", labels)
    found = measuring.detector(boxes, card, None, lambda done, total: None)
    assert {number.name: number.value for number in found.metrics}["mAP"] == 100
    segmented = measuring.panoptic(cut, card, None, lambda done, total: None)
    assert {number.name: number.value for number in segmented.metrics}["PQ"] == 100
    assert segmented.pictures == 2


def test_a_panoptic_model_that_is_always_right_scores_one_in_boxes_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opening.segmented(Path("shapes"), "val", 64, 3, plain=True)
    places = {data.picture(i).key: i for i in range(5)}

    def told(picture: Picture, card: Card, threshold: float) -> Prediction:
        true = data.segments(places[picture.key])
        kinds = [int(label) for label in true.labels]
        drawn = [np.argwhere(true.ids == number) for number in true.numbers]  # (row, col)
        corners = [(*pixels.min(0)[::-1].tolist(), *(pixels.max(0)[::-1] + 1).tolist()) for pixels in drawn]
        names = data.classes
        boxes = tuple(Box(names[k], 0.9, box, k, q) for q, (k, box) in enumerate(zip(kinds, corners, strict=True)))
        parts = tuple(Segment(int(n), names[k], 0.9, 0.3, True) for n, k in zip(true.numbers, kinds, strict=True))
        return Prediction("m", "panoptic", (), boxes, parts, true.ids, False, 0.1, "CPU", (), (64, 64))

    monkeypatch.setattr(inference, "predict", told)
    monkeypatch.setattr(measuring, "sample", lambda count, limit: np.arange(5))
    card = small_card(tmp_path, "panoptic", (*THINGS, *STUFF))
    metrics = {one.name: one.value for one in measuring.panoptic(data, card, 5, lambda done, total: None).metrics}
    assert (metrics["PQ"], metrics["mAP"], metrics["mAP50"]) == (100, 100, 100)


def test_evaluate_draws_shapes_and_refuses_what_cannot_be_measured(
    tmp_path: Path, asked: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked("panoptic", (*THINGS, *STUFF), "shapes", "--limit", "3") == 0
    assert "3 pictures" in capsys.readouterr().out
    (tmp_path / "nothing").mkdir()
    write_coco(tmp_path / "coco")
    for task, labels, data, more, sentence in (
        ("classification", ("a",), "none", (), "does not exist"),
        ("classification", ("a",), tmp_path / "nothing", (), "looked for"),
        ("detection", ("a",), tmp_path / "nothing", (), "looked for annotations"),
        ("detection", ("a",), tmp_path / "coco", (), "None of the 3 classes"),
        ("panoptic", ("a",), tmp_path / "nothing", (), "looked for annotations"),
        ("detection", ("cat",), tmp_path / "coco", ("--limit", "0"), "--limit must be"),
    ):
        assert asked(task, labels, data, *more) == 2
        told = capsys.readouterr().err.strip()
        assert sentence in told and "\n" not in told


def test_a_limit_draws_the_same_pictures_each_time() -> None:
    assert measuring.sample(5, None).tolist() == measuring.sample(5, 9).tolist() == [0, 1, 2, 3, 4]
    drawn = measuring.sample(1000, 50)
    assert drawn.tolist() == measuring.sample(1000, 50).tolist()
    assert len(set(drawn.tolist())) == 50 and drawn.max() > 500


def test_a_progress_bar_tells_rate_and_time_left() -> None:
    now = [0.0]
    stream = io.StringIO()
    bar = Bar(200, "photos", done=100, stream=stream, clock=lambda: now[0])
    now[0] = 20.0
    bar.to(110)
    assert stream.getvalue() == "[#############...........] 110/200 photos, 0.5 a second, 3:00 left \n"
    now[0] = 21.0
    bar.to(111)  # too soon for a file; a terminal is told more often
    assert stream.getvalue().count("\n") == 1
    bar.to(200)
    assert "200/200" in stream.getvalue()
