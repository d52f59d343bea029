"""Stage by stage: the diagram, the block that was chosen, and where parameters and multiply-adds are."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.architecture.anatomy import LARGEST, own_size
from playground.architecture.costs import Costs, count
from playground.architecture.kinds import OWN
from playground.architecture.stages import Block
from playground.components import PlotlyView
from playground.figures import Figure
from playground.figures.stages import Cell, Row, stages
from playground.figures.treemap import Area, treemap
from playground.image import Picture, view
from playground.models import catalogue
from playground.models.card import Card
from playground.models.preprocess import preprocess_of
from playground.tabs.architecture import words
from playground.texts import say

Updates = dict[Any, Any]
Sizes = list[tuple[str, tuple[int, int]]]  # what the picker shows, and (rows, cols)
FACTORS = (0.5, 0.75, 1.0, 1.5, 2.0)
MEASURES = ("parameters", "macs")
MOST_BLOCKS = 400
SIZE = re.compile(r"\s*(\d{1,5})\s*(?:[x×]\s*(\d{1,5})\s*)?", re.ASCII)


@dataclass(frozen=True)
class Shown:
    """What the tab shows: of which model, for a picture of which size, and which block is chosen, counted from 0."""

    model: str
    size: tuple[int, int]
    block: int = 0


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    shown: gr.State
    headline: gr.HTML
    size: gr.Dropdown
    diagram: PlotlyView
    legend: gr.HTML
    block: gr.Dropdown
    details: gr.HTML
    table: gr.HTML
    measure: gr.Radio
    areas: PlotlyView

    @property
    def outputs(self) -> list[Any]:
        return [self.shown, self.headline, self.size, self.diagram, self.legend, self.block, self.details, self.table,
                self.measure, self.areas]  # fmt: skip

    def begin(self, picture: Picture | None, model: Any, size: Any, measure: Any, shown: Any) -> Updates:
        """Show a model: for another one, or another picture, at the size at which it sees the picture."""
        card = catalogue.find(model)
        offered = sizes(card, picture)
        wanted = chosen(size) if isinstance(shown, Shown) and shown.model == card.name else None
        return self._at(card, offered, wanted if wanted in [value for _, value in offered] else None, measure, shown)

    def resize(self, picture: Picture | None, model: Any, size: Any, measure: Any, shown: Any) -> Updates:
        """Show the model for a picture of another size, offered or typed; raises ValueError with one sentence."""
        card, wanted = catalogue.find(model), chosen(size)
        if wanted is None:
            raise ValueError(say("arch_size_form", most=LARGEST))
        return self._at(card, sizes(card, picture), wanted, measure, shown)

    def _at(self, card: Card, offered: Sizes, size: tuple[int, int] | None, measure: Any, shown: Any) -> Updates:
        wanted = offered[0][1] if size is None else size
        if wanted not in [value for _, value in offered]:
            offered = [*offered, (say("arch_size_other", rows=wanted[0], cols=wanted[1]), wanted)]
        costs = count(card, wanted)
        at = shown.block if isinstance(shown, Shown) and shown.model == card.name else busiest(costs)
        now = Shown(card.name, wanted, min(at, len(blocks(costs)) - 1))
        named = [(label, text(value)) for label, value in offered]
        names = [(name, i) for i, (name, _, _) in enumerate(named_blocks(costs))]
        return {
            **self.choose(now, now.block),
            self.headline: words.headline(card.title, costs),
            self.size: gr.update(choices=named, value=text(wanted)),
            self.legend: words.legend(costs.stages),
            self.block: gr.update(choices=names, value=now.block),
            self.table: words.table(costs.stages, costs.size),
            self.areas: areas(card, costs, measure),
        }

    def choose(self, shown: Any, block: Any) -> Updates:
        """Show what is known of one block, by its place from 0; raises ValueError with one sentence."""
        if not isinstance(shown, Shown):
            return {}
        card = catalogue.find(shown.model)
        costs = count(card, shown.size)
        named = named_blocks(costs)
        if isinstance(block, bool) or not isinstance(block, int) or not 0 <= block < len(named):
            return {}
        _, stage, number = named[block]
        said = words.details(blocks(costs)[block], stage, number, costs.size)
        return {
            self.shown: Shown(shown.model, shown.size, block),
            self.diagram: diagram(card, costs, block),
            self.block: block,
            self.details: said,
        }

    def weigh(self, shown: Any, measure: Any) -> Any:
        """Draw where the parameters or the multiply-adds are."""
        if not isinstance(shown, Shown):
            return gr.skip()
        card = catalogue.find(shown.model)
        return areas(card, count(card, shown.size), measure)


def lay_out() -> Part:
    """Lay out the part inside the current context."""
    headline = gr.HTML(words.waiting(), apply_default_css=False, elem_id="pg-arch-headline")
    with gr.Row(elem_classes=["pg-pair"]):
        size = gr.Dropdown(
            [], label=say("arch_size"), info=say("arch_size_info"), allow_custom_value=True, elem_id="pg-arch-size",
            min_width=240,
        )  # fmt: skip
        block = gr.Dropdown([], label=say("arch_block"), elem_id="pg-arch-block", min_width=240)
    legend = gr.HTML(apply_default_css=False, elem_id="pg-arch-legend")
    diagram = PlotlyView(height=500, elem_id="pg-arch-diagram")
    details = gr.HTML(apply_default_css=False, elem_id="pg-arch-details")
    table = gr.HTML(apply_default_css=False, elem_id="pg-arch-table")
    measure = gr.Radio(
        [(say(f"arch_areas_{name}"), name) for name in MEASURES], value=MEASURES[0], label=say("arch_areas"),
        elem_classes=["pg-pills"], elem_id="pg-arch-measure",
    )  # fmt: skip
    areas = PlotlyView(height=460, elem_id="pg-arch-areas")
    return Part(gr.State(None), headline, size, diagram, legend, block, details, table, measure, areas)


def sizes(card: Card, picture: Picture | None) -> Sizes:
    """Return (label, (rows, cols)) of the sizes to choose from, first the one at which the model sees the picture."""
    own = own_size(card)
    detr = preprocess_of(card).rule == "detr"
    found: Sizes = []
    if detr and picture is not None:
        seen = view(picture, preprocess_of(card)).pixels.shape
        found.append((say("arch_size_picture", rows=seen[1], cols=seen[2]), (int(seen[1]), int(seen[2]))))
    found.append((say("arch_size_own", rows=own[0], cols=own[1]), own))
    step = _step(card, own)
    for factor in FACTORS:
        size = (max(step, step * round(own[0] * factor / step)), max(step, step * round(own[1] * factor / step)))
        if size not in [value for _, value in found] and factor != 1.0:
            found.append((say("arch_size_other", rows=size[0], cols=size[1]), size))
    return found


def chosen(value: Any) -> tuple[int, int] | None:
    """Return the (rows, cols) of "rows x cols" or of one side from the page, or None."""
    found = SIZE.fullmatch(value) if isinstance(value, str) else None
    return (int(found[1]), int(found[2] or found[1])) if found else None


def text(size: tuple[int, int]) -> str:
    """Return a size as the page's value."""
    return f"{size[0]}x{size[1]}"


