"""A copy of a model with its weights drawn anew, to see whether an explanation notices."""

import copy
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

_drawing = threading.Lock()  # torch has one source of random numbers for all threads


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Let random numbers begin at `seed` and be drawn by nobody else of ours; afterwards they go on as before."""
    forked = [device] if device is not None and device.type == "cuda" else []
    with _drawing, torch.random.fork_rng(forked):
        torch.manual_seed(seed)
        yield


def randomised(model: nn.Module, share: float = 1.0, seed: int = 0) -> nn.Module:
    """Return a copy whose last `share` of layers, from the head down, has the weights of an untrained model.

    Layers are drawn by their own initialiser; single parameters (class token, positions) from a normal distribution
    of their own mean and spread. The model itself is not touched.
    Source: cascading randomisation, Adebayo et al. 2018 (arXiv 1810.03292), section 3.1.
    """
    changed = copy.deepcopy(model)
    layers = [m for m in changed.modules() if any(True for _ in m.parameters(recurse=False))]
    count = max(1, round(share * len(layers)))
    device = next(changed.parameters()).device
    with seeded(seed, device), torch.no_grad():
        for layer in layers[len(layers) - count :]:
            reset = getattr(layer, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in layer.parameters(recurse=False):
                spread = parameter.std() if parameter.numel() > 1 else torch.zeros(())
                parameter.normal_(float(parameter.mean()), float(spread))
    return changed
