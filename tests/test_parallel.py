"""Several processes train one network: equal weights, different batches, one that saves; and causes of a bad loss."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_loop import SHORT, Line
from torch import nn

from playground.training import parallel, recipes
from playground.training.causes import cause
from playground.training.drawn import maker
from playground.training.loop import Run, Settings, Stage, TrainingError, train
from playground.training.matching import Target, Targets
from playground.training.panoptic import PanopticDetection
from playground.training.parallel import TeamError, plain, team

MEMBER = """
import json, sys
from pathlib import Path
import torch
from test_loop import SHORT, Line
from playground.training import parallel
from playground.training.loop import TrainingError, train

torch.set_num_threads(1)
folder, broken = Path(sys.argv[1]), sys.argv[2] == "broken"
drawn, lines = [], []


class Noted(Line):
    def batch(self, size, count, generator):
        x, y = super().batch(size, count, generator)
        drawn.append(float(x[0]))
        if broken and parallel.rank() == 1 and len(drawn) == 3:
            x[:] = float("nan")
        return x, y


with parallel.team("cpu") as device:
    name = f"member-{parallel.rank()}.json"
    try:
        run = train(Noted(), SHORT, folder / "state.safetensors", log=lines.append)
        said = {"weight": float(run.model.weight), "ema": float(run.ema.weight), "step": run.step, "seen": run.seen,
                "elapsed": run.elapsed, "first": drawn[0], "lines": len(lines)}
    except TrainingError as error:
        said = {"error": str(error)}
    (folder / name).write_text(json.dumps(said))
"""


def together(folder: Path, how: str) -> list[dict]:
    """What each of two processes said."""
    import json

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    members = [
        subprocess.Popen(
            [sys.executable, "-c", MEMBER, str(folder), how],
            env=os.environ | place | {"RANK": str(rank), "LOCAL_RANK": str(rank), "PYTHONPATH": path},
        )
        for rank in range(2)
    ]
    assert [member.wait(timeout=300) for member in members] == [0, 0]
    return [json.loads((folder / f"member-{rank}.json").read_text()) for rank in range(2)]


def test_two_processes_learn_the_same_weights_from_different_batches(tmp_path: Path) -> None:
    first, second = together(tmp_path, "sound")
    assert first["weight"] == second["weight"] and first["ema"] == second["ema"]
    assert first["step"] == second["step"] and first["elapsed"] == second["elapsed"]
    assert first["first"] != second["first"]
    assert first["ema"] == pytest.approx(3, abs=0.15)
    assert first["seen"] >= 2 * 8 * first["step"]
    assert (tmp_path / "state.safetensors").exists() and second["lines"] == 0


def test_a_bad_batch_of_one_process_stops_both(tmp_path: Path) -> None:
    for member in together(tmp_path, "broken"):
        assert "The loss became nan" in member["error"]


def test_alone_there_is_nothing_to_agree() -> None:
    with team("cpu") as device:
        assert device == "cpu" and parallel.size() == 1 and parallel.leads()
    model = nn.Linear(1, 1)
    assert parallel.trained(model, "cpu") is model and plain(model) is model
    assert parallel.mean(2.5, "cpu") == parallel.led(2.5, "cpu") == 2.5


def test_a_compiled_network_learns_as_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, but the compiler's graph runs op by op: not every machine has what makes kernels of it."""
    recipe = recipes.find("shapes-tiny")
    assert isinstance(recipe, recipes.ShapesRecipe)

    def losses() -> list[float]:
        task = PanopticDetection(maker(recipe), [], lambda size: recipes.build(recipe, size, 2), 2, masks_at_once=4)
        run = Run(task, Settings(1, (Stage(1.0, 64, 2),), recipe.lr, recipe.weight_decay, bf16=False))
        return [run.one_step() for _ in range(2)]

    plainly = losses()
    monkeypatch.setattr(parallel, "trained", lambda model, device: torch.compile(model, backend="aot_eager"))
    assert losses() == pytest.approx(plainly, rel=1e-4)


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TeamError, match="There are 1 GPUs"), team("cuda"):
        raise AssertionError("not reached")


def test_the_cause_of_a_bad_loss_is_named(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    good, bad = torch.ones(3, 2), torch.ones(3, 2)
    bad[1, 0] = float("inf")
    assert cause((good, bad), model).startswith("example 2 of the batch")
    assert cause((good, Targets.of([Target(torch.tensor([0]), bad)])), model).startswith("example 1 of the batch")
    assert "too large" in cause((good, good), model)
    with torch.no_grad():
        model.bias.fill_(float("nan"))
    assert cause((good, good), model).endswith("first in bias")
    with pytest.raises(TrainingError, match=r"The loss became .*too large"):
        train(Line(broken=True), SHORT, tmp_path / "state.safetensors", log=str)
