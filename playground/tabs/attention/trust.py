"""Can this map be trusted? Deletion and insertion on the visitor's own picture, beside chance and the centre."""

from collections.abc import Callable
from html import escape

from playground import maps
from playground.explanations import Target, method_of
from playground.explanations.faithfulness import Baselines, Curve, Trust, baselines, measure
from playground.explanations.perturb import FILLS
from playground.explanations.pointing import pointing
from playground.figures.curves import Line, curves
from playground.figures.overlay import Figure
from playground.figures.theme import percent
from playground.tabs.attention import words
from playground.tabs.attention.held import Held, Shown, box_of
from playground.texts import say
from playground.trace import Trace

STEPS = 14  # half of what a study takes: a visitor waits
BASE_RUNS = 6 / 7  # of all runs: five random orders and the centre beside the map's own


def measured(
    held: Held, shown: Shown, trace: Trace, progress: Callable[[float], None], cancelled: Callable[[], bool]
) -> None:
    """Measure the shown map and keep the result; baselines are kept for other maps of the same class."""
    target = Target(class_index=shown.made.target.class_index, query=shown.made.target.query)
    key = ("baselines", target)
    if key not in held.memo:
        access = maps.access_to(held.card, lambda share: progress(share * BASE_RUNS), cancelled)
        held.memo[key] = baselines(trace, target, access, STEPS)
    access = maps.access_to(held.card, lambda share: progress(BASE_RUNS + share * (1 - BASE_RUNS)), cancelled)
    held.memo["trust"] = (shown.made, measure(trace, shown.made, access, held.memo[key]), held.memo[key])


def drawn(held: Held, shown: Shown) -> tuple[Figure | None, str]:
    """Draw the curves of the shown map and its badges, or say that it has not been measured."""
    made, found, base = held.memo.get("trust", (None, None, None))
    if made is not shown.made:
        return None, f'<p class="pg-about">{escape(say("trust_ready"))}</p>' + _badges(held, shown, None)
    return _figure(found, base), _badges(held, shown, found) + _table(found, base)


def _figure(found: Trust, base: Baselines) -> Figure:
    charts = []
    for kind in found.curves:
        lines = [Line(say(f"trust_{name}"), name, curve.shares, curve.scores) for name, curve in _trio(kind, base)]
        charts.append((say("trust_chart", mode=say(f"trust_{kind.mode}"), fill=say(f"fill_{kind.fill}")), lines))
    return curves(charts, say("trust_alt"))


def _trio(curve: Curve, base: Baselines) -> list[tuple[str, Curve]]:
    """Return the map's curve beside chance and the centre, of the same mode and fill."""
    same = [
        next(other for other in curves if (other.mode, other.fill) == (curve.mode, curve.fill))
        for curves in (base.random, base.centre)
    ]
    return [("map", curve), ("random", same[0]), ("centre", same[1])]


def _badges(held: Held, shown: Shown, found: Trust | None) -> str:
    said = []
    if not method_of(shown.made.method).by_class:
        said.append(("quiet", say("badge_any_class")))
    if found is not None:
        for fill in FILLS:
            good = found.beats_random[fill] and found.beats_centre[fill]
            worse = "trust_no_random" if not found.beats_random[fill] else "trust_no_centre"
            said.append(("good" if good else "bad", say("trust_good" if good else worse, fill=say(f"fill_{fill}"))))
    box = box_of(held, shown.made.target.query)
    if box is not None:
        try:
            point = pointing(shown.made, box.box_xyxy)
            energy = "–" if point.energy is None else percent(point.energy)
            said.append(("quiet", say("badge_box", hit=percent(point.hit), energy=energy, area=percent(point.area))))
        except ValueError:
            pass
    return '<p class="pg-badges">' + "".join(f'<span class="pg-badge {k}">{escape(t)}</span>' for k, t in said) + "</p>"


def _table(found: Trust, base: Baselines) -> str:
    head = [say("trust_what"), say("trust_map"), say("trust_random"), say("trust_centre")]
    rows = []
    for curve in found.curves:
        what = say("trust_chart", mode=say(f"trust_{curve.mode}"), fill=say(f"fill_{curve.fill}"))
        rows.append([what, *(f"{entry.auc:.3f}" for _, entry in _trio(curve, base))])
    return words.table(head, rows)
