"""What evaluation asks of a data set: pictures by number, and what is known about each of them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from playground.image import Picture


class DataError(ValueError):
    """The data folder is missing, incomplete or of another layout; the text is one plain sentence."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The objects of one picture: labels int64 [n], boxes_xyxy [n, 4] in pixels of the picture, edges exclusive.

    `areas` [n] are in pixels, those of the boxes when None; `crowd` [n] bool marks boxes around many objects, which
    are neither wanted nor wrong.
    """

    labels: np.ndarray
    boxes_xyxy: np.ndarray
    areas: np.ndarray | None = None
    crowd: np.ndarray | None = None

    @property
    def single(self) -> np.ndarray:
        """[n] bool: the objects that are no crowd."""
        return np.ones(len(self.labels), bool) if self.crowd is None else ~self.crowd


@dataclass(frozen=True, eq=False)
class Segmented:
    """Every pixel's segment: ids int32 [H, W], 0 for pixels that belong to none; numbers int64 [n], the segments' ids;
    labels int64 [n]; crowd bool [n]."""

    ids: np.ndarray
    numbers: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Pictures with one class each: `labels` int64 [N] index `classes`, `keys` are other names of these, such as
    WordNet ids. `boxes_xyxy` float [N, 4] in pixels, where one object a picture has a known place."""

    source: str  # a few words that say which data and how many
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    labels: np.ndarray
    picture: Callable[[int], Picture]
    boxes_xyxy: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class BoxedPictures:
    """Pictures with objects: `truth(i)` has labels that index `classes`; `keys` are their numbers in the file."""

    source: str
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    count: int
    picture: Callable[[int], Picture]
    truth: Callable[[int], Truth]

    def __len__(self) -> int:
        return self.count


@dataclass(frozen=True, eq=False)
class SegmentedPictures:
    """Pictures cut into segments: `segments(i)` has labels that index `classes`; `things` bool [C] tells things, which
    can be counted, from stuff."""

    source: str
    classes: tuple[str, ...]
    keys: tuple[str, ...]
    things: np.ndarray
    count: int
    picture: Callable[[int], Picture]
    segments: Callable[[int], Segmented]

    def __len__(self) -> int:
        return self.count


DataSet = LabelledPictures | BoxedPictures | SegmentedPictures
