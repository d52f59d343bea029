"""Weights from disk, whole and damaged."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from weight_files import (
    BROKEN,
    NAME,
    EvilPickle,
    broken_files,
    build,
    is_one_plain_sentence,
    plain,
)

from playground.image import Preprocess
from playground.models import catalogue, weights
from playground.models.card import Card, Metric
from playground.models.catalogue import find, local_card
from playground.models.weights import WeightsError, load

ARCHITECTURES: tuple[tuple[str, dict[str, Any]], ...] = (  # made small by their own options
    ("test_vit", {}),
    ("deit_tiny_distilled_patch16_224", {"img_size": 64, "depth": 2}),
    ("vit_small_patch14_reg4_dinov2", {"img_size": 70, "depth": 2}),
    ("vit_little_patch16_reg4_gap_256", {"img_size": 64, "depth": 2}),
    ("vit_relpos_small_patch16_224", {"img_size": 64, "depth": 2}),
    ("vit_small_patch16_dinov3", {"img_size": 64, "depth": 2}),
    ("eva02_tiny_patch14_224", {"img_size": 70, "depth": 2}),
    ("beit_base_patch16_224", {"img_size": 64, "depth": 2}),
    ("test_coatnet", {}),
    ("coatnet_rmlp_nano_rw_224", {"img_size": 64, "depths": (1, 1, 1, 1)}),
    ("test_maxvit", {}),
    ("swin_tiny_patch4_window7_224", {"img_size": 112, "embed_dim": 24, "depths": (1, 2, 1)}),
    ("swinv2_tiny_window8_256", {"img_size": 64, "embed_dim": 24, "depths": (1, 2)}),
    ("convit_tiny", {"img_size": 64, "depth": 11}),
    ("levit_128s", {}),
    ("tiny_vit_5m_224", {}),
    ("gcvit_xxtiny", {}),
    ("efficientformerv2_s0", {}),
    ("crossvit_tiny_240", {}),
    ("test_resnet", {}),
)


@pytest.mark.parametrize(("name", "options"), ARCHITECTURES, ids=[name for name, _ in ARCHITECTURES])
def test_a_loaded_model_is_bit_equal_to_a_plainly_built_one(name: str, options: dict[str, Any], tmp_path: Path) -> None:
    reference = plain(name, **options)
    for name_in_file, value in reference.state_dict().items():  # fresh running statistics would hide a forgotten one
        if "running" in name_in_file:
            value.add_(0.01)
    path = tmp_path / "model.safetensors"
    save_file({key: value.clone() for key, value in reference.state_dict().items()}, path)
    card = replace(local_card(path, "test_vit"), architecture=name, options=options, family="timm")
    model = load(card, build)
    assert not model.training
    assert all(not tensor.is_meta for tensor in (*model.parameters(), *model.buffers()))
    stored = set(model.state_dict())
    computed = {key: value for key, value in reference.named_buffers() if key not in stored}
    found = dict(model.named_buffers())
    assert all(torch.equal(found[key], value) for key, value in computed.items())
    size = options.get("img_size", reference.pretrained_cfg["input_size"][-1])
    pixels = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(model(pixels), reference(pixels))


def test_nothing_is_initialised_and_no_random_number_drawn() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with torch.no_grad():
        weights.build_unfilled(find("vit-tiny-patch16-224"), build)
    assert torch.equal(torch.get_rng_state(), before)
    layer = nn.Linear(4, 4)  # outside, everything is as ever
    assert layer.weight.abs().sum() > 0
    frozen = nn.Parameter(torch.ones(2))
    with weights._Uninitialised():
        frozen.requires_grad_(False)
        frozen.fill_(5.0)
    assert not frozen.requires_grad
    assert frozen.tolist() == [1.0, 1.0]


def test_half_precision_files_become_float32(tmp_path: Path, state: dict[str, Tensor]) -> None:
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        path = tmp_path / "model.safetensors"
        save_file({name: value.to(kind) for name, value in state.items()}, path)
        model = load(local_card(path, NAME), build)
        for name, value in model.state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, state[name].to(kind).float())


def test_rename_is_applied_before_names_are_compared(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    save_file({f"model.{name}": value for name, value in state.items()}, path)
    model = load(local_card(path, NAME), build, lambda found: {k.removeprefix("model."): v for k, v in found.items()})
    assert torch.equal(model.state_dict()["head.weight"], state["head.weight"])


def test_a_rename_that_does_not_know_the_file_is_one_sentence(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "model.safetensors"
    save_file(state, path)
    with pytest.raises(WeightsError, match="names of another kind of model") as error:
        load(local_card(path, NAME), build, lambda found: {"head": found["no such name"]})
    is_one_plain_sentence(error, tmp_path)


# damage that shows in single tensors


def spoiled(state: dict[str, Tensor], how: str) -> dict[str, Tensor]:
    found = dict(state)
    if how == "missing":
        del found["blocks.0.norm1.weight"]
    elif how == "extra":
        found["extra\n" + "x" * 500] = torch.ones(2)
    elif how == "shape":
        found["head.weight"] = torch.ones(5, 64)
    elif how == "whole numbers":
        found["head.weight"] = torch.ones_like(state["head.weight"], dtype=torch.int64)
    elif how == "complex":
        found["head.weight"] = state["head.weight"].to(torch.complex64)
    elif how in ("nan", "inf"):
        found["head.weight"] = state["head.weight"].clone()
        found["head.weight"][3, 3] = float(how)
    elif how == "zero":
        found = {name: torch.zeros_like(value) for name, value in state.items()}
    else:
        found = {}
    return found


SPOILED = [
    ("missing", "lacks the tensor 'blocks.0.norm1.weight'"),
    ("extra", r"does not know"),
    ("shape", "'head.weight' is 5 × 64 and should be 1000 × 64"),
    ("whole numbers", "'head.weight' holds another kind of numbers"),
    ("complex", "'head.weight' holds another kind of numbers"),
    ("nan", "'head.weight' holds values that are no numbers"),
    ("inf", "'head.weight' holds values that are no numbers"),
    ("zero", "all its matrices are zero"),
    ("empty", "lacks the tensor"),
]


@pytest.mark.parametrize(("how", "said"), SPOILED, ids=[how for how, _ in SPOILED])
def test_weights_that_do_not_fit_are_refused_by_the_first_tensor(
    how: str, said: str, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    save_file(spoiled(state, how), path)
    with pytest.raises(WeightsError, match=said) as error:
        load(local_card(path, NAME), build)
    is_one_plain_sentence(error, tmp_path)


def test_large_honest_values_are_accepted(tmp_path: Path, state: dict[str, Tensor]) -> None:
    found = {**state, "head.weight": torch.full_like(state["head.weight"], 3e38)}  # the sum overflows, no value does
    path = tmp_path / "model.safetensors"
    save_file(found, path)
    assert torch.equal(load(local_card(path, NAME), build).state_dict()["head.weight"], found["head.weight"])


# damage that shows in the file


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_local_file_is_one_sentence(kind: str, whole: bytes, at_home: Path) -> None:
    path = at_home / "model.safetensors"
    path.write_bytes(broken_files(whole)[kind])
    with pytest.raises(WeightsError, match="damaged or no safetensors file") as error:
        load(local_card(path, NAME), build)
    is_one_plain_sentence(error, at_home)
    assert not (at_home / EvilPickle.MARK).exists()


def test_the_malicious_pickle_would_run_if_it_were_unpickled(at_home: Path) -> None:
    pickle.loads(EvilPickle.BYTES)
    assert (at_home / EvilPickle.MARK).exists()


def test_only_safetensors_are_read_from_disk(at_home: Path) -> None:
    for name in ("model.bin", "model.pth", "model.pt", "model.ckpt"):
        (at_home / name).write_bytes(EvilPickle.BYTES)
        with pytest.raises(WeightsError, match=r"Only \.safetensors"):
            load(local_card(at_home / name, NAME), build)
    with pytest.raises(WeightsError, match="no such weights file"):
        load(local_card(at_home / "absent.safetensors", NAME), build)
    assert not (at_home / EvilPickle.MARK).exists()


# bundled


@pytest.fixture
def bundled(tmp_path: Path, whole: bytes, monkeypatch: pytest.MonkeyPatch) -> Card:
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path)
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors").write_bytes(whole)
    return Card(
        name="tiny",
        title="Tiny ViT",
        family="vit",
        task="classification",
        architecture="test_vit",
        labels="imagenet-1k",
        preprocess=Preprocess(rule="crop", size=(160, 160)),
        source="bundled",
        sha256=hashlib.sha256(whole).hexdigest(),
        size_bytes=len(whole),
        license="apache-2.0",
        parameters=371_240,
        metrics=(Metric("top-1", 1.0, "%", "photos", "here"),),
        training={"seed": 1},
    )


def test_a_bundled_model_loads_and_no_longer_needs_its_file(bundled: Card, tmp_path: Path, state: Any) -> None:
    told: list[tuple[float, str]] = []
    model = load(bundled, build, progress=lambda share, text: told.append((share, text)))
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"")
    assert torch.equal(model.state_dict()["head.weight"], state["head.weight"])
    assert told[-1] == (1.0, "Preparing Tiny ViT")


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "nonsense"])
def test_a_damaged_bundled_file_names_the_model(damage: str, bundled: Card, tmp_path: Path, whole: bytes) -> None:
    path = tmp_path / "tiny" / "model.safetensors"
    if damage == "flip":
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    elif damage == "cut":
        path.write_bytes(whole[:-100])
    elif damage == "gone":
        path.unlink()
    else:
        path.write_bytes(b"nonsense")
        bundled = replace(bundled, sha256=hashlib.sha256(b"nonsense").hexdigest())
    with pytest.raises(WeightsError, match=r"Tiny ViT is damaged or missing.*the others still work") as error:
        load(bundled, build)
    is_one_plain_sentence(error, tmp_path)
