"""What every explanation method is made of: a target to explain, a map that answers, and the method's description."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from torch import Tensor

from playground import checks
from playground.trace import Sequence as Tokens
from playground.trace import Trace

Needs = Literal["trace", "gradient", "perturbation", "head"]
Settings = Mapping[str, Any]


class Cancelled(Exception):
    """The visitor left or pressed stop; nothing went wrong."""


@dataclass(frozen=True)
class Target:
    """What is to be explained. Everything left None is chosen by the model's answer.

    `class_index` an output of the head; `patch` (row, col) on the grid that the method starts from; `token` the name
    of a prefix token in place of a patch; `query` an object query of a detector. `layer` counts from 0 over the
    method's `layers(trace)`; `head` counts from 0, None mixes the heads.
    """

    class_index: int | None = None
    patch: tuple[int, int] | None = None
    token: str | None = None
    query: int | None = None
    layer: int | None = None
    head: int | None = None


@dataclass(frozen=True, eq=False)
class Map:
    """One explanation on the model's own grid: `values` float32 [rows, cols].

    `region_xyxy` is the part of the upload, in its pixels, over which the grid lies; it may reach past the edge.
    `apart` names what belongs to no place: the mass of class and register tokens and of object queries.
    `signed`: below zero speaks against. `target` says what was explained, with nothing left None that was used.
    """

    method: str
    values: np.ndarray
    sequence: str
    region_xyxy: tuple[float, float, float, float]
    target: Target
    apart: tuple[tuple[str, float], ...] = ()
    signed: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """One setting of a method: a choice among words, a switch, a whole number in low..high or a share in 0..1."""

    name: str
    title: str
    default: str | bool | int | float
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    help: str = ""

    def check(self, value: Any) -> str | bool | int | float:
        """Return the value as the option's kind; raises ValueError saying what is allowed."""
        if self.choices:
            if not isinstance(value, str) or value not in self.choices:
                raise ValueError(f"{self.title} must be one of {', '.join(self.choices)}.")
            return value
        if isinstance(self.default, bool):
            if not isinstance(value, bool):
                raise ValueError(f"{self.title} must be true or false.")
            return value
        if isinstance(self.default, int):
            return checks.whole(value, self.title, int(self.low), int(self.high))
        return checks.share(value, self.title)


def _stay(share: float) -> None:
    """Nobody watches."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Access:
    """The model, for methods that run it again or read tokens with its head. Everything is batched.

    `forward` maps pixels [n, 3, H, W] to logits [n, C] or [n, Q, C + 1]; `read` maps sequences [n, T, D] as they
    leave a block to logits [n, C] through the final norm and head, None where there is no such head; `read_boxes` maps
    a detector's to boxes_cxcywh [n, 4]; `silenced` is `forward` with a (call, head) left out for each picture, where
    effects of heads are asked for. `terms` takes the number of an axial block and the tokens [1, C, rows, cols] that it
    reads, and gives the terms of its logits, column step and row step, each [lines, 3, heads, L, L]. `progress` hears
    the share done, `cancelled` is asked between batches.
    """

    forward: Callable[[Tensor], Tensor]
    read: Callable[[Tensor], Tensor] | None = None
    read_boxes: Callable[[Tensor], Tensor] | None = None
    silenced: Callable[[Tensor, Sequence[tuple[int, int]]], Tensor] | None = None
    terms: Callable[[int, Tensor], tuple[Tensor, Tensor]] | None = None
    batch: int = 16
    progress: Callable[[float], None] = _stay
    cancelled: Callable[[], bool] = _never


@dataclass(frozen=True)
class Method:
    """One explanation method and how to call it.

    `needs`: "trace" works on any trace, "gradient" on one made with its graph, "perturbation" runs the model again
    and "head" reads tokens with the model's head; the last two want an Access. `by_class`: another class gives
    another map. `layers` names what `Target.layer` counts, () where the method has no layer to choose; `starts` gives
    the tokens of which `Target.patch` or `Target.token` is one (None: the method starts from none). `heads` says that
    one head of a layer can be chosen.
    """

    name: str
    title: str
    needs: Needs
    by_class: bool
    description: str
    run: Callable[[Trace, Target, Settings, Access | None], Map]
    options: tuple[Option, ...] = ()
    layers: Callable[[Trace], tuple[str, ...]] = lambda trace: ()
    starts: Callable[[Trace, Target], Tokens | None] = lambda trace, target: None
    heads: bool = False

    def settings(self, given: Settings | None = None) -> dict[str, Any]:
        """Return every option of the method, as given or by default; raises ValueError for what is not allowed."""
        given = dict(given or {})
        known = {option.name: option for option in self.options}
        unknown = sorted(set(given) - set(known))
        if unknown:
            allowed = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ValueError(f"{self.title} has no option '{str(unknown[0])[:40]}'; {allowed}.")
        return {name: option.check(given.get(name, option.default)) for name, option in known.items()}
