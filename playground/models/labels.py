"""The words behind class numbers: one label a class, None where a number is not used."""

from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import timm
from timm.data import ImageNetInfo, infer_imagenet_subset

from playground.models.card import Card, CardError

FOLDER = Path(__file__).parent / "labels"
LAST_THING = 90  # COCO numbers things 1..90 and stuff 92..200
COCO_CLASSES = {"coco": 91, "coco-panoptic": 250}  # width of DETR's class layer without "no object"
IMAGENET_CLASSES = {"imagenet-1k": 1000, "imagenet-12k": 11821, "imagenet-21k": 21843}
IMAGENET_EDITIONS = {1000: "imagenet-1k", 11821: "imagenet-12k"} | dict.fromkeys(
    (11221, 21841, 21842, 21843), "imagenet-21k"
)
SHORT = 40  # letters of a definition that tell two classes of one name apart


def labels(card: Card) -> tuple[str | None, ...]:
    """Return one label a class, in the order of the model's scores; () for a model that only gives features.

    A card's own list is returned as it is. COCO tables are indexed by category number, unused numbers are None.
    """
    if isinstance(card.labels, tuple):
        return card.labels
    if card.labels == "none":
        return ()
    if card.labels in COCO_CLASSES:
        return _coco(COCO_CLASSES[card.labels])
    if card.labels in IMAGENET_CLASSES:
        return _imagenet(_class_count(card))
    return _lines(card.labels)


def keys(card: Card) -> tuple[str | None, ...]:
    """Return what data sets call the classes: WordNet ids for editions of ImageNet, else the labels themselves."""
    if card.labels not in IMAGENET_CLASSES:
        return labels(card)
    return _wordnet_ids(_class_count(card))


def _class_count(card: Card) -> int:
    """How many classes: several editions of ImageNet share a name and differ by a few classes."""
    given = card.options.get("num_classes")
    if given is None:
        known = timm.get_pretrained_cfg(card.architecture) if timm.is_model(card.architecture) else None
        given = known.num_classes if known else None
    return int(given or IMAGENET_CLASSES[str(card.labels)])


@cache
def _lines(name: str) -> tuple[str, ...]:
    return tuple((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines())


@cache
def _coco(count: int) -> tuple[str | None, ...]:
    pairs = (line.split("\t") for line in _lines("coco-panoptic"))
    names = {int(number): name for number, name in pairs}
    return tuple(names.get(number) for number in range(count))


@cache
def _imagenet(count: int) -> tuple[str, ...]:
    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        raise CardError(f"No edition of ImageNet has {count} classes; the card must list its own labels.")
    info = ImageNetInfo(subset)
    plain = [text.split(",")[0].strip() for text in info.label_descriptions()]
    return _told_apart(plain, info.label_descriptions(detailed=True))


@cache
def _wordnet_ids(count: int) -> tuple[str, ...]:
    subset = infer_imagenet_subset({"num_classes": count})
    if subset is None:
        raise CardError(f"No edition of ImageNet has {count} classes; the card must list its own labels.")
    return tuple(ImageNetInfo(subset).label_names())


def _told_apart(plain: Sequence[str], detailed: Sequence[str]) -> tuple[str, ...]:
    """Add the next synonym, or the start of the definition, where two classes share their first word."""
    shared = {name for name, times in Counter(name.lower() for name in plain).items() if times > 1}
    pairs = zip(plain, detailed, strict=True)
    return tuple(f"{name} ({_hint(full)})" if name.lower() in shared else name for name, full in pairs)


def _hint(detailed: str) -> str:
    names, _, definition = detailed.partition(": ")
    synonyms = [name.strip() for name in names.split(",")]
    if len(synonyms) > 1 and synonyms[1].lower() != synonyms[0].lower():
        return synonyms[1]
    words = definition.split(";")[0].split()
    while len(" ".join(words)) > SHORT:
        words.pop()
    return " ".join(words)
