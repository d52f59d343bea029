"""The report as one HTML page: pictures, style and script are inside, and it may fetch nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

import playground
from playground.comparison.places import PlaceMap
from playground.figures.picture import encode
from playground.report import answers, maps, table
from playground.report.words import Values, text
from playground.texts import say

MOST_SHOWN = 12  # of many pictures, those on which models disagree most
SMALL, SMALL_BUDGET = 360, 30_000  # pixels a side and letters of each of them
STATIC = Path(__file__).parents[1] / "static"
CLOSED = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


@dataclass(frozen=True)
class Asked:
    """Maps that were asked for one place of the one picture of a report."""

    maps: Sequence[PlaceMap]
    place: Sequence[float]
    method: str


def as_html(compared: Values, opened: Callable[[str], Image.Image | None], asked: Asked | None = None) -> str:
    """Return the page of a comparison as `comparison.records.whole` describes it.

    `opened` gives a picture by its name, None where it is no longer there. All pictures stand in a table; those shown
    are the one, or those on which the models disagree most.
    """
    pictures, models = compared["pictures"], compared["models"]
    one = len(pictures) == 1
    shown = pictures if one else _most_disagreed(pictures)
    shots = {p["picture"]: picture for p in shown if (picture := opened(p["picture"])) is not None}
    if one:
        lead = say("report_one", models=len(models), picture=pictures[0]["picture"])
    else:
        lead = say("report_many", models=len(models), pictures=len(pictures))
    parts = [f"<header><h1>{text(say('report_title'))}</h1><p>{text(lead)}</p></header>"]
    if pictures:
        parts += [_section("report_models", _about(pictures), table.models(pictures))]
    if one:
        parts += _details(pictures[0], shots, asked)
    elif pictures:
        parts.append(_section("report_ranking", say("report_ranking_more"), table.ranking(pictures)))
        parts += [_short(picture, f"shot{i}") for i, picture in enumerate(shown)]
    if compared["unreadable"]:
        rows = [[table.Cell(file["picture"]), table.Cell(file["failed"])] for file in compared["unreadable"]]
        files = table.table([say("report_file"), say("report_why")], rows, "unreadable")
        parts.append(_section("report_unreadable", "", files))
    parts.append(f"<footer><p>{text(say('report_made', version=playground.__version__))}</p></footer>")
    return _document("".join(parts), _backgrounds(shown, shots, one), lead)


def _details(picture: Values, shots: dict[str, Image.Image], asked: Asked | None) -> list[str]:
    parts = [_section("report_answers", "", answers.cards(picture["rows"], "shot0"))]
    shot = shots.get(picture["picture"])
    if asked is not None and shot is not None:
        drawn = maps.maps(asked.maps, asked.place, asked.method, shot.size, "shot0")
        parts.append(_section("report_maps", "", drawn))
    if picture["agreement"]:
        parts.append(
            _section(
                "report_agreement",
                say("report_agreement_more"),
                f'<div class="cards">{answers.agreement(picture)}</div>',
            )
        )
    return parts


def _short(picture: Values, shot: str) -> str:
    size = next((r["prediction"]["picture_size"] for r in picture["rows"] if r["prediction"]), (4, 3))
    alone = f'<div class="shot alone {shot}" style="aspect-ratio:{size[0]}/{size[1]}"></div>'
    return f"<section><h2>{text(picture['picture'])}</h2>{alone}{answers.cards(picture['rows'], shot)}</section>"


def _most_disagreed(pictures: Sequence[Values]) -> list[Values]:
    def agree(picture: Values) -> float:
        return min((pair["value"] for pair in picture["agreement"] if pair["value"] is not None), default=2.0)

    return sorted(pictures, key=agree)[:MOST_SHOWN]


def _about(pictures: Sequence[Values]) -> str:
    rows = [row for picture in pictures for row in picture["rows"]]
    measured = next((row["device"] for row in rows if row["latency_ms"] is not None), None)
    return say("report_models_more", device=measured) if measured else say("report_unmeasured")


def _section(key: str, more: str, inner: str) -> str:
    said = f"<p>{text(more)}</p>" if more else ""
    return f"<section><h2>{text(say(key))}</h2>{said}{inner}</section>"


def _backgrounds(shown: Sequence[Values], shots: dict[str, Image.Image], one: bool) -> str:
    """Return a CSS class for each picture, so that a picture stands in the file once however often it is drawn."""
    rules = []
    for i, picture in enumerate(shown):
        shot = shots.get(picture["picture"])
        if shot is not None:
            address = encode(shot) if one else encode(shot, SMALL, SMALL_BUDGET)
            rules.append(f".shot{i}{{background-image:url({address})}}")
    return "".join(rules)


def _document(body: str, backgrounds: str, title: str) -> str:
    style, script = ((STATIC / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{CLOSED}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{text(title)}</title><style>{style}{backgrounds}</style></head>"
        f"<body><main>{body}</main><script>{script}</script></body></html>\n"
    )
