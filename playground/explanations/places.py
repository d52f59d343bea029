"""Where a grid of tokens lies on the picture, and how values of tokens become a map of it."""

import numpy as np
from torch import Tensor

from playground.explanations.nouns import Map, Target
from playground.image import View
from playground.trace import Pool, Sequence, Trace


def as_map(
    method: str,
    trace: Trace,
    sequence: Sequence,
    values: Tensor,
    target: Target,
    apart: tuple[tuple[str, float], ...] = (),
    signed: bool = False,
    notes: tuple[str, ...] = (),
) -> Map:
    """Return the values [N] of a sequence as a map of its grid, those of the prefix apart."""
    assert sequence.grid is not None and values.numel() == sequence.count, (sequence, values.shape)
    flat = values.detach().double().cpu().numpy()  # [N]
    skip = len(sequence.prefix)
    prefix = tuple((name, float(value)) for name, value in zip(sequence.prefix, flat, strict=False))
    grid = flat[skip:].reshape(sequence.grid).astype(np.float32)  # [rows, cols]
    region = region_of(trace.view, sequence.grid)
    return Map(method, grid, sequence.name, region, target, (*prefix, *apart), signed, notes)


def region_of(view: View, grid: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return where a grid lies on the upload: x0, y0, x1, y1 in its pixels; its last cells may reach past the edge."""
    return view.grid_xyxy(grid)


def stride_of(view: View, grid: tuple[int, int]) -> tuple[float, float]:
    """Return how many pixels of the view one step of the grid is, down and across."""
    return view.stride(grid)


def cells(view: View, grid: tuple[int, int]) -> np.ndarray:
    """Return which cell of the grid each pixel of the view lies in, int64 [H, W], counted row by row."""
    down, across = stride_of(view, grid)
    rows = np.minimum(np.arange(view.pixels.shape[1]) // down, grid[0] - 1).astype(np.int64)  # [H]
    cols = np.minimum(np.arange(view.pixels.shape[2]) // across, grid[1] - 1).astype(np.int64)  # [W]
    return rows[:, None] * grid[1] + cols[None, :]


def picture_grid(trace: Trace) -> tuple[int, int]:
    """Return the grid in whose cells this model's picture is cut: that of its first attention, or its last features."""
    for link in trace.links:
        if link.reads.grid is not None and not isinstance(link.step, Pool):
            return link.reads.grid
    found = [tokens.sequence.grid for tokens in trace.tokens if tokens.sequence.grid is not None]
    if not found:
        rows, cols = trace.view.pixels.shape[1:]
        return max(1, rows // 16), max(1, cols // 16)
    return found[-1]
