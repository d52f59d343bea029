"""What a model is made of, in words. Every text that is not ours is escaped here."""

import math
from collections.abc import Sequence
from html import escape
from itertools import zip_longest

from playground.architecture.anatomy import Shape
from playground.architecture.costs import Costs
from playground.architecture.kinds import Kind
from playground.architecture.reach import Mixing, Reach
from playground.architecture.stages import Block, Stage
from playground.figures.stages import BARS, COLOURS
from playground.texts import say

NUMBERED = ("stage", "backbone", "projection")


def amount(count: float) -> str:
    """Return a count with three digits: "86.6 M", "17.6 G", "9.41 k"."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size * 0.9995:
            return f"{count / size:.3g} {letter}"
    return f"{count:.3g}"


def shape(dims: Shape) -> str:
    """Return a shape without its batch axis: "197 × 768", or "channels × rows × cols"."""
    return " × ".join(str(n) for n in dims[1:]) if len(dims) > 1 else say("arch_no_shape")


def title(stage: Stage, stages: Sequence[Stage]) -> str:
    """Return the name of a stage; numbers stand only where there are several."""
    if stage.role == "projection" and sum(s.role == "projection" for s in stages) == 1:
        return say("role_projection", number="").strip()
    return say(f"role_{stage.role}", number=stage.number)


def kind(entry: Kind) -> str:
    """Return the name of a kind of block."""
    return say(f"kind_{entry.key}")


def kinds(stage: Stage) -> str:
    """Return "7 × relative attention" for the kind of most of a stage's blocks."""
    same = sum(block.kind == stage.kind for block in stage.blocks)
    return say("arch_counted", count=same, kind=kind(stage.kind)) if same > 1 else kind(stage.kind)


def sees(reach: Reach | None, size: tuple[int, int]) -> str:
    """Say what a position sees of a picture of `size` (rows, cols)."""
    if reach is None:
        return say("sees_nothing")
    if not reach.known:
        return say("sees_unknown")
    rows, cols = (n if math.isinf(n) else round(n) for n in reach.extent)
    if reach.whole:
        return say("sees_whole")
    if math.isinf(rows) or math.isinf(cols):
        return say("sees_column" if math.isinf(rows) else "sees_row", rows=rows, cols=cols)
    said = say("sees_more" if rows > size[0] and cols > size[1] else "sees_pixels", rows=rows, cols=cols)
    return say("sees_gated", sees=said) if reach.gated else said


def mixes(attention: Sequence[Mixing]) -> str:
    """Say over what a block or stage attends, each way once."""
    said = []
    for mixing in attention:
        key: str = mixing.spread or "none"
        if key == "everywhere" and mixing.groups > 1:
            key = "sparse"
        said.append(
            say(f"mixes_{key}", heads=mixing.heads, groups=mixing.groups, written=mixing.written, read=mixing.read)
        )
    return "; then ".join(dict.fromkeys(said)) or say("mixes_no")


def headline(name: str, costs: Costs) -> str:
    """Say what the whole model has and costs."""
    big = say("arch_total", title=name, parameters=amount(costs.parameters), macs=amount(costs.macs))
    more = say("arch_total_more", rows=costs.size[0], cols=costs.size[1])
    return _lines(big, more)


def waiting() -> str:
    """What stands there before the first model is taken apart."""
    return _lines(say("arch_waiting"), "")


def legend(stages: Sequence[Stage]) -> str:
    """Return the kinds of block in this model with their colours, and what the two bars of a stage are."""
    there = list(dict.fromkeys(block.kind for stage in stages for block in stage.blocks if block.kind.key != "plain"))
    items = "".join(
        f'<span><i style="background:{COLOURS[entry.group]}"></i>{escape(kind(entry))}</span>' for entry in there
    )
    for colour, name in zip(BARS, ("parameters", "macs"), strict=True):
        items += f'<span><i class="pg-bar" style="background:{colour}"></i>{escape(say(f"arch_bar_{name}"))}</span>'
    return f'<p class="pg-key">{items}</p>'


