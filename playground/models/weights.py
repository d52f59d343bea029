"""From a card to a model that can answer: find the file, check every tensor, fill the model without initialising it."""

import hashlib
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as parse
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from playground.models import catalogue, hub
from playground.models.card import Card
from playground.models.hub import Progress, WeightsError
from playground.models.randomise import seeded
from playground.models.timing import weight_bytes

State = dict[str, Tensor]
# operations in place that only give a tensor other values
FILLS = frozenset(
    "add_ bernoulli_ clamp_ copy_ div_ erfinv_ exponential_ fill_ mul_ normal_ random_ sub_ uniform_ zero_".split()  # noqa: SIM905
)

LARGEST_DRAWN = 3 * 10**9  # bytes: ViT-H fits
SEED = 0  # of the weights of models that were never trained
ALIGNMENT = 64  # bytes: where torch's own allocator puts tensors

__all__ = ["WeightsError", "build_unfilled", "fetch", "fill", "load"]


class _Unreadable(Exception):
    """A file that is no complete weights file."""


def load(
    card: Card,
    build: Callable[[Card], nn.Module],
    rename: Callable[[State], State] | None = None,
    progress: Progress | None = None,
) -> nn.Module:
    """Return the card's model with its weights, in evaluation mode, float32, on the CPU.

    `build` constructs it, `rename` turns the file's tensor names into the model's. Names and shapes must match
    exactly and every value must be finite. Raises WeightsError with one sentence; a failed load leaves nothing behind.
    """
    if card.source == "untrained":
        return _drawn(card, build)
    state = _read(card, progress)
    if progress is not None:
        progress(1.0, f"Preparing {card.title}")
    state = _renamed(state, rename, card.title) if rename is not None else state
    model = build_unfilled(card, build)
    try:
        fill(model, state, card.title)
    except WeightsError:
        if not (card.source == "hub" and str(card.repo).startswith("timm/")):
            raise
        fill(model, _brought_up_to_date(state, model), card.title)
    return model.eval()


def fetch(card: Card, progress: Progress | None = None) -> None:
    """Bring a Hub card's weights file to this machine, where it is not there yet. Raises WeightsError."""
    if card.source == "hub":
        hub.fetch(card, progress)


def build_unfilled(card: Card, build: Callable[[Card], nn.Module]) -> nn.Module:
    """Construct the model on the CPU without filling its parameters, which hold whatever the memory held.

    Unlike construction on the meta device this leaves everything that is computed while building, such as tables of
    relative positions that no file stores, as it should be. It is as fast: untouched memory costs nothing.
    """
    with _Uninitialised():
        return build(card)


def fill(model: nn.Module, state: State, title: str = "this model") -> None:
    """Put the state's tensors into the model; they are copied only where they need another type or place.

    Raises WeightsError naming the first tensor that is missing, too many, misshapen, not finite, or of another kind.
    """
    wanted = model.state_dict()
    for name in wanted:
        if name not in state:
            _refuse(title, f"it lacks the tensor '{name}'")
    for name, tensor in state.items():
        if name not in wanted:
            _refuse(title, f"it has a tensor '{_short(name)}' that the model does not know")
        if tensor.shape != wanted[name].shape:
            _refuse(title, f"the tensor '{name}' is {_shape(tensor)} and should be {_shape(wanted[name])}")
        if tensor.is_floating_point() != wanted[name].is_floating_point() or tensor.is_complex():
            _refuse(title, f"the tensor '{name}' holds another kind of numbers")
    ready: State = {}
    anything = False
    for name, tensor in state.items():
        ready[name] = value = _in_place(tensor.to(wanted[name].dtype))
        if value.is_floating_point():
            _check_finite(name, value, title)
            anything = anything or (value.dim() > 1 and bool(value.any()))
    if not anything:
        _refuse(title, "all its matrices are zero")
    model.load_state_dict(ready, strict=True, assign=True)


def _drawn(card: Card, build: Callable[[Card], nn.Module]) -> nn.Module:
    """The model as it is before training, the same for everyone; a card's options may not be the architecture's."""
    try:
        size = weight_bytes(build_unfilled(card, build))
    except Exception:
        raise WeightsError(f"{card.title} cannot be built with its usual settings; choose another model.") from None
    if size > LARGEST_DRAWN:
        raise WeightsError(
            f"{card.title} has {size / 1e9:.0f} GB of weights and at most {LARGEST_DRAWN / 1e9:.0f} GB are made up; "
            "choose a smaller model."
        )
    with seeded(SEED):
        return build(card).eval()


