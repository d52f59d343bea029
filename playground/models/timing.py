"""What one forward pass costs on this machine: the median of its times, and the memory it works in."""

import statistics
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from playground.models.detr import DETR

LEAST_RUNS, MOST_RUNS = 3, 9
ENOUGH = 1.5  # seconds of timed runs after which no more are made, once there are LEAST_RUNS


class Stopped(Exception):
    """Whoever asked wants no more; nothing went wrong."""


@dataclass(frozen=True)
class Timing:
    """One plain forward pass of a batch of one: median `seconds` of `runs` after warming up, and bytes.

    `weight_bytes` are the parameters and buffers, `working_bytes` the most that a pass holds besides them at once,
    None where the device does not tell. `size` is (rows, cols) of what the model saw, `device` where it ran.
    """

    seconds: float
    runs: int
    weight_bytes: int
    working_bytes: int | None
    size: tuple[int, int]
    device: str

    @property
    def peak_bytes(self) -> int | None:
        """Weights and working memory together."""
        return None if self.working_bytes is None else self.weight_bytes + self.working_bytes


def timed(model: nn.Module, pixels: Tensor, device: torch.device, name: str, stop: Callable[[], bool]) -> Timing:
    """Measure the model on pixels [1, 3, H, W] that lie on the device; `stop` is asked between passes.

    The pass that measures memory warms up, and so does one more. Raises Stopped when told to stop.
    """

    def once() -> float:
        if stop():
            raise Stopped
        start = time.perf_counter()
        _forward(model, pixels)
        _finish(device)
        return time.perf_counter() - start

    if stop():
        raise Stopped
    with torch.no_grad():
        working = working_bytes(lambda: _forward(model, pixels), device)
        once()
        seconds = [once() for _ in range(LEAST_RUNS)]
        while len(seconds) < MOST_RUNS and sum(seconds) < ENOUGH:
            seconds.append(once())
    rows, cols = pixels.shape[-2:]
    return Timing(statistics.median(seconds), len(seconds), weight_bytes(model), working, (rows, cols), name)


def weight_bytes(model: nn.Module) -> int:
    """Return the bytes of all parameters and buffers."""
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))


def working_bytes(run: Callable[[], Any], device: torch.device) -> int | None:
    """Return the most bytes of tensors that `run` holds at once beyond those that were there; None where unknown.

    On CUDA as its allocator counts them; on the CPU as each operation of this thread gives them: what an operation
    sets aside inside itself and drops again is not seen.
    """
    if device.type == "cuda":
        _finish(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        _finish(device)
        return int(torch.cuda.max_memory_allocated(device)) - before
    if device.type != "cpu":
        run()
        return None
    with _Held() as held:
        run()
    return held.most


class _Held(TorchDispatchMode):
    """While entered, counts the bytes of tensors that operations of this thread made and that are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled here, and the decorator that says so would load torch's compiler

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        given = {t.untyped_storage()._cdata for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        made = func(*args, **kwargs)
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self._add(tensor, given)
        return made

    def _add(self, tensor: Tensor, given: set[int]) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in given or key in self._seen:  # a view, or changed in place
            return

        def gone(_: Any) -> None:
            del self._seen[key]
            self.now -= size

        self._seen[key] = weakref.ref(storage, gone)
        self.now += size
        self.most = max(self.most, self.now)


def _forward(model: Any, pixels: Tensor) -> Any:
    """Run the model whole, the masks of a panoptic one for all queries, as its published code does."""
    return model(pixels, masks=True) if isinstance(model, DETR) else model(pixels)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
