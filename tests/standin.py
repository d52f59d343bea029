"""Stand-in weights: values made from a tensor's name and shape alone, so that two codebases can hold the same ones."""

import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

REFERENCE = Path(__file__).parent / "reference"


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """Return the float32 stand-in of the state-dict entry `name`: scaled so that activations stay of order one."""
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    kind = name.rsplit(".", 1)[-1]
    if kind == "running_var":
        values = 0.75 + 0.25 * np.abs(values)
    elif kind == "running_mean":
        values = 0.1 * values
    elif len(shape) < 2 and kind.endswith("bias"):
        values = 0.02 * values
    elif len(shape) < 2:
        values = 0.6 + 0.1 * values
    elif kind != "relative" and not name.endswith("query_embed.weight"):
        values = values * (np.float32(1.4) / np.sqrt(np.prod(shape[1:], dtype=np.float32)))
    return torch.from_numpy(np.asarray(values, np.float32))


def pixels(seed: int, *shape: int) -> Tensor:
    """Return a float32 input of standard normal values."""
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


def published(listing: str) -> dict[str, tuple[int, ...]]:
    """Read the names and shapes of a published state dict, in its order: a name and its shape on each line."""
    lines = (REFERENCE / listing).read_text().splitlines()
    return {name: tuple(int(n) for n in shape.split("x") if n) for name, _, shape in (x.partition(" ") for x in lines)}


def weights(shapes: Iterable[tuple[str, tuple[int, ...]]]) -> dict[str, Tensor]:
    """Return a stand-in for every name that is not an integer buffer."""
    return {name: weight(name, shape) for name, shape in shapes if not name.endswith(("num_batches_tracked", "_index"))}
