"""A card's model on a data set, through the page's own reading and preprocessing: what it gets right, how fast."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from playground import inference
from playground.datasets.nouns import BoxedPictures, DataError, LabelledPictures, Segmented, SegmentedPictures, Truth
from playground.evaluation import classification
from playground.evaluation.answers import class_logits
from playground.evaluation.classes import matched
from playground.evaluation.detection import Found, average_precision, confusions
from playground.evaluation.panoptic import PanopticQuality
from playground.evaluation.report import Confusion, Number, PerClass, numbers
from playground.models.card import Card
from playground.models.labels import labels as labels_of
from playground.trace import Prediction

BATCH = 50
Tell = Callable[[int, int], None]  # how many of how many are done


@dataclass(frozen=True)
class Measured:
    """What a data set says about a model; `measure` is that of `classes`; seconds of all and of the model alone."""

    pictures: int
    left_out: int
    metrics: tuple[Number, ...]
    measure: str
    classes: tuple[PerClass, ...]
    confusions: tuple[Confusion, ...]
    seconds: float
    model_seconds: float


def sample(count: int, limit: int | None, seed: int = 0) -> np.ndarray:
    """Numbers of the pictures to measure, sorted: all, or `limit` of them drawn with the seed."""
    if limit is None or limit >= count:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).permutation(count)[:limit])


def classifier(data: LabelledPictures, card: Card, limit: int | None, tell: Tell) -> Measured:
    """top-1, top-5, each class, the most frequent mistakes, calibration at the card's temperature.

    Pictures of classes that the model does not know are left out and counted; the model may answer any of its classes.
    """
    output = matched(card, data.classes, data.keys)
    known = np.flatnonzero(output[data.labels] >= 0)
    chosen = known[sample(len(known), limit)]
    if not len(chosen):
        raise DataError("No picture of the data has a class that the model knows.")
    began, inside = time.perf_counter(), 0.0
    parts = []
    for start in range(0, len(chosen), BATCH):
        pictures = [data.picture(int(i)) for i in chosen[start : start + BATCH]]
        logits, seconds = class_logits(card, pictures)
        parts.append(logits)
        inside += seconds
        tell(min(start + BATCH, len(chosen)), len(chosen))
    seconds = time.perf_counter() - began
    logits, wanted = np.concatenate(parts), output[data.labels[chosen]]
    return _of_logits(logits, wanted, card, (len(data) - len(known), seconds, inside))


def _of_logits(logits: np.ndarray, wanted: np.ndarray, card: Card, counted: tuple[int, float, float]) -> Measured:
    names = [name or f"class {i}" for i, name in enumerate(labels_of(card))]
    confidence, right = classification.softmax(logits, card.temperature).max(1), logits.argmax(1) == wanted
    sure = confidence >= card.unsure_below
    metrics = {"top-1": classification.top_k(logits, wanted, 1), "top-5": classification.top_k(logits, wanted, 5)}
    metrics["calibration error"] = classification.calibration_error(logits, wanted, card.temperature)
    if card.unsure_below:
        metrics["answers given"] = float(sure.mean())
        metrics["right when given"] = float(right[sure].mean()) if sure.any() else float("nan")
    each, times = classification.per_class(logits, wanted), np.bincount(wanted, minlength=logits.shape[1])
    mistakes = classification.confusions(logits.argmax(1), wanted)
    left_out, seconds, inside = counted
    return Measured(
        len(wanted),
        left_out,
        numbers(metrics),
        "top-1",
        tuple(PerClass(names[i], round(100 * float(each[i]), 2), int(times[i])) for i in np.flatnonzero(times)),
        tuple(Confusion(names[true], names[said], count, of) for true, said, count, of in mistakes),
        seconds,
        inside,
    )


@dataclass(frozen=True)
class Boxes:
    """Answers and truth of each picture, labels in the data's classes; seconds of all and of the model alone."""

    found: tuple[Found, ...]
    truths: tuple[Truth, ...]
    seconds: float
    model_seconds: float


def boxes(data: BoxedPictures, card: Card, limit: int | None, tell: Tell) -> Boxes:
    """Every query's box on each picture, beside the true ones of classes that the model knows."""
    to_data = _back(matched(card, data.classes, data.keys))
    known = np.array(sorted(set(to_data.values())))
    chosen = sample(len(data), limit)
    found: list[Found] = []
    truths: list[Truth] = []
    began, inside = time.perf_counter(), 0.0
    for done, index in enumerate(chosen.tolist(), 1):
        answer = inference.predict(data.picture(index), card, threshold=0.0)
        inside += answer.seconds
        found.append(_found(answer, to_data))
        truths.append(_only(data.truth(index), known))
        tell(done, len(chosen))
    return Boxes(tuple(found), tuple(truths), time.perf_counter() - began, inside)


def detector(data: BoxedPictures, card: Card, limit: int | None, tell: Tell) -> Measured:
    """COCO's average precision over the classes of the data that the model knows, and the most frequent mistakes."""
    made = boxes(data, card, limit, tell)
    if not any(len(truth.labels) for truth in made.truths):
        raise DataError("No picture of the data has an object that the model knows.")
    results = average_precision(made.found, made.truths, len(data.classes))
    counts = np.bincount(np.concatenate([truth.labels for truth in made.truths]), minlength=len(data.classes))
    mistakes = confusions(made.found, made.truths, card.threshold)
    return Measured(
        len(made.found),
        0,
        numbers({name: value for name, value in results.items() if "/" not in name}),
        "AP",
        tuple(
            PerClass(name, round(100 * results[f"AP/{i}"], 2), int(counts[i]))
            for i, name in enumerate(data.classes)
            if f"AP/{i}" in results
        ),
        tuple(
            Confusion(data.classes[true], data.classes[said] if said >= 0 else "nothing", times, of)
            for true, said, times, of in mistakes
        ),
        made.seconds,
        made.model_seconds,
    )


