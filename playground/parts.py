"""What a model is made of before its first block, as numpy: the stem that makes tokens, and where positions come from.

Nothing here knows how a model runs. `inference.parts(card)` gives these nouns, `embeddings` reads them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Kind = Literal["table", "sine", "relative", "rope", "none"]
Axis = Literal["both", "height", "width"]


@dataclass(frozen=True)
class Stage:
    """One step between the first convolution and the tokens: a grid `reduction` times coarser than the picture."""

    name: str
    channels: int
    reduction: int
    sentence: str


@dataclass(frozen=True, eq=False)
class Stem:
    """The convolution that reads the pixels, and what follows it until there are tokens.

    `weight` float32 [D, C, kh, kw], `bias` [D] or None, `stride` (rows, cols), `padding` in pixels
    (top, bottom, left, right). `prefix` names the tokens set before the patches; `row` says how the grid becomes a
    row of tokens, and is empty where it never does.
    """

    weight: np.ndarray
    bias: np.ndarray | None
    stride: tuple[int, int]
    padding: tuple[int, int, int, int]
    stages: tuple[Stage, ...] = ()
    prefix: tuple[str, ...] = ()
    row: str = ""

    @property
    def kernel(self) -> tuple[int, int]:
        """(rows, cols) of pixels that one output reads."""
        return self.weight.shape[2], self.weight.shape[3]

    @property
    def overlap(self) -> tuple[int, int]:
        """(rows, cols) of pixels that two neighbours share; 0 for patches cut side by side."""
        return max(0, self.kernel[0] - self.stride[0]), max(0, self.kernel[1] - self.stride[1])

    def grid(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return (rows, cols) of the convolution's output for a picture of `size` (rows, cols)."""
        top, bottom, left, right = self.padding
        return (
            (size[0] + top + bottom - self.kernel[0]) // self.stride[0] + 1,
            (size[1] + left + right - self.kernel[1]) // self.stride[1] + 1,
        )


@dataclass(frozen=True, eq=False)
class RelativeTable:
    """A learned bias for every distance: float32 `values` [heads or channels, 2 * rows - 1, 2 * cols - 1].

    The middle is distance 0. An axial table knows one `axis` and is 1 long along the other; `unit` says what its
    first axis counts. `spans` cut the channels into what they meet: ("queries", 16), ("keys", 16), ...
    """

    name: str
    values: np.ndarray
    axis: Axis = "both"
    unit: Literal["head", "channel"] = "head"
    spans: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Places:
    """One way in which a model knows positions.

    `table` float32 [rows * cols, D] on `grid`, `prefix_table` [p, D] for the `prefix` tokens that have an entry;
    `relative` for kind "relative". `at` computes the table for another grid, where a formula gives it.
    """

    kind: Kind
    sentence: str
    grid: tuple[int, int] | None = None
    table: np.ndarray | None = None
    prefix: tuple[str, ...] = ()
    prefix_table: np.ndarray | None = None
    relative: tuple[RelativeTable, ...] = ()
    at: Callable[[tuple[int, int]], np.ndarray] | None = None

    def nbytes(self) -> int:
        """Return the bytes of the arrays."""
        held = [self.table, self.prefix_table, *(table.values for table in self.relative)]
        return sum(array.nbytes for array in held if array is not None)


@dataclass(frozen=True, eq=False)
class Parts:
    """A model's stem and positions; `size` is (rows, cols) of the picture it is made for, `positions` at least one."""

    model: str
    family: str
    size: tuple[int, int]
    stem: Stem
    positions: tuple[Places, ...]

    def nbytes(self) -> int:
        """Return the bytes of the arrays."""
        return self.stem.weight.nbytes + sum(places.nbytes() for places in self.positions)
