"""A progress bar for the shell: share done, rate and time left, on stderr."""

import sys
import time
from collections.abc import Callable
from typing import TextIO

WIDTH = 24


class Bar:
    """Draws one line over and over on a terminal; elsewhere it says a line now and then. `done` things at the start
    were done before and do not count for the rate."""

    def __init__(
        self,
        total: int,
        unit: str,
        done: int = 0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.total, self.unit, self.start, self.stream, self.clock = total, unit, done, stream or sys.stderr, clock
        self.began = self.told = clock()
        self.done = done

    def to(self, done: int) -> None:
        """Say that `done` of all are done."""
        self.done = done
        now, live = self.clock(), self.stream.isatty()
        if now - self.told < (0.2 if live else 10) and done < self.total:
            return
        self.told = now
        end = "\r" if live and done < self.total else "\n"
        print(self.line(now), end=end, file=self.stream, flush=True)

    def of(self, done: int, total: int) -> None:
        """Say that `done` of `total` are done, where all are counted only now."""
        self.total = total
        self.to(done)

    def line(self, now: float) -> str:
        """The line at this moment."""
        filled = round(WIDTH * self.done / max(self.total, 1))
        rate = (self.done - self.start) / max(now - self.began, 1e-9)
        left = _clock((self.total - self.done) / rate) if rate > 0 else "?"
        bar = "#" * filled + "." * (WIDTH - filled)
        return f"[{bar}] {self.done}/{self.total} {self.unit}, {rate:.1f} a second, {left} left "


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