@dataclass(frozen=True)
class Cut:
    """One picture cut into segments: its own quality, boxes of things found and true, seconds of the model."""

    quality: PanopticQuality
    found: Found
    truth: Truth
    seconds: float


def segments(data: SegmentedPictures, card: Card, limit: int | None, tell: Tell) -> Iterator[Cut]:
    """Yield what is found in each picture, and what is there; true boxes are those around the true segments."""
    to_data = _back(matched(card, data.classes, data.keys))
    things = {output: place for output, place in to_data.items() if data.things[place]}
    chosen = sample(len(data), limit)
    for done, index in enumerate(chosen.tolist(), 1):
        answer, true = inference.predict(data.picture(index), card, threshold=0.0), data.segments(index)
        given = _segmented(answer, card, to_data)
        one = PanopticQuality(len(data.classes))
        one.add(_as_large(true, given.ids.shape), given)
        tell(done, len(chosen))
        yield Cut(one, _found(answer, things), _around(true, data.things), answer.seconds)


def panoptic(data: SegmentedPictures, card: Card, limit: int | None, tell: Tell) -> Measured:
    """Panoptic, segmentation and recognition quality, of all classes, of things and of stuff; precision of boxes."""
    quality = PanopticQuality(len(data.classes))
    began, cuts = time.perf_counter(), []
    for cut in segments(data, card, limit, tell):
        quality.merge(cut.quality)
        cuts.append(cut)
    seconds = time.perf_counter() - began
    metrics: dict[str, float] = {}
    everything = np.ones(len(data.classes), bool)
    for title, which in (("", everything), (" of things", data.things), (" of stuff", ~data.things)):
        if means := quality.of(which):
            metrics |= {f"PQ{title}": means.pq, f"SQ{title}": means.sq, f"RQ{title}": means.rq}
    precision = average_precision([cut.found for cut in cuts], [cut.truth for cut in cuts], len(data.classes))
    metrics |= {name: value for name, value in precision.items() if "/" not in name}
    each, counts = quality.each()[:, 0], (quality.hits + quality.missed).astype(int)
    classes = tuple(
        PerClass(data.classes[i], round(100 * float(each[i]), 2), int(counts[i]))
        for i in np.flatnonzero(~np.isnan(each))
    )
    inside = sum(cut.seconds for cut in cuts)
    return Measured(len(cuts), 0, numbers(metrics), "PQ", classes, (), seconds, inside)


def _back(outputs: np.ndarray) -> dict[int, int]:
    """Model output -> class of the data."""
    return {int(output): place for place, output in enumerate(outputs.tolist()) if output >= 0}


def _found(answer: Prediction, to_data: dict[int, int]) -> Found:
    boxes = [box for box in answer.boxes if box.index in to_data]
    return Found(
        np.array([to_data[box.index] for box in boxes], np.int64),
        np.array([box.score for box in boxes], np.float64),
        np.array([box.box_xyxy for box in boxes], np.float64).reshape(-1, 4),
    )


def _only(truth: Truth, known: np.ndarray) -> Truth:
    """The objects of classes that the model knows."""
    keep = np.isin(truth.labels, known)
    areas, crowd = (None if part is None else part[keep] for part in (truth.areas, truth.crowd))
    return Truth(truth.labels[keep], truth.boxes_xyxy[keep], areas, crowd)


def _segmented(answer: Prediction, card: Card, to_data: dict[int, int]) -> Segmented:
    """The answer's segments; those of classes that the data do not have are left out."""
    assert answer.segment_map is not None
    names = labels_of(card)
    kept = [part for part in answer.segments if _number(names, part.label) in to_data]
    numbers_kept = np.array([part.id for part in kept], np.int64)
    labels = np.array([to_data[_number(names, part.label)] for part in kept], np.int64)
    ids = np.where(np.isin(answer.segment_map, numbers_kept), answer.segment_map, 0)
    return Segmented(ids.astype(np.int32), numbers_kept, labels, np.zeros(len(kept), bool))


def _around(true: Segmented, things: np.ndarray) -> Truth:
    """The boxes around the segments of things."""
    chosen = np.flatnonzero(things[true.labels])
    boxes = []
    for number in true.numbers[chosen].tolist():
        rows, cols = (np.flatnonzero((true.ids == number).any(axis)) for axis in (1, 0))
        boxes.append((cols[0], rows[0], cols[-1] + 1, rows[-1] + 1) if len(rows) else (0, 0, 0, 0))
    return Truth(true.labels[chosen], np.array(boxes, np.float64).reshape(-1, 4), crowd=true.crowd[chosen])


def _number(names: Sequence[str | None], label: str) -> int:
    return names.index(label) if label in names else -1


def _as_large(truth: Segmented, shape: tuple[int, ...]) -> Segmented:
    """The true segments at the size of the answer's map, which is smaller for very large pictures."""
    if truth.ids.shape == shape:
        return truth
    small = Image.fromarray(truth.ids).resize((shape[1], shape[0]), Image.Resampling.NEAREST)
    return Segmented(np.asarray(small), truth.numbers, truth.labels, truth.crowd)
