"""The grid of equal cells on a picture: where its cells lie, and which pixels a place covers."""

import numpy as np

from playground.disturb.nouns import Cell, Place


def cell_size(size: tuple[int, int], grid: int) -> tuple[int, int]:
    """Return (rows, cols) of one cell in pixels, on a picture of `size` (width, height).

    Cells are equal and whole, so that they can trade places; what does not divide stays at the edges.
    Raises ValueError where the picture has fewer pixels than the grid has cells.
    """
    width, height = size
    if min(width, height) < grid:
        raise ValueError(f"The picture is {width} x {height} pixels, too small for a grid of {grid} x {grid} cells.")
    return height // grid, width // grid


def corner(size: tuple[int, int], grid: int) -> tuple[int, int]:
    """Return (top, left) of the grid, which lies in the middle of the picture."""
    width, height = size
    rows, cols = cell_size(size, grid)
    return (height - grid * rows) // 2, (width - grid * cols) // 2


def cell_slices(size: tuple[int, int], grid: int, cell: Cell) -> tuple[slice, slice]:
    """Return the rows and columns of pixels of one cell."""
    rows, cols = cell_size(size, grid)
    top, left = corner(size, grid)
    y, x = top + cell[0] * rows, left + cell[1] * cols
    return slice(y, y + rows), slice(x, x + cols)


def cell_box(size: tuple[int, int], grid: int, cell: Cell) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of one cell in pixels of the picture."""
    down, along = cell_slices(size, grid, cell)
    return along.start, down.start, along.stop, down.stop


def cell_under(size: tuple[int, int], grid: int, x: float, y: float) -> Cell:
    """Return the (row, col) of the cell under a point of the picture, or the nearest."""
    rows, cols = cell_size(size, grid)
    top, left = corner(size, grid)
    row, col = int((y - top) // rows), int((x - left) // cols)
    return min(max(row, 0), grid - 1), min(max(col, 0), grid - 1)


def all_cells(grid: int) -> list[Cell]:
    """Return every (row, col) of the grid, row by row."""
    return [(row, col) for row in range(grid) for col in range(grid)]


def covered(pixels: np.ndarray, place: Place) -> np.ndarray | None:
    """Return which pixels the place names, bool [H, W], or None where it names none and means them all."""
    height, width = pixels.shape[:2]
    mask = np.zeros((height, width), dtype=bool)
    if place.cells:
        for cell in place.cells:
            mask[cell_slices((width, height), place.grid, cell)] = True
        return mask
    if place.box_xyxy is None:
        return None
    left, top, right, bottom = (round(edge) for edge in place.box_xyxy)
    mask[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = True
    return mask
