"""From a picture and a card to a trace and an answer. The only caches of the project live here.

Both caches are bounded by bytes and keyed by content: the model by its card, the trace by the picture's pixels and
the card. Two visitors with the same picture share a result because it is equal by construction.
"""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from playground import checks
from playground.image import Picture, Preprocess, content_key, view
from playground.models import family_of, heads
from playground.models.answers import classes_of, objects_of
from playground.models.card import Card
from playground.models.parts import parts_of
from playground.models.preprocess import preprocess_of
from playground.models.randomise import randomised
from playground.models.sizes import Sizes, preprocess_at, sizes_of
from playground.models.sizes import at_size as model_at
from playground.models.weights import load as load_weights
from playground.parts import Parts
from playground.trace import Prediction, Trace

MODEL_BYTES = 4 * 1024**3
TRACE_BYTES = 512 * 1024**2
PARTS_BYTES = 64 * 1024**2
LEAST_BOX_SCORE = 0.05  # boxes below are noise and never shown

Progress = Callable[[float, str], None]
Value = TypeVar("Value")


class InferenceError(ValueError):
    """A model that could not answer; the text is one sentence for the visitor."""


class Kept(Generic[Value]):
    """A cache that forgets the least recently used values once they hold more than `limit` bytes; thread-safe."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._values: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._busy: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the value for `key`, making it once even when several threads ask at the same time."""
        with self._lock:
            busy = self._busy.setdefault(key, threading.Lock())
        try:
            with busy:
                with self._lock:
                    if key in self._values:
                        self._values.move_to_end(key)
                        return self._values[key][0]
                value = make()
                self._keep(key, value, size(value))
                return value
        finally:
            with self._lock:
                self._busy.pop(key, None)

    def _keep(self, key: str, value: Value, size: int) -> None:
        with self._lock:
            self._values[key] = (value, size)
            self.held += size
            while self.held > self.limit and len(self._values) > 1:
                _, (_, freed) = self._values.popitem(last=False)
                self.held -= freed

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.held = 0


_models: Kept[nn.Module] = Kept(MODEL_BYTES)
_traces: Kept[Trace] = Kept(TRACE_BYTES)
_parts: Kept[Parts] = Kept(PARTS_BYTES)


def pick_device() -> torch.device:
    """Return the fastest device at hand: CUDA, then Apple's MPS, then the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def device_name(device: torch.device) -> str:
    """Return the device in a visitor's words, such as "NVIDIA H200" or "CPU"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type.upper()


def load(card: Card, progress: Progress | None = None, device: torch.device | None = None) -> nn.Module:
    """Return the card's model in evaluation mode on the device, from the cache or from its weights.

    Raises WeightsError with one sentence when the weights cannot be had.
    """
    device = device or pick_device()
    family = family_of(card)

    def make() -> nn.Module:
        return load_weights(card, family.build, family.rename, progress).requires_grad_(False).to(device)

    return _models.get(f"{_key(card)} on {device}", make, _model_bytes)


def trace(picture: Picture, card: Card, progress: Progress | None = None) -> Trace:
    """Return everything that one forward pass of the card's model leaves, from the cache where it is there.

    A picture that does not fit the accelerator's memory is tried once more on the CPU.
    Raises InferenceError or WeightsError with one sentence.
    """

    def make() -> Trace:
        return _within_memory(lambda device: _run(picture, card, device, progress))

    return _traces.get(f"{content_key(picture)} by {_key(card)}", make, Trace.nbytes)


def parts(card: Card, progress: Progress | None = None) -> Parts:
    """Return the stem and the positions of the card's model as numpy, for views of what happens before its blocks.

    Raises WeightsError, or ValueError where no convolution reads the pixels.
    """
    return _parts.get(_key(card), lambda: parts_of(load(card, progress), card), Parts.nbytes)


def sizes(card: Card, progress: Progress | None = None) -> Sizes:
    """Return the sides of pictures that `at_size` takes for the card's model."""
    return sizes_of(load(card, progress), card)


def at_size(picture: Picture, card: Card, side: int, progress: Progress | None = None) -> Trace:
    """Return the trace of the same weights on the picture with the shorter side `side` pixels, from the cache if there.

    Tables of positions are interpolated in two dimensions as timm does; everything else is the card's model.
    Raises ValueError for a side outside `sizes(card)`, InferenceError or WeightsError with one sentence.
    """
    allowed = sizes(card, progress)
    side = checks.whole(side, "The side", allowed.low, allowed.high)
    if side == allowed.usual:
        return trace(picture, card, progress)
    if side % allowed.step:
        raise ValueError(
            f"The side must be a multiple of {allowed.step} pixels, such as {side // allowed.step * allowed.step}."
        )
    seen_as = preprocess_at(card, side, allowed.step)

    def change(model: nn.Module) -> nn.Module:
        return model_at(model, card, seen_as.size)

    def make() -> Trace:
        return _within_memory(lambda device: _run(picture, card, device, progress, change=change, seen_as=seen_as))

    return _traces.get(f"{content_key(picture)} by {_key(card)} at {side}", make, Trace.nbytes)


