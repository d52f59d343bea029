"""The card: everything known about one set of weights, as a frozen value and as strict JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, TypeVar, get_args

from playground.image import Preprocess

Family = Literal["vit", "coatnet", "axial", "detr", "timm"]
Task = Literal["classification", "detection", "panoptic", "features"]
Source = Literal["bundled", "hub", "local", "untrained"]

LABEL_SETS = ("everyday-80", "imagenet-1k", "imagenet-12k", "imagenet-21k", "coco", "coco-panoptic", "none")
MAX_JSON = 1_000_000  # characters; a card with 21,000 labels of its own still fits

Record = TypeVar("Record")

UNTRAINED, HF_HUB = "untrained:", "hf-hub:"  # what the names of such cards begin with
NAME = re.compile(rf"({UNTRAINED})?({HF_HUB})?[A-Za-z0-9][A-Za-z0-9_.-]{{0,95}}(/[A-Za-z0-9][A-Za-z0-9_.-]{{0,95}})?")
SHA256 = re.compile(r"[0-9a-f]{64}")


class CardError(ValueError):
    """A card that cannot be true; the text is one sentence that names the field."""


@dataclass(frozen=True)
class Metric:
    """One measured or published number: value in `unit` on `dataset`, and where it was read or measured."""

    name: str
    value: float
    unit: str
    dataset: str
    source: str

    def __post_init__(self) -> None:
        _texts(self, "metric", ("name", "dataset", "source"))
        _need(isinstance(self.unit, str), "metric", "unit", "text")
        _need(_is_number(self.value), "metric", "value", "a finite number")


@dataclass(frozen=True)
class Card:
    """Which weights these are and how they want to be used. Hashable, compared by value, checked when made.

    `options` are constructor arguments, `labels` the name of a label set or the labels themselves, `preprocess` None
    means: ask timm for the architecture's own. `filename` is the file in a Hub repository, or the path of a local file.
    `threshold` is the least score at which a detector's boxes are shown unless another is asked for, `segments_from`
    that above which a panoptic model's queries contest the pixels (by default as in the authors' release of DETR).
    `things`, for a panoptic model, is how many class numbers are things, the others being stuff; None: as in COCO.
    `parameters` counts what training learns (buffers excluded), `size_bytes` is the file. Raises CardError.
    """

    name: str
    title: str
    family: Family
    task: Task
    architecture: str
    labels: str | tuple[str, ...]
    source: Source
    license: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    preprocess: Preprocess | None = None
    repo: str | None = None
    revision: str | None = None
    filename: str = "model.safetensors"
    sha256: str | None = None
    size_bytes: int | None = None
    license_note: str = ""
    parameters: int | None = None
    metrics: tuple[Metric, ...] = ()
    temperature: float = 1.0
    unsure_below: float = 0.0
    training: Mapping[str, Any] = field(default_factory=dict, hash=False)
    paper: str = ""
    things: int | None = None
    threshold: float = 0.5
    segments_from: float = 0.85

    def __post_init__(self) -> None:
        for name in ("labels", "metrics", "options", "training"):
            object.__setattr__(self, name, _frozen(getattr(self, name)))
        _check_card(self)

    def to_json(self) -> str:
        """The card as the text of a card.json, every field written out; `from_json` gives the same card back."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def from_json(text: str) -> Card:
        """Read the text of a card.json; unknown, repeated, missing or mistyped fields raise CardError."""
        values = _parse(text)
        preprocess, metrics = values.get("preprocess"), values.get("metrics", [])
        if preprocess is not None:
            values["preprocess"] = _record(Preprocess, preprocess, "preprocess")
        _need(isinstance(metrics, list), "card", "metrics", "a list")
        values["metrics"] = tuple(_record(Metric, metric, "metrics") for metric in metrics)
        return _record(Card, values, "card")


