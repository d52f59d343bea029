"""What is asked of arrays of tokens before anything is computed."""

from collections.abc import Sequence

import numpy as np


def checked(values: np.ndarray, name: str = "The tokens") -> np.ndarray:
    """Return `values` as float64 [N, D]; raises ValueError unless they are finite rows of numbers, at least one."""
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 2 or 0 in found.shape:
        raise ValueError(f"{name} must be rows of numbers, [tokens, channels], at least one of each.")
    if not np.isfinite(found).all():
        raise ValueError(f"{name} hold values that are no finite numbers; choose another picture or layer.")
    return found


def checked_sets(sets: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return each set as float64 [N_i, D]; raises ValueError unless there is one and all are of the same width."""
    found = [checked(values) for values in sets]
    if not found:
        raise ValueError("Give at least one set of tokens.")
    widths = sorted({values.shape[1] for values in found})
    if len(widths) > 1:
        raise ValueError(f"Tokens of {widths[0]} and of {widths[1]} channels do not share a space; use equal layers.")
    return found


def unit(values: np.ndarray) -> np.ndarray:
    """Return rows of length 1; a row of zeros stays zero."""
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), np.finfo(values.dtype).tiny)


def split(values: np.ndarray, sets: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Cut rows that belong to several sets apart again."""
    ends = np.cumsum([len(found) for found in sets])[:-1]
    return tuple(np.split(values, ends))
