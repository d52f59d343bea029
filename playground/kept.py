"""A cache bounded by bytes. Its values are shared by all visitors, so what one of them uses never leaves."""

import threading
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """A cache that forgets the least recently used values once they hold more than `limit` bytes; thread-safe.

    What is in use is never forgotten, however much it holds: the cache shrinks when it is given back.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._values: OrderedDict[str, tuple[Value, int]] = OrderedDict()
        self._uses: dict[str, int] = {}
        self._busy: dict[str, threading.Lock] = {}
        self._given_back: deque[str] = deque()  # also by the garbage collector, which may come at any moment
        self._lock = threading.Lock()

    def get(self, key: str, make: Callable[[], Value], size: Callable[[Value], int]) -> Value:
        """Return the value for `key`, making it once even when several threads ask at the same time."""
        with self.using(key, make, size) as value:
            return value

    @contextmanager
    def using(self, key: str, make: Callable[[], Value], size: Callable[[Value], int]) -> Iterator[Value]:
        """Give the value for `key` as `get` does, and keep it as long as the context is open."""
        with self._lock:
            self._uses[key] = self._uses.get(key, 0) + 1
            busy = self._busy.setdefault(key, threading.Lock())
        try:
            with busy:
                found = self._find(key)
                value = found[0] if found else make()
                if not found:
                    self._keep(key, value, size(value))
            yield value
        finally:
            self._given_back.append(key)
            with self._lock:
                self._settle()

    def tie(self, key: str, holder: object) -> None:
        """Keep what is in use under `key` also for as long as somebody holds `holder`."""
        with self._lock:
            self._uses[key] = self._uses.get(key, 0) + 1
        weakref.finalize(holder, self._given_back.append, key).atexit = False

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._values.clear()
            self.held = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def _find(self, key: str) -> tuple[Value, int] | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def _keep(self, key: str, value: Value, size: int) -> None:
        with self._lock:
            self._values[key] = (value, size)
            self.held += size
            self._settle()

    def _settle(self) -> None:
        """Count what was given back and make room; the most recent value stays even where it alone is too large."""
        while self._given_back:
            key = self._given_back.popleft()
            self._uses[key] -= 1
            if not self._uses[key]:
                del self._uses[key], self._busy[key]
        for key in list(self._values)[:-1]:
            if self.held <= self.limit:
                break
            if key not in self._uses:
                self.held -= self._values.pop(key)[1]