def blocks(costs: Costs) -> list[Block]:
    """Return all blocks in the order of the pass."""
    return [block for stage in costs.stages for block in stage.blocks]


def named_blocks(costs: Costs) -> list[tuple[str, str, int]]:
    """Return (what the picker shows, stage, number in the stage) of all blocks."""
    found = []
    for stage in costs.stages:
        name = words.title(stage, costs.stages)
        for number, block in enumerate(stage.blocks, start=1):
            found.append(
                (say("arch_block_choice", stage=name, number=number, kind=words.kind(block.kind)), name, number)
            )
    return found


def busiest(costs: Costs) -> int:
    """Return the place of the first block that attends, or else of the one that costs most."""
    everything = blocks(costs)
    attends = [i for i, block in enumerate(everything) if block.part.attention]
    return attends[0] if attends else max(range(len(everything)), key=lambda i: everything[i].part.macs)


def diagram(card: Card, costs: Costs, block: int) -> Figure:
    """Draw the stages with one block chosen."""
    rows, place = [], 0
    for stage in costs.stages:
        cells = []
        for number, entry in enumerate(stage.blocks, start=1):
            cells.append(Cell(entry.kind.group, _said(entry, number, costs.size), place == block))
            place += 1
        name = words.title(stage, costs.stages)
        rows.append(
            Row(
                title=f"{name} · {words.kinds(stage)}",
                group=stage.kind.group,
                facts=say("arch_facts", shape=words.shape(stage.gives), sees=words.sees(stage.reach, costs.size)),
                costs=say("arch_costs_long", parameters=words.amount(stage.parameters), macs=words.amount(stage.macs)),
                cells=tuple(cells[:MOST_BLOCKS]),
                parameters=stage.parameters / costs.parameters,
                macs=stage.macs / max(costs.macs, 1),
            )
        )
    names = (say("arch_bar_parameters"), say("arch_bar_macs"))
    return stages(rows, names, say("arch_alt", title=card.title, count=len(rows)))


def areas(card: Card, costs: Costs, measure: Any) -> Figure:
    """Draw where the parameters or multiply-adds are, down to the modules inside each block."""
    measure = measure if measure in MEASURES else MEASURES[0]
    unit = say(f"arch_areas_{measure}")
    found = list(_areas(card, costs, measure))
    return treemap(found, unit.lower(), say("arch_areas_alt", unit=unit, title=card.title))


def _areas(card: Card, costs: Costs, measure: str) -> Iterator[Area]:
    yield Area("model", "", card.title, getattr(costs, measure), "other")
    for s, stage in enumerate(costs.stages):
        group = stage.kind.group
        yield Area(f"{s}", "model", words.title(stage, costs.stages), getattr(stage, measure), group)
        for b, block in enumerate(stage.blocks):
            name = words.kind(block.kind) if block.part.kind == OWN else f"{b + 1} {words.kind(block.kind)}"
            yield Area(f"{s}.{b}", f"{s}", name, getattr(block.part, measure), block.kind.group)
            for p, part in enumerate(block.part.parts):
                yield Area(f"{s}.{b}.{p}", f"{s}.{b}", part.name, getattr(part, measure), block.kind.group)


def _said(block: Block, number: int, size: tuple[int, int]) -> tuple[str, ...]:
    part, entry = block.part, block.kind
    lines = [f"{number}: {words.kind(entry)}", entry.equation, entry.paper]
    lines.append(say("arch_costs", parameters=words.amount(part.parameters), macs=words.amount(part.macs)))
    lines.append(words.mixes(part.attention) if part.attention else "")
    return tuple(line for whole in lines if whole for line in _wrapped(whole))


def _wrapped(line: str, width: int = 46) -> list[str]:
    """Break a line between words: what is pointed at must fit a phone."""
    found = [""]
    for word in line.split(" "):
        if found[-1] and len(found[-1]) + len(word) >= width:
            found.append("")
        found[-1] = f"{found[-1]} {word}".strip()
    return found


def _step(card: Card, own: tuple[int, int]) -> int:
    """Return the pixels between positions of the model's last grid: the sizes it can work on are multiples."""
    steps = [stage.reach.step[0] for stage in count(card, own).stages if stage.reach is not None and stage.reach.known]
    return max(1, round(max(steps, default=1.0)))
