"""One place asked of all models, and how far answers and maps agree: on known answers."""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from comparing import cards, picture
from hand_made import answer

from playground import inference, maps
from playground.comparison import disagreement
from playground.comparison.boxes import iou, matched
from playground.comparison.disagreement import classes, divergence, map_correlation, pairing
from playground.comparison.places import EVEN, STRONGEST, maps_at
from playground.explanations import Cancelled, Map, Target
from playground.image import Preprocess
from playground.models.card import Card
from playground.trace import Box, ClassScore, Segment

POINT = (62.0, 41.0)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Card]]:
    inference.forget()
    yield cards(tmp_path_factory.mktemp("small"))
    inference.forget()


def test_a_point_asks_each_family_for_its_own_row(small: dict[str, Card]) -> None:
    found = {f.model: f for f in maps_at(picture(), list(small.values()), POINT)}
    last = {"vit": 2, "coatnet": None, "axial": None, "detr": 1}  # DETR: the encoder's last, not the decoder's
    for name, card in small.items():
        here = found[f"small-{name}"]
        trace = inference.trace(picture(), card)
        assert here.failed == "" and here.made is not None and here.values is not None
        cell = trace.view.cell_at(*POINT, here.values.shape)
        alone = maps.make(picture(), card, "attention", Target(patch=cell, layer=last[name] or here.made.target.layer))
        assert np.array_equal(here.made.values, alone.values)
        assert here.made.target.patch == cell
        assert here.start.startswith(f"row {cell[0]}, column {cell[1]} of ")
        assert here.values == pytest.approx(alone.values * alone.values.size)  # in times of an even spread
        x0, y0, x1, y1 = here.start_xyxy or (0, 0, 0, 0)
        assert x0 <= POINT[0] <= x1 and y0 <= POINT[1] <= y1
    links = inference.trace(picture(), small["detr"]).links
    made = found["small-detr"].made
    assert made is not None and made.target.layer is not None and "encoder" in links[made.target.layer].name
    high = max(float(f.values.max()) for f in found.values() if f.values is not None)
    assert {(f.low, f.high, f.unit) for f in found.values()} == {(0.0, high, EVEN)}


def test_a_box_is_the_mean_over_its_cells(small: dict[str, Card]) -> None:
    (found,) = maps_at(picture(), [small["vit"]], (0, 0, 40, 40))
    view = inference.trace(picture(), small["vit"]).view
    boxes = view.cell_boxes((3, 5))
    inside = [
        (r, c) for r in range(3) for c in range(5)
        if boxes[r, c, 0::2].mean() <= 40 and boxes[r, c, 1::2].mean() <= 40
    ]  # fmt: skip
    rows = [maps.make(picture(), small["vit"], "attention", Target(patch=cell, layer=2)).values for cell in inside]
    assert len(rows) == 4
    assert found.made is not None
    assert found.made.values == pytest.approx(np.mean(rows, axis=0), abs=1e-7)
    assert sum(value for _, value in found.made.apart) + found.made.values.sum() == pytest.approx(1, abs=1e-5)


def test_depth_chooses_among_layers_that_start_from_patches(small: dict[str, Card]) -> None:
    for depth, layer in ((0.0, 0), (0.5, 1), (1.0, 2)):
        (found,) = maps_at(picture(), [small["vit"]], POINT, depth=depth)
        assert found.made is not None and found.made.target.layer == layer


def test_a_method_without_patches_asks_the_query_that_found_something_there(small: dict[str, Card]) -> None:
    boxes = inference.predict(picture(), small["detr"]).boxes
    aimed = boxes[0]
    x0, y0, x1, y1 = aimed.box_xyxy
    (found,) = maps_at(picture(), [small["detr"]], (x0, y0, x1, y1), "gradcam")
    assert found.made is not None
    best = max(boxes, key=lambda box: iou(box.box_xyxy, (x0, y0, x1, y1)))
    assert found.made.target.query == best.query
    assert found.start_xyxy == best.box_xyxy
    assert found.unit == STRONGEST and found.high == pytest.approx(1)


