"""Studies: what is written is what is read, and what cannot be true is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from drawn import drawn_photos

from playground.__main__ import main
from playground.evaluation.study import SHELF, Axis, Point, Series, Study, StudyError, write
from playground.training.studies import PLANS, coatnet_layouts, data_hunger, depth, find, resolution, token_labeling
from playground.training.studies.bench import Bench, chosen
from playground.training.studies.plan import Job, Plan, measure


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
    assert SHELF.names(tmp_path) == ()
    path = write(study(), tmp_path)
    assert SHELF.names(tmp_path) == ("data-hunger",)
    assert SHELF.read("data-hunger", tmp_path) == study()
    assert set(json.loads(path.read_text())["axes"]) == {"x", "y"}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["nothing", "../data-hunger", ""])
def test_an_unknown_study_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    write(study(), tmp_path)
    with pytest.raises(StudyError, match="there are: data-hunger"):
        SHELF.read(name, tmp_path)


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
    assert SHELF.read("data-hunger", tmp_path).finding == ""
    assert len(list(tmp_path.iterdir())) == 1


# --- measuring --------------------------------------------------------------------------------------------------------


def small_bench(photos: int = 64) -> Bench:
    shown = chosen(drawn_photos(40, seed=0))
    return Bench(shown, shown, shown, shown, photos)


def test_every_study_says_what_it_measures() -> None:
    assert [plan.name for plan in PLANS] == [
        *("data-hunger", "coatnet-layouts", "resolution", "depth", "token-labeling")
    ]
    for plan in PLANS:
        keys = [job.key for job in plan.jobs]
        assert len(set(keys)) == len(keys) and plan.question.endswith("?")
        assert find(plan.name) is plan
    with pytest.raises(ValueError, match="choose one of data-hunger"):
        find("astrology")


def counted(measured: list[tuple[str, int]], finding: str = "All done.") -> Plan:
    """A plan of three quick jobs that note their doing."""

    def job(name: str, x: float) -> Job:
        def run(bench: Bench, seed: int) -> list[tuple[float, float, int]]:
            measured.append((name, seed))
            return [(x, x * 10 + seed, 5)]

        return Job("line", name, run)

    jobs = tuple(job(name, x) for name, x in (("c", 3.0), ("a", 1.0), ("b", 2.0)))
    return Plan(
        "quick", "Quick?", "Is it?", Axis("x", ""), Axis("y", "%"), 64, jobs, lambda series: finding, lambda b: {}
    )


def test_a_study_goes_on_where_it_was_stopped_and_spreads_over_seeds(tmp_path: Path) -> None:
    measured: list[tuple[str, int]] = []
    plan = counted(measured)
    first = measure(plan, small_bench(), (0,), 1e-9, tmp_path, "command", str)
    assert measured == [("c", 0)] and first.finding == "" and SHELF.read("quick", tmp_path) == first
    assert first.series == (Series("line", (Point(3, 30, None, None, 5),)),)  # one seed has no spread
    second = measure(plan, small_bench(), (0, 2), None, tmp_path, "command", str)
    assert measured == [("c", 0), ("a", 0), ("b", 0), ("c", 2), ("a", 2), ("b", 2)]
    assert second.finding == "All done." and second.seeds == (0, 2)
    assert second.series == (
        Series("line", (Point(1, 11, 10, 12, 10), Point(2, 21, 20, 22, 10), Point(3, 31, 30, 32, 10))),
    )
    measure(plan, small_bench(), (0, 2), None, tmp_path, "command", str)
    assert len(measured) == 6
    measure(plan, small_bench(photos=96), (0,), None, tmp_path, "command", str)  # other settings: all over again
    assert len(measured) == 9


def test_small_studies_measure_their_networks(tmp_path: Path) -> None:
    """The networks are trained for two steps: whether points come out, not what they are."""
    ready = small_bench()
    hungry = data_hunger.run(ready, 0, "CoAtNet", 50)
    assert [(x, n) for x, _, n in hungry] == [(50, len(ready.validation))]
    layout = coatnet_layouts.run(ready, 0, "C-T-T-T")
    assert len(layout) >= 2 and all(loss > 0 and 0 <= accuracy <= 100 for loss, accuracy, _ in layout)
    assert [apart for apart, _, _ in depth.run(ready, 0, 3)] == [1, 2]
    points = token_labeling.run(ready, 0, token_labeling.DENSE)
    assert points[-1][0] == 64 and 0 <= points[-1][1] <= 100


def test_attention_is_as_alike_as_it_is() -> None:
    one = torch.eye(4).expand(1, 2, 3, 4, 4)
    other = torch.eye(4).roll(1, 0).expand(1, 2, 3, 4, 4)
    flat = torch.full((1, 2, 3, 4, 4), 0.25)
    table = depth.similarity(torch.cat([one, other, flat]))
    wanted = torch.tensor([[1, 0, 0.5], [0, 1, 0.5], [0.5, 0.5, 1]])
    torch.testing.assert_close(table, wanted)


def test_patches_are_told_what_the_box_covers() -> None:
    share = token_labeling.covered(torch.tensor([[0.0, 0.0, 6.0, 4.0], [8.0, 8.0, 8.0, 8.0]]), side=12, patch=4)
    assert share[0].tolist() == [1, 0.5, 0, 0, 0, 0, 0, 0, 0]
    assert share[1].sum() == 0


def test_positions_are_cut_from_the_middle_or_go_on_at_the_edge() -> None:
    table = torch.arange(17.0)[None, :, None]  # a class token and a 4 x 4 grid
    assert resolution.continued(table, 4)[0, :, 0].tolist() == [0, 6, 7, 10, 11]
    wide = resolution.continued(table, 36)[0, 1:, 0].reshape(6, 6)
    assert wide[0].tolist() == wide[1].tolist() == [1, 1, 2, 3, 4, 4]
    assert torch.equal(resolution.continued(table, 16), table)


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["astrology"], ["depth", "--seeds", "one"], ["depth", "--minutes", "0"], ["depth", "--photos", "3"]):
        assert main(["study", *wrong, "--data", str(tmp_path / "none")]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


# --- findings ---------------------------------------------------------------------------------------------------------


def line(name: str, *points: tuple[float, float, float | None]) -> Series:
    """Points (x, y, half of the spread, None for a single seed)."""
    return Series(
        name, tuple(Point(x, y, None if s is None else y - s, None if s is None else y + s, 9) for x, y, s in points)
    )


@pytest.mark.parametrize(
    ("alone", "dense", "said"),
    [
        ((100, 30.0, None), (100, 33.0, None), "33.0 % with dense targets from the boxes, 30.0 % with labels alone"),
        ((100, 30.0, None), (100, 33.0, None), "help holds here (+3.0 points)"),
        ((100, 30.0, 1.0), (100, 33.0, 1.5), "33.0 % (31.5 to 34.5) with dense targets"),
        ((100, 30.0, 1.0), (100, 33.0, 1.5), "help holds here (+3.0 points)"),
        ((100, 30.0, 2.0), (100, 33.0, 1.5), "help holds here on average only, since the seeds overlap (+3.0 points)"),
        ((100, 30.0, 2.0), (100, 29.0, 1.5), "help does not reproduce here (-1.0 points)"),
    ],
)
def test_a_claim_holds_only_where_the_seeds_do_not_overlap(alone: Any, dense: Any, said: str) -> None:
    series = {name: line(name, point) for name, point in (("labels alone", alone), ("with dense targets", dense))}
    assert said in token_labeling.finding(series)


def test_findings_name_who_leads_and_what_does_not_reproduce() -> None:
    grown = {f"{depth} layers": line(f"{depth} layers", (1, y, 0.01)) for depth, y in ((3, 0.5), (6, 0.6), (12, 0.7))}
    assert "0.70 (0.69 to 0.71) with 12 layers" in depth.finding(grown)
    assert "with depth holds here, with these small" in depth.finding(grown)
    assert "does not reproduce" in depth.finding(dict(reversed(grown.items())))
    hungry = {"ViT": line("ViT", (5, 20, 1), (100, 50, 1)), "ResNet": line("ResNet", (5, 30, 1), (100, 52, 1))}
    said = data_hunger.finding(hungry)
    assert "ResNet leads with 30.0 % (29.0 to 31.0) and ViT has 20.0 % (19.0 to 21.0)" in said
    assert "its distance narrows here, from 10.0 to 2.0 points" in said


def test_a_finished_study_is_told_anew_without_measuring(tmp_path: Path) -> None:
    measured: list[tuple[str, int]] = []
    measure(counted(measured, "Once."), small_bench(), (0,), None, tmp_path, "command", str)
    measure(counted(measured, "In other words."), small_bench(), (0,), None, tmp_path, "command", str)
    assert len(measured) == 3 and SHELF.read("quick", tmp_path).finding == "In other words."
