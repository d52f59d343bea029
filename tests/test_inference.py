"""Loading, caching and answering with small real models in local files."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from playground import inference
from playground.image import Picture, Preprocess, View, read
from playground.inference import InferenceError, Kept
from playground.models import FAMILIES, Family, family_of
from playground.models.card import Card
from playground.trace import Trace

LABELS = ("ant", "bat", "cat", "dog", "eel")
VIT = {"img_size": 32, "patch_size": 8, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 5}
DETR = {
    "backbone": "resnet10t", "num_classes": 5, "num_queries": 6, "d_model": 32, "nhead": 4,
    "enc": 1, "dec": 1, "ffn": 32,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    inference.forget()
    yield
    inference.forget()


def saved(tmp_path: Path, family: str, options: dict[str, object], preprocess: Preprocess) -> Card:
    """Save a model with random weights and return its card."""
    task = "detection" if family == "detr" else "classification"
    architecture = {"detr": "detr", "vit": "vit_tiny_patch16_224"}[family]
    path = tmp_path / f"{family}.safetensors"
    card = Card(
        name=f"tiny-{family}", title="Tiny", family=family, task=task, architecture=architecture, labels=LABELS,  # type: ignore[arg-type]
        source="local", license="none", options=options, preprocess=preprocess, filename=str(path),
    )  # fmt: skip
    torch.manual_seed(0)
    save_file(family_of(card).build(card).state_dict(), path)
    return card


@pytest.fixture
def vit(tmp_path: Path) -> Card:
    return saved(tmp_path, "vit", VIT, Preprocess("crop", (32, 32)))


@pytest.fixture
def detr(tmp_path: Path) -> Card:
    return saved(tmp_path, "detr", DETR, Preprocess("detr", shortest=64, longest=96))


def photo(seed: int = 0, size: tuple[int, int] = (90, 60)) -> Picture:
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return read(Image.fromarray(noise))


def counting(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Count the forward passes of a family."""
    seen: list[str] = []

    def counted(family: Family) -> Family:
        def trace(model: torch.nn.Module, view: View, card: Card, device: torch.device, graph: bool) -> Trace:
            seen.append(card.name)
            return family.trace(model, view, card, device, graph)

        return replace(family, trace=trace)

    families = {family.name: counted(family) if family.name == name else family for family in FAMILIES}
    monkeypatch.setattr(inference, "family_of", lambda card: families[card.family])
    return seen


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def trace(*_: object) -> Trace:
        raise error

    monkeypatch.setattr(inference, "family_of", lambda card: replace(family_of(card), trace=trace))


def test_scores_are_the_softmax_of_the_logits_best_first(vit: Card) -> None:
    answer = inference.predict(photo(), vit, top_k=99)
    logits = inference.trace(photo(), vit).logits
    assert logits is not None
    assert [c.score for c in answer.classes] == pytest.approx(sorted(logits.softmax(-1).tolist(), reverse=True))
    assert [LABELS[c.index] for c in answer.classes] == [c.label for c in answer.classes]
    assert sum(c.score for c in answer.classes) == pytest.approx(1, abs=1e-5)
    assert answer.seconds > 0
    assert answer.picture_size == (90, 60)


def test_the_fitted_temperature_and_threshold_of_the_card_are_used(vit: Card) -> None:
    logits = inference.trace(photo(), vit).logits
    assert logits is not None
    hot = inference.predict(photo(), replace(vit, temperature=2.0))
    assert hot.classes[0].score == pytest.approx((logits / 2).softmax(-1).max().item())
    assert not hot.unsure
    assert inference.predict(photo(), replace(vit, unsure_below=1.0)).unsure


def test_one_forward_pass_serves_every_later_question(vit: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counting(monkeypatch, "vit")
    for top_k in (1, 3, 5):
        inference.predict(photo(), vit, top_k=top_k)
    assert seen == ["tiny-vit"]
    inference.predict(photo(seed=1), vit)
    assert seen == ["tiny-vit"] * 2


def test_boxes_lie_in_the_upload_and_the_threshold_only_filters(detr: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = counting(monkeypatch, "detr")
    answer = inference.predict(photo(), detr, threshold=0.0)
    assert len(answer.boxes) == 6
    assert [box.score for box in answer.boxes] == sorted((box.score for box in answer.boxes), reverse=True)
    for box in answer.boxes:
        left, top, right, bottom = box.box_xyxy
        assert 0 <= left <= right <= 90
        assert 0 <= top <= bottom <= 60
        assert box.label == LABELS[box.index]
    middle = answer.boxes[2].score
    assert inference.predict(photo(), detr, threshold=middle).boxes == answer.boxes[:3]
    assert answer.above(middle).boxes == answer.boxes[:3]
    assert seen == ["tiny-detr"]


def test_two_visitors_at_once_get_what_each_would_get_alone(vit: Card) -> None:
    pictures = [photo(seed) for seed in range(4)]
    alone = [inference.predict(picture, vit).classes for picture in pictures]
    for _ in range(5):
        inference.forget()
        with ThreadPoolExecutor(4) as visitors:
            together = list(visitors.map(lambda picture: inference.predict(picture, vit).classes, pictures))
        assert together == alone


def test_an_answer_that_is_not_finite_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, vit: Card) -> None:
    good = inference.trace(photo(), vit)
    inference.forget()
    broken = replace(good, logits=torch.full((5,), float("nan")))
    monkeypatch.setattr(inference, "family_of", lambda card: replace(family_of(card), trace=lambda *_: broken))
    with pytest.raises(InferenceError, match="no usable answer"):
        inference.predict(photo(), vit)


def test_too_little_memory_is_one_sentence_and_the_next_question_is_answered(
    vit: Card, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"))
    with pytest.raises(InferenceError, match="more memory than there is"):
        inference.predict(photo(), vit)
    monkeypatch.undo()
    assert inference.predict(photo(), vit).classes


def test_a_cache_makes_each_value_once_and_forgets_the_least_used() -> None:
    made: list[str] = []

    def make(key: str) -> str:
        made.append(key)
        return key

    cache: Kept[str] = Kept(limit=10)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda key=key: make(key), lambda _: 4)
    assert made == ["a", "b", "c"]
    assert cache.held == 8
    cache.get("a", lambda: make("a"), lambda _: 4)  # used last before c, so b left
    assert made == ["a", "b", "c"]
    cache.get("b", lambda: make("b"), lambda _: 4)
    assert made == ["a", "b", "c", "b"]


def test_a_cache_is_not_poisoned_by_a_failure() -> None:
    cache: Kept[str] = Kept(limit=10)

    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cache.get("a", fail, lambda _: 1)
    assert cache.get("a", lambda: "fine", lambda _: 1) == "fine"


def test_many_threads_asking_for_one_value_make_it_once() -> None:
    cache: Kept[int] = Kept(limit=10)
    made: list[int] = []
    gate = threading.Barrier(8)

    def ask() -> None:
        gate.wait()
        cache.get("a", lambda: made.append(1) or 1, lambda _: 1)  # type: ignore[func-returns-value]

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
