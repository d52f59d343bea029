"""Faithfulness over a data set: known answers, agreement with the measures of one picture, resuming, leaderboards."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from drawn import NAMES, drawn_photos, write_everyday
from explaining import access, traced
from small_models import small_card

from playground.__main__ import main
from playground.datasets import everyday
from playground.datasets.nouns import DataError
from playground.evaluation import contest
from playground.evaluation.faithfulness import KINDS, curve_areas, interval, measure
from playground.evaluation.leaderboard import SHELF, Leaderboard, LeaderboardError, Measure, Row, Value
from playground.explanations import Target, explain
from playground.explanations import faithfulness as of_one_picture
from playground.models import catalogue

# --- one photo --------------------------------------------------------------------------------------------------------


def test_areas_equal_those_of_one_picture() -> None:
    """All curves together, with shared ends, give what `explanations.faithfulness` gives one by one."""
    for name in ("vit", "axial"):
        trace, model = traced(name, graph=True), access(name)
        target = Target(class_index=3)
        base = of_one_picture.baselines(trace, target, model, steps=5, seeds=2)
        made = explain("gradient_input", trace, target, None, model)
        theirs = of_one_picture.measure(trace, made, model, base).curves
        order = of_one_picture.ranking(of_one_picture.on_grid(trace, made, of_one_picture.picture_grid(trace)))
        ours = curve_areas(trace, model.forward, [(order, kind) for kind in KINDS], 5, 3)
        assert {f"{c.mode}/{c.fill}": pytest.approx(c.auc, abs=1e-5) for c in theirs} == dict(
            zip(KINDS, ours, strict=True)
        )


def test_deleting_in_one_order_shows_what_inserting_in_the_reverse_shows() -> None:
    """So random orders need to be run one way only."""
    trace, model = traced("registers"), access("registers")
    order = of_one_picture.ranking(np.zeros(of_one_picture.picture_grid(trace)), 3)
    for fill in ("mean", "blur"):
        asked = [(order, f"deletion/{fill}"), (order[::-1], f"insertion/{fill}")]
        deletion, insertion = curve_areas(trace, model.forward, asked, 8, 1)
        assert deletion == pytest.approx(insertion, abs=1e-6)


def test_every_method_gets_its_numbers_beside_chance_and_centre() -> None:
    trace, model = traced("vit", graph=True), access("vit")
    box = np.array([0.0, 0.0, 50.0, 60.0])  # the left half of the picture
    found = measure(trace, model, ("rollout", "relevance", "receptive-nothing"), 4, 7, box)
    assert set(found.rows) == {"rollout", "relevance", "random", "centre"}
    assert "There is no method" in found.errors["receptive-nothing"]
    random = found.rows["random"]
    assert random["above_random"] == 0
    assert random["deletion/mean"] == random["insertion/mean"]
    assert random["energy"] == pytest.approx(0.5)
    assert found.rows["centre"]["energy"] == pytest.approx(0.5)
    for row in found.rows.values():
        assert all(value is None or -1 <= value <= 1 for value in row.values())
    assert measure(trace, model, ("rollout",), 4, 7, None).rows["rollout"].keys() == {*KINDS, "above_random"}


def test_an_interval_holds_the_mean_and_shrinks_with_photos() -> None:
    rng = np.random.default_rng(0)
    few, many = interval(rng.normal(2, 1, 25)), interval(rng.normal(2, 1, 2500))
    assert many[1] < 2 < many[2]
    assert many[2] - many[1] == pytest.approx(4 * 0.98 / 50, rel=0.1)  # 2 x 1.96 / sqrt(n)
    assert few[2] - few[1] > 5 * (many[2] - many[1])
    assert interval(np.full(10, 0.3)) == pytest.approx((0.3, 0.3, 0.3))


# --- many photos ------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for split in ("train", "val"):
        write_everyday(folder, drawn_photos(40), split)
    return folder


PLAN = contest.Plan(("rollout", "gradient_input"), 3, seed=1, steps=3)


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(data: Path, tmp_path: Path) -> None:
    card = small_card(tmp_path, labels=NAMES)
    pictures = everyday.labelled(everyday.read(data, "val"), "drawn")
    whole = contest.run(pictures, card, np.arange(4), PLAN, tmp_path / "whole", lambda done: None)

    def stop(done: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        contest.run(pictures, card, np.arange(4), PLAN, tmp_path / "stopped", stop)
    file = tmp_path / "stopped"
    lines = file.read_text().splitlines()
    assert len(lines) == 3  # the settings and two photos
    file.write_text("\n".join(lines) + "\n" + '{"photo": 9, "ro')  # killed while writing
    told: list[int] = []
    again = contest.run(pictures, card, np.arange(4), PLAN, file, told.append)
    assert again.photos == whole.photos
    assert told == [0, 1, 2, 3]
    with pytest.raises(DataError, match="other settings"):
        contest.run(pictures, card, np.arange(4), dataclasses.replace(PLAN, steps=4), file, told.append)


def test_only_photos_answered_rightly_count(data: Path, tmp_path: Path) -> None:
    card = small_card(tmp_path, labels=NAMES)
    pictures = everyday.labelled(everyday.read(data, "val"), "drawn")
    rightly = list(contest.right_photos(pictures, card, np.arange(4), 5))
    answers = [int(contest.class_logits(card, [pictures.picture(i)])[0].argmax()) for i in rightly]
    assert answers == pictures.labels[rightly].tolist()
    assert 0 < len(rightly) < 40
    with pytest.raises(DataError, match=f"only {len(rightly)} of these"):
        contest.run(
            pictures,
            card,
            np.arange(4),
            dataclasses.replace(PLAN, photos=41, methods=()),
            tmp_path / "f",
            lambda n: None,
        )


def test_the_command_writes_a_leaderboard(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cards = {task: small_card(tmp_path, task, NAMES) for task in ("classification", "detection")}
    monkeypatch.setattr(catalogue, "find", lambda name: cards[name])
    out = tmp_path / "studies" / "faithfulness-small-classification.json"
    asked = ["faithfulness", "--model", "classification", "--data", str(data), "--photos", "3", "--steps", "3"]
    methods = ["--methods", "rollout", "lens", "gradcam"]
    assert main([*asked, *methods, "--half", "--json", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    board = SHELF.read("small-classification", out.parent)
    assert board == Leaderboard.from_json(printed.out)
    assert [row.name for row in board.rows if row.kind == "baseline"] == ["centre", "random"]
    assert {row.name for row in board.rows} >= {"rollout", "gradcam"}
    assert board.photos == board.rows[0].values["pointing"].n == 3
    assert "drawn" not in board.command and str(tmp_path) not in out.read_text()
    assert list(out.parent.iterdir()) == [out]
    assert "3/3 photos" in printed.err
    for wrong, sentence in (
        (["--photos", "0"], "--photos must be"),
        (["--methods", "magic"], "no method 'magic'"),
        (["--methods", "lens", "lens"], "named twice"),
        (["--model", "detection"], "measured for classifiers"),
        (["--data", str(tmp_path / "none")], "does not exist"),
    ):
        assert main([*asked, *wrong, "--out", str(out)]) == 2
        said = capsys.readouterr().err.strip().splitlines()
        assert sentence in said[-1]


# --- the leaderboard's file -------------------------------------------------------------------------------------------


def board() -> Leaderboard:
    value = Value(0.2, 0.1, 0.3, 50)
    measures = (Measure("above_random", "Above random", "high", "."), Measure("deletion/mean", "Deletion", "low", "."))
    rows = (
        Row("rollout", "Rollout", "method", {"above_random": value, "deletion/mean": Value(0.3, 0.2, 0.4, 50)}),
        Row("lens", "Lens", "method", {"deletion/mean": value}),
        Row("random", "Random", "baseline", {"above_random": Value(9, 9, 9, 50), "deletion/mean": Value(0, 0, 0, 50)}),
    )
    return Leaderboard(
        "m", "", "photos", 50, 0, 8, "p", "c", "h", "float32", 1.0, "2026-01-01", measures, rows, {"x": "why"}
    )


def test_a_leaderboard_comes_back_from_its_text_and_names_its_best() -> None:
    made = board()
    assert Leaderboard.from_json(made.to_json()) == made
    best = {measure: made.best(measure) for measure in ("above_random", "deletion/mean", "energy")}
    assert best["above_random"] == made.rows[0]
    assert best["deletion/mean"] == made.rows[1]
    assert best["energy"] is None


def test_a_leaderboard_that_cannot_be_true_is_refused(tmp_path: Path) -> None:
    values = json.loads(board().to_json())

    def changed(**parts: object) -> str:
        return json.dumps(values | parts)

    row = {"name": "a", "title": "a", "kind": "method"}
    for text, sentence in (
        ("{", "not the JSON"),
        (changed(more=1), "not the JSON"),
        (changed(measures=[]), "no measures"),
        (changed(rows=[{**row, "values": {"energy": {"mean": 0, "low": 0, "high": 0, "n": 1}}}]), "not named"),
        (changed(rows=[{**row, "values": {"above_random": {"mean": 2, "low": 0, "high": 1, "n": 1}}}]), "outside"),
        (changed(rows=[{**row, "values": {"above_random": {"mean": 0, "low": 0, "high": 1, "n": 0}}}]), "on nothing"),
        (changed(rows=[{**row, "values": {"above_random": {"mean": "0", "low": 0, "high": 1, "n": 1}}}]), "no number"),
        (" " * 1_000_001, "far larger"),
    ):
        with pytest.raises(LeaderboardError, match=sentence):
            Leaderboard.from_json(text)
    assert SHELF.names(tmp_path) == ()
    with pytest.raises(LeaderboardError, match="none yet"):
        SHELF.read("../m", tmp_path)
    (tmp_path / "faithfulness-m.json").write_bytes(b"\xff")
    with pytest.raises(LeaderboardError, match="not the JSON"):
        SHELF.read("m", tmp_path)


def test_reading_a_leaderboard_needs_no_torch() -> None:
    code = "import sys; import playground.evaluation.leaderboard; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


@pytest.mark.parametrize("model", SHELF.names())
def test_bundled_leaderboards_are_of_bundled_models(model: str) -> None:
    found = SHELF.read(model)
    assert found.model == model
    assert model in {card.name for card in catalogue.bundled()}
    assert {"random", "centre"} <= {row.name for row in found.rows}
    assert found.photos == max(value.n for row in found.rows for value in row.values.values())
