"""How the cost of mixing positions grows with the picture: the theory, and what is measured here.

Only the mixing itself is measured, softmax(q k^T) v and its relatives, on the tokens of a square grid of `side` by
`side` positions; projections, which grow like the number of positions everywhere, would hide the difference.
"""

import math
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

HEADS, WIDTH = 1, 64  # one head of 64 channels, as in ViT
WINDOW = 8  # positions a side, so that every side divides into windows
KERNEL = 3
BLOCK = 2**23  # scores computed at once: 32 MiB, so that memory never limits the side
FIRST, LAST = 32, 256  # the sides of a study: a factor of 8
RUNS = 5
LONGEST = 30.0  # seconds that one point may take before larger ones are left out


@dataclass(frozen=True)
class Way:
    """One way to mix the positions of an H x W grid: `order` is its cost as a power of the side, H = W = side."""

    key: str
    formula: str
    order: float
    products: Callable[[int], int]
    run: Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Point:
    """One measurement: the median of the seconds of `runs` runs at this side, and the multiply-adds done."""

    side: int
    seconds: float
    macs: int
    runs: int
    bytes: int | None = None


def full(x: Tensor) -> Tensor:
    """Return x [side, side, d] after full attention: every position reads every position, rows of scores in blocks."""
    tokens = x.flatten(0, 1)  # [N, d]
    rows = max(1, BLOCK // tokens.shape[0])
    parts = [(part @ tokens.mT * x.shape[-1] ** -0.5).softmax(-1) @ tokens for part in tokens.split(rows)]
    return torch.cat(parts).unflatten(0, x.shape[:2])  # [side, side, d]


def axial(x: Tensor) -> Tensor:
    """Return x [side, side, d] after attention along each column, then along each row."""
    down = _lines(x.transpose(0, 1)).transpose(0, 1)
    return _lines(down)


def windowed(x: Tensor) -> Tensor:
    """Return x [side, side, d] after attention within windows of WINDOW x WINDOW positions."""
    side, d = x.shape[0], x.shape[-1]
    count = side // WINDOW
    tiles = (
        x.reshape(count, WINDOW, count, WINDOW, d).transpose(1, 2).reshape(-1, WINDOW * WINDOW, d)
    )  # [windows, n, d]
    mixed = _lines(tiles)
    return mixed.reshape(count, count, WINDOW, WINDOW, d).transpose(1, 2).reshape(side, side, d)


def convolved(x: Tensor) -> Tensor:
    """Return x [side, side, d] after a depthwise 3 x 3 convolution: every position reads its neighbours."""
    weight = torch.full((x.shape[-1], 1, KERNEL, KERNEL), 1 / KERNEL**2)
    return F.conv2d(x.permute(2, 0, 1)[None], weight, padding=KERNEL // 2, groups=x.shape[-1])[0].permute(1, 2, 0)


def _lines(x: Tensor) -> Tensor:
    """Return x [lines, n, d] after attention within each line."""
    return (x @ x.mT * x.shape[-1] ** -0.5).softmax(-1) @ x


WAYS = (
    Way("full", "O((HW)²)", 4.0, lambda side: 2 * side**4 * WIDTH, full),
    Way("axial", "O(HW(H + W))", 3.0, lambda side: 4 * side**3 * WIDTH, axial),
    Way("windowed", "O(HW w²)", 2.0, lambda side: 2 * side**2 * WINDOW**2 * WIDTH, windowed),
    Way("convolution", "O(HW k²)", 2.0, lambda side: side**2 * KERNEL**2 * WIDTH, convolved),
)


def sides(last: int, first: int = FIRST) -> tuple[int, ...]:
    """Return the sides to measure: four to a doubling, multiples of WINDOW, `first` and `last` among them."""
    steps = math.floor(2 * math.log2(last / first) + 1e-9)
    found = {WINDOW * round(first * 2 ** (i / 2) / WINDOW) for i in range(steps + 1)} | {last}
    return tuple(sorted(found))


def measure(
    way: Way, sizes: Sequence[int], runs: int = RUNS, cancelled: Callable[[], bool] = lambda: False
) -> Iterator[Point]:
    """Measure one way at each side in turn, on the CPU; stops when cancelled or when a run gets longer than LONGEST.

    A point is the median over `runs` runs after one to warm up, of as many repetitions as take 20 ms together.
    """
    for side in sizes:
        x = torch.randn(side, side, WIDTH, generator=torch.Generator().manual_seed(side))
        with torch.no_grad():
            once = _timed(way, x, 1)  # warms up
            if cancelled():
                return
            repeats = max(1, math.ceil(0.02 / max(once, 1e-6)))
            taken = []
            for _ in range(runs if once * runs < LONGEST else 1):
                taken.append(_timed(way, x, repeats))
                if cancelled():
                    return
        yield Point(side, statistics.median(taken), way.products(side), len(taken))
        if once > LONGEST:
            return


def fitted(points: Sequence[Point], value: Callable[[Point], float] = lambda point: point.seconds) -> float | None:
    """Return the exponent of value ~ side^e by least squares on logarithms; None for fewer than three points."""
    if len(points) < 3:
        return None
    x = [math.log(point.side) for point in points]
    y = [math.log(value(point)) for point in points]
    middle_x, middle_y = statistics.fmean(x), statistics.fmean(y)
    spread = sum((a - middle_x) ** 2 for a in x)
    return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / spread


def theory(way: Way, sizes: Sequence[int]) -> float:
    """Return the exponent that the multiply-adds themselves have over these sides."""
    found = fitted([Point(side, 0, way.products(side), 0) for side in sizes], lambda point: float(point.macs))
    return way.order if found is None else found


def peak_bytes() -> int:
    """Return the most memory that this process has held so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _timed(way: Way, x: Tensor, repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        way.run(x)
    return (time.perf_counter() - start) / repeats
