"""Several processes that train one network: `torchrun --nproc-per-node N -m playground train RECIPE`.

Each process draws batches of its own; gradients are averaged (DistributedDataParallel), so the weights stay equal.
Process 0 tells the time, scores, saves, measures and speaks. Without torchrun there is one process, and it agrees.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


class TeamError(ValueError):
    """The processes cannot be started together; the text is one plain sentence."""


@contextmanager
def team(device: str) -> Iterator[str]:
    """Join the processes that torchrun started, if any, and leave them at the end; the device of this one."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda":
        if local >= torch.cuda.device_count():
            raise TeamError(f"There are {torch.cuda.device_count()} GPUs; start at most as many processes.")
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        distributed.destroy_process_group()


def size() -> int:
    """How many processes train together."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def rank() -> int:
    """Which of them this is; 0 leads."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def leads() -> bool:
    """Whether this process tells the time, saves and speaks."""
    return rank() == 0


def led(value: float, device: str) -> float:
    """The first process's value, in all of them."""
    if size() == 1:
        return value
    told = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.broadcast(told, 0)
    return float(told)


def mean(value: float, device: str) -> float:
    """The mean over all processes: no number anywhere makes it no number everywhere."""
    if size() == 1:
        return value
    told = torch.tensor(value, dtype=torch.float64, device=device)
    distributed.all_reduce(told)
    return float(told) / size()


def trained(model: nn.Module, device: str) -> nn.Module:
    """The network as it is called in training: compiled on a GPU, averaging its gradients among several processes."""
    called: nn.Module = model
    if size() > 1:
        called = DistributedDataParallel(called, device_ids=[torch.device(device)] if device != "cpu" else None)
    if device.startswith("cuda"):
        called = torch.compile(called, dynamic=False)  # type: ignore[assignment]  # a stage has one size
    return called


def plain(model: nn.Module) -> nn.Module:
    """The network itself, without what `trained` wrapped around it."""
    for name in ("_orig_mod", "module"):
        model = getattr(model, name, model)
    return model
