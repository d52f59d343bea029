"""Patches out of place or out of sight: what is left tells how far a model needs their order."""

import math

import numpy as np

from playground.disturb.cells import all_cells, cell_slices
from playground.disturb.nouns import Cell, Place


def shuffle(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Patches, the given ones or a random share of all, move round one random ring, so that each gets a new place."""
    cells = list(place.cells) or all_cells(place.grid)
    count = min(max(2, round(strength * len(cells))), len(cells))
    chosen = [cells[i] for i in random.permutation(len(cells))[:count]]
    new = pixels.copy()
    for old, to in zip(chosen, [*chosen[1:], chosen[0]], strict=True):
        new[_at(pixels, place, to)] = pixels[_at(pixels, place, old)]
    return new


def swap(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Pairs of patches trade places, one pair after the other."""
    new = pixels.copy()
    for one, two in _pairs(strength, random, place):
        first, second = _at(new, place, one), _at(new, place, two)
        new[first], new[second] = new[second].copy(), new[first].copy()
    return new


def move(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """A patch covers another one and leaves the picture's mean colour behind, one move after the other."""
    new, mean = pixels.copy(), mean_colour(pixels)
    for old, to in _pairs(strength, random, place):
        if old != to:
            new[_at(new, place, to)] = new[_at(new, place, old)].copy()
            new[_at(new, place, old)] = mean
    return new


def mask(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Cells or a box take the picture's mean colour: the given cells in their order, the box from its middle."""
    new, mean = pixels.copy(), mean_colour(pixels)
    if place.cells or place.box_xyxy is None:
        cells = list(place.cells) or [all_cells(place.grid)[i] for i in random.permutation(place.grid**2)]
        for cell in cells[: max(1, round(strength * len(cells)))]:
            new[_at(pixels, place, cell)] = mean
        return new
    left, top, right, bottom = place.box_xyxy
    x, y, side = (left + right) / 2, (top + bottom) / 2, math.sqrt(strength) / 2
    across, down = side * (right - left), side * (bottom - top)
    rows = slice(max(round(y - down), 0), max(round(y + down), 0))
    new[rows, max(round(x - across), 0) : max(round(x + across), 0)] = mean
    return new


def mean_colour(pixels: np.ndarray) -> np.ndarray:
    """Return the mean of each channel, uint8 [3]."""
    return pixels.reshape(-1, 3).mean(0).round().astype(np.uint8)


def _at(pixels: np.ndarray, place: Place, cell: Cell) -> tuple[slice, slice]:
    return cell_slices((pixels.shape[1], pixels.shape[0]), place.grid, cell)


def _pairs(strength: float, random: np.random.Generator, place: Place) -> list[tuple[Cell, Cell]]:
    """Return the pairs to carry out: the first of the given ones, or random ones that share no cell."""
    if place.pairs:
        return list(place.pairs[: max(1, round(strength * len(place.pairs)))])
    cells = list(place.cells) if len(place.cells) > 1 else all_cells(place.grid)
    order = [cells[i] for i in random.permutation(len(cells))]
    count = max(1, round(strength * (len(cells) // 2)))
    return [(order[2 * i], order[2 * i + 1]) for i in range(count)]
