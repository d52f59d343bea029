"""timm without torch's compiler: its import would load the compiler, a third of the page's start, for nothing here.

Two lines ask for it: torchvision.ops.roi_align imports a function of `torch._dynamo.utils`, and timm's naflexvit
decorates a method with `torch.compiler.disable`. While timm is imported the first gets a function that loads the real
one when it is called, and the second leaves the method as it is. `benchmarks/start.py` measures the start.
"""

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
import torch.compiler

COMPILER = "torch._dynamo"
USED = "torch._dynamo.utils"


def import_timm() -> None:
    """Import timm; afterwards `torch.compile` and `torch._dynamo` are as ever, loaded by whoever uses them. Ours."""
    if "timm" in sys.modules or "torchvision" in sys.modules or COMPILER in sys.modules:
        return
    with _compiler_later():
        importlib.import_module("timm")


@contextmanager
def _compiler_later() -> Iterator[None]:
    parent, used = ModuleType(COMPILER), ModuleType(USED)
    parent.__path__ = []
    parent.__dict__["utils"] = used
    used.__dict__["__getattr__"] = _later
    disable = torch.compiler.disable
    sys.modules.update({COMPILER: parent, USED: used})
    torch.compiler.disable = _leave
    try:
        yield
    finally:
        torch.compiler.disable = disable
        for name in (COMPILER, USED):
            sys.modules.pop(name, None)
        torch.__dict__.pop("_dynamo", None)


def _later(name: str) -> Callable[..., Any]:
    """Stand in for a function of the compiler: load it when it is called."""
    if name.startswith("__"):
        raise AttributeError(name)

    def call(*given: Any) -> Any:
        return getattr(importlib.import_module(USED), name)(*given)

    return call


def _leave(fn: Callable[..., Any] | None = None, recursive: bool = True, *, reason: str | None = None) -> Any:
    """Stand in for torch.compiler.disable: the function itself, since nothing is being compiled."""
    return _leave if fn is None else fn
