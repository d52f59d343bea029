"""From a picture and a card to a trace and an answer. The only caches of the project live here.

Both caches are bounded by bytes and keyed by content: the model by its card, the trace by the picture's pixels and
the card. Two visitors with the same picture share a result because it is equal by construction.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TypeVar

import torch
from torch import Tensor, nn

from playground import checks
from playground.image import Picture, Preprocess, content_key, view
from playground.kept import Kept
from playground.models import family_of, heads
from playground.models.answers import classes_of, objects_of
from playground.models.card import Card
from playground.models.parts import parts_of
from playground.models.preprocess import preprocess_of
from playground.models.randomise import randomised
from playground.models.sizes import Sizes, preprocess_at, sizes_of
from playground.models.sizes import at_size as model_at
from playground.models.timing import Stopped, Timing, timed, weight_bytes
from playground.models.weights import fetch as fetch_weights
from playground.models.weights import load as load_weights
from playground.parts import Parts
from playground.trace import Prediction, Trace

MODEL_BYTES = 4 * 1024**3
TRACE_BYTES = 512 * 1024**2
MOST_TIMINGS = 1000
PARTS_BYTES = 64 * 1024**2
LEAST_BOX_SCORE = 0.05  # boxes below are noise and never shown

Progress = Callable[[float, str], None]
Value = TypeVar("Value")


class InferenceError(ValueError):
    """A model that could not answer; the text is one sentence for the visitor."""


_models: Kept[nn.Module] = Kept(MODEL_BYTES)
_traces: Kept[Trace] = Kept(TRACE_BYTES)
_timings: Kept[Timing] = Kept(MOST_TIMINGS)
_parts: Kept[Parts] = Kept(PARTS_BYTES)
_clock = threading.Lock()  # one measurement at a time


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
    with using(card, progress, device) as model:
        return model


@contextmanager
def using(card: Card, progress: Progress | None = None, device: torch.device | None = None) -> Iterator[nn.Module]:
    """Give the card's model as `load` does; it stays resident as long as the context is open."""
    device = device or pick_device()
    family = family_of(card)

    def make() -> nn.Module:
        return load_weights(card, family.build, family.rename, progress).requires_grad_(False).to(device)

    with _models.using(_resident(card, device), make, weight_bytes) as model:
        yield model


def fetch(card: Card, progress: Progress | None = None) -> None:
    """Bring the card's weights to this machine where they are not there yet; nothing is loaded.

    Raises WeightsError with one sentence.
    """
    if _resident(card, pick_device()) not in _models:
        fetch_weights(card, progress)


def trace(picture: Picture, card: Card, progress: Progress | None = None) -> Trace:
    """Return everything that one forward pass of the card's model leaves, from the cache where it is there.

    A picture that does not fit the accelerator's memory is tried once more on the CPU.
    Raises InferenceError or WeightsError with one sentence.
    """

    def make() -> Trace:
        return _within_memory(lambda device: _run(picture, card, device, progress))

    return _traces.get(f"{content_key(picture)} by {_key(card)}", make, Trace.nbytes)


def parts(card: Card, progress: Progress | None = None, side: int | None = None) -> Parts:
    """Return the stem and the positions of the card's model as numpy, for views of what happens before its blocks.

    With `side` they are those of the model that `at_size` asks: its tables of positions are the interpolated ones.
    Raises WeightsError, or ValueError for another side and where no convolution reads the pixels.
    """
    seen_as = preprocess_of(card) if side is None else _seen_at(card, side, progress)
    size = (seen_as.shortest, seen_as.shortest) if seen_as.rule == "detr" else seen_as.size

    def make() -> Parts:
        model = load(card, progress)
        return parts_of(model if seen_as == preprocess_of(card) else model_at(model, card, size), card, size)

    return _parts.get(f"{_key(card)} at {size}", make, Parts.nbytes)


def sizes(card: Card, progress: Progress | None = None) -> Sizes:
    """Return the sides of pictures that `at_size` takes for the card's model."""
    return sizes_of(load(card, progress), card)


def at_size(picture: Picture, card: Card, side: int, progress: Progress | None = None) -> Trace:
    """Return the trace of the same weights on the picture with the shorter side `side` pixels, from the cache if there.

    Tables of positions are interpolated in two dimensions as timm does; everything else is the card's model.
    Raises ValueError for a side outside `sizes(card)`, InferenceError or WeightsError with one sentence.
    """
    seen_as = _seen_at(card, side, progress)
    if seen_as == preprocess_of(card):
        return trace(picture, card, progress)

    def change(model: nn.Module) -> nn.Module:
        return model_at(model, card, seen_as.size)

    def make() -> Trace:
        return _within_memory(lambda device: _run(picture, card, device, progress, change=change, seen_as=seen_as))

    return _traces.get(f"{content_key(picture)} by {_key(card)} at {int(side)}", make, Trace.nbytes)


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