def _read(card: Card, progress: Progress | None) -> State:
    if card.source == "bundled":
        return _read_bundled(card)
    if card.source == "local":
        return _read_local(card)
    path = hub.fetch(card, progress)
    try:
        return _read_hub(card, path)
    except _Unreadable:  # a cache that was damaged on this machine: once more from the hub
        hub.forget(path)
    path = hub.fetch(card, progress)
    try:
        return _read_hub(card, path)
    except _Unreadable:
        hub.forget(path)
        raise WeightsError(
            f"The model hub's file for {card.title} is damaged; try again later, {hub.INSTEAD}."
        ) from None


def _read_hub(card: Card, path: Path) -> State:
    if not hub.is_allowed_pickle(card, path):
        return _mapped(path)
    # The one pickle that may be read (see `hub.PICKLED`): its repository offers nothing else, the name is a
    # constant of ours, and weights_only admits tensors alone. Never with False, never for a file of a visitor.
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        raise _Unreadable from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise _Unreadable
    return dict(state)


def _read_bundled(card: Card) -> State:
    """Read the whole file once, so that the bytes that are checked are the bytes that are used."""
    damaged = WeightsError(
        f"The file of the bundled model {card.title} is damaged or missing; "
        "download the project again, or choose another model, the others still work."
    )
    try:
        content = (catalogue.folder_of(card.name) / "model.safetensors").read_bytes()
    except OSError:
        raise damaged from None
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise damaged
    try:
        return parse(content)
    except Exception:
        raise damaged from None


def _read_local(card: Card) -> State:
    path = Path(card.filename)
    if path.suffix.lower() != ".safetensors":
        raise WeightsError("Only .safetensors files are read: other formats can carry programs; please convert yours.")
    if not path.is_file():
        raise WeightsError("There is no such weights file; check the path.")
    try:
        return _mapped(path)
    except _Unreadable:
        raise WeightsError("The weights file is damaged or no safetensors file; please save it again.") from None


def _mapped(path: Path) -> State:
    """The tensors of a safetensors file, mapped into memory: pages are read when they are used."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError):
        raise _Unreadable from None


def _in_place(tensor: Tensor) -> Tensor:
    """Copy a tensor that starts at an odd address, as most do in a file: sums there are ordered otherwise.

    Then a model answers alike to the last bit however its file was written, and no file is needed any more.
    """
    return tensor if tensor.data_ptr() % ALIGNMENT == 0 else tensor.clone()


def _check_finite(name: str, tensor: Tensor, title: str) -> None:
    """Refuse NaN and infinity. A sum is finite only if all are, and where honest numbers overflow it, each is asked."""
    if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
        _refuse(title, f"the tensor '{name}' holds values that are no numbers")


def _renamed(state: State, rename: Callable[[State], State], title: str) -> State:
    try:
        return rename(state)
    except Exception:  # a rule of this family met names of another one
        _refuse(title, "its tensors have the names of another kind of model")


def _brought_up_to_date(state: State, model: nn.Module) -> State:
    """Files of timm's own repositories may be older than timm's classes: the class's module knows how to read them."""
    convert = getattr(sys.modules[type(model).__module__], "checkpoint_filter_fn", None)
    try:
        return dict(convert(dict(state), model)) if convert is not None else state
    except Exception:  # not an older file of this architecture but another one: `fill` says what does not fit
        return state


def _refuse(title: str, why: str) -> NoReturn:
    raise WeightsError(f"The weights do not fit {title}: {why}; choose the model they were made for.")


def _short(name: str) -> str:
    plain = "".join(letter if letter.isprintable() else "?" for letter in name)
    return plain if len(plain) <= 64 else plain[:64] + "…"


def _shape(tensor: Tensor) -> str:
    return " × ".join(str(size) for size in tensor.shape) or "a single number"


class _Uninitialised(TorchFunctionMode):
    """While entered, filling a parameter with values does nothing: a file is about to replace them all."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        target = args[0] if args else kwargs.get("tensor")  # torch.nn.init passes it by name
        if isinstance(target, nn.Parameter) and _only_fills(func):
            return target
        return func(*args, **kwargs)


def _only_fills(func: Callable[..., Any]) -> bool:
    return getattr(func, "__module__", "") == "torch.nn.init" or getattr(func, "__name__", "") in FILLS
