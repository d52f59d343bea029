"""The tokens of one level as numpy: those on the grid, and those without a place."""

from dataclasses import dataclass

import numpy as np

from playground import checks
from playground.trace import Tokens, Trace


@dataclass(frozen=True, eq=False)
class GridTokens:
    """The tokens after one step of a model: `values` float32 [rows * cols, D] row by row on `grid` (rows, cols).

    `prefix` names the tokens before them (class, registers), `prefix_values` is [p, D]; `layer` counts the steps
    from 0.
    """

    name: str
    grid: tuple[int, int]
    values: np.ndarray
    prefix: tuple[str, ...]
    prefix_values: np.ndarray
    layer: int = 0

    def place(self, row: int, col: int) -> int:
        """Return the index of a patch in `values`; raises ValueError outside the grid."""
        rows, cols = self.grid
        return checks.whole(row, "row", 0, rows - 1) * cols + checks.whole(col, "col", 0, cols - 1)


def layers(trace: Trace) -> tuple[str, ...]:
    """Return the names of the token stages that lie on a grid, in order; raises ValueError where there are none."""
    return tuple(tokens.name for tokens in _on_grid(trace))


def grid_tokens(trace: Trace, layer: int = -1) -> GridTokens:
    """Return the tokens after one of `layers(trace)`, counted from 0, or from the end with -1.

    Raises ValueError for a layer out of range and for a model whose tokens have no place on the picture.
    """
    found = _on_grid(trace)
    layer = checks.whole(layer, "The layer", -len(found), len(found) - 1) % len(found)
    tokens = found[layer]
    grid, prefix = tokens.sequence.grid, tokens.sequence.prefix
    assert grid is not None
    values = tokens.values.detach().float().numpy()  # [p + N, D]
    return GridTokens(tokens.name, grid, values[len(prefix) :], prefix, values[: len(prefix)], layer)


def _on_grid(trace: Trace) -> tuple[Tokens, ...]:
    found = tuple(tokens for tokens in trace.tokens if tokens.sequence.grid is not None)
    if not found:
        raise ValueError("This model shows no tokens that lie on the picture; choose another model.")
    return found
