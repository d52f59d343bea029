"""From pixels to tokens: the steps with their shapes, and the first one computed in two ways."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from playground import checks
from playground.image import View
from playground.parts import Parts, Stem


@dataclass(frozen=True)
class Step:
    """One step: its name, the shape it leaves (rows, cols, channels) or (tokens, channels), and what happens."""

    name: str
    shape: tuple[int, ...]
    sentence: str


def steps(parts: Parts, size: tuple[int, int] | None = None) -> tuple[Step, ...]:
    """Return the way of a picture of `size` (rows, cols), the model's own by default, to the first tokens.

    For ViT-B/16: 224 x 224 x 3, 14 x 14 x 768, 196 x 768, 197 x 768 (Dosovitskiy et al. 2021, section 3.1).
    Raises ValueError for a picture smaller than the first filter.
    """
    stem = parts.stem
    size = parts.size if size is None else _size(size, stem)
    channels = stem.weight.shape[1]
    grid, width = stem.grid(size), stem.weight.shape[0]
    found = [
        Step("picture", (*size, channels), f"{channels} planes of {size[0]} × {size[1]} pixels, normalised."),
        Step("patches" if _side_by_side(stem) else "first convolution", (*grid, width), _first(stem)),
    ]
    for stage in stem.stages:
        grid, width = tuple(-(-n // stage.reduction) for n in size), stage.channels  # type: ignore[assignment]
        found.append(Step(stage.name, (*grid, width), stage.sentence))
    count = grid[0] * grid[1]
    if stem.row:
        found.append(Step("row of tokens", (count, width), f"{stem.row} {grid[0]} × {grid[1]} = {count}."))
    if stem.prefix:
        said = f"Before the patches: {_listed(stem.prefix)}, learned and without a place on the picture."
        found.append(Step("with prefix", (count + len(stem.prefix), width), said))
    return tuple(found)


def convolved(parts: Parts, pixels: np.ndarray) -> np.ndarray:
    """Return the first convolution of pixels [C, H, W] as [N, D], in the pixels' own precision."""
    stem, x = parts.stem, _pixels(parts, pixels)
    weight, bias = _weights(stem, x)
    out = F.conv2d(_padded(stem, x)[None], weight, bias, stem.stride)[0]  # [D, rows, cols]
    return out.flatten(1).T.contiguous().numpy()


def unfolded(parts: Parts, pixels: np.ndarray) -> np.ndarray:
    """Return the same [N, D] as `convolved`: every patch of pixels [C, H, W] laid flat, times one matrix.

    A convolution is a linear layer that is applied to every window. Source: Dosovitskiy et al. 2021, equation 1.
    """
    stem, x = parts.stem, _pixels(parts, pixels)
    weight, bias = _weights(stem, x)
    patches = F.unfold(_padded(stem, x)[None], stem.kernel, stride=stem.stride)[0].T  # [N, C * kh * kw]
    return F.linear(patches, weight.flatten(1), bias).numpy()


def difference(parts: Parts, pixels: np.ndarray) -> float:
    """Return the largest difference between `convolved` and `unfolded` in double precision: rounding alone."""
    exact = np.asarray(pixels, dtype=np.float64)
    return float(np.abs(convolved(parts, exact) - unfolded(parts, exact)).max())


def patch_embedding(parts: Parts, pixels: np.ndarray, row: int, col: int) -> np.ndarray:
    """Return what the first convolution makes of the window at (row, col) of its grid, [D], as one matrix product."""
    stem, x = parts.stem, _pixels(parts, pixels)
    rows, cols = stem.grid((x.shape[1], x.shape[2]))
    row, col = checks.whole(row, "row", 0, rows - 1), checks.whole(col, "col", 0, cols - 1)
    weight, bias = _weights(stem, x)
    top, left = row * stem.stride[0], col * stem.stride[1]
    window = _padded(stem, x)[:, top : top + stem.kernel[0], left : left + stem.kernel[1]]  # [C, kh, kw]
    return F.linear(window.reshape(-1), weight.flatten(1), bias).numpy()


def patch_pixels(view: View, grid: tuple[int, int], row: int, col: int) -> np.ndarray:
    """Return the pixels of the view under one cell of a (rows, cols) grid, uint8 [h, w, 3], at least one."""
    rows, cols = grid
    row, col = checks.whole(row, "row", 0, rows - 1), checks.whole(col, "col", 0, cols - 1)
    image = np.asarray(view.image)  # [H, W, 3]
    high, wide = image.shape[:2]
    top, left = row * high // rows, col * wide // cols
    bottom, right = max(top + 1, (row + 1) * high // rows), max(left + 1, (col + 1) * wide // cols)
    return image[top:bottom, left:right].copy()


def _first(stem: Stem) -> str:
    (high, wide), (down, across), (rows, cols) = stem.kernel, stem.stride, stem.overlap
    count = stem.weight.shape[1] * high * wide
    made = f"each becomes {stem.weight.shape[0]} numbers by one matrix."
    if _side_by_side(stem):
        return f"The picture is cut into {high} × {wide} pixels side by side, {count} numbers a patch; {made}"
    if rows or cols:
        shared = f"so neighbours below share {_counted(rows, 'row')} and neighbours beside {_counted(cols, 'column')}"
    else:
        shared = "so pixels between windows are left out"
    moves = f"moves by {_counted(down, 'pixel')} down and {_counted(across, 'pixel')} across"
    return f"A window of {high} × {wide} pixels, {count} numbers, {moves}, {shared}; {made}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _side_by_side(stem: Stem) -> bool:
    return stem.kernel == stem.stride and not any(stem.padding)


def _listed(names: tuple[str, ...]) -> str:
    named = [name for name in names if not name.startswith("register")]
    registers = len(names) - len(named)
    words = [f"the {name} token" for name in named]
    words += [_counted(registers, "register")] if registers else []
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _size(size: tuple[int, int], stem: Stem) -> tuple[int, int]:
    rows = checks.whole(size[0], "The rows of the picture", 1, 10_000)
    cols = checks.whole(size[1], "The columns of the picture", 1, 10_000)
    if min(stem.grid((rows, cols))) < 1:
        raise ValueError(f"The picture must have at least {stem.kernel[0]} × {stem.kernel[1]} pixels.")
    return rows, cols


def _pixels(parts: Parts, pixels: np.ndarray) -> Tensor:
    channels = parts.stem.weight.shape[1]
    found = np.asarray(pixels)
    if found.ndim != 3 or found.shape[0] != channels:
        raise ValueError(f"The pixels must be [{channels}, rows, cols].")
    _size((found.shape[1], found.shape[2]), parts.stem)
    return torch.from_numpy(np.ascontiguousarray(found, dtype=np.float64 if found.dtype == np.float64 else np.float32))


def _weights(stem: Stem, like: Tensor) -> tuple[Tensor, Tensor | None]:
    weight = torch.from_numpy(stem.weight).to(like.dtype)  # [D, C, kh, kw]
    return weight, None if stem.bias is None else torch.from_numpy(stem.bias).to(like.dtype)


def _padded(stem: Stem, x: Tensor) -> Tensor:
    top, bottom, left, right = stem.padding
    return F.pad(x, (left, right, top, bottom))
