"""Part 2: the filters that read the pixels, and what they are made of."""

from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground import inference
from playground.components import PlotlyView
from playground.embeddings.filters import filter_components, filters
from playground.figures import Figure
from playground.figures.mosaic import mosaic
from playground.figures.theme import percent
from playground.tabs.patches.held import Held
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]
BYTES = 80_000  # of filters that are shown, before they are packed
COMPONENTS = 28  # as in figure 7 of the ViT paper


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    learned: PlotlyView
    said: gr.HTML
    components: PlotlyView
    more: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        return []

    @property
    def outputs(self) -> list[Any]:
        return [self.learned, self.said, self.components, self.more]

    def show(self, held: Held, trace: Trace) -> Updates:
        """Draw the filters and their components."""
        (first, said), (second, more) = learned(held), components(held)
        words = [f'<p class="pg-about">{escape(text)}</p>' for text in (said, more)]
        return {self.learned: first, self.said: words[0], self.components: second, self.more: words[1]}


def lay_out() -> Part:
    """Lay out this part inside the current context."""
    with gr.Row(elem_classes="pg-side"):
        with gr.Column(min_width=300):
            first = PlotlyView(height=420, elem_id="pg-filters")
            said = gr.HTML(apply_default_css=False)
        with gr.Column(min_width=300):
            second = PlotlyView(height=420, elem_id="pg-filter-components")
            more = gr.HTML(apply_default_css=False)
    return Part(first, said, second, more)


def learned(held: Held) -> tuple[Figure, str]:
    """Return the filters as small pictures, and how many there are. Raises ValueError for another number of colours."""
    found = filters(inference.parts(held.card))
    count, high, wide = found.shape[:3]
    few = found[: max(1, BYTES // (high * wide * 3))]
    said = [say("filter_number", number=i + 1) for i in range(len(few))]
    text = say(
        "filters_all" if len(few) == count else "filters_some", shown=len(few), count=count, high=high, wide=wide
    )
    return mosaic(few, said, text, height=420), text


def components(held: Held) -> tuple[Figure, str]:
    """Return the first principal components of the filters, and what they explain together."""
    found, explained = filter_components(inference.parts(held.card), COMPONENTS)
    said = [say("component", number=i + 1, share=percent(float(part))) for i, part in enumerate(explained)]
    text = say("filters_components", count=len(found), share=percent(min(1.0, round(float(explained.sum()), 6))))
    return mosaic(found, said, text, across=min(7, len(found)), height=420), text
