"""The training loop: its time, resume and growth, faults while saving, attention written out."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import EIGHTY, drawn_photos
from torch import Tensor, nn
from torch.nn import functional as F

from playground.training import loop, recipes
from playground.training.attention import WrittenOut
from playground.training.classify import Augment, Classification
from playground.training.loop import Run, Settings, Stage, TrainingError


class Line:
    """The smallest task: learn y = 3 x - 1 from noise-free points; `broken` gives a loss that is not a number."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def build(self, size: int) -> nn.Module:
        return nn.Linear(1, 1)

    def fit(self, state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        return state

    def enter(self, model: nn.Module, stage: Stage) -> None:
        self.stage = stage

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        return [(1.0, ["weight", "bias"])]

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        x = torch.rand(count, 1, generator=generator)
        return x, 3 * x - 1

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        x, y = batch
        return (model(x) - y).square().mean() / (0.0 if self.broken else 1.0)

    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        return {"weight": float(model.weight)}


SHORT = Settings(0.05, (Stage(0.5, 8, 16), Stage(1.0, 16, 8)), lr=0.05, weight_decay=0.0, bf16=False)


def test_the_loop_learns_within_its_time(tmp_path: Path) -> None:
    lines: list[str] = []
    run = loop.train(Line(), SHORT, tmp_path / "state.safetensors", log=lines.append)
    assert run.progress == 1.0
    assert run.size == 16
    assert float(run.ema.weight) == pytest.approx(3, abs=0.1)
    assert float(run.ema.bias) == pytest.approx(-1, abs=0.1)


def test_a_step_that_leaps_over_the_last_stage_still_ends_at_its_size(tmp_path: Path) -> None:
    hurried = dataclasses.replace(SHORT, minutes=1e-9)
    run = loop.train(Line(), hurried, tmp_path / "state.safetensors", log=str)
    assert (run.step, run.size) == (1, 16)


def test_resuming_gives_the_same_weights_as_never_stopping(tmp_path: Path) -> None:
    whole = Run(Line(), SHORT)
    for _ in range(12):
        whole.one_step()
        whole.elapsed = 0.0
    stopped = Run(Line(), SHORT)
    for _ in range(5):
        stopped.one_step()
        stopped.elapsed = 0.0
    stopped.save(tmp_path / "state.safetensors")
    resumed = Run(Line(), dataclasses.replace(SHORT, seed=99))
    resumed.resume(tmp_path / "state.safetensors")
    assert resumed.step == 5
    for _ in range(7):
        resumed.one_step()
        resumed.elapsed = 0.0
    for name, value in whole.ema.state_dict().items():
        torch.testing.assert_close(resumed.ema.state_dict()[name], value, rtol=0, atol=0)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0)


def test_a_loss_that_is_no_number_stops_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="The loss became"):
        loop.train(Line(broken=True), SHORT, tmp_path / "state.safetensors", log=str)
    assert not (tmp_path / "state.safetensors").exists()


def test_a_damaged_or_foreign_state_is_refused(tmp_path: Path) -> None:
    run = Run(Line(), SHORT)
    run.save(tmp_path / "state.safetensors")
    data = (tmp_path / "state.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(TrainingError, match="cannot be resumed"):
        run.resume(tmp_path / "cut.safetensors")

    class Other(Line):
        def build(self, size: int) -> nn.Module:
            return nn.Linear(2, 1)

    with pytest.raises(TrainingError, match="cannot be resumed"):
        Run(Other(), SHORT).resume(tmp_path / "state.safetensors")


def test_saving_over_a_full_place_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(Line(), SHORT)
    run.save(tmp_path / "state.safetensors")
    before = (tmp_path / "state.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    run.one_step()
    with pytest.raises(TrainingError, match="disk full"):
        run.save(tmp_path / "state.safetensors")
    assert (tmp_path / "state.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from test_loop import Line, SHORT
import dataclasses
from playground.training import loop
loop.train(Line(), dataclasses.replace(SHORT, minutes=5, save_every=0.02), Path(sys.argv[2]), log=print)
"""


def test_a_killed_run_resumes_from_a_whole_file(tmp_path: Path) -> None:
    state = tmp_path / "state.safetensors"
    process = subprocess.Popen([sys.executable, "-c", KILLED, __file__, str(state)], cwd=Path(__file__).parent.parent)
    try:
        deadline = time.monotonic() + 120
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    run = Run(Line(), SHORT)
    run.resume(state)
    assert run.step > 0
    assert np.isfinite(run.one_step())


def test_growing_keeps_what_was_learned() -> None:
    """Positions and relative tables are resampled; every other weight and its moments carry over exactly."""
    photos = dataclasses.replace(drawn_photos(16), classes=EIGHTY)
    for name in ("everyday-vit", "everyday-coatnet"):
        recipe = recipes.find(name)

        def build(size: int, recipe: recipes.Recipe = recipe) -> nn.Module:
            return recipes.build(recipe, size)

        task = Classification(photos, np.arange(16), np.arange(2), build, recipes.fit, Augment())
        run = Run(task, Settings(1, (Stage(1.0, 32, 2),), lr=1e-3, weight_decay=0.05, bf16=False))
        run.one_step()
        before, moments = dict(run.model.named_parameters()), run._moments()
        run.grow(48)
        after, later = dict(run.model.named_parameters()), run._moments()
        changed = {name for name in before if before[name].shape != after[name].shape}
        assert changed == {n for n in before if n == "pos_embed" or n.endswith("relative_position_bias_table")}
        assert all(torch.equal(before[n], after[n]) for n in before.keys() - changed)
        assert {f"exp_avg/{n}" for n in before.keys() - changed} <= later.keys()
        assert all(torch.equal(moments[k], later[k]) for k in later)
        assert np.isfinite(run.one_step())


@pytest.mark.parametrize("mask", [None, "boolean", "added"])
def test_attention_written_out_is_attention(mask: str | None) -> None:
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 8, generator=draw, requires_grad=True) for n in (5, 7, 7))
    given: dict[str, Tensor | None] = {"attn_mask": None}
    if mask == "boolean":
        given["attn_mask"] = torch.rand(2, 1, 5, 7, generator=draw) < 0.8
    if mask == "added":
        given["attn_mask"] = torch.randn(2, 1, 5, 7, generator=draw)
    plain = F.scaled_dot_product_attention(q, k, v, scale=0.3, **given)
    wanted = torch.autograd.grad(plain.square().sum(), (q, k, v))
    with WrittenOut():
        written = F.scaled_dot_product_attention(q, k, v, scale=0.3, **given)
    found = torch.autograd.grad(written.square().sum(), (q, k, v))
    torch.testing.assert_close(written, plain, rtol=1e-5, atol=1e-6)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_attention_that_drops_or_looks_back_only_stays_torchs_own() -> None:
    q = torch.randn(1, 1, 4, 8, generator=torch.Generator().manual_seed(1))
    with WrittenOut():
        causal = F.scaled_dot_product_attention(q, q, q, is_causal=True)
        torch.manual_seed(0)
        dropped = F.scaled_dot_product_attention(q, q, q, dropout_p=0.9)
    torch.testing.assert_close(causal, F.scaled_dot_product_attention(q, q, q, is_causal=True))
    assert not torch.allclose(dropped, F.scaled_dot_product_attention(q, q, q))
