"""Accuracy against disturbances: the same pictures for all models, resumed kind by kind, kept as a study."""

import json
from pathlib import Path

import numpy as np
import pytest
from drawn import NAMES, drawn_photos, write_everyday
from small_models import small_card

from playground.__main__ import main
from playground.datasets import everyday
from playground.disturb import disturb
from playground.evaluation import disturbances
from playground.evaluation.answers import class_logits
from playground.evaluation.disturbances import Plan, finding, name_of, wilson
from playground.evaluation.study import SHELF, Point, Series, Study
from playground.models import catalogue

PLAN = Plan(("blur", "shuffle"), 12, seed=3, strengths=(0.5, 1.0))


def test_points_are_the_share_of_disturbed_pictures_answered_rightly(tmp_path: Path) -> None:
    data = everyday.labelled(drawn_photos(30), "drawn")
    cards = [small_card(tmp_path, labels=NAMES), small_card(tmp_path, labels=tuple(reversed(NAMES)), seed=1)]
    told: list[int] = []
    series = disturbances.run(data, cards, PLAN, {}, lambda kept: None, told.append)
    assert [one.name for one in series] == [name_of(kind, card) for kind in PLAN.kinds for card in cards]
    assert told[-1] == PLAN.steps == 60 and told == sorted(told)
    chosen = np.sort(np.random.default_rng(3).permutation(30)[:12])
    for card, number in zip(cards, (2, 3), strict=True):
        pictures = [disturb(data.picture(int(i)), "shuffle", 0.5, 3 + int(i)) for i in chosen]
        best = class_logits(card, pictures)[0].argmax(1)
        right = np.array([card.labels[answer] == NAMES[data.labels[i]] for answer, i in zip(best, chosen, strict=True)])
        point = series[number].points[1]
        assert (point.x, point.n) == (0.5, 12)
        assert point.y == pytest.approx(100 * right.mean(), abs=1e-3)
        assert point.low is not None and point.high is not None and point.low <= point.y <= point.high
    assert series[0].points[0] == series[2].points[0]  # undisturbed is measured once


def test_what_was_measured_is_not_measured_again(tmp_path: Path) -> None:
    data = everyday.labelled(drawn_photos(30), "drawn")
    cards = [small_card(tmp_path, labels=NAMES)]
    kept: list[list[Series]] = []
    whole = disturbances.run(data, cards, PLAN, {}, kept.append, lambda done: None)
    assert [len(part) for part in kept] == [1, 2]
    marked = Series(whole[0].name, (Point(0.0, 99.0, None, None, 1),))
    again = disturbances.run(data, cards, PLAN, {marked.name: marked}, kept.append, lambda done: None)
    assert again == [marked, whole[1]]


def test_wilson_s_interval_known_answers() -> None:
    low, high = wilson(5, 10)
    assert (low, high) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson(10, 10)[1] == pytest.approx(1.0)


def test_the_finding_names_what_costs_most(tmp_path: Path) -> None:
    card = small_card(tmp_path, labels=NAMES)
    curves = {"blur": (40, 30, 10), "shuffle": (40, 38, 36)}
    series = [
        Series(name_of(kind, card), tuple(Point(float(i), float(y), None, None, 9) for i, y in enumerate(values)))
        for kind, values in curves.items()
    ]
    said = finding(series, [card], tuple(curves))
    assert "small-classification 40.0 %, disturbed 28.5 %" in said
    assert "blur costs most (30.0 points), shuffled patches least (4.0 points)" in said


def test_the_command_writes_a_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_everyday(tmp_path / "data", drawn_photos(20), "val")
    cards = {task: small_card(tmp_path, task, NAMES) for task in ("classification", "detection")}
    monkeypatch.setattr(catalogue, "find", lambda name: cards[name])
    asked = ["disturbances", "--model", "classification", "--data", str(tmp_path / "data"), "--photos", "6"]
    out = tmp_path / "studies" / "disturbances.json"
    assert main([*asked, "--kinds", "grey", "noise", "--out", str(out), "--json"]) == 0
    made = SHELF.read("disturbances", out.parent)
    assert made == Study.from_json(capsys.readouterr().out)
    assert [len(one.points) for one in made.series] == [5, 5]
    assert made.finding
    assert str(tmp_path) not in out.read_text()
    unfinished = json.loads(out.read_text())
    unfinished["series"][0]["points"][1].update(y=77.0, low=None, high=None)
    out.write_text(json.dumps(unfinished))
    assert main([*asked, "--kinds", "grey", "noise", "blur", "--out", str(out)]) == 0
    again = SHELF.read("disturbances", out.parent)
    assert again.series[0].points[1].y == 77.0  # kept, not measured again
    assert len(again.series) == 3
    assert main([*asked, "--kinds", "grey", "--seed", "1", "--out", str(out)]) == 0
    assert SHELF.read("disturbances", out.parent).series[0].points[1].y != 77.0  # other settings
    capsys.readouterr()
    for wrong, sentence in (
        (["--model", "detection"], "measured for classifiers"),
        (["--kinds", "magic"], "no such disturbance"),
        (["--photos", "21"], "choose fewer --photos"),
    ):
        assert main([*asked, *wrong, "--out", str(out)]) == 2
        assert sentence in capsys.readouterr().err
