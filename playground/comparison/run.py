"""Several models on one picture, one row for each as it finishes.

for row in compare(picture, ["everyday-vit", "everyday-coatnet"]):
    row.title, row.prediction, row.latency_ms
"""

import logging
import math
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from playground import inference
from playground.architecture import costs
from playground.comparison.rows import Row, blank, unknown
from playground.image import Picture
from playground.models import catalogue
from playground.models.card import Card
from playground.models.timing import Stopped

MOST = 6
MOST_CLASSES = 1000
NAMED = 96  # letters of a wrong name that its row repeats
PAUSE = 0.05  # seconds between two looks at whether to stop
OUR_FAULT = "Something went wrong on our side with this model; the others are not affected."

Progress = Callable[[float, str], None]


def stay(share: float, text: str) -> None:
    """Nobody watches."""


def never() -> bool:
    return False


def compare(
    picture: Picture,
    names: Sequence[str | Card],
    measure: bool = True,
    progress: Progress = stay,
    cancelled: Callable[[], bool] = never,
) -> Iterator[Row]:
    """Ask up to MOST models about one picture and yield each one's row as it finishes.

    Weights that are not on this machine are fetched meanwhile, so a slow download holds nobody up; of the models at
    hand the small ones go first. `measure` adds time and memory of plain forward passes, once for each model and
    size. `progress` hears the share done and what is being done. When `cancelled` says so, no further row comes.
    A model that fails fills its own row with a sentence. Raises ValueError for zero, too many or repeated models.
    """
    cards = zip(named(names), cards_of(names), strict=True)
    found = [unknown(name, str(card)) if isinstance(card, ValueError) else card for name, card in cards]
    return _rows(picture, found, measure, progress, cancelled)


def cards_of(names: Sequence[str | Card]) -> list[Card | ValueError]:
    """Return the card of each name, or the error whose sentence says why there is none.

    Raises ValueError for zero, too many or repeated models.
    """
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise ValueError("The models must come as a list of names.")
    if not names:
        raise ValueError("Choose at least one model to compare.")
    if len(names) > MOST:
        raise ValueError(f"At most {MOST} models are compared at once, and these are {len(names)}; leave some out.")
    found: list[Card | ValueError] = []
    for place, name in enumerate(names):
        try:
            card: Card | ValueError = name if isinstance(name, Card) else catalogue.find(name)
        except ValueError as error:
            card = error
        if name in names[:place] or card in found:
            said = card.name if isinstance(card, Card) else str(name)[:NAMED]
            raise ValueError(f"The model {said} was chosen twice; choose each model once.")
        found.append(card)
    return found


def named(names: Sequence[str | Card]) -> tuple[str, ...]:
    """Return what the rows of these models are called; raises ValueError as `cards_of` does."""
    cards = zip(names, cards_of(names), strict=True)
    return tuple(card.name if isinstance(card, Card) else str(name)[:NAMED] for name, card in cards)


def _rows(
    picture: Picture, chosen: Sequence[Card | Row], measure: bool, progress: Progress, cancelled: Callable[[], bool]
) -> Iterator[Row]:
    done = 0

    def say(text: str) -> None:
        progress(done / len(chosen), text)

    for row in [row for row in chosen if isinstance(row, Row)]:
        done += 1
        yield row
    cards = [card for card in chosen if isinstance(card, Card)]
    arrivals = _Arrivals(cards)
    while done < len(chosen):
        if cancelled():
            return
        came = arrivals.next(say)
        if came is None:
            continue
        card, failed = came
        say(f"Asking {card.title}")
        try:
            row = replace(blank(card), failed=failed) if failed else answered(picture, card, measure, cancelled)
        except Stopped:
            return
        done += 1
        say(card.title)
        yield row


def answered(picture: Picture, card: Card, measure: bool = True, cancelled: Callable[[], bool] = never) -> Row:
    """Return the row of one model; what goes wrong is said in it. Raises Stopped when told to stop."""
    row = blank(card)
    try:
        trace = inference.trace(picture, card)
        seen = (trace.view.image.height, trace.view.image.width)
        prediction = inference.predict(picture, card, MOST_CLASSES)
        row = replace(row, prediction=prediction, missing=trace.unread, size=seen, device=trace.device)
        row = _counted(row, card)
        return _measured(row, picture, card, cancelled) if measure else row
    except ValueError as error:
        return replace(row, failed=str(error))
    except Stopped:
        raise
    except Exception:  # of any architecture that somebody names; one of them must not end the others
        logging.getLogger(__name__).exception("The model %s failed in a comparison.", card.name)
        return replace(row, failed=OUR_FAULT)


def _counted(row: Row, card: Card) -> Row:
    """Return the row with parameters and multiply-adds; what cannot be counted stays unknown and harms nothing."""
    try:
        found = costs.count(card, row.size)
    except ValueError:
        return row
    return replace(row, parameters=found.parameters, macs=found.macs)


def _measured(row: Row, picture: Picture, card: Card, cancelled: Callable[[], bool]) -> Row:
    cost = inference.measure(picture, card, cancelled)
    peak = None if cost.peak_bytes is None else cost.peak_bytes / 1e6
    return replace(row, latency_ms=1000 * cost.seconds, runs=cost.runs, peak_memory_mb=peak, device=cost.device)


class _Arrivals:
    """The models of a comparison in the order in which they can be asked: of those at hand, small ones first.

    Each Hub model is fetched in a thread of its own, which ends with the program; what it says is passed on.
    """

    def __init__(self, cards: Sequence[Card]) -> None:
        self._here = [(card, "") for card in cards if card.source != "hub"]
        self._heard: queue.SimpleQueue[tuple[Card, bool, str]] = queue.SimpleQueue()  # card, is it over, what is said
        for card in cards:
            if card.source == "hub":
                threading.Thread(target=self._fetch, args=(card,), daemon=True).start()

    def next(self, say: Callable[[str], None]) -> tuple[Card, str] | None:
        """Return a model and why it cannot be asked, if so; None when none came within a moment."""
        with suppress(queue.Empty):
            while True:
                card, over, text = self._heard.get(block=not self._here, timeout=PAUSE)
                if over:
                    self._here.append((card, text))
                else:
                    say(text)
        self._here.sort(key=lambda came: came[0].parameters or math.inf)
        return self._here.pop(0) if self._here else None

    def _fetch(self, card: Card) -> None:
        failed = ""
        try:
            inference.fetch(card, lambda _, text: self._heard.put((card, False, text)))
        except ValueError as error:
            failed = str(error)
        except Exception:
            logging.getLogger(__name__).exception("The weights of %s could not be fetched.", card.name)
            failed = OUR_FAULT
        self._heard.put((card, True, failed))
