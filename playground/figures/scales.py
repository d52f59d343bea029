"""Colour scales for maps: even steps of a value look like even steps of colour, also to colour-blind readers."""

from collections.abc import Sequence

import numpy as np

# Viridis (Smith and van der Walt 2015) at eleven even places, dark to light.
RISING = (
    "#440154", "#482475", "#414487", "#355F8D", "#2A788E", "#21918C", "#22A884", "#44BF70", "#7AD151", "#BDDF26",
    "#FDE725",
)  # fmt: skip
# Blue through white to red (ColorBrewer's RdBu turned round): against, neither, for.
SIGNED = (
    "#053061", "#2166AC", "#4393C3", "#92C5DE", "#D1E5F0", "#F7F7F7", "#FDDBC7", "#F4A582", "#D6604D", "#B2182B",
    "#67001F",
)  # fmt: skip


def stops(colours: Sequence[str]) -> list[list[float | str]]:
    """Return the scale as Plotly wants it: [place 0..1, colour] in order."""
    return [[place / (len(colours) - 1), colour] for place, colour in enumerate(colours)]


def css(colours: Sequence[str]) -> str:
    """Return the scale as a CSS background that runs from left to right."""
    return f"linear-gradient(to right, {', '.join(colours)})"


def palette(colours: Sequence[str]) -> np.ndarray:
    """Return 256 colours along the scale, uint8 [256, 3]."""
    known = np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in colours], dtype=np.float64)
    places = np.linspace(0, len(colours) - 1, 256)
    return np.stack([np.interp(places, range(len(colours)), known[:, i]) for i in range(3)], 1).round().astype(np.uint8)


def limits(values: np.ndarray, signed: bool = False) -> tuple[float, float]:
    """Return the values at the two ends of the scale: least and greatest, or for signed maps as far on both sides."""
    low, high = float(values.min()), float(values.max())
    if signed:
        far = max(abs(low), abs(high))
        return -far, far
    return low, high


def levels(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return where the values lie between low and high, uint8 0..255; all 0 where there is nothing between them."""
    if high <= low:
        return np.zeros(values.shape, dtype=np.uint8)
    share = np.clip((values.astype(np.float64) - low) / (high - low), 0, 1)
    return np.round(255 * share).astype(np.uint8)