def test_a_model_without_such_a_map_says_so_and_the_others_are_drawn(small: dict[str, Card]) -> None:
    centre = replace(small["axial"], name="centre", preprocess=Preprocess("crop", (64, 64)))
    names = ["untrained:test_resnet", "nobody", centre, small["vit"]]
    found = maps_at(picture(), names, (3.0, 30.0))
    assert [bool(f.failed) for f in found] == [True, True, True, False]
    assert "no attention" in found[0].failed
    assert "No model is called 'nobody'" in found[1].failed
    assert "outside" in found[2].failed


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ((1,), "must be a point"),
        ((1, 2, 3), "must be a point"),
        ("12", "must be a point"),
        ((1, math.nan), "must be a point"),
        ((True, 1), "must be a point"),
        (("1", "2"), "must be a point"),
        ((10, 10, 10, 20), "is empty"),
        ((101, 10), "outside the picture, which is 100 × 60"),
        ((-5, -5, -1, -1), "outside the picture"),
    ],
)
def test_a_bad_place_is_refused(place: Any, said: str, small: dict[str, Card]) -> None:
    with pytest.raises(ValueError, match=said):
        maps_at(picture(), [small["vit"]], place)


def test_bad_methods_settings_and_depths_are_refused_and_stopping_stops(small: dict[str, Card]) -> None:
    for given, said in (
        ({"method": "magic"}, "no method 'magic'"),
        ({"settings": {"speed": 1}}, "no option 'speed'"),
        ({"depth": 1.5}, "depth"),
    ):
        with pytest.raises(ValueError, match=said):
            maps_at(picture(), [small["vit"]], POINT, **given)
    with pytest.raises(Cancelled):
        maps_at(picture(), [small["vit"]], POINT, "occlusion", cancelled=lambda: True)


# boxes, classes, regions


def box(label: str, *edges: float, score: float = 0.9) -> Box:
    return Box(label, score, edges, 0, 0)  # type: ignore[arg-type]


def classifier(name: str, **shares: float) -> Any:
    entries = tuple(ClassScore(label, share, i) for i, (label, share) in enumerate(shares.items()))
    return replace(answer(), model=name, classes=tuple(sorted(entries, key=lambda e: -e.score)))


