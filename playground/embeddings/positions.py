"""How a model knows where a patch is: tables, sines, rotations and biases of distance."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch.nn import functional as F

from playground import checks
from playground.embeddings.values import unit
from playground.parts import Kind, Parts, Places, RelativeTable

MOST_PLACES = 4096


@dataclass(frozen=True, eq=False)
class Positions:
    """One way in which a model knows positions, and a sentence about it.

    Kinds "table", "sine" and "rope" have `values` float32 [rows * cols, D] on `grid`, and for the `prefix` tokens
    with an entry `prefix_values` [p, D]; kind "relative" has `tables`; "none" has neither. The cosine of two rows of
    a "rope" is that of one constant query turned to the two places.
    """

    kind: Kind
    sentence: str
    grid: tuple[int, int] | None = None
    values: np.ndarray | None = None
    prefix: tuple[str, ...] = ()
    prefix_values: np.ndarray | None = None
    tables: tuple[RelativeTable, ...] = ()
    source: Places | None = None


@dataclass(frozen=True, eq=False)
class RowCol:
    """Mean cosine of two places in one column by rows apart [rows], and in one row by columns apart [cols]."""

    by_row: np.ndarray
    by_col: np.ndarray


def kinds(parts: Parts) -> tuple[Kind, ...]:
    """Return the kinds of positions that a model has, at least one; a few models have two."""
    return tuple(places.kind for places in parts.positions)


def positions(parts: Parts, which: int = 0) -> Positions:
    """Return one of the ways in which a model knows positions: `which` counts `kinds(parts)` from 0."""
    places = parts.positions[checks.whole(which, "which", 0, len(parts.positions) - 1)]
    return Positions(
        places.kind,
        places.sentence,
        places.grid,
        places.table,
        places.prefix,
        places.prefix_table,
        places.relative,
        places,
    )


def similarity_grid(positions: Positions) -> np.ndarray:
    """Return the cosine of every two places' embeddings, float32 [rows, cols, rows, cols], -1..1.

    [r, c] is the small map of place (r, c). Source: Dosovitskiy et al. 2021, figure 7, centre.
    Raises ValueError for positions that are no table on a grid.
    """
    grid, values = _table(positions)
    found = unit(values.astype(np.float64))
    return (found @ found.T).clip(-1.0, 1.0).astype(np.float32).reshape(*grid, *grid)


def place_similarity(positions: Positions, row: int, col: int) -> np.ndarray:
    """Return one small map of `similarity_grid`, float32 [rows, cols], for the place (row, col)."""
    grid, values = _table(positions)
    row, col = checks.whole(row, "row", 0, grid[0] - 1), checks.whole(col, "col", 0, grid[1] - 1)
    found = unit(values.astype(np.float64))
    return (found @ found[row * grid[1] + col]).clip(-1.0, 1.0).astype(np.float32).reshape(grid)


def row_col_structure(positions: Positions) -> RowCol:
    """Return the mean cosine of two places by how many rows, and by how many columns, they are apart (ours)."""
    values = similarity_grid(positions).astype(np.float64)
    rows, cols = values.shape[:2]
    same_col = np.einsum("rcsc->rs", values) / cols  # [rows, rows]
    same_row = np.einsum("rcrd->cd", values) / rows  # [cols, cols]
    by_row = [np.diagonal(same_col, d).mean() for d in range(rows)]
    by_col = [np.diagonal(same_row, d).mean() for d in range(cols)]
    return RowCol(np.array(by_row, dtype=np.float32), np.array(by_col, dtype=np.float32))


def distance_curves(table: RelativeTable) -> tuple[np.ndarray, np.ndarray]:
    """Return a relative table's curves by row offset [heads or channels, 2 * rows - 1] and by column offset.

    Each is the mean over the other axis; an axial table is its own curve along its axis, and flat along the other.
    """
    return table.values.mean(2), table.values.mean(1)


def offset_similarity(table: RelativeTable) -> np.ndarray:
    """Return the cosine of every two offsets' vectors in each span of channels, float32 [spans, offsets, offsets]."""
    found = [unit(vectors) for vectors in _offset_vectors(table)]
    return np.stack([(vectors @ vectors.T).clip(-1.0, 1.0) for vectors in found]).astype(np.float32)


def offset_lengths(table: RelativeTable) -> np.ndarray:
    """Return the length of every offset's vector in each span of channels, float32 [spans, offsets]."""
    return np.stack([np.linalg.norm(vectors, axis=1) for vectors in _offset_vectors(table)]).astype(np.float32)


def _offset_vectors(table: RelativeTable) -> list[np.ndarray]:
    """Return the vectors of a table of channels cut into its spans, float64 [offsets, channels] each."""
    assert table.unit == "channel"
    vectors = table.values.reshape(len(table.values), -1).T.astype(np.float64)  # [offsets, channels]
    return np.split(vectors, np.cumsum([count for _, count in table.spans])[:-1], axis=1)


def resampled(positions: Positions, grid: tuple[int, int]) -> Positions:
    """Return the positions on another grid (rows, cols), as the model uses them on a picture of another size.

    A table is interpolated in two dimensions (bicubic with antialiasing, as timm's resample_abs_pos_embed); sines
    and rotations are computed anew. Source: Dosovitskiy et al. 2021, section 3.2. Raises ValueError.
    """
    rows = checks.whole(grid[0], "The rows of the grid", 1, 128)
    cols = checks.whole(grid[1], "The columns of the grid", 1, 128)
    old, values = _table(positions)
    if rows * cols > MOST_PLACES:
        raise ValueError(f"At most {MOST_PLACES} places are compared; choose a smaller grid than {rows} × {cols}.")
    if (rows, cols) == old:
        return positions
    if positions.source is not None and positions.source.at is not None:
        return replace(positions, grid=(rows, cols), values=positions.source.at((rows, cols)))
    image = torch.from_numpy(values).float().reshape(1, *old, -1).permute(0, 3, 1, 2)  # [1, D, rows, cols]
    other = F.interpolate(image, size=(rows, cols), mode="bicubic", antialias=True)
    return replace(positions, grid=(rows, cols), values=other[0].flatten(1).T.contiguous().numpy())


def _table(positions: Positions) -> tuple[tuple[int, int], np.ndarray]:
    if positions.grid is None or positions.values is None:
        raise ValueError("This model has no position of its own for every place, so there is no grid to compare.")
    if len(positions.values) > MOST_PLACES:
        raise ValueError(f"At most {MOST_PLACES} places are compared, and here are {len(positions.values)}.")
    return positions.grid, positions.values
