"""Batches drawn ahead by other processes, so that an accelerator does not wait for scenes."""

import os
from collections.abc import Callable, Iterator

from torch.utils.data import DataLoader, IterableDataset, get_worker_info

MOST_WORKERS = 6


class Ahead:
    """Batches that `draw` makes of seeds, without end; `kind` names what they are like."""

    def __init__(self, draw: Callable[[int], tuple[object, ...]], seed: int, kind: tuple[int, ...]) -> None:
        workers = max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
        # pinned memory is not asked for: the thread that pins would take Targets apart
        self.batches = iter(DataLoader(_Endless(draw, seed), None, num_workers=workers, prefetch_factor=4))
        self.kind = kind

    def gives(self, *kind: int) -> bool:
        """Whether the batches are of this kind."""
        return self.kind == kind

    def take(self) -> tuple[object, ...]:
        """The next batch."""
        return tuple(next(self.batches))


class _Endless(IterableDataset[tuple[object, ...]]):
    """Each process draws batches from seeds of its own."""

    def __init__(self, draw: Callable[[int], tuple[object, ...]], seed: int) -> None:
        self.draw, self.seed = draw, seed

    def __iter__(self) -> Iterator[tuple[object, ...]]:
        me = get_worker_info()
        number, step = (0, 1) if me is None else (me.id, me.num_workers)
        while True:
            yield self.draw(self.seed + number)
            number += step
