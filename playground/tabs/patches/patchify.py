"""Part 1: how a picture becomes tokens, and what one patch becomes."""

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
import numpy as np

from playground import checks, inference
from playground.components import STATIC, PlotlyView
from playground.embeddings.positions import kinds, positions
from playground.embeddings.stem import Step, convolved, difference, patch_embedding, steps
from playground.embeddings.tokens import grid_tokens
from playground.figures import Figure
from playground.figures.mosaic import lossless, small_maps
from playground.figures.vectors import Strip, vectors
from playground.parts import Parts
from playground.tabs.patches.held import Grid, Held, centre, scaled
from playground.texts import say
from playground.trace import Trace

Updates = dict[Any, Any]
COMPARED = 16  # windows a side that are computed in two ways
SHOWN_NUMBERS = 32  # of each token in the animation
MANY = 400  # tokens, of which fewer numbers travel
MOST = 4096


@dataclass(frozen=True, eq=False)
class Part:
    """The components of this part."""

    scene: gr.HTML
    row: gr.Number
    col: gr.Number
    detail: PlotlyView
    said: gr.HTML

    @property
    def inputs(self) -> list[Any]:
        return [self.row, self.col]

    @property
    def outputs(self) -> list[Any]:
        return [self.scene, self.row, self.col, self.detail, self.said]

    def show(self, held: Held, trace: Trace, row: Any, col: Any) -> Updates:
        """Draw everything; a patch that is not on this grid becomes the one in the middle."""
        rows, cols = held.kept("stem grid", lambda: stem_grid(held, trace))
        try:
            place = (
                checks.whole(row, say("row_plain"), 0, rows - 1),
                checks.whole(col, say("column_plain"), 0, cols - 1),
            )
        except ValueError:
            place = centre((rows, cols))
        most = {
            self.row: gr.update(label=say("row", most=rows - 1)),
            self.col: gr.update(label=say("column", most=cols - 1)),
        }
        most[self.row]["value"], most[self.col]["value"] = place
        return {self.scene: story(held, trace, place), **most, **self.choose(held, trace, *place)}

    def choose(self, held: Held, trace: Trace, row: Any, col: Any) -> Updates:
        """Draw one patch. Raises ValueError for a place that is not on the grid."""
        figure, said = detail(held, trace, row, col)
        return {self.detail: figure, self.said: said}


def lay_out() -> Part:
    """Lay out this part inside the current context."""
    frame = (
        '<div class="pg-patchify"><canvas class="pg-scene" role="img"></canvas>'
        '<div class="pg-controls"><button type="button" class="pg-play">▶</button>'
        '<input type="range" class="pg-time" min="0" max="1" step="0.01" value="0"></div>'
        '<div class="pg-steps"></div><p class="pg-said" aria-live="polite"></p></div>'
    )
    script = (STATIC / "patchify.js").read_text(encoding="utf-8")
    scene = gr.HTML(html_template=frame, js_on_load=script, apply_default_css=False, elem_id="pg-patchify")
    with gr.Row(elem_classes="pg-pair pg-narrow"):
        row = gr.Number(None, label=say("row_plain"), precision=0, min_width=80, elem_id="pg-patch-row")
        col = gr.Number(None, label=say("column_plain"), precision=0, min_width=80, elem_id="pg-patch-col")
    said = gr.HTML(apply_default_css=False, elem_id="pg-patch-said")
    detail_view = PlotlyView(height=264, elem_id="pg-patch-detail")
    return Part(scene, row, col, detail_view, said)


def stem_grid(held: Held, trace: Trace) -> Grid:
    """Return the (rows, cols) on which the first convolution writes for this picture."""
    return inference.parts(held.card).stem.grid(_size(trace))


def story(held: Held, trace: Trace, chosen: tuple[int, int]) -> str:
    """Return what the animation draws, as JSON: the picture, the steps with their shapes, and the tokens' numbers."""
    parts = inference.parts(held.card)
    found = steps(parts, _size(trace))
    grids = [step.shape[:2] for step in found if len(step.shape) == 3]
    row = next((step for step in found if len(step.shape) == 2), None)
    grid = (int(grids[-1][0]), int(grids[-1][1]))
    stem = parts.stem
    side_by_side = stem.kernel == stem.stride and not any(stem.padding)
    window = {"kernel": stem.kernel, "stride": stem.stride, "padding": stem.padding, "size": _size(trace)}
    drawn = [
        {
            "name": step.name[:1].upper() + step.name[1:],
            "shape": shape(step.shape),
            "said": step.sentence,
            "kind": _kind(i, step, row),
            "rows": step.shape[0],
            "cols": step.shape[1],
            "cut": i == 1 and side_by_side,
            "window": window if i == 1 else None,
        }
        for i, step in enumerate(found)
    ]
    values = _row_values(parts, trace, grid, side_by_side) if row else None
    rows, cols = grids[1]
    return json.dumps(
        {
            "picture": held.seen,
            "aspect": held.aspect,
            "steps": drawn,
            "row": {"rows": grid[0], "cols": grid[1]} if row else None,
            "prefix": list(stem.prefix),
            "numbers": None if values is None else _strip(values),
            "pick": {"rows": rows, "cols": cols, "chosen": list(chosen)},
            "words": {
                "play": say("play"),
                "pause": say("pause"),
                "steps": say("patchify_steps"),
                "alt": say("patchify_alt", steps=", ".join(f"{step.name} {shape(step.shape)}" for step in found)),
            },
        }
    )


