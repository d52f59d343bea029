"""Evaluation: measures with known answers."""

import numpy as np
import pytest

from playground.datasets.nouns import Truth
from playground.evaluation import classification, detection
from playground.evaluation.detection import Found

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
    assert detection.detection_threshold([found], [truth], 0.6) == 0.6
