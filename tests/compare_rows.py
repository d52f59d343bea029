"""Hand-made rows of the Compare tab, and what reads its HTML."""

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
from hand_made import CLASSES, answer, photo

from playground.comparison.rows import Row
from playground.explanations import Map, Target
from playground.image import Picture
from playground.models.card import Metric
from playground.tabs.compare.held import Asked, Held, Place, agreed
from playground.tabs.compare.touching import Touch

PICTURE = Picture(photo(64, 48))
NAMES = ("a", "b", "bad")


class Parsed(HTMLParser):
    """Tags, attributes and texts of a piece of HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.given: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.given.append(dict(attrs))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def row(name: str, **parts: Any) -> Row:
    made = Row(
        name, f"Model {name}", "vit", "classification", "bundled", prediction=answer(classes=CLASSES, model=name),
        parameters=1_600_000, macs=500_000_000, size=(64, 64), licence="apache-2.0",
        metrics=(Metric("top-1", 38.3, "%", "Everyday", "measured here"),),
    )  # fmt: skip
    return replace(made, **parts)


def held(*rows: Row) -> Held:
    names = tuple(one.model for one in rows)
    asked = Asked(PICTURE.key, names, Touch(), measured=False)
    place = Place("attention", (0.5, 0.5))
    return Held(asked, {one.model: one for one in rows}, **agreed(rows), place=place)


def a_map(values: np.ndarray, region: tuple[float, float, float, float] = (0, 0, 64, 48)) -> Map:
    return Map("attention", values.astype(np.float32), False, region, (), (), Target())