def _need(fine: bool, where: str, name: str, wanted: str) -> None:
    if not fine:
        raise CardError(f"The {where}'s field '{name}' must be {wanted}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _texts(value: object, where: str, names: tuple[str, ...]) -> None:
    for name in names:
        text = getattr(value, name)
        _need(isinstance(text, str) and bool(text.strip()), where, name, "a text that is not empty")


def _check_card(card: Card) -> None:
    _texts(card, "card", ("name", "title", "architecture", "license", "filename"))
    named = NAME.fullmatch(card.name) is not None and ".." not in card.name
    _need(named, "card", "name", "letters, digits, . _ or -, with at most one / inside")
    for name, allowed in (("family", get_args(Family)), ("task", get_args(Task)), ("source", get_args(Source))):
        _need(getattr(card, name) in allowed, "card", name, "one of " + ", ".join(allowed))
    own = isinstance(card.labels, tuple) and len(card.labels) > 0 and all(isinstance(x, str) and x for x in card.labels)
    _need(own or card.labels in LABEL_SETS, "card", "labels", "a list of labels or one of " + ", ".join(LABEL_SETS))
    for name in ("options", "training"):
        table = getattr(card, name)
        named = isinstance(table, Mapping) and all(isinstance(key, str) for key in table)
        _need(named, "card", name, "a table of named values")
    ruled = card.preprocess is None or isinstance(card.preprocess, Preprocess)
    _need(ruled, "card", "preprocess", "a preprocessing rule or null")
    for name in ("license_note", "paper"):
        _need(isinstance(getattr(card, name), str), "card", name, "text")
    for name in ("repo", "revision", "sha256"):
        _need(isinstance(getattr(card, name), str | None), "card", name, "text or null")
    hexadecimal = card.sha256 is None or SHA256.fullmatch(card.sha256) is not None
    _need(hexadecimal, "card", "sha256", "64 hexadecimal digits in lower case, or null")
    for name in ("size_bytes", "parameters", "things"):
        count = getattr(card, name)
        _need(count is None or _is_count(count), "card", name, "a whole number above 0, or null")
    measured = isinstance(card.metrics, tuple) and all(isinstance(metric, Metric) for metric in card.metrics)
    _need(measured, "card", "metrics", "a list of metrics")
    _need(_is_number(card.temperature) and card.temperature > 0, "card", "temperature", "a number above 0")
    for name in ("threshold", "segments_from", "unsure_below"):
        score = getattr(card, name)
        _need(_is_number(score) and 0 <= score <= 1, "card", name, "a number from 0 to 1")
    _check_together(card)


def _check_together(card: Card) -> None:
    """Fields that only make sense together."""
    listed = len(card.labels) if card.task == "panoptic" and isinstance(card.labels, tuple) else 0
    counted = card.things is None or card.things <= listed
    _need(counted, "card", "things", "null, or for a panoptic model at most the number of the labels that it lists")
    if card.family in ("axial", "detr"):
        _need(card.architecture == card.family, "card", "architecture", f"'{card.family}' for this family")
        _need(card.preprocess is not None, "card", "preprocess", "given for this family")
    _need(
        (card.task in ("detection", "panoptic")) == (card.family == "detr"), "card", "task", "one that its family does"
    )
    if card.source == "hub":
        _need(
            card.repo is not None and card.repo.count("/") == 1, "card", "repo", "an owner and a name for Hub weights"
        )
    if card.source == "bundled":
        for name in ("sha256", "size_bytes", "parameters", "metrics", "training", "preprocess"):
            _need(bool(getattr(card, name)), "card", name, "filled in for a bundled model")
        plain = "/" not in card.name and ":" not in card.name
        _need(plain, "card", "name", "a plain folder name for a bundled model")
    marked = card.name.startswith(UNTRAINED)
    _need(marked == (card.source == "untrained"), "card", "name", f"'{UNTRAINED}NAME' for random weights and no others")


def _parse(text: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise CardError("The card names one field twice; keep one of them.")
        return dict(pairs)

    def refuse(constant: str) -> float:
        raise CardError(f"The card holds {constant}, which is no number; write a finite number or null.")

    if not isinstance(text, str) or len(text) > MAX_JSON:
        raise CardError("The card is not a text of at most a million characters.")
    try:
        values = json.loads(text, object_pairs_hook=once, parse_constant=refuse)
    except (json.JSONDecodeError, RecursionError):
        raise CardError("The card is not valid JSON; it may be cut off or edited by mistake.") from None
    if not isinstance(values, dict):
        raise CardError("The card must be one JSON object with named fields.")
    return values


def _frozen(value: object) -> object:
    """Lists become tuples at every depth, so that a card read back from JSON equals the card that was written."""
    if isinstance(value, Mapping):
        return {key: _frozen(inner) for key, inner in value.items()}
    return tuple(_frozen(inner) for inner in value) if isinstance(value, list | tuple) else value


def _record(kind: type[Record], values: object, where: str) -> Record:
    """`values` as a `kind`; fields it does not know, and required ones that are missing, are refused."""
    if not isinstance(values, dict):
        raise CardError(f"The card's part '{where}' must be an object with named fields.")
    known = {item.name: item for item in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(values) - set(known))
    required = (n for n, item in known.items() if item.default is MISSING and item.default_factory is MISSING)
    missing = [name for name in required if name not in values]
    if unknown:
        raise CardError(f"The card's part '{where}' has a field '{unknown[0][:64]}' that does not exist; remove it.")
    if missing:
        raise CardError(f"The card's part '{where}' lacks the field '{missing[0]}'.")
    try:
        return kind(**{name: _frozen(value) for name, value in values.items()})
    except TypeError:
        raise CardError(f"The card's part '{where}' holds a value of the wrong kind.") from None
