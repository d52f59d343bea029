"""What a measurement ran on, in words."""

import os
import platform
import sys
from pathlib import Path

import torch

from playground import inference


def hardware(device: torch.device | None = None) -> str:
    """The accelerator's name, or the processor's with the threads that were used, and whether others used it too.

    `device` is where the work was done, by default where models answer.
    """
    device = device or inference.pick_device()
    if device.type != "cpu":
        return inference.device_name(device)
    threads = torch.get_num_threads()
    said = f"{threads} thread{'s' if threads > 1 else ''} of {_processor()}"
    return said + ", shared with other work" if busy() else said


def busy() -> bool:
    """Whether more wanted to run in the last five minutes than our threads; False where nobody counts."""
    try:
        return os.getloadavg()[1] > torch.get_num_threads() + 0.5
    except (AttributeError, OSError):  # Windows has none
        return False


def peak_bytes() -> int | None:
    """The most memory used so far: the accelerator's, or the whole process's on a CPU; None where nobody counts it."""
    device = inference.pick_device()
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024  # Linux counts in KiB


def _processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or f"a processor with {os.cpu_count()} cores"
