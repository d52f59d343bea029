"""How the cost of mixing positions grows with the picture: the theory, and what is measured here.

Only the mixing itself is measured, softmax(q k^T) v and its relatives, on the tokens of a square grid of `side` by
`side` positions; projections, which grow like the number of positions everywhere, would hide the difference.
"""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

WIDTH = 64  # channels: one head of ViT
WINDOW = 8  # positions a side, so that every side divides into windows
KERNEL = 3
BLOCK = 2**20  # scores computed at once: 4 MiB, so that every side works in the cache alike
RUNS = 5
LONGEST = 30.0  # seconds that a run may take before larger sides are left out
REPEATED = 0.02  # seconds that quick runs are repeated for

Clock = Callable[[], float]


@dataclass(frozen=True)
class Way:
    """One way to mix the positions of an H x W grid.

    `order` is its cost as a power of the side H = W, `products(side)` its multiply-adds, `run(x, block)` does it for x
    [side, side, WIDTH] with at most `block` scores at once. `span` holds the least and the greatest side that are
    measured: a factor of 8, where the mixing outweighs what surrounds it. `held` is the same for memory.
    """

    key: str
    formula: str
    order: float
    products: Callable[[int], int]
    run: Callable[[Tensor, int], Tensor]
    span: tuple[int, int]
    held: tuple[int, int]


@dataclass(frozen=True)
class Point:
    """One measurement at this side: `value` is seconds, the least of `runs`, or bytes."""

    side: int
    value: float
    runs: int = 1


def full(x: Tensor, block: int = BLOCK) -> Tensor:
    """Return x [side, side, d] after attention in which every position reads every position."""
    tokens = x.flatten(0, 1)  # [N, d]
    rows = max(1, block // tokens.shape[0])
    parts = [_attend(part, tokens) for part in tokens.split(rows)]
    return torch.cat(parts).unflatten(0, x.shape[:2])  # [side, side, d]


def axial(x: Tensor, block: int = BLOCK) -> Tensor:
    """Return x [side, side, d] after attention along each column, then along each row."""
    down = _lines(x.transpose(0, 1), block).transpose(0, 1)
    return _lines(down, block)


def windowed(x: Tensor, block: int = BLOCK) -> Tensor:
    """Return x [side, side, d] after attention within windows of WINDOW x WINDOW positions."""
    count = x.shape[0] // WINDOW
    tiles = x.unflatten(1, (count, WINDOW)).unflatten(0, (count, WINDOW)).transpose(1, 2)  # [c, c, w, w, d]
    mixed = _lines(tiles.flatten(2, 3).flatten(0, 1), block)  # [windows, w * w, d]
    mixed = mixed.unflatten(1, (WINDOW, WINDOW)).unflatten(0, (count, count))  # [c, c, w, w, d]
    return mixed.transpose(1, 2).flatten(2, 3).flatten(0, 1)


def convolved(x: Tensor, block: int = BLOCK) -> Tensor:
    """Return x [side, side, d] after a depthwise convolution: every position reads its KERNEL x KERNEL neighbours."""
    weight = torch.full((x.shape[-1], 1, KERNEL, KERNEL), 1 / KERNEL**2, device=x.device)
    grid = x[None].permute(0, 3, 1, 2)  # [1, d, side, side], channels last in memory
    moved = F.conv2d(grid, weight, padding=KERNEL // 2, groups=x.shape[-1])
    return moved.permute(0, 2, 3, 1)[0]


WAYS = (
    Way("full", "O((HW)²)", 4.0, lambda side: 2 * side**4 * WIDTH, full, (16, 128), (32, 96)),
    Way("axial", "O(HW(H + W))", 3.0, lambda side: 4 * side**3 * WIDTH, axial, (64, 512), (160, 400)),
    Way("windowed", "O(HW w²)", 2.0, lambda side: 2 * side**2 * WINDOW**2 * WIDTH, windowed, (32, 256), (192, 640)),
    Way("convolution", "O(HW k²)", 2.0, lambda side: side**2 * KERNEL**2 * WIDTH, convolved, (32, 256), (256, 640)),
)


def sides(span: tuple[int, int]) -> tuple[int, ...]:
    """Return the sides to measure, two to a doubling, all multiples of WINDOW, the ends of the span among them."""
    first, last = span
    steps = math.floor(2 * math.log2(last / first) + 1e-9)
    return tuple(sorted({last, *(WINDOW * round(first * 2 ** (i / 2) / WINDOW) for i in range(steps + 1))}))


def timed(
    way: Way,
    sizes: Sequence[int],
    runs: int = RUNS,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Clock = time.perf_counter,
) -> Iterator[Point]:
    """Yield the seconds of one pass at each side in turn, on the CPU: the least of `runs`, after one to warm up.

    The least is what other work on the machine disturbs least. Passes that are quick are repeated. Stops when
    cancelled, and after a side whose pass took longer than LONGEST.
    """
    for side in sizes:
        x = torch.randn(side, side, WIDTH, generator=torch.Generator().manual_seed(side))
        once = _clocked(way, x, 1, clock)
        repeats = max(1, math.ceil(REPEATED / max(once, 1e-6)))
        taken: list[float] = []
        while len(taken) < (runs if once < LONGEST else 1) and not cancelled():
            taken.append(_clocked(way, x, repeats, clock))
        if cancelled():
            return
        yield Point(side, min(taken), len(taken))
        if once > LONGEST:
            return


def fitted(points: Sequence[Point]) -> float | None:
    """Return e of value ~ side^e, by least squares on the logarithms; None for fewer than three points."""
    if len(points) < 3:
        return None
    x = [math.log(point.side) for point in points]
    y = [math.log(point.value) for point in points]
    middle_x, middle_y = statistics.fmean(x), statistics.fmean(y)
    spread = sum((a - middle_x) ** 2 for a in x)
    return sum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True)) / spread


def scores(way: Way, rows: int, cols: int) -> int:
    """Return how many pairs of positions meet in one pass over a grid of rows x cols, by the way's formula."""
    count = rows * cols
    reads = {"full": count, "axial": rows + cols, "windowed": WINDOW**2, "convolution": KERNEL**2}
    return count * reads[way.key]


def _attend(queries: Tensor, tokens: Tensor) -> Tensor:
    """Return softmax(q k^T / sqrt(d)) v for q [..., n, d] and k = v = tokens [..., N, d]."""
    return (queries @ tokens.mT * tokens.shape[-1] ** -0.5).softmax(-1) @ tokens


def _lines(x: Tensor, block: int) -> Tensor:
    """Return x [lines, n, d] after attention within each line."""
    return torch.cat([_attend(part, part) for part in x.split(max(1, block // x.shape[1] ** 2))])


@torch.no_grad()
def _clocked(way: Way, x: Tensor, repeats: int, clock: Clock) -> float:
    start = clock()
    for _ in range(repeats):
        way.run(x, BLOCK)
    return (clock() - start) / repeats
