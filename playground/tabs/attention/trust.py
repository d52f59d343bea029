"""Can this map be trusted? Measured on the visitor's own picture: against chance, other classes, weights and a box."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from statistics import fmean

from playground import maps
from playground.explanations import Cancelled, Map, Target, method_of
from playground.explanations.faithfulness import Baselines, Curve, Trust, baselines, gain, measure
from playground.explanations.perturb import FILLS
from playground.explanations.pointing import SURVIVES, Agreement, agreement, pointing
from playground.explanations.targets import second_class
from playground.figures.curves import Line, curves
from playground.figures.overlay import Figure
from playground.figures.theme import percent
from playground.image import Picture
from playground.models.labels import labels
from playground.tabs.attention import words
from playground.tabs.attention.held import XYXY, Held, Shown, box_of
from playground.tabs.attention.looks import Asked, Drawn
from playground.texts import say
from playground.trace import Trace

STEPS = 14  # half of what a study takes: a visitor waits
BASE_RUNS = 6 / 7  # of all runs: five random orders and the centre beside the map's own
DRAWS = ((0.25, (0,)), (0.5, (0,)), (1.0, (0, 1, 2)))  # (share of the layers from the head down, seeds)


@dataclass(frozen=True, eq=False)
class Checks:
    """How alike the map is to others: of class `rival`, None where the method knows none, and of random weights.

    `random` holds for each share of layers drawn anew one agreement a seed, none where that model gives no map.
    """

    made: Map
    rival: int | None
    other: Agreement | None
    random: tuple[tuple[float, tuple[Agreement, ...]], ...]


def measured(
    held: Held, shown: Shown, trace: Trace, progress: Callable[[float], None], cancelled: Callable[[], bool]
) -> None:
    """Measure the shown map's curves and keep them; baselines are kept for other maps of the same class."""
    target = Target(class_index=shown.made.target.class_index, query=shown.made.target.query)
    key = ("baselines", target)
    if key not in held.memo:
        access = maps.access_to(held.card, lambda share: progress(share * BASE_RUNS), cancelled)
        held.memo[key] = baselines(trace, target, access, STEPS)
    access = maps.access_to(held.card, lambda share: progress(BASE_RUNS + share * (1 - BASE_RUNS)), cancelled)
    held.memo["trust"] = (shown.made, measure(trace, shown.made, access, held.memo[key]), held.memo[key])


def checked(
    held: Held, shown: Shown, picture: Picture, progress: Callable[[float], None], cancelled: Callable[[], bool]
) -> None:
    """Make the map for another class and for random weights, compare, and keep what was found.

    Source: Adebayo et al. 2018 (arXiv 1810.03292), sections 3 and 4: cascading from the head down.
    """
    made, options = shown.made, shown.wish.options
    runs = 1 + sum(len(seeds) for _, seeds in DRAWS)
    rival = other = None
    if method_of(made.method).by_class:
        trace = maps.trace_for(picture, held.card, made.method)
        rival = second_class(trace, made.target)
        other = agreement(made, maps.of_another_class(trace, held.card, made, options, rival, cancelled))
    done, random = 1, []
    for share, seeds in DRAWS:
        found = []
        for seed in seeds:
            progress(done / runs)
            if cancelled():
                raise Cancelled
            try:
                of_noise = maps.of_random_weights(picture, held.card, made, options, share, seed, cancelled)
                found.append(agreement(made, of_noise))
            except ValueError:  # this random model gives no map to compare with
                pass
            done += 1
        random.append((share, tuple(found)))
    held.memo["checks"] = Checks(made, rival, other, tuple(random))


def curves_of(held: Held, shown: Shown) -> tuple[Trust, Baselines] | None:
    """Return what was measured of the shown map, None while nothing was."""
    made, found, base = held.memo.get("trust", (None, None, None))
    return (found, base) if made is shown.made else None


def checks_of(held: Held, shown: Shown) -> Checks | None:
    """Return what was checked of the shown map, None while nothing was."""
    found: Checks | None = held.memo.get("checks")
    return found if found is not None and found.made is shown.made else None


