"""Models side by side: rows as they finish, failures in the middle, stopping, and many visitors at once."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from comparing import FAMILIES, cards, picture
from torch import nn

import playground as pg
from playground import inference
from playground.comparison import run
from playground.comparison.run import MOST, OUR_FAULT, compare
from playground.kept import Kept
from playground.models import family_of
from playground.models.card import Card
from playground.models.catalogue import find
from playground.models.timing import LEAST_RUNS, MOST_RUNS, Stopped, timed, working_bytes

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    inference.forget()
    yield
    inference.forget()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Card]:
    return cards(tmp_path_factory.mktemp("small"))


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    """Let the forward pass of one model end in an error."""

    def of(card: Card) -> Any:
        def trace(*_: object) -> None:
            raise error

        return replace(family_of(card), trace=trace) if card.name == name else family_of(card)

    monkeypatch.setattr(inference, "family_of", of)


def test_every_family_answers_as_it_does_alone_and_says_what_it_costs(small: dict[str, Card]) -> None:
    rows = {row.model: row for row in compare(picture(), list(small.values()))}
    assert set(rows) == {f"small-{name}" for name in FAMILIES}
    for name, card in small.items():
        row = rows[f"small-{name}"]
        alone = inference.predict(picture(), card, run.MOST_CLASSES)
        assert row.failed == ""
        assert row.prediction is not None
        assert (row.prediction.classes, row.prediction.boxes) == (alone.classes, alone.boxes)
        learnt = sum(p.numel() for p in inference.load(card).parameters())
        assert row.parameters is not None and abs(row.parameters - learnt) <= 0.01 * learnt
        assert row.macs is not None and row.macs > 0
        assert row.latency_ms is not None and row.latency_ms > 0
        assert LEAST_RUNS <= row.runs <= MOST_RUNS
        assert row.peak_memory_mb is not None and row.peak_memory_mb * 1e6 > 4 * learnt
        view = inference.trace(picture(), card).view
        assert row.size == (view.image.height, view.image.width)
        assert not row.untrained


def test_without_measuring_nothing_is_timed(small: dict[str, Card]) -> None:
    (row,) = compare(picture(), [small["vit"]], measure=False)
    assert row.prediction is not None
    assert (row.latency_ms, row.runs, row.peak_memory_mb) == (None, 0, None)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "at least one model"),
        (["everyday-vit"] * 2, "chosen twice"),
        (["nobody"] * 2, "The model nobody was chosen twice"),
        (["timm/resnet18.a1_in1k", "resnet18.a1_in1k"], "chosen twice"),
        ([f"model-{i}" for i in range(MOST + 1)], f"At most {MOST} models .* these are {MOST + 1}"),
        ("everyday-vit", "list of names"),
        (None, "list of names"),
    ],
)
def test_a_list_that_cannot_be_compared_is_refused_at_once(names: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        compare(picture(), names)


def test_a_failing_model_fills_its_own_row_and_the_rest_finish(
    small: dict[str, Card], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(Path(small["axial"].filename).read_bytes()[:5000])
    failing(monkeypatch, "small-coatnet", torch.OutOfMemoryError("CUDA out of memory at /some/path"))
    asked = [small["vit"], "no-such-model", replace(small["axial"], filename=str(damaged)), small["coatnet"]]
    rows = {row.model: row for row in compare(picture(), [*asked, small["detr"]], measure=False)}
    assert len(rows) == 5
    assert "No model is called 'no-such-model'" in rows["no-such-model"].failed
    assert "damaged" in rows["small-axial"].failed
    assert "more memory than there is" in rows["small-coatnet"].failed
    for name in ("small-vit", "small-detr"):
        assert rows[name].failed == "" and rows[name].prediction is not None
    for row in rows.values():
        assert str(tmp_path) not in row.failed and "/some/path" not in row.failed


def test_a_fault_of_ours_is_one_sentence_too(small: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, "small-vit", KeyError("blocks.0"))
    rows = list(compare(picture(), [small["vit"], small["axial"]], measure=False))
    assert [row.failed for row in rows if row.model == "small-vit"] == [OUR_FAULT]
    assert [row.failed for row in rows if row.model == "small-axial"] == [""]


def test_the_cpu_running_out_of_memory_is_told_from_other_faults(
    small: dict[str, Card], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, "small-vit", RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    (row,) = compare(picture(), [small["vit"]], measure=False)
    assert "more memory than there is" in row.failed
    monkeypatch.undo()
    failing(monkeypatch, "small-vit", RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    (row,) = compare(picture(), [small["vit"]], measure=False)
    assert row.failed == OUR_FAULT


def test_small_models_come_first_and_progress_rises_to_one(small: dict[str, Card]) -> None:
    sized = [replace(small[name], parameters=count) for name, count in (("detr", 3), ("vit", 1), ("axial", 2))]
    told: list[float] = []
    rows = list(compare(picture(), sized, measure=False, progress=lambda share, text: told.append(share)))
    assert [row.model for row in rows] == ["small-vit", "small-axial", "small-detr"]
    assert told == sorted(told) and told[-1] == 1.0


def test_a_slow_download_holds_nobody_up(small: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    arrived = threading.Event()
    hub = find("timm/test_vit.r160_in1k")

    def fetch(card: Card, progress: Any) -> None:
        progress(0.5, f"Downloading {card.title}: half of it")
        arrived.wait(60)
        raise ValueError("The download was cut off.")

    monkeypatch.setattr(inference, "fetch", fetch)
    told: list[str] = []
    rows = compare(picture(), [hub, small["vit"]], measure=False, progress=lambda share, text: told.append(text))
    assert next(rows).model == "small-vit"
    arrived.set()
    last = next(rows)
    assert (last.model, last.failed) == (hub.name, "The download was cut off.")
    assert any("half of it" in text for text in told)


def test_stopping_between_models_leaves_the_rows_that_are_there(small: dict[str, Card]) -> None:
    stop = threading.Event()
    rows = compare(picture(), list(small.values()), measure=False, cancelled=stop.is_set)
    assert next(rows).prediction is not None
    stop.set()
    assert list(rows) == []


def test_stopping_inside_a_measurement_ends_it(small: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []
    model = inference.load(small["vit"])
    plain = model.forward

    def forward(pixels: torch.Tensor) -> torch.Tensor:
        passes.append(1)
        return plain(pixels)

    monkeypatch.setattr(model, "forward", forward)
    assert list(compare(picture(), [small["vit"]], cancelled=lambda: len(passes) == 3)) == []
    assert len(passes) == 3
    (row,) = compare(picture(), [small["vit"]])  # and the next comparison is measured in full
    assert row.runs >= LEAST_RUNS


def test_a_waiting_comparison_can_be_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    left = threading.Event()
    monkeypatch.setattr(inference, "fetch", lambda card, progress: left.wait(60))
    start = time.perf_counter()
    rows = compare(picture(), ["timm/test_vit.r160_in1k"], cancelled=lambda: time.perf_counter() - start > 0.2)
    assert list(rows) == []
    left.set()


def test_two_visitors_at_once_get_bit_for_bit_what_each_gets_alone(small: dict[str, Card]) -> None:
    chosen, seeds = list(small.values()), (1, 2)

    def ask(seed: int) -> dict[str, Any]:
        rows = list(compare(picture(seed), chosen))
        assert not any(row.failed for row in rows)
        traces = {card.name: inference.trace(picture(seed), card) for card in chosen}
        return {"rows": {row.model: row.prediction for row in rows}, "traces": traces}

    alone = {seed: ask(seed) for seed in seeds}
    for _ in range(2):
        inference.forget()
        with ThreadPoolExecutor(2) as visitors:
            together = dict(zip(seeds, visitors.map(ask, seeds), strict=True))
        for seed in seeds:
            for name, trace in alone[seed]["traces"].items():
                again = together[seed]["traces"][name]
                assert again is not trace
                assert torch.equal(again.logits, trace.logits)
                assert all(torch.equal(x.values, y.values) for x, y in zip(again.tokens, trace.tokens, strict=True))
                ours, theirs = alone[seed]["rows"][name], together[seed]["rows"][name]
                assert (ours.classes, ours.boxes) == (theirs.classes, theirs.boxes)
    assert alone[1]["rows"]["small-vit"].classes != alone[2]["rows"]["small-vit"].classes


def test_from_python_the_rows_keep_the_order_given() -> None:
    rows = pg.compare(picture().rgb, ["untrained:test_vit", "no-such-model", "untrained:test_resnet"], measure=False)
    assert [row.model for row in rows] == ["untrained:test_vit", "no-such-model", "untrained:test_resnet"]
    assert rows[0].untrained and rows[2].untrained and rows[1].prediction is None
    assert "no attention" in rows[2].missing  # it predicts all the same
    assert rows[2].prediction is not None and rows[2].prediction.classes


# what is measured


def test_working_memory_is_what_the_operations_hold_at_once() -> None:
    model = nn.Sequential(nn.Linear(100, 400, bias=False), nn.ReLU(inplace=True), nn.Linear(400, 10, bias=False))
    x = torch.randn(7, 100)
    with torch.no_grad():
        assert working_bytes(lambda: model(x), CPU) == 4 * 7 * (400 + 10)  # both at once, the weights not counted
        assert working_bytes(lambda: [model(x) for _ in range(3)][-1], CPU) == 4 * 7 * (400 + 10 + 2 * 10)
        assert working_bytes(lambda: x.view(100, 7).T[2:], CPU) == 0  # views hold nothing


def test_a_size_is_measured_once_and_another_anew(small: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*given: Any) -> Any:
        calls.append(given)
        return timed(*given)

    monkeypatch.setattr(inference, "timed", counted)
    first = inference.measure(picture(1), small["detr"])
    assert inference.measure(picture(2), small["detr"]) is first
    tall = inference.measure(picture(1, 100, 60), small["detr"])
    assert tall.size == first.size[::-1]
    assert len(calls) == 2


def test_being_told_to_stop_before_measuring_keeps_nothing(small: dict[str, Card]) -> None:
    with pytest.raises(Stopped):
        inference.measure(picture(), small["vit"], lambda: True)
    assert inference.measure(picture(), small["vit"]).runs >= LEAST_RUNS


# what stays resident


def test_the_least_recently_used_leave_and_what_is_in_use_never_does() -> None:
    kept: Kept[str] = Kept(limit=10)

    def get(key: str, size: int = 4) -> str:
        return kept.get(key, lambda: key, lambda _: size)

    with kept.using("a", lambda: "a", lambda _: 4):
        for key in "bcde":
            get(key)
        assert "a" in kept and "b" not in kept  # older than all others, and still there
        assert kept.held == 8
        with kept.using("f", lambda: "f", lambda _: 9):
            assert "a" in kept and "f" in kept and kept.held == 13  # over the limit, but both are used
    assert "f" in kept and "a" not in kept and kept.held == 9


def test_what_reads_a_model_keeps_it_resident(small: dict[str, Card], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference._models, "limit", 1)
    read = inference.forward(small["vit"])
    first = inference.load(small["vit"])
    for name in ("coatnet", "axial", "detr"):
        inference.load(small[name])
    assert inference.load(small["vit"]) is first
    assert len(inference._models) == 1
    pixels = torch.from_numpy(inference.trace(picture(), small["vit"]).view.pixels)[None]
    assert read(pixels).shape == (1, 5)
    del read
    inference.load(small["axial"])
    assert inference.load(small["vit"]) is not first


def test_many_threads_share_a_small_cache_without_losing_what_they_use() -> None:
    kept: Kept[list[str]] = Kept(limit=3)
    faults: list[str] = []

    def work(seed: int) -> None:
        for i in range(200):
            key = "abcdefgh"[(seed * 7 + i * 3) % 8]
            with kept.using(key, lambda key=key: [key], lambda _: 1) as value:
                if value != [key] or key not in kept:
                    faults.append(key)
                again = kept.get(key, lambda key=key: [key], lambda _: 1)
                if again is not value:
                    faults.append(f"{key} was made twice while in use")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(work, range(8)))
    assert faults == []
    assert kept.held == len(kept) <= 3
