"""Weights from the hub: the protocol, the cache and every fault, against a server on this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fake_hub import COMMIT, FakeHub
from safetensors.torch import save, save_file
from torch import Tensor
from weight_files import (
    BROKEN,
    NAME,
    EvilPickle,
    broken_files,
    build,
    is_one_plain_sentence,
    plain,
)

from playground.models import catalogue, family_of, hub
from playground.models.catalogue import find
from playground.models.weights import WeightsError, load

PANOPTIC = "facebook/detr-resnet-50-panoptic"


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub on this machine and an empty cache."""
    with FakeHub() as server:
        monkeypatch.setattr(hub, "ENDPOINT", server.url)
        monkeypatch.setattr(hub, "CACHE", tmp_path / "cache")
        monkeypatch.setattr(hub, "PAUSES", (0.01, 0.01))
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", False)  # as a stranger's machine is
        monkeypatch.setattr("huggingface_hub.file_download.time", SimpleNamespace(sleep=lambda seconds: None))
        yield server


# working


def test_nothing_is_asked_of_the_hub_but_the_file(served: FakeHub, whole: bytes) -> None:
    served.put(NAME, whole)
    load(find(NAME), build)
    repo = find(NAME).repo
    assert served.asked
    assert all(path.startswith(f"/{repo}/resolve/") for _, path, _ in served.asked)


def test_a_hub_model_arrives_with_progress_and_is_kept(served: FakeHub, whole: bytes, state: dict[str, Tensor]) -> None:
    served.put(NAME, whole)
    told: list[tuple[float, str]] = []
    model = load(find(NAME), build, progress=lambda share, text: told.append((share, text)))
    assert torch.equal(model.state_dict()["head.weight"], state["head.weight"])
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert any(text == "Downloading test_vit.r160_in1k: 1 of 1 MB" for _, text in told)
    asked = len(served.asked)
    served.faults[NAME] = "broken"
    load(find(NAME), build)
    assert len(served.asked) == asked  # the second time nobody is asked


def test_a_pinned_revision_is_the_one_asked_for(served: FakeHub, whole: bytes) -> None:
    card = replace(find(NAME), revision="ab" * 20)
    served.put(NAME, whole, revision="ab" * 20)
    hub.fetch(card)
    assert all(f"/resolve/{'ab' * 20}/" in path for _, path, _ in served.asked)


