"""Every value that comes from outside is checked here once, and refused in one sentence."""

import math
from typing import Any


def whole(value: Any, name: str, low: int, high: int) -> int:
    """Return `value` as an int within low..high; raises ValueError saying what is allowed."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or value != int(value) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {said(value)}.")
    return int(value)


def share(value: Any, name: str) -> float:
    """Return `value` as a float within 0..1; raises ValueError saying what is allowed."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not number or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a number from 0 to 1, not {said(value)}.")
    return float(value)


def said(value: Any) -> str:
    """Return what came in words short enough for a sentence."""
    if value is None or value == "":
        return "empty"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:.6g}"
    return "something else" if isinstance(value, list | dict) else f"“{str(value)[:24]}”"