def table(stages: Sequence[Stage], size: tuple[int, int]) -> str:
    """Return the stages as a table behind a disclosure: what the diagram shows, for screen readers and copying."""
    head = ["stage", "kind", "takes", "gives", "parameters", "macs", "attention", "sees"]
    rows = [
        [
            title(stage, stages), kinds(stage), shape(stage.takes), shape(stage.gives), f"{stage.parameters:,}",
            amount(stage.macs), mixes(stage.attention), sees(stage.reach, size),
        ]
        for stage in stages
    ]  # fmt: skip
    return folded(say("arch_table"), plain_table([say(f"arch_col_{name}") for name in head], rows))


def details(block: Block, stage: str, number: int, size: tuple[int, int]) -> str:
    """Return everything that is known of one block: equation, paper, shapes, costs, attention, and its parts."""
    part, entry = block.part, block.kind
    paper = escape(say("arch_no_paper"))
    if entry.paper:
        said = escape(say("arch_link", paper=entry.paper))
        paper = f'<a href="{escape(entry.link)}" target="_blank" rel="noopener noreferrer">{said}</a>'
    facts = [
        ("takes", shape(part.takes[0]) if part.takes else say("arch_no_shape")),
        ("gives", ",  ".join(shape(dims) for dims in part.gives) or say("arch_no_shape")),
        ("parameters", f"{part.parameters:,}"),
        ("macs", f"{part.macs:,}"),
        ("attention", mixes(part.attention)),
        ("sees", sees(part.reach, size)),
    ]
    listed = "".join(
        f"<div><dt>{escape(say(f'arch_col_{name}'))}</dt><dd>{escape(text)}</dd></div>" for name, text in facts
    )
    name = say("arch_block_choice", stage=stage, number=number, kind=kind(entry))
    rows = [
        [p.path, p.kind, shape(p.gives[-1]) if p.gives else say("arch_no_shape"), f"{p.parameters:,}", amount(p.macs)]
        for p in part.parts
    ]
    head = [say(f"arch_col_{column}") for column in ("inside", "class", "gives", "parameters", "macs")]
    inside = folded(say("arch_inside"), plain_table(head, rows)) if rows else ""
    equation = f'<p class="pg-equation">{escape(entry.equation)}</p>'
    return (
        f'<div class="pg-block" role="status"><h3>{escape(name)}</h3>{equation}'
        f'<p class="pg-about">{paper}</p><dl class="pg-facts">{listed}</dl>{inside}</div>'
    )


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out texts as a table; they are escaped here."""
    return html_table(head, [[escape(cell) for cell in row] for row in rows])


def html_table(head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """Lay out cells that are already HTML; a row that has a note is followed by it, as wide as the table."""
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = ""
    for row, note in zip_longest(rows, notes, fillvalue=""):
        body += "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>"
        body += f'<tr class="pg-note"><td colspan="{len(head)}"><div>{note}</div></td></tr>' if note else ""
    return f'<div class="pg-table"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def folded(summary: str, inner: str) -> str:
    """Return HTML behind a disclosure."""
    return f'<details class="pg-call"><summary>{escape(summary)}</summary>{inner}</details>'


def chapter(head: str, more: str) -> str:
    """Return a heading with a sentence under it."""
    return f'<div class="pg-chapter"><h2>{escape(head)}</h2><p>{escape(more)}</p></div>'


def about(text: str) -> str:
    """Return a quiet sentence, or nothing for none."""
    return f'<p class="pg-about">{escape(text)}</p>' if text else ""


def _lines(big: str, more: str) -> str:
    small = f'<p class="pg-more">{escape(more)}</p>' if more else ""
    return f'<div class="pg-caption" role="status"><p class="pg-caption-big">{escape(big)}</p>{small}</div>'