def replay(picture: Picture, card: Card, progress: Progress | None = None) -> Trace:
    """Return the trace made once more with its graph, for methods that ask for gradients; it is not kept.

    Raises InferenceError or WeightsError with one sentence.
    """
    return _within_memory(lambda device: _run(picture, card, device, progress, graph=True))


def untrained(
    picture: Picture, card: Card, share: float = 1.0, seed: int = 0, progress: Progress | None = None
) -> Trace:
    """Return the trace, with its graph, of the model with its last `share` of layers drawn anew; it is not kept.

    A map that stays the same explains the picture, not the model. Raises InferenceError or WeightsError.
    """

    def change(model: nn.Module) -> nn.Module:
        return randomised(model, share, seed)

    return _within_memory(lambda device: _run(picture, card, device, progress, graph=True, change=change))


def untrained_model(card: Card, share: float = 1.0, seed: int = 0) -> nn.Module:
    """Return the model of which `untrained` gives the trace, for methods that run it again; it is not kept."""
    return randomised(load(card), share, seed)


def forward(card: Card, progress: Progress | None = None, model: nn.Module | None = None) -> Callable[[Tensor], Tensor]:
    """Return a function from pixels [n, 3, H, W] to logits [n, C], or [n, Q, C + 1], for methods that perturb.

    `model` stands in for the card's own.
    """
    return heads.forward(load(card, progress) if model is None else model)


def silenced(card: Card, progress: Progress | None = None) -> Callable[[Tensor, Sequence[tuple[int, int]]], Tensor]:
    """Return a function like `forward` that takes for each picture the (attention call, head) to leave out."""
    return heads.silenced(load(card, progress))


def readers(
    card: Card, progress: Progress | None = None, model: nn.Module | None = None
) -> tuple[heads.Reader | None, heads.Reader | None]:
    """Return what reads logits, and for a detector boxes, in tokens of any layer; None where nothing does.

    `model` stands in for the card's own.
    """
    model = load(card, progress) if model is None else model
    return heads.reader(model, card), heads.box_reader(model)


def axial_terms(card: Card) -> Callable[[int, Tensor], tuple[Tensor, Tensor]] | None:
    """Return what reads the terms of an axial block's logits in the tokens it is given; None for other models."""
    return heads.axial_terms(load(card))


def predict(
    picture: Picture, card: Card, top_k: int = 5, threshold: float = LEAST_BOX_SCORE, progress: Progress | None = None
) -> Prediction:
    """Answer one picture: the `top_k` best classes, or the boxes and segments that score at least `threshold`.

    Boxes come best first in pixels of the upload; a classifier's scores are softmax probabilities at the card's
    fitted temperature. Raises ValueError with one sentence.
    """
    seen = trace(picture, card, progress)
    classes = classes_of(seen, card, top_k)
    boxes, segments, segment_map = objects_of(seen, card, threshold)
    return Prediction(
        model=card.name,
        task=card.task,
        classes=classes,
        boxes=boxes,
        segments=segments,
        segment_map=segment_map,
        unsure=bool(classes) and classes[0].score < card.unsure_below,
        seconds=seen.seconds,
        device=seen.device,
        notes=picture.notes,
        picture_size=seen.view.picture_size,
    )


def forget() -> None:
    """Drop all cached models and traces."""
    _models.clear()
    _traces.clear()
    _parts.clear()


def _key(card: Card) -> str:
    return f"{card.source}:{card.name}:{card.revision}:{card.sha256}:{card.filename}"


def _model_bytes(model: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))


def _within_memory(run: Callable[[torch.device], Trace]) -> Trace:
    """Run on the fastest device, and once more on the CPU where its memory is too small."""
    device = pick_device()
    try:
        return run(device)
    except torch.OutOfMemoryError:
        if device.type == "cpu":
            raise InferenceError("This picture needs more memory than there is; choose a smaller model.") from None
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return run(torch.device("cpu"))


def _run(
    picture: Picture,
    card: Card,
    device: torch.device,
    progress: Progress | None,
    graph: bool = False,
    change: Callable[[nn.Module], nn.Module] | None = None,
    seen_as: Preprocess | None = None,
) -> Trace:
    model = load(card, progress, device)
    model = change(model) if change else model
    seen = view(picture, seen_as or preprocess_of(card))
    start = time.perf_counter()
    made = family_of(card).trace(model, seen, card, device, graph)  # its results are on the CPU, so the device is done
    seconds = time.perf_counter() - start
    answers = [t for t in (made.logits, made.boxes_cxcywh, made.masks) if t is not None]
    if not all(math.isfinite(t.sum().item()) for t in answers):
        raise InferenceError("The model gave no usable answer for this picture; try another picture or model.")
    return replace(made, seconds=seconds, device=device_name(device))