def detail(held: Held, trace: Trace, row: Any, col: Any) -> tuple[Figure, str]:
    """Return the figure of one patch, and in words what it shows. Raises ValueError outside the grid."""
    parts = inference.parts(held.card)
    rows, cols = parts.stem.grid(_size(trace))
    row = checks.whole(row, say("row_plain"), 0, rows - 1)
    col = checks.whole(col, say("column_plain"), 0, cols - 1)
    made = patch_embedding(parts, trace.view.pixels, row, col)
    window = _window(parts, trace, row, col)
    high, wide = window.shape[:2]
    strips = [Strip(say("patch_embedding", count=made.size), made)]
    added, said = _position(parts, (rows, cols), (row, col))
    strips += added
    if len(added) == 1 and added[0].values.size == made.size and parts.positions[0].kind == "table":
        strips.append(Strip(say("patch_sum"), made + added[0].values))
    title = say("patch_pixels", high=high, wide=wide)
    alt = say("patch_alt", row=row, col=col, count=made.size)
    lines = [said, held.kept("difference", lambda: compared(parts, trace))]
    text = "".join(f'<p class="pg-about">{escape(line)}</p>' for line in lines if line)
    return vectors(window, title, strips, alt), text


def compared(parts: Parts, trace: Trace) -> str:
    """Say by how much the convolution and one matrix for every window differ on this picture."""
    stem = parts.stem
    pixels = trace.view.pixels
    high, wide = (COMPARED * step + size - step for step, size in zip(stem.stride, stem.kernel, strict=True))
    corner = pixels[:, :high, :wide]
    rows, cols = stem.grid((corner.shape[1], corner.shape[2]))
    count = rows * cols * stem.weight.shape[0]
    apart = difference(parts, corner)
    said = say("patch_rounding", value=apart) if apart else say("patch_equal")
    return say("patch_same", count=count, rows=rows, cols=cols, difference=said)


def shape(sizes: tuple[int, ...]) -> str:
    """Return a shape in words: "14 × 14 × 768"."""
    return " × ".join(str(size) for size in sizes)


def _size(trace: Trace) -> tuple[int, int]:
    return trace.view.pixels.shape[1], trace.view.pixels.shape[2]


def _kind(place: int, step: Step, row: Step | None) -> str:
    if place == 0:
        return "picture"
    if len(step.shape) == 3:
        return "grid"
    return "row" if step is row else "prefix"


def _row_values(parts: Parts, trace: Trace, grid: Grid, side_by_side: bool) -> np.ndarray | None:
    """Return the tokens in the row, [N, D]: the patch embeddings, or the first tokens of the trace on this grid."""
    if grid[0] * grid[1] > MOST:
        return None
    if side_by_side:
        return convolved(parts, trace.view.pixels)
    for i in range(len(trace.tokens)):
        try:
            tokens = grid_tokens(trace, i)
        except ValueError:
            return None
        if tokens.grid == grid:
            return tokens.values
    return None


def _strip(values: np.ndarray) -> str:
    """Return the first numbers of every token as one picture, a column a token, on one signed scale."""
    few = values[:, : SHOWN_NUMBERS if len(values) <= MANY else SHOWN_NUMBERS // 2]
    far = float(np.percentile(np.abs(few), 98)) or 1.0
    return lossless(small_maps(few.T, -far, far, signed=True) & 0xF8)


def _window(parts: Parts, trace: Trace, row: int, col: int) -> np.ndarray:
    """Return the pixels that the first filter reads at a place, uint8 [h, w, 3]; the padding is left out."""
    stem = parts.stem
    top, left = row * stem.stride[0] - stem.padding[0], col * stem.stride[1] - stem.padding[2]
    image = np.asarray(trace.view.image)
    return image[max(0, top) : top + stem.kernel[0], max(0, left) : left + stem.kernel[1]]


def _position(parts: Parts, grid: Grid, place: tuple[int, int]) -> tuple[list[Strip], str]:
    """Return the position row of a patch where there is one, and a sentence about positions."""
    for which, kind in enumerate(kinds(parts)):
        found = positions(parts, which)
        if found.values is None or found.grid is None:
            continue
        row, col = scaled(place, grid, found.grid)
        name = say("patch_position_row", kind=say(f"positions_{kind}"))
        return [Strip(name, found.values[row * found.grid[1] + col])], found.sentence
    return [], positions(parts, 0).sentence
