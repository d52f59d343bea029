"""A forward pass on no data at all: every tensor is a shape on torch's meta device, and every operation is counted.

One dispatch mode sees all operations of its own thread. It adds up multiply-adds, notes every softmax attention and
carries the receptive field of each tensor along.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from playground.architecture.reach import Mixing, Reach, Spread, joined

aten = torch.ops.aten
PRODUCTS = {aten.mm: (0, 1), aten.bmm: (0, 1), aten.addmm: (1, 2), aten.baddbmm: (1, 2)}
SOFTMAX = (aten._softmax, aten._safe_softmax)
POOLS = (aten.max_pool2d_with_indices, aten.avg_pool2d)
MOST_HEADS = 64  # what looks like more is another axis
REDUCES = (aten.mean, aten.sum, aten.amax)
ADAPTIVE = (aten._adaptive_avg_pool2d, aten.adaptive_max_pool2d)


class Counter(TorchDispatchMode):
    """Counts while it is entered: calls `spent(macs)` and `attended(mixing)` at every operation that does either.

    `size` (rows, cols) of the picture; `spread` may say how the attention that runs now lies on the picture. Multiply-
    adds are those of matrix products and convolutions, half the operations that torch.utils.flop_counter counts.
    """

    def __init__(
        self,
        size: tuple[int, int],
        spent: Callable[[int], None],
        attended: Callable[[Mixing], None],
        spread: Callable[[], Spread | None],
    ) -> None:
        super().__init__()
        self.size = size
        self.spent = spent
        self.attended = attended
        self.spread = spread
        self._reach: dict[int, Reach] = {}
        self._kept: list[Tensor] = []  # alive, so that no other tensor gets the same id; on meta they hold no data

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Leave torch's compiler alone: it would be imported only to be told that it is not wanted here."""
        return False

    def reach(self, tensor: Tensor) -> Reach | None:
        """Return what a position of this tensor sees; None where it does not depend on the picture."""
        return self._reach.get(id(tensor))

    def start(self, pixels: Tensor) -> None:
        """Say that this tensor is the picture."""
        self._keep(pixels, Reach())

    def see_everything(self, tensor: Tensor) -> None:
        """Say that each position of this tensor is made of all positions, by means that do not show."""
        known = self.reach(tensor)
        if known is not None:
            self._keep(tensor, replace(known, extent=(math.inf, math.inf)))

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        packet = func.overloadpacket
        macs = multiply_adds(packet, args, out)
        if macs:
            self.spent(macs)
        inputs = [t for t in _tensors(args) if id(t) in self._reach]
        reach: Reach | None = None
        for tensor in inputs:
            reach = self._reach[id(tensor)] if reach is None else joined(reach, self._reach[id(tensor)])
        if packet in SOFTMAX and out.dim() >= 3 and args[1] in (-1, out.dim() - 1):
            mixing = self._mixing(tuple(out.shape))
            self.attended(mixing)
            reach = None if reach is None else replace(reach, mixing=mixing, product=False)
        elif reach is not None:
            reach = self._moved(packet, args, inputs, reach)
        if reach is not None:
            for tensor in _tensors([out]):
                self._keep(tensor, reach)
        return out

    def _keep(self, tensor: Tensor, reach: Reach) -> None:
        self._reach[id(tensor)] = reach
        self._kept.append(tensor)

    def _moved(self, packet: Any, args: Sequence[Any], inputs: list[Tensor], reach: Reach) -> Reach:
        """Return the reach after this operation; most do not move anything."""
        if packet is aten.convolution and args[0].dim() == 4 and not args[6]:
            return reach.slid(tuple(args[1].shape[2:]), tuple(args[3]), tuple(args[5]))
        if packet is aten.convolution and args[0].dim() == 4:
            return _spread_out(reach, args[3])
        if packet in POOLS:
            return _window(reach, args)
        if packet is aten.im2col:
            return reach.slid(tuple(args[1]), tuple(args[4]), tuple(args[2]))
        if packet in ADAPTIVE or (packet in REDUCES and _over_positions(args)):
            return reach.pool()
        if packet in (aten.upsample_nearest2d, aten.upsample_bilinear2d, aten.upsample_bicubic2d):
            finer = [out / side for out, side in zip(args[1], args[0].shape[2:], strict=True)]
            return _spread_out(reach, finer)
        if packet in PRODUCTS:
            return self._product([args[i] for i in PRODUCTS[packet]], reach)
        return reach

    def _product(self, factors: list[Tensor], reach: Reach) -> Reach:
        """Return the reach of a matrix product: weights mix positions, two products in a row are linear attention."""
        known = [self._reach[id(t)] for t in factors if id(t) in self._reach]
        if reach.mixing is not None:
            return reach.mixed(reach.mixing, self.size)
        if len(known) == 2 and any(r.product for r in known):
            return reach.mixed(Mixing(1, 1, 1, 1, "everywhere"), self.size)
        return replace(reach, product=len(known) == 2)

    def _mixing(self, shape: tuple[int, ...]) -> Mixing:
        heads, written, read = shape[-3:]
        groups = math.prod(shape[:-3])
        spread = self.spread() or _spread(groups, read)
        return Mixing(groups, heads, written, read, spread if heads <= MOST_HEADS else None)


def multiply_adds(packet: Any, args: Sequence[Any], out: Any) -> int:
    """Return the multiply-adds of one operation: matrix products and convolutions; all others count as none."""
    if packet in PRODUCTS:
        left, right = (args[i] for i in PRODUCTS[packet])
        return left.numel() * right.shape[-1]
    if packet is aten.convolution:
        swept = args[0] if args[6] else out  # transposed convolutions sweep their input
        return swept.numel() * math.prod(args[1].shape[1:])
    return 0


def _spread(groups: int, read: int) -> Spread | None:
    if groups == 1:
        return "everywhere"
    return "window" if math.isqrt(read) ** 2 == read else None


def _spread_out(reach: Reach, times: Sequence[float]) -> Reach:
    step = (reach.step[0] / times[0], reach.step[1] / times[1])
    return replace(reach, step=step)


def _window(reach: Reach, args: Sequence[Any]) -> Reach:
    """Return the reach after max or average pooling of 2 axes."""
    kernel = _pair(args[1])
    stride = _pair(args[2]) if len(args) > 2 and args[2] else kernel
    if args[0].shape[-2:] == kernel:
        return reach.pool()
    return reach.slid(kernel, stride)


def _pair(value: Any) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return values[0], values[-1]


def _over_positions(args: Sequence[Any]) -> bool:
    """Whether a reduction takes positions together: two axes of a map, or the middle one of tokens [B, N, D]."""
    if len(args) < 2 or not isinstance(args[1], list | tuple):
        return False
    dims = {dim % args[0].dim() for dim in args[1]}
    return (args[0].dim() == 4 and len(dims) == 2) or (args[0].dim() == 3 and 1 in dims)


def _tensors(values: Iterable[Any]) -> list[Tensor]:
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found
