"""What a checkpoint gets wrong, for its README: the worst classes and the most frequent mistakes, counted and drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from playground.evaluation.report import Confusion

MOST = 10  # rows of each part, and half of the classes
NOTHING = "nothing"
FILE = "failures.svg"
ROW, LEFT, WIDE, RIGHT = 22, 230, 300, 130  # pixels: a row's height, room for names, a full bar, room for numbers
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600}.bar{fill:#b3541e}.ground{fill:#0001}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.bar{fill:#e8935b}.ground{fill:#fff2}}"
)


@dataclass(frozen=True)
class Failures:
    """`worst` and `best` are classes by their measure, 0..1, each from its end; `mistakes` the most frequent first."""

    measure: str
    worst: tuple[tuple[str, float], ...]
    best: tuple[tuple[str, float], ...]
    mistakes: tuple[Confusion, ...] = ()


def failures(
    measure: str, each: np.ndarray, classes: Sequence[str], mistakes: Sequence[tuple[int, int, int, int]] = ()
) -> Failures:
    """From the measure of each class [C] (NaN: not seen) and (true, answered, times, of) in class numbers.

    An answered number below 0 is no answer at all.
    """
    order = [int(i) for i in np.argsort(each, kind="stable") if not np.isnan(each[i])]
    most = min(MOST, max(1, len(order) // 2))
    worst, best = (tuple((classes[i], float(each[i])) for i in part[:most]) for part in (order, order[::-1]))
    named = [Confusion(classes[t], classes[a] if a >= 0 else NOTHING, times, of) for t, a, times, of in mistakes[:MOST]]
    return Failures(measure, worst, best, tuple(named))


def section(found: Failures) -> str:
    """The README's part on known failures, with the chart that lies beside it as failures.svg."""
    lines = [f"![The worst classes and the most frequent mistakes]({FILE})"]
    if found.mistakes:
        rows = "\n".join(f"| {one.true} | {one.answered} | {one.times} of {one.of} |" for one in found.mistakes)
        lines.append(f"| shown | answered | how often |\n|---|---|---|\n{rows}")
    worst, best = (", ".join(f"{name} {100 * value:.0f}" for name, value in part) for part in (found.worst, found.best))
    lines.append(f"Worst classes ({found.measure}, %): {worst}. Best: {best}.")
    return "\n\n".join(lines)


def chart(found: Failures) -> str:
    """Both parts as bars of shares of 100 %, an SVG that follows the reader's light or dark scheme. Ours."""
    worst = [(name, value, f"{100 * value:.0f} %") for name, value in found.worst]
    wrong = [(f"{one.true} → {one.answered}", one.times / one.of, f"{one.times} of {one.of}") for one in found.mistakes]
    parts = [(f"Worst classes ({found.measure})", worst)]
    parts += [("Most frequent mistakes (shown → answered)", wrong)] if wrong else []
    drawn: list[str] = []
    top = 0
    for title, bars in parts:
        top += ROW
        drawn.append(f'<text x="0" y="{top - 4}" class="title">{escape(title)}</text>')
        for label, share, said in bars:
            drawn.append(
                f'<text x="{LEFT - 8}" y="{top + 15}" text-anchor="end">{escape(label[:38])}</text>'
                f'<rect class="ground" x="{LEFT}" y="{top + 4}" width="{WIDE}" height="{ROW - 8}"/>'
                f'<rect class="bar" x="{LEFT}" y="{top + 4}" width="{WIDE * share:.1f}" height="{ROW - 8}"/>'
                f'<text x="{LEFT + WIDE + 8}" y="{top + 15}">{escape(said)}</text>'
            )
            top += ROW
        top += ROW // 2
    size = f'width="{LEFT + WIDE + RIGHT}" height="{top}" viewBox="0 0 {LEFT + WIDE + RIGHT} {top}"'
    body = "\n".join(drawn)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><style>{STYLE}</style>\n{body}\n</svg>\n'
