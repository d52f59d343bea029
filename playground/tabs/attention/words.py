"""The Attention tab in words: what the map shows, its scale, and what belongs to no place. Foreign text is escaped."""

from collections.abc import Sequence
from html import escape

from playground.explanations import METHODS, Method, method_of
from playground.explanations.artefacts import Artefacts
from playground.figures.scales import RISING, SIGNED, css, limits
from playground.figures.theme import percent
from playground.tabs.attention.held import (
    ANSWER,
    GROUPS,
    PATCH,
    RAW,
    RECEPTIVE,
    WALKS,
    Held,
    Shown,
    Wish,
    backward,
    box_of,
)
from playground.texts import say

OWN_GROUP = {"norms": "tokens"}
MOST_APART = 8


def caption(held: Held, shown: Shown) -> str:
    """Say in a line what is shown and in another from where, and what of it lies apart from the picture."""
    return _lines(_title(shown), " ".join([_start(held, shown), *_apart(shown), *shown.made.notes]))


def waiting() -> str:
    """What stands there before the first map."""
    return _lines(say("attention_waiting"), "")


def none_yet() -> str:
    """What stands there where the first map could not be made."""
    return _lines(say("attention_none_yet"), "")


def sentence(text: str) -> str:
    """Say why there is no new map."""
    return _lines(say("attention_none"), text)


def ready(method: Method) -> str:
    """Say that the method runs the model again, and waits for the button."""
    return _lines(method.title, say("attention_ready"))


def running(title: str, share: float) -> str:
    """Say how far a long run is."""
    return _lines(say("attention_running", title=title, share=percent(share)), "")


def heading(look: str, held: Held, shown: Shown) -> str:
    """Say what the part below the map shows, and what a click does to the map above."""
    said = [say(f"more_{look}")]
    if look == "tiles" and held.axial:
        axis = shown.wish.options.get("axis", "both") if shown.made.method == RAW else "both"
        said.append(say(f"tiles_axis_{axis}"))
    if look in ("tiles", "atlas") and shown.made.method != RAW:
        said.append(say("click_to_raw", title=method_of(shown.made.method).title))
    return f'<p class="pg-about">{escape(" ".join(said))}</p>'


def hint(corner: int) -> str:
    """Say what the next click on the map does to the box: 1 and 2 are its corners, 0 nothing."""
    return f'<p class="pg-about" role="status">{escape(say(f"box_hint_{corner}"))}</p>'


def outliers(found: Artefacts, most: int) -> str:
    """List the tokens of one level whose norm stands out, or say that none does."""
    if not found.places:
        return f'<p class="pg-about">{escape(say("outliers_none", level=found.level))}</p>'
    far = zip(found.patches, found.places, found.deviations, strict=True)
    ordered = sorted(far, key=lambda entry: -entry[2])[:most]
    rows = [
        [f"{patch[0]}, {patch[1]}", number(float(found.norms[place])), f"{away:.1f}"] for patch, place, away in ordered
    ]
    more = len(found.places) - len(rows)
    said = say("outliers_some", count=len(found.places), level=found.level, threshold=number(found.threshold))
    after = f'<p class="pg-about">{escape(say("outliers_more", count=more))}</p>' if more else ""
    head = [say("outliers_patch"), say("outliers_norm"), say("outliers_far")]
    return f'<p class="pg-about">{escape(said)}</p>{table(head, rows)}{after}'


def about(method: Method, unread: str = "") -> str:
    """Say what the method does, what it costs, and whether it knows the class; `unread` goes before it."""
    cost = say(f"needs_{method.needs}")
    badge = "" if method.by_class else f'<span class="pg-badge">{escape(say("any_class"))}</span>'
    before = f'<p class="pg-about">{escape(unread)}</p>' if unread else ""
    return f'{before}<p class="pg-about">{badge}{escape(method.description)} {escape(cost)}</p>'


def legend(shown: Shown) -> str:
    """Return the colour scale with the values at its ends."""
    low, high = limits(shown.made.values, shown.made.signed)
    colours = SIGNED if shown.made.signed else RISING
    ends = f"<span>{number(low)}</span><i style='background:{css(colours)}'></i><span>{number(high)}</span>"
    least, most = (number(float(v)) for v in (shown.made.values.min(), shown.made.values.max()))
    said = say("legend", least=least, most=most, rows=shown.made.values.shape[0], cols=shown.made.values.shape[1])
    return f'<div class="pg-legend">{ends}<small>{escape(said)}</small></div>'


