"""How accuracy falls when pictures are disturbed: the same pictures, disturbed once, through several models."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from playground.datasets.nouns import DataError, LabelledPictures
from playground.disturb import disturb, kind_of
from playground.evaluation.classes import matched
from playground.evaluation.contest import access_to
from playground.evaluation.measuring import sample
from playground.evaluation.study import Point, Series, wilson
from playground.image import Picture, view
from playground.models.card import Card
from playground.models.preprocess import preprocess_of

BATCH = 50
STRENGTHS = (0.25, 0.5, 0.75, 1.0)

Tell = Callable[[int], None]


@dataclass(frozen=True)
class Plan:
    """What is to be measured: these kinds at these strengths (0 apart, which is the same for all) on `photos`."""

    kinds: tuple[str, ...]
    photos: int
    seed: int = 0
    strengths: tuple[float, ...] = STRENGTHS
    half: bool = False

    @property
    def steps(self) -> int:
        """How many disturbed pictures there are."""
        return self.photos * (1 + len(self.kinds) * len(self.strengths))


def run(
    data: LabelledPictures,
    cards: Sequence[Card],
    plan: Plan,
    done: Mapping[str, Series],
    keep: Callable[[list[Series]], None],
    tell: Tell,
) -> list[Series]:
    """One series a kind and model: top-1 in % against strength, with Wilson's 95 % interval.

    Series that `done` holds are not measured again; `keep` gets all there are after each kind. Raises DataError when
    the data have fewer usable photos than the plan.
    """
    outputs = [matched(card, data.classes, data.keys) for card in cards]
    known = np.flatnonzero(np.min([output[data.labels] for output in outputs], axis=0) >= 0)
    if len(known) < plan.photos:
        raise DataError(f"The data have {len(known):,} photos of classes that all models know; choose fewer --photos.")
    chosen = known[sample(len(known), plan.photos, plan.seed)]
    wanted = [output[data.labels[chosen]] for output in outputs]
    whole: list[Point] = []
    series: list[Series] = []
    for number, kind in enumerate(plan.kinds):
        names = [name_of(kind, card) for card in cards]
        if any(name not in done for name in names):
            begun = plan.photos * number * len(plan.strengths)
            whole = whole or _points(data, chosen, cards, wanted, None, 0.0, plan, tell, 0)
            rows = [whole]
            for step, strength in enumerate(plan.strengths):
                start = begun + plan.photos * (1 + step)
                rows.append(_points(data, chosen, cards, wanted, kind, strength, plan, tell, start))
            series += [Series(name, tuple(points)) for name, points in zip(names, zip(*rows, strict=True), strict=True)]
        else:
            series += [done[name] for name in names]
        keep(list(series))
    tell(plan.steps)
    return series


def name_of(kind: str, card: Card) -> str:
    """The name of a series."""
    return f"{kind}: {card.name}"


def finding(series: Sequence[Series], cards: Sequence[Card], kinds: Sequence[str]) -> str:
    """What the curves say, in numbers: how much of its accuracy each model keeps, and what costs most and least."""
    kept = {}
    losses: dict[str, list[float]] = {kind: [] for kind in kinds}
    by_name = {one.name: one for one in series}
    for card in cards:
        curves = {kind: [point.y for point in by_name[name_of(kind, card)].points] for kind in kinds}
        whole = curves[kinds[0]][0]
        kept[card.name] = (whole, float(np.mean([value for curve in curves.values() for value in curve[1:]])))
        for kind, curve in curves.items():
            losses[kind].append(whole - curve[-1])
    told = "; ".join(f"{name} {whole:.1f} %, disturbed {mean:.1f} %" for name, (whole, mean) in kept.items())
    order = sorted(kinds, key=lambda kind: -float(np.mean(losses[kind])))
    most, least = ((kind_of(kind).title, float(np.mean(losses[kind]))) for kind in (order[0], order[-1]))
    return (
        f"Mean over all kinds and strengths: {told}. At full strength {most[0].lower()} costs most "
        f"({most[1]:.1f} points), {least[0].lower()} least ({least[1]:.1f} points)."
    )


def _points(
    data: LabelledPictures,
    chosen: np.ndarray,
    cards: Sequence[Card],
    wanted: Sequence[np.ndarray],
    kind: str | None,
    strength: float,
    plan: Plan,
    tell: Tell,
    begun: int,
) -> list[Point]:
    """One point a model, all on the same disturbed pictures; each picture has a seed of its own."""
    right = np.zeros(len(cards), int)
    runs = [access_to(card, plan.half).forward for card in cards]
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        pictures = [_disturbed(data.picture(int(i)), kind, strength, plan.seed + int(i)) for i in part]
        for number, card in enumerate(cards):
            views = [view(picture, preprocess_of(card)).pixels for picture in pictures]
            best = runs[number](torch.from_numpy(np.stack(views))).argmax(-1).numpy()
            right[number] += int((best == wanted[number][start : start + BATCH]).sum())
        tell(begun + start + len(part))
    return [_point(strength, int(count), len(chosen)) for count in right]


def _point(strength: float, right: int, count: int) -> Point:
    y, low, high = (round(100 * share, 3) for share in (right / count, *wilson(right, count)))
    return Point(strength, y, low, high, count)


def _disturbed(picture: Picture, kind: str | None, strength: float, seed: int) -> Picture:
    return picture if kind is None else disturb(picture, kind, strength, seed)