def test_a_cached_file_is_used_offline(served: FakeHub, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    served.put(NAME, whole)
    first = hub.fetch(find(NAME))
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert hub.fetch(find(NAME)) == first


def test_a_cache_damaged_on_this_machine_is_fetched_anew(served: FakeHub, whole: bytes) -> None:
    served.put(NAME, whole)
    hub.fetch(find(NAME)).resolve().write_bytes(whole[: len(whole) // 3])
    assert load(find(NAME), build) is not None
    assert served.count("GET") == 2


def test_two_threads_asking_at_once_make_one_download(served: FakeHub, whole: bytes) -> None:
    served.put(NAME, whole)
    served.faults[NAME] = "patient"
    paths: list[Path] = []
    threads = [threading.Thread(target=lambda: paths.append(hub.fetch(find(NAME)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(paths)) == 1
    assert len(paths) == 2
    assert served.count("GET") == 1


def test_another_process_asking_the_mirror_at_once_waits_for_the_one_download(
    served: FakeHub, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put(NAME, whole)
    served.faults[NAME] = "patient"
    monkeypatch.setattr(hub, "CACHE", tmp_path / "home" / "hub")
    program = f"from playground.models import catalogue, hub; print(hub.fetch(catalogue.find({NAME!r})).name)"
    settings = {"HF_ENDPOINT": served.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command, surroundings = [sys.executable, "-c", program], {**os.environ, **settings}
    other = subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, text=True)
    assert hub.fetch(find(NAME)).read_bytes() == whole
    assert other.communicate(timeout=50)[0].strip() == "model.safetensors"
    assert served.count("GET") == 1


def test_a_short_fault_of_the_hub_is_tried_again(served: FakeHub, whole: bytes) -> None:
    served.put(NAME, whole)
    served.faults[NAME] = "hiccup"
    assert hub.fetch(find(NAME)).read_bytes() == whole


def test_a_download_cut_once_goes_on_where_it_stopped(
    served: FakeHub, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put(NAME, whole)
    served.faults[NAME] = "cut once"
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", len(whole) // 4)
    assert hub.fetch(find(NAME)).read_bytes() == whole
    assert [part for method, _, part in served.asked if method == "GET"][1] == f"bytes={len(whole) // 4 * 2}-"


def test_a_byte_that_changed_on_the_way_is_noticed_and_fetched_again(served: FakeHub, whole: bytes) -> None:
    served.put(NAME, whole)
    served.faults[NAME] = "flipped once"
    assert hub.fetch(find(NAME)).read_bytes() == whole
    assert served.count("GET") == 2


def test_an_older_file_of_timm_is_read_as_timm_reads_it(served: FakeHub, tmp_path: Path) -> None:
    card = replace(
        find("timm/swin_tiny_patch4_window7_224.ms_in1k"),
        options={"img_size": 112, "embed_dim": 24, "depths": (1, 2)},
    )
    reference = plain("swin_tiny_patch4_window7_224", **card.options)
    older = {**reference.state_dict(), "layers.0.blocks.0.attn.relative_position_index": torch.zeros(49, 49)}
    served.put(str(card.repo), save(older))
    model = load(card, build)
    assert all(torch.equal(value, older[name]) for name, value in model.state_dict().items())
    save_file(older, tmp_path / "own.safetensors")
    own = replace(card, source="local", filename=str(tmp_path / "own.safetensors"))
    with pytest.raises(WeightsError, match="relative_position_index' that the model does not know"):
        load(own, build)  # files of one's own must fit as they are


# failing

FAULTS = [
    ("gated", "asks for permission"),
    ("private", "knows no"),
    ("login", "refuses this machine"),
    ("busy", "busy; try again in 55 seconds"),
    ("broken", "has a fault at the moment"),
    ("cut", "was cut off"),
    ("short", "was cut off"),
    ("flipped", "arrived damaged"),
]


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_every_fault_of_the_hub_is_one_sentence(
    fault: str, said: str, served: FakeHub, whole: bytes, tmp_path: Path
) -> None:
    served.put(NAME, whole)
    served.faults[NAME] = fault
    with pytest.raises(WeightsError, match=said) as error:
        load(find(NAME), build)
    assert "choose" in is_one_plain_sentence(error, tmp_path)
    assert not list((tmp_path / "cache").rglob("model.safetensors"))  # never a half file under the final name
    served.faults.clear()
    assert hub.fetch(find(NAME)).read_bytes() == whole  # and nothing stands in the way of the next try


@pytest.mark.parametrize("absent", ["repository", "revision", "file"])
def test_what_the_hub_does_not_have_is_one_sentence(absent: str, served: FakeHub, whole: bytes, tmp_path: Path) -> None:
    card = find(NAME)
    if absent == "revision":
        served.put(NAME, whole)
        card = replace(card, revision="ab" * 20)
    elif absent == "file":
        served.put(NAME, whole, filename="pytorch_model.bin")  # a pickle of no named repository: not even asked for
    with pytest.raises(WeightsError, match="choose another model") as error:
        load(card, build)
    is_one_plain_sentence(error, tmp_path)
    assert served.count("GET") == 0


@pytest.mark.parametrize("how", ["refused", "silent", "no such host", "offline mode"])
def test_an_unreachable_hub_is_one_sentence_after_one_try(
    how: str, served: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "PATIENCE", 2.0)
    if how == "refused":
        monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    elif how == "no such host":
        monkeypatch.setattr(hub, "ENDPOINT", "http://hub.invalid")
    elif how == "offline mode":
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    else:
        served.put(NAME, b"x")
        served.faults[NAME] = "silent"
    with pytest.raises(WeightsError, match="cannot be reached") as error:
        load(find(NAME), build)
    is_one_plain_sentence(error, "hub.invalid")
    assert len(served.asked) <= (1 if how == "silent" else 0)


def test_a_silent_hub_is_one_that_cannot_be_reached_whichever_limit_comes_first(
    served: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(url: str, **_: object) -> None:
        raise hub.httpx.ReadTimeout("the library's own limit")

    monkeypatch.setattr(hub, "get_hf_file_metadata", slow)
    with pytest.raises(WeightsError, match="cannot be reached"):
        load(find(NAME), build)


def test_a_full_disk_is_noticed_before_the_first_byte(
    served: FakeHub, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put(NAME, whole)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(total=10**9, used=10**9, free=3_000_000))
    with pytest.raises(WeightsError, match=r"disk is full: .* needs 1 MB and 3 MB are free") as error:
        load(find(NAME), build)
    is_one_plain_sentence(error)
    assert served.count("GET") == 0


def test_a_giant_is_refused_before_the_first_byte(
    served: FakeHub, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put(NAME, whole)
    monkeypatch.setattr(hub, "LARGEST_BYTES", len(whole) - 1)
    with pytest.raises(WeightsError, match="choose a smaller model") as error:
        load(find(NAME), build)
    is_one_plain_sentence(error)
    assert served.count("GET") == 0


def test_a_disk_that_fills_while_downloading_is_one_sentence(
    served: FakeHub, whole: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put(NAME, whole)

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download._chmod_and_move", full)
    with pytest.raises(WeightsError, match="The disk is full; make room") as error:
        load(find(NAME), build)
    is_one_plain_sentence(error)


def test_a_cache_that_cannot_be_written_is_one_sentence(
    served: FakeHub, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.put(NAME, whole)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr(hub, "CACHE", tmp_path / "file" / "cache")
    with pytest.raises(WeightsError, match="cannot be stored on this machine; set HF_HOME") as error:
        load(find(NAME), build)
    is_one_plain_sentence(error, tmp_path)


def test_a_progress_that_raises_ends_the_download(served: FakeHub, whole: bytes) -> None:
    class Left(Exception):
        pass

    def leave(share: float, text: str) -> None:
        raise Left

    served.put(NAME, whole)
    with pytest.raises(Left):
        load(find(NAME), build, progress=leave)


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_hub_file_is_fetched_once_more_and_then_refused(
    kind: str, whole: bytes, served: FakeHub, at_home: Path
) -> None:
    served.put(NAME, broken_files(whole)[kind])
    with pytest.raises(WeightsError, match="is damaged") as error:
        load(find(NAME), build)
    is_one_plain_sentence(error, at_home)
    assert served.count("HEAD") == 4
    assert served.count("GET") == (0 if kind == "empty" else 2)
    assert not (at_home / EvilPickle.MARK).exists()
    served.put(NAME, whole)  # repaired on the other side: nothing damaged was kept
    assert load(find(NAME), build) is not None


# the one pickle


def test_the_panoptic_pickle_is_read_only_when_there_is_no_safetensors(
    served: FakeHub, state: dict[str, Tensor], whole: bytes, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "pickle")
    served.put(PANOPTIC, (tmp_path / "pickle").read_bytes(), filename="pytorch_model.bin")
    tiny = replace(find(PANOPTIC), revision=COMMIT)
    model = load(tiny, lambda card: plain())
    assert torch.equal(model.state_dict()["head.weight"], state["head.weight"])
    served.put(PANOPTIC, whole, revision=COMMIT)
    assert hub.fetch(replace(tiny, title="again")).name == "pytorch_model.bin"  # what is cached is used
    assert [filename for filename, _ in hub.places(find(PANOPTIC))] == [
        "model.safetensors",
        "model.safetensors",
        "pytorch_model.bin",
    ]


def test_a_malicious_pickle_in_its_place_runs_nothing(served: FakeHub, at_home: Path) -> None:
    served.put(PANOPTIC, EvilPickle.BYTES, filename="pytorch_model.bin")
    with pytest.raises(WeightsError, match="is damaged") as error:
        load(find(PANOPTIC), family_of(find(PANOPTIC)).build)
    is_one_plain_sentence(error, at_home)
    assert not (at_home / EvilPickle.MARK).exists()


def test_no_other_repository_may_bring_a_pickle(at_home: Path) -> None:
    pickle = at_home / "pytorch_model.bin"
    assert hub.is_allowed_pickle(find(PANOPTIC), pickle)
    for card in catalogue.HUB:
        assert hub.is_allowed_pickle(card, pickle) == (card.repo == PANOPTIC)
        assert not hub.is_allowed_pickle(card, at_home / "model.safetensors")
    local = replace(find(PANOPTIC), source="local")
    assert not hub.is_allowed_pickle(local, pickle)
