"""Two models over pictures of the visitor's own: the most disputed first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from playground import image
from playground.comparison.disagreement import pairing
from playground.comparison.rows import Row
from playground.comparison.run import compare
from playground.tabs.compare import words
from playground.texts import say

MOST_FILES = 40
SHOWN = 12
SIDE = 340  # pixels of a small picture's longer side
MOST_LETTERS = 60  # of a file's name


@dataclass(frozen=True)
class Disputed:
    """One picture: its name, a small copy as a data address, both answers, and how far they disagree, 0 to 1.

    `value` is None where the two cannot be held against each other, which `why` says.
    """

    name: str
    small: str
    answers: tuple[str, str]
    value: float | None
    why: str = ""


@dataclass(frozen=True)
class Contest:
    """What came of all pictures: the disputed ones, most first, and a sentence for each that could not be read."""

    disputed: tuple[Disputed, ...]
    unreadable: tuple[tuple[str, str], ...] = ()


def files_of(given: Any) -> list[Path]:
    """Return the uploaded files. Raises ValueError for none and for too many."""
    files = [Path(file) for file in given] if isinstance(given, list) else []
    if not files:
        raise ValueError(say("folder_none"))
    if len(files) > MOST_FILES:
        raise ValueError(say("folder_many", count=MOST_FILES, given=len(files)))
    return files


def contest(
    files: Sequence[Path],
    pair: tuple[str, str],
    progress: Callable[[float], None],
    cancelled: Callable[[], bool],
) -> Contest:
    """Ask both models about every picture. Raises ValueError with one sentence where one of them gives no answer."""
    if not all(pair):
        raise ValueError(say("part_need_two"))
    found: list[Disputed] = []
    unreadable: list[tuple[str, str]] = []
    for i, path in enumerate(files):
        if cancelled():
            break
        name = path.name[:MOST_LETTERS]
        try:
            picture = image.read(path)
        except image.ImageError as error:
            unreadable.append((name, str(error)))
        else:
            rows = {row.model: row for row in compare(picture, pair, measure=False, cancelled=cancelled)}
            if len(rows) == len(pair):
                small = image.thumbnail_uri(picture.rgb, SIDE, 75)
                found.append(_disputed(name, small, rows[pair[0]], rows[pair[1]]))
        progress((i + 1) / len(files))
    found.sort(key=lambda one: -1.0 if one.value is None else one.value, reverse=True)
    return Contest(tuple(found), tuple(unreadable))


def gallery(found: Contest, titles: tuple[str, str]) -> str:
    """Return the most disputed pictures with both answers, and the files that could not be read."""
    if not found.disputed and not found.unreadable:
        return ""
    figures = "".join(_figure(one, titles) for one in found.disputed[:SHOWN])
    rest = len(found.disputed) - SHOWN
    more = f'<p class="pg-about">{escape(say("folder_more", count=rest))}</p>' if rest > 0 else ""
    bad = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in found.unreadable)
    trouble = f'<div class="pg-problem">{escape(say("folder_unreadable"))}<ul>{bad}</ul></div>' if bad else ""
    return f'<div class="pg-folder">{figures}</div>{more}{trouble}'


def _disputed(name: str, small: str, one: Row, two: Row) -> Disputed:
    answers = (_answer(one), _answer(two))
    if one.prediction is None or two.prediction is None:
        raise ValueError(one.failed or two.failed)
    agreed = pairing(one.prediction, two.prediction)
    value = None if agreed.value is None else 1 - agreed.value
    return Disputed(name, small, answers, value, agreed.why)


def _answer(row: Row) -> str:
    best = row.prediction.classes[0] if row.prediction and row.prediction.classes else None
    return f"{best.label} {words.percent(best.score)}" if best else words.answer(row)[0]


def _figure(one: Disputed, titles: tuple[str, str]) -> str:
    how = say("folder_disagreement", value=f"{one.value:.2f}") if one.value is not None else one.why
    lines = "".join(
        f"<small>{escape(title)}: {escape(answer)}</small>" for title, answer in zip(titles, one.answers, strict=True)
    )
    return (
        f'<figure><img src="{one.small}" alt="{escape(one.name)}" loading="lazy">'
        f"<figcaption>{escape(how)}{lines}<small>{escape(one.name)}</small></figcaption></figure>"
    )