def alt(held: Held, shown: Shown) -> str:
    """Return what a screen reader says of the map: what it is, and where it is strongest."""
    values = shown.made.values
    row, col = divmod(int(values.argmax()), values.shape[1])
    return f"{_title(shown)}. {_start(held, shown)} " + say("strongest", row=row, col=col, value=number(values.max()))


def choices(methods: tuple[Method, ...]) -> list[tuple[str, str]]:
    """Return (what the picker shows, name) of the methods, group by group."""
    order = [*dict.fromkeys(group(method) for method in METHODS)]
    ordered = sorted(methods, key=lambda method: order.index(group(method)))
    return [(f"{say(f'group_{group(method)}')} · {method.title}", method.name) for method in ordered]


def group(method: Method) -> str:
    """Return the group of a method: attention, tokens, gradients or perturbation."""
    return OWN_GROUP.get(method.name, GROUPS[method.needs])


def starts(shown: Shown) -> list[tuple[str, str]]:
    """Return (what the picker shows, start) of the places from which the map may start."""
    answer = say("start_answer") if "class" not in shown.tokens else say("start_answer_class")
    tokens = [(say("start_token", token=token), token) for token in shown.tokens if token != "class"]
    answers = [(answer, ANSWER)] if shown.from_answer else []
    return [*answers, (say("start_patch"), PATCH), *tokens]


def classes(held: Held, wish: Wish) -> list[tuple[str, int]]:
    """Return (label and score, number) of the classes to choose from, best first."""
    offered = [(f"{entry.label} · {percent(entry.score)}", entry.index) for entry in held.classes]
    seen = {number for _, number in offered}
    for box in sorted(held.objects, key=lambda box: box.query != wish.query):
        if box.index not in seen:
            seen.add(box.index)
            offered.append((box.label, box.index))
    return offered


def objects(held: Held) -> list[tuple[str, int]]:
    """Return (label, score and number, query) of every object query, best first."""
    return [
        (say("object", label=box.label, share=percent(box.score), query=box.query), box.query) for box in held.objects
    ]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out texts as a table."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="pg-table"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def number(value: float) -> str:
    """Return a value of a map with three digits."""
    return f"{value:.3g}"


def _title(shown: Shown) -> str:
    method = method_of(shown.made.method)
    parts = [method.title]
    layer = shown.made.target.layer
    parts += [name for name, place in shown.layers if place == layer]
    if shown.heads:
        head = shown.made.target.head
        mix = shown.wish.options.get("heads", "mean")
        parts.append(
            say("head", number=head + 1) if head is not None else say("heads_mixed", count=shown.heads, mix=mix)
        )
    return ", ".join(parts)


def _start(held: Held, shown: Shown) -> str:
    target, method = shown.made.target, method_of(shown.made.method)
    if shown.asks_query and target.query is not None:
        box = box_of(held, target.query)
        who = say(
            "who_query", query=target.query, label=box.label if box else "", share=percent(box.score if box else 0)
        )
    elif target.patch is not None and shown.grid:
        who = say("who_patch", row=target.patch[0], col=target.patch[1])
    elif target.token is not None:
        who = say("who_token", token=target.token)
    elif shown.grid is None:
        who = ""
    else:
        who = say("who_class" if "class" in shown.tokens else "who_mean")
    said = []
    if who:
        said.append(say(_way(shown), who=who))
    if method.by_class and target.class_index is not None:
        label = {number: text for text, number in classes(held, shown.wish)}.get(target.class_index)
        said.append(say("for_class", label=label or say("class_number", number=target.class_index)))
    return " ".join(said)


def _way(shown: Shown) -> str:
    """Return the key of what the map says of where it starts."""
    name = shown.made.method
    if name == RECEPTIVE:
        return "from_pixels"
    if backward(shown.wish):
        return "from_backward"
    return "from_forward" if name in (RAW, *WALKS) or shown.made.target.query is None else "from_answer"


def _apart(shown: Shown) -> list[str]:
    if not shown.made.apart or shown.made.method == "norms":
        return []
    shares = method_of(shown.made.method).name in ("attention", "rollout") and not backward(shown.wish)
    parts = [f"{name} {percent(value) if shares else number(value)}" for name, value in shown.made.apart[:MOST_APART]]
    return [say("apart", parts=", ".join(parts))]


def _lines(big: str, more: str) -> str:
    small = f'<p class="pg-more">{escape(more)}</p>' if more else ""
    return f'<div class="pg-caption" role="status"><p class="pg-caption-big">{escape(big)}</p>{small}</div>'