def measure(picture: Picture, card: Card, cancelled: Callable[[], bool] = lambda: False) -> Timing:
    """Time plain forward passes of the card's model on its view of the picture, and measure its memory.

    What a pass costs depends on the size it sees and not on the picture, so each size is measured once. One
    measurement runs at a time; other work on this machine makes it slower. Raises Stopped when `cancelled` says so
    between passes, InferenceError or WeightsError with one sentence.
    """

    def on(device: torch.device) -> Timing:
        pixels = torch.from_numpy(view(picture, preprocess_of(card)).pixels).unsqueeze(0).to(device)  # [1, 3, H, W]

        def make() -> Timing:
            while not _clock.acquire(timeout=0.05):
                if cancelled():
                    raise Stopped
            try:
                with using(card, None, device) as model:
                    return timed(model, pixels, device, device_name(device), cancelled)
            finally:
                _clock.release()

        return _timings.get(f"{tuple(pixels.shape)} by {_resident(card, device)}", make, lambda _: 1)

    return _within_memory(on)


def forward(card: Card, progress: Progress | None = None, model: nn.Module | None = None) -> Callable[[Tensor], Tensor]:
    """Return a function from pixels [n, 3, H, W] to logits [n, C], or [n, Q, C + 1], for methods that perturb.

    `model` stands in for the card's own, which else stays resident as long as the function is held; so below.
    """
    return _lasting(card, heads.forward, progress, model)


def silenced(card: Card, progress: Progress | None = None) -> Callable[[Tensor, Sequence[tuple[int, int]]], Tensor]:
    """Return a function like `forward` that takes for each picture the (attention call, head) to leave out."""
    return _lasting(card, heads.silenced, progress)


def readers(
    card: Card, progress: Progress | None = None, model: nn.Module | None = None
) -> tuple[heads.Reader | None, heads.Reader | None]:
    """Return what reads logits, and for a detector boxes, in tokens of any layer; None where nothing does.

    `model` stands in for the card's own.
    """

    def read(model: nn.Module) -> heads.Reader | None:
        return heads.reader(model, card)

    return _lasting(card, read, progress, model), _lasting(card, heads.box_reader, progress, model)


def axial_terms(card: Card) -> Callable[[int, Tensor], tuple[Tensor, Tensor]] | None:
    """Return what reads the terms of an axial block's logits in the tokens it is given; None for other models."""
    return _lasting(card, heads.axial_terms)


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
        shown_from=card.threshold,
    )


def forget() -> None:
    """Drop everything that is cached."""
    for cache in (_models, _traces, _parts, _timings):
        cache.clear()


def _seen_at(card: Card, side: int, progress: Progress | None) -> Preprocess:
    """Return how the card's model sees a picture with the shorter side `side`; raises ValueError for another."""
    allowed = sizes(card, progress)
    side = checks.whole(side, "The side", allowed.low, allowed.high)
    if side == allowed.usual:
        return preprocess_of(card)
    if side % allowed.step:
        near = side // allowed.step * allowed.step
        raise ValueError(f"The side must be a multiple of {allowed.step} pixels, such as {near}.")
    return preprocess_at(card, side, allowed.step)


def _key(card: Card) -> str:
    return f"{card.source}:{card.name}:{card.revision}:{card.sha256}:{card.filename}"


def _resident(card: Card, device: torch.device) -> str:
    return f"{_key(card)} on {device}"


def _lasting(
    card: Card, make: Callable[[nn.Module], Value], progress: Progress | None = None, model: nn.Module | None = None
) -> Value:
    """Return what `make` gives for the card's model, which stays resident as long as that is held."""
    if model is not None:
        return make(model)
    device = pick_device()
    with using(card, progress, device) as own:
        made = make(own)
        if made is not None:
            _models.tie(_resident(card, device), made)
        return made


def _within_memory(run: Callable[[torch.device], Value]) -> Value:
    """Run on the fastest device, and once more on the CPU where its memory is too small."""
    device = pick_device()
    try:
        return run(device)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if device.type == "cpu":
            raise InferenceError("This picture needs more memory than there is; choose a smaller model.") from None
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return run(torch.device("cpu"))


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether memory ran out; for that of the CPU torch has no error of its own."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)


def _run(
    picture: Picture,
    card: Card,
    device: torch.device,
    progress: Progress | None,
    graph: bool = False,
    change: Callable[[nn.Module], nn.Module] | None = None,
    seen_as: Preprocess | None = None,
) -> Trace:
    with using(card, progress, device) as model:
        model = change(model) if change else model
        seen = view(picture, seen_as or preprocess_of(card))
        start = time.perf_counter()
        made = family_of(card).trace(model, seen, card, device, graph)  # with results on the CPU: the device is done
        seconds = time.perf_counter() - start
    answers = [t for t in (made.logits, made.boxes_cxcywh, made.masks) if t is not None]
    if not all(math.isfinite(t.sum().item()) for t in answers):
        raise InferenceError("The model gave no usable answer for this picture; try another picture or model.")
    return replace(made, seconds=seconds, device=device_name(device))
