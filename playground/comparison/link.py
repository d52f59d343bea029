"""What a link restores: an example, the models, the tab and its settings, as the query of the page's address.

Whoever opens a link may have written it, so everything is checked again: what does not fit is left out, and the page
opens with its own.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode

from playground.comparison.run import MOST

WORD = re.compile(r"[a-z][a-z0-9_-]{0,39}", re.ASCII)  # examples, tabs and settings are called so
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,199}", re.ASCII)
TEXT = re.compile(r"[^\x00-\x1f\x7f<>]{0,64}")
MOST_SETTINGS = 40
LONGEST = 4000  # letters of a query
PICTURE, MODELS, TAB = "picture", "models", "tab"
MARK = "s."  # begins the names of settings

Setting = bool | int | float | str


@dataclass(frozen=True)
class State:
    """What a visitor sees: `picture` the name of an example ("" for an upload of one's own, which no link carries),
    `models` names for the catalogue, `tab` its key and `settings` values by name."""

    picture: str = ""
    models: tuple[str, ...] = ()
    tab: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)


def encode(state: State) -> str:
    """Return the query string, without "?", that `decode` turns into the same state.

    Raises ValueError for a state that no link can carry.
    """
    pairs = [(PICTURE, state.picture), (TAB, state.tab), (MODELS, ",".join(state.models))]
    said = [(name, value) for name, value in pairs if value]
    said += [(MARK + name, json.dumps(value)) for name, value in state.settings.items()]
    query = urlencode(said, quote_via=quote, safe=":/,")
    if decode(query) != state:
        raise ValueError("This view cannot be put into a link; choose fewer models or settings.")
    return query


def decode(query: str, pictures: Collection[str] | None = None, tabs: Collection[str] | None = None) -> State:
    """Return the state that a query string names. What is unknown, malformed or too much is left out; raises nothing.

    `pictures` and `tabs` are the names there are; None lets any through. Model names are only spelled right: whether
    there is such a model is the catalogue's to say. Settings are booleans, finite numbers and short texts without
    markup, and whoever uses one checks its range.
    """
    if not isinstance(query, str) or len(query) > LONGEST:
        return State()
    try:
        pairs = parse_qsl(query.removeprefix("?"), max_num_fields=2 * MOST_SETTINGS)
    except ValueError:
        return State()
    found = dict(pairs)
    models = [name for name in found.get(MODELS, "").split(",") if MODEL.fullmatch(name) and ".." not in name]
    settings: dict[str, Setting] = {}
    for name, text in found.items():
        value = _setting(text) if name.startswith(MARK) and WORD.fullmatch(name.removeprefix(MARK)) else None
        if value is not None and len(settings) < MOST_SETTINGS:
            settings[name.removeprefix(MARK)] = value
    return State(
        picture=_word(found.get(PICTURE, ""), pictures),
        models=tuple(dict.fromkeys(models))[:MOST],
        tab=_word(found.get(TAB, ""), tabs),
        settings=settings,
    )


def _word(text: str, known: Collection[str] | None) -> str:
    return text if WORD.fullmatch(text) and (known is None or text in known) else ""


def _setting(text: str) -> Setting | None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, str):
        return value if TEXT.fullmatch(value) else None
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 2**53:  # which NaN and infinity are not
        return value
    return None
