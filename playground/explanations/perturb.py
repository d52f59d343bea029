"""Running the model on changed pictures: fills, batches, progress and the stop button."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from playground.explanations.nouns import Access, Cancelled, Target
from playground.explanations.places import cells
from playground.explanations.targets import score_of
from playground.trace import Trace

FILLS = ("mean", "blur")


def filled(pixels: Tensor, fill: str) -> Tensor:
    """Return what stands where the picture is taken away, like pixels [3, H, W].

    "mean": zero after normalisation, the mean colour. "blur": Gaussian, kernel 11, sigma 5, as RISE's insertion starts
    (Petsiuk et al. 2018, arXiv 1806.07421).
    """
    if fill == "mean":
        return torch.zeros_like(pixels)
    assert fill == "blur", fill
    offsets = torch.arange(-5.0, 6.0)
    kernel = (-(offsets**2) / (2 * 5.0**2)).exp()
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, 11)  # [3, 1, 1, 11]
    padded = F.pad(pixels[None], (5, 5, 5, 5), mode="reflect" if min(pixels.shape[1:]) > 5 else "replicate")
    across = F.conv2d(padded, kernel, groups=3)  # [1, 3, H + 10, W]
    return F.conv2d(across, kernel.mT, groups=3)[0]  # [3, H, W]


def probabilities(
    access: Access,
    target: Target,
    count: int,
    picture: Callable[[int], Tensor],
    done: int = 0,
    total: int | None = None,
) -> np.ndarray:
    """Return the softmax probability of a resolved target for `count` pictures [3, H, W], float64 [count].

    Runs in batches, tells the progress from `done` of `total` runs and raises Cancelled when asked to stop.
    """
    found: list[float] = []
    for indices in _batches(count, access.batch):
        if access.cancelled():
            raise Cancelled
        logits = access.forward(torch.stack([picture(i) for i in indices])).double()  # [n, C] or [n, Q, C + 1]
        found += [float(score_of(each.softmax(-1), target)) for each in logits]
        access.progress((done + len(found)) / (total or count))
    return np.array(found)


def kept(trace: Trace, grid: tuple[int, int]) -> Callable[[np.ndarray], Tensor]:
    """Return a function that turns which cells stay, bool [rows * cols], into which pixels stay, bool [H, W]."""
    where = torch.from_numpy(cells(trace.view, grid))  # [H, W]
    return lambda stay: torch.from_numpy(stay)[where]


def _batches(count: int, size: int) -> Iterator[range]:
    for start in range(0, count, size):
        yield range(start, min(start + size, count))
