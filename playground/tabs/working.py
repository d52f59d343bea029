"""A long piece of work beside the page: it says how far it is, and stops when nobody waits any more."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from typing import TypeVar

Value = TypeVar("Value")
EVERY = 0.25  # seconds between two looks


def let_last_step_pass() -> None:
    """Wait until the last step of what was just stopped is on the page, so that it does not hide what is said next."""
    time.sleep(2 * EVERY)


def told(work: Callable[[Callable[[float], None], Callable[[], bool]], Value]) -> Iterator[float | Value]:
    """Run work(progress, cancelled) in a thread; yield the share done from time to time, and at last the value.

    Closing the iterator, as when the visitor leaves or presses stop, makes `cancelled` answer True; what the work
    raises is raised here.
    """
    stop = threading.Event()
    share = [0.0]

    def progress(done: float) -> None:
        share[0] = float(done)

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, progress, stop.is_set)
        try:
            while True:
                try:
                    value = future.result(EVERY)
                    break
                except TimeoutError:
                    if future.done():
                        raise
                    yield share[0]
        finally:
            stop.set()
    yield value