def test_boxes_are_matched_once_each_by_overlap_and_label() -> None:
    assert iou((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    ones = (box("cat", 0, 0, 10, 10), box("cat", 1, 0, 11, 10), box("dog", 50, 50, 60, 60), box("ox", 0, 0, 9, 9))
    others = (box("Cat", 1, 0, 11, 10), box("dog", 50, 56, 60, 66))
    pairs = matched(ones, others)
    assert [(p.one, p.other, p.iou) for p in pairs] == [(ones[1], others[0], 1.0)]
    a, b = (replace(answer("detection"), model=n, boxes=found) for n, found in (("a", ones), ("b", others)))
    found = disagreement.boxes(a, b)
    assert found.only_a == (ones[0], ones[2], ones[3])
    assert found.only_b == (others[1],)
    assert found.f1 == pytest.approx(2 * 1 / (4 + 2))
    assert pairing(a, b).value == pytest.approx(found.f1)
    assert pairing(a, a).value == 1
    weak = replace(b, boxes=(box("cat", 1, 0, 11, 10, score=0.4),))
    assert disagreement.boxes(a, weak).both == ()
    assert disagreement.boxes(a, weak, least=0.3).both != ()
    assert disagreement.boxes(a, replace(weak, shown_from=0.35)).both != ()  # its own least score
    none = replace(answer("detection"), boxes=())
    assert pairing(none, none).value == 1


def test_the_best_classes_are_told_apart_by_label() -> None:
    a, b = classifier("a", cat=0.6, dog=0.3, ant=0.1), classifier("b", dog=0.5, Cat=0.4, eel=0.1)
    found = classes(a, b, 2)
    assert {(x.label, y.label) for x, y in found.both} == {("cat", "Cat"), ("dog", "dog")}
    assert (found.only_a, found.only_b) == ((), ())
    found = classes(a, b, 3)
    assert [c.label for c in found.only_a] == ["ant"] and [c.label for c in found.only_b] == ["eel"]


def test_divergence_on_known_answers() -> None:
    a = classifier("a", cat=1.0, dog=0.0)
    assert divergence(a, a) == 0
    assert divergence(a, classifier("b", cat=0.0, dog=1.0)) == pytest.approx(1)
    half = classifier("b", cat=0.5, dog=0.5)
    by_hand = 0.5 * math.log2(1 / 0.75) + 0.5 * (0.5 * math.log2(0.5 / 0.75) + 0.5 * math.log2(0.5 / 0.25))
    assert divergence(a, half) == pytest.approx(by_hand)
    assert divergence(half, a) == pytest.approx(by_hand)
    # a class that one of them does not know is left out and the rest scaled
    assert divergence(a, classifier("b", cat=0.3, dog=0.3, eel=0.4)) == pytest.approx(by_hand)


def test_answers_that_cannot_be_compared_say_why() -> None:
    a = classifier("a", cat=1.0)
    for other, why in (
        (classifier("b", eel=1.0), "share no class"),
        (classifier("b", cat=0.2, eel=0.8), "Only 20%"),
        (replace(answer("detection"), boxes=()), "different kinds"),
        (answer("features"), "different kinds"),
    ):
        found = pairing(a, other)
        assert found.value is None and why in found.why


def test_regions_are_shared_above_half_their_union() -> None:
    left = np.zeros((4, 8), np.int32)
    left[:, :4], left[:, 4:] = 1, 2
    right = np.zeros((8, 16), np.int32)  # twice as fine
    right[:, :6], right[:, 6:] = 5, 6

    def panoptic(ids: np.ndarray, *parts: tuple[int, str]) -> Any:
        found = tuple(Segment(i, label, 0.9, 0.5, True) for i, label in parts)
        return replace(answer("panoptic"), segments=found, segment_map=ids)

    found = disagreement.segments(panoptic(left, (1, "sky"), (2, "sea")), panoptic(right, (5, "sky"), (6, "land")))
    assert [(x.id, y.id) for x, y in found.both] == [(1, 5)]  # IoU 3/4
    assert [x.id for x in found.only_a] == [2] and [y.id for y in found.only_b] == [6]
    with pytest.raises(ValueError, match="panoptic"):
        disagreement.segments(panoptic(left, (1, "sky")), answer())


# maps


def a_map(values: Any, region: tuple[float, float, float, float] = (0, 0, 100, 60)) -> Map:
    return Map("attention", np.asarray(values, np.float32), "patches", region, Target())


def test_maps_are_correlated_where_they_lie_over_each_other() -> None:
    values = np.random.default_rng(0).random((6, 10))
    assert map_correlation(a_map(values), a_map(3 * values + 1)) == pytest.approx(1)
    assert map_correlation(a_map(values), a_map(-values)) == pytest.approx(-1)
    fine = np.kron(values, np.ones((2, 2)))  # the same map on a finer grid
    assert map_correlation(a_map(values), a_map(fine)) == pytest.approx(1)
    cut = a_map(values[:, 2:8], (20, 0, 80, 60))  # the same map of the middle of the picture
    assert map_correlation(a_map(values), cut) == pytest.approx(1)
    assert map_correlation(a_map(values), a_map(np.ones((3, 5)))) == 0
    assert abs(map_correlation(a_map(values), a_map(np.random.default_rng(1).random((6, 10))))) < 0.5
    with pytest.raises(ValueError, match="different parts"):
        map_correlation(a_map(values, (0, 0, 40, 60)), a_map(values, (60, 0, 100, 60)))
