"""Which output of a model stands for which class of a data set."""

from collections.abc import Sequence

import numpy as np

from playground.datasets.nouns import DataError
from playground.models.card import Card
from playground.models.labels import COCO_CLASSES, LAST_THING, keys, labels


def matched(card: Card, classes: Sequence[str | None], their_keys: Sequence[str | None] = ()) -> np.ndarray:
    """The model's output for each class of the data, int64 [C], -1 for none: by key, then by name.

    Keys are WordNet ids, or COCO's category numbers where the names of its things show that they are COCO's.
    Raises DataError when no class has an output.
    """
    if card.labels in COCO_CLASSES:
        by_key = _coco_numbers(labels(card), classes, their_keys)
    else:
        by_key = {key: i for i, key in reversed(list(enumerate(keys(card)))) if key is not None}
    by_name = {_plain(name): i for i, name in reversed(list(enumerate(labels(card)))) if name is not None}
    found = [
        by_key.get(key, by_name.get(_plain(name), -1)) if key is not None and name is not None else -1
        for name, key in zip(classes, their_keys or classes, strict=True)
    ]
    if not any(output >= 0 for output in found):
        shown = next((name for name in classes if name), "none")
        raise DataError(
            f"None of the {len(classes)} classes of the data (such as {shown[:40]!r}) is one that {card.name} knows."
        )
    return np.array(found, np.int64)


def _coco_numbers(
    known: Sequence[str | None], classes: Sequence[str | None], numbers: Sequence[str | None]
) -> dict[str | None, int]:
    """COCO's numbers by themselves, when every thing of the data has the name that COCO gives its number."""
    pairs = [(int(number), name) for name, number in zip(classes, numbers, strict=True) if number and name]
    things = [(number, name) for number, name in pairs if 0 < number <= LAST_THING]
    if not things or any(_plain(known[number] or "") != _plain(name) for number, name in things):
        return {}
    return {str(number): number for number, _ in pairs if number < len(known)}


def _plain(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())
