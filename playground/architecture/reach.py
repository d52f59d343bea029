"""Receptive fields: from which part of the picture a position of a layer can know anything.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks" (Distill 2019),
equations 1 and 2, one axis at a time; what attention does to them is ours.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

Pair = tuple[float, float]
MERGED = (1, 2, 4)  # neighbours laid side by side in one axis, in the models there are
Spread = Literal["everywhere", "column", "row", "window"]


@dataclass(frozen=True)
class Mixing:
    """One softmax attention: in each of `groups`, `written` positions read `read` positions, with `heads` heads.

    `spread` says where the positions of a group lie on the picture, None where that cannot be told.
    """

    groups: int
    heads: int
    written: int
    read: int
    spread: Spread | None


@dataclass(frozen=True)
class Reach:
    """What one position sees: `extent` (rows, cols) in pixels, infinite for a whole side, and `step`, the pixels
    between neighbours.

    `gated`: a factor computed from the whole picture scales it (squeeze and excitation), which is not counted in the
    extent. `pooled`: it has no place any more. `mixing`: these are weights that will mix positions; `product`: a
    product of two activations, which a further one would turn into attention without a softmax.
    """

    extent: Pair = (1.0, 1.0)
    step: Pair = (1.0, 1.0)
    gated: bool = False
    pooled: bool = False
    known: bool = True
    mixing: Mixing | None = None
    product: bool = False

    @property
    def whole(self) -> bool:
        """Whether every position sees the whole picture."""
        return self.extent == (math.inf, math.inf)

    def slid(self, kernel: Pair, stride: Pair = (1, 1), dilation: Pair = (1, 1)) -> "Reach":
        """Return the reach after a kernel that slides over the positions: convolution or pooling."""
        wider = tuple(e + (k - 1) * d * s for e, k, d, s in zip(self.extent, kernel, dilation, self.step, strict=True))
        further = tuple(s * t for s, t in zip(self.step, stride, strict=True))
        return replace(self, extent=(wider[0], wider[1]), step=(further[0], further[1]))

    def mixed(self, mixing: Mixing, size: tuple[int, int]) -> "Reach":
        """Return the reach after attention among positions of a picture of `size` (rows, cols)."""
        plain = replace(self, mixing=None, product=False)
        if mixing.spread == "everywhere":
            return replace(plain, extent=(math.inf, math.inf))
        if mixing.spread == "column":
            return replace(plain, extent=(math.inf, self.extent[1]))
        if mixing.spread == "row":
            return replace(plain, extent=(self.extent[0], math.inf))
        if mixing.spread == "window":
            side = math.isqrt(mixing.read)
            return plain.merged(math.sqrt(size[0] * size[1] / (mixing.groups * mixing.read))).slid((side, side))
        return replace(plain, known=False)

    def merged(self, step: float) -> "Reach":
        """Return the reach of positions `step` pixels apart, made by laying finer neighbours side by side."""
        times = tuple(max(1, round(step / s)) for s in self.step)
        moved = self.slid((times[0], times[1]), (times[0], times[1]))
        return replace(moved, known=self.known and all(t in MERGED for t in times))

    def pool(self) -> "Reach":
        """Return the reach of a mean over all positions."""
        return replace(self, extent=(math.inf, math.inf), pooled=True, mixing=None, product=False)


def joined(first: Reach, second: Reach) -> Reach:
    """Return the reach of what is computed from both: the wider one; a pooled one beside a placed one is a gate."""
    if first.pooled != second.pooled:
        return replace(second if first.pooled else first, gated=True)
    extent = tuple(max(a, b) for a, b in zip(first.extent, second.extent, strict=True))
    step = tuple(max(a, b) for a, b in zip(first.step, second.step, strict=True))
    return Reach(
        extent=(extent[0], extent[1]),
        step=(step[0], step[1]),
        gated=first.gated or second.gated,
        pooled=first.pooled,
        known=first.known and second.known,
        mixing=first.mixing or second.mixing,
        product=first.product or second.product,
    )