def drawn(held: Held, shown: Shown, asked: Asked) -> Drawn:
    """Draw the curves of the shown map and its badges, or say that it has not been measured."""
    found, checks = curves_of(held, shown), checks_of(held, shown)
    said = [*_class_badges(held, shown, checks), *_weight_badges(checks), *_curve_badges(found)]
    badges = "".join(f'<span class="pg-badge {kind}">{escape(text)}</span>' for kind, text in said)
    below = f'<p class="pg-badges">{badges}</p>' + _boxed(held, shown, asked.box_xyxy)
    if checks is not None:
        below += _cascade(checks)
    if found is None:
        return None, below + f'<p class="pg-about">{escape(say("trust_ready"))}</p>'
    return _figure(*found), below + _areas(*found)


def _class_badges(held: Held, shown: Shown, checks: Checks | None) -> list[tuple[str, str]]:
    if not method_of(shown.made.method).by_class:
        return [("quiet", say("badge_any_class"))]
    if checks is None or checks.other is None or checks.rival is None:
        return []
    names = labels(held.card)
    name = names[checks.rival] if checks.rival < len(names) else None
    label = name or say("class_number", number=checks.rival)
    key, kind = ("badge_same_class", "bad") if checks.other.ignores else ("badge_class", "good")
    return [(kind, say(key, label=label, value=checks.other.spearman))]


def _weight_badges(checks: Checks | None) -> list[tuple[str, str]]:
    if checks is None:
        return []
    _, found = checks.random[-1]
    if not found:
        return [("quiet", say("badge_no_random_map"))]
    left = fmean(one.spearman for one in found)
    key, kind = ("badge_survives", "bad") if abs(left) > SURVIVES else ("badge_weights", "good")
    return [(kind, say(key, value=left, count=len(found)))]


def _curve_badges(measured: tuple[Trust, Baselines] | None) -> list[tuple[str, str]]:
    if measured is None:
        return []
    found, base = measured
    said = []
    for fill in FILLS:
        good = found.beats_random[fill] and found.beats_centre[fill]
        worse = "trust_no_random" if not found.beats_random[fill] else "trust_no_centre"
        gains = {"map": gain(found.curves, fill), "random": gain(base.random, fill), "centre": gain(base.centre, fill)}
        said.append(
            ("good" if good else "bad", say("trust_good" if good else worse, fill=say(f"fill_{fill}"), **gains))
        )
    return said


def _boxed(held: Held, shown: Shown, box_xyxy: XYXY | None) -> str:
    """Hold the map against the box that was drawn, or else a detector's own."""
    own = box_of(held, shown.made.target.query)
    box = box_xyxy or (own.box_xyxy if own else None)
    if box is None:
        return ""
    whose = say("box_drawn") if box_xyxy else say("box_found", label=own.label if own else "")
    try:
        point = pointing(shown.made, box)
    except ValueError as error:
        return f'<p class="pg-about">{escape(str(error))}</p>'
    energy = "–" if point.energy is None else percent(point.energy)
    said = say("badge_box", whose=whose, hit=percent(point.hit), energy=energy, area=percent(point.area))
    return f'<p class="pg-badges"><span class="pg-badge quiet">{escape(said)}</span></p>'


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


def _areas(found: Trust, base: Baselines) -> str:
    head = [say("trust_what"), say("trust_map"), say("trust_random"), say("trust_centre")]
    rows = []
    for curve in found.curves:
        what = say("trust_chart", mode=say(f"trust_{curve.mode}"), fill=say(f"fill_{curve.fill}"))
        rows.append([what, *(f"{entry.auc:z.3f}" for _, entry in _trio(curve, base))])
    return words.table(head, rows)


def _cascade(checks: Checks) -> str:
    head = [say("checks_what"), say("checks_spearman"), say("checks_abs"), say("checks_ssim")]
    rows = []
    for share, found in checks.random:
        means = [fmean(each) for each in zip(*((a.spearman, a.spearman_abs, a.ssim) for a in found), strict=True)]
        said = [f"{mean:z.2f}" for mean in means] if found else ["–"] * 3
        rows.append([say("checks_share", share=percent(share)), *said])
    return words.table(head, rows)
