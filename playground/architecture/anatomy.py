"""A card's model taken apart: every module of one forward pass with its shapes, parameters and multiply-adds.

The model is built without weights, so nothing is downloaded and nothing computed: see `counting`. Its modules' forward
functions are wrapped; it is thrown away afterwards, so nothing has to be taken off again.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from playground.architecture.counting import Counter
from playground.architecture.reach import Mixing, Reach, Spread
from playground.models import family_of
from playground.models.card import Card
from playground.models.preprocess import preprocess_of
from playground.models.weights import build_unfilled

DETR_SIZE = (800, 1066)  # a picture of 3 : 4, the most frequent shape in COCO, after DETR's resize
LARGEST = 2048  # pixels a side
KEPT = 128  # anatomies that are remembered: a few hundred small values each
MOST_SHAPES = 4
# Classes that mix all positions in ways which do not show in their operations: over turned tokens, over sparse grids.
TURNED = ("MixerBlock", "ResBlock", "SpatialGatingBlock")
SPARSE = ("MobileVitBlock", "MobileVitV2Block")

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Part:
    """One module in one forward pass on one picture: `path` in the model, `kind` its class.

    `takes` and `gives` are the shapes of its tensors, batch axis first; `macs` and `parameters` include the `parts`
    inside, in the order in which they first ran. `reach` is what a position of its output sees of the picture.
    """

    path: str
    kind: str
    parameters: int
    macs: int = 0
    takes: tuple[Shape, ...] = ()
    gives: tuple[Shape, ...] = ()
    attention: tuple[Mixing, ...] = ()
    reach: Reach | None = None
    parts: tuple["Part", ...] = ()

    @property
    def name(self) -> str:
        return self.path.rsplit(".", 1)[-1]


@dataclass
class _Seen:
    """What is known of one module while the pass runs; `own` are multiply-adds outside its children."""

    kind: str
    calls: int = 0
    own: int = 0
    takes: tuple[Shape, ...] = ()
    gives: tuple[Shape, ...] = ()
    attention: list[Mixing] = field(default_factory=list)
    reach: Reach | None = None
    inside: list[str] = field(default_factory=list)


def anatomy(card: Card, size: tuple[int, int] | None = None) -> Part:
    """Return the card's whole model as one part, for a picture that the model sees at `size` (rows, cols).

    None means the size of the model's own preprocessing (800 x 1066 for DETR). No weights are needed. Raises
    ValueError with one sentence when the model does not work at this size.
    """
    return _anatomy(card, size if size is not None else own_size(card))


def own_size(card: Card) -> tuple[int, int]:
    """Return the (rows, cols) that the model sees by its own preprocessing."""
    rule = preprocess_of(card)
    return DETR_SIZE if rule.rule == "detr" else rule.size


def dissect(model: nn.Module, size: tuple[int, int]) -> Part:
    """Run a model that is on the meta device on a picture of `size` (rows, cols) and return what its modules did.

    The model cannot be used afterwards.
    """
    watch = _Watch(model, size)
    pixels = torch.empty(1, 3, *size, device="meta")
    with torch.no_grad(), watch.counter:
        watch.counter.start(pixels)
        model(pixels)
    return watch.part("")


@lru_cache(KEPT)
def _anatomy(card: Card, size: tuple[int, int]) -> Part:
    if len(size) != 2 or not all(isinstance(side, int) and 1 <= side <= LARGEST for side in size):
        raise ValueError(f"A picture's rows and columns must be whole numbers from 1 to {LARGEST}.")
    model = _empty(card, size)
    try:
        return dissect(model, size)
    except (RuntimeError, AssertionError, ValueError, TypeError, NotImplementedError) as error:
        rows, cols = own_size(card)
        if size == (rows, cols):
            raise ValueError(f"{card.title} does things that cannot be counted without running it.") from error
        raise ValueError(
            f"{card.title} does not work on {size[0]} × {size[1]} pixels; its own size is {rows} × {cols}."
        ) from error


def _empty(card: Card, size: tuple[int, int]) -> nn.Module:
    """Return the model without weights on the meta device, made for this size where it must be."""
    family = family_of(card)
    if family.name in ("vit", "coatnet", "timm") and size != own_size(card):
        sized = replace(card, options={**card.options, "img_size": size})
        try:
            return build_unfilled(sized, family.build).eval().requires_grad_(False).to("meta")
        except (TypeError, AssertionError, ValueError, RuntimeError):  # convolutional models take any size, or it fails
            pass
    return build_unfilled(card, family.build).eval().requires_grad_(False).to("meta")


class _Watch:
    """Wraps the modules of a model so that each says when it runs and what goes in and out."""

    def __init__(self, model: nn.Module, size: tuple[int, int]) -> None:
        self.modules = dict(model.named_modules())
        self.seen = {path: _Seen(type(module).__name__) for path, module in self.modules.items()}
        self.open: list[str] = [""]
        self.counter = Counter(size, self._spent, self._attended, self._spread)
        for path, module in self.modules.items():
            module.forward = self._noted(path, module.forward)

    def _noted(self, path: str, forward: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            seen = self.seen[path]
            if path and not seen.calls:
                self._place(path)
            seen.calls += 1
            seen.takes = seen.takes or _shapes((*args, *kwargs.values()))
            self.open.append(path)
            try:
                out = forward(*args, **kwargs)
            finally:
                self.open.pop()
            given = _tensors(out)
            if seen.kind in TURNED:
                self.counter.see_everything(given[-1])
            seen.gives = tuple(dict.fromkeys(tuple(t.shape) for t in given))[:MOST_SHAPES]
            known = [reach for t in given if (reach := self.counter.reach(t)) is not None]
            seen.reach = known[-1] if known else seen.reach
            return out

        return run

    def _place(self, path: str) -> None:
        """List the module, and the containers around it that never run themselves, in the order of the pass."""
        parent = path.rpartition(".")[0]
        while path:
            if path in self.seen[parent].inside:
                return
            self.seen[parent].inside.append(path)
            path, parent = parent, parent.rpartition(".")[0]

    def _spent(self, macs: int) -> None:
        self.seen[self.open[-1]].own += macs

    def _attended(self, mixing: Mixing) -> None:
        self.seen[self.open[-1]].attention.append(mixing)

    def _spread(self) -> Spread | None:
        """Return what the module that runs now says of its attention: along an axis, or over a sparse grid."""
        axis = getattr(self.modules[self.open[-1]], "axis", None)
        if axis in ("height", "width"):
            return "column" if axis == "height" else "row"
        sparse = any(
            getattr(self.modules[path], "partition_block", True) is False or self.seen[path].kind in SPARSE
            for path in self.open
        )
        return "everywhere" if sparse else None

    def part(self, path: str) -> Part:
        """Return what is known of the module at `path` and of all inside it."""
        seen, module = self.seen[path], self.modules[path]
        parts = [self.part(inside) for inside in seen.inside]
        run = {part.path for part in parts}
        parts += [
            Part(inside, type(child).__name__, _count(child))
            for inside, child in ((f"{path}.{name}".lstrip("."), child) for name, child in module.named_children())
            if inside not in run and _count(child)  # used by its parent without being called, or not at all
        ]
        return Part(
            path=path,
            kind=seen.kind,
            parameters=_count(module),
            macs=seen.own + sum(part.macs for part in parts),
            takes=seen.takes or (parts[0].takes if parts else ()),
            gives=seen.gives or (parts[-1].gives if parts else ()),
            attention=(*seen.attention, *(mixing for part in parts for mixing in part.attention)),
            reach=seen.reach or next((part.reach for part in reversed(parts) if part.reach), None),
            parts=tuple(parts),
        )


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _shapes(values: Iterable[Any]) -> tuple[Shape, ...]:
    return tuple(dict.fromkeys(tuple(t.shape) for t in _tensors(tuple(values))))[:MOST_SHAPES]


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        return [tensor for inner in value.values() for tensor in _tensors(inner)]
    if isinstance(value, list | tuple):
        return [tensor for inner in value for tensor in _tensors(inner)]
    return []
