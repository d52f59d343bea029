"""Raw attention: what one step of the model looks at, or what looks at one place."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.places import as_map
from playground.explanations.targets import attention_links, chosen, head_of, link_names, one_hot, written_tokens
from playground.trace import Attention, AxialAttention, Link, Pool, Sequence, Trace

BLOCK = 256  # rows of attention held at once
AXES = {
    "both": "Columns attend first, then rows: a place looks along its own row, and what it finds there has looked "
    "down its own column. The map is the two steps composed exactly.",
    "column": "The column step alone: the first of the two, each place within its own column.",
    "row": "The row step alone: the second of the two, each place within its own row.",
}
PARTS = {
    "content": "The softmax of the content q · k alone.",
    "bias": "The softmax of the learned bias alone, which is the same for every picture.",
}


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return one attention of one token: a row of the weights ("looks at") or a column ("is looked at by").

    A row sums to 1 over the map and what stands apart, unless heads are mixed by maximum or minimum. A column holds
    shares 0..1 of other tokens' attention and need not sum to anything. Source: Vaswani et al. 2017, equation 1.
    """
    layer = chosen(link_names(trace), target.layer)
    link = attention_links(trace)[layer]
    head = head_of(link, target)
    if settings["part"] != "both":
        link = replace(link, step=part_of(link.step, settings["part"]))
    if settings["axis"] != "both" and not isinstance(link.step, AxialAttention):
        raise ValueError("This model's attention has no column and row step to take apart; leave the axis at both.")
    if isinstance(link.step, AxialAttention) and head is None:  # the width step reads all heads of the height step
        link = replace(link, step=mixed(link.step, settings["heads"]))
    heads = slice(None) if head is None else [head]
    looked_at = settings["direction"] == "is looked at by"
    read = link.writes if looked_at else link.reads
    if read.grid is None:
        ask = "this view of it" if looked_at else "this step"
        raise ValueError(f"In {ask} object queries attend to each other, which is no map of the picture.")
    start = one_hot(trace, link.reads if looked_at else link.writes, target)
    per_head = column(link, start, heads) if looked_at else row(link, start, heads, settings["axis"])  # [heads, N]
    notes = ("Averaged over all tokens that the head of the model reads.",) if int((start > 0).sum()) > 1 else ()
    if settings["part"] != "both":
        notes = (*notes, PARTS[settings["part"]])
    if isinstance(link.step, AxialAttention):
        notes = (*notes, AXES["both" if looked_at else settings["axis"]])
    done = replace(target, layer=layer, query=_query(start, link.writes), class_index=None)
    return as_map("attention", trace, read, fuse(per_head, settings["heads"]), done, notes=notes)


def fuse(per_head: Tensor, how: str) -> Tensor:
    """Mix the first axis of [heads, ...] by "mean", "max" or "min"."""
    if how == "mean":
        return per_head.mean(0)
    return per_head.amax(0) if how == "max" else per_head.amin(0)


def part_of(step: Attention | AxialAttention | Pool, part: str) -> Attention:
    """Return an attention with its "content" q k alone, or its learned "bias" alone (CoAtNet, equation 3)."""
    if not isinstance(step, Attention) or step.q is None or step.bias is None or step.bias.dim() < 3:
        raise ValueError("This model's attention has no learned bias to take apart; leave the part at both.")
    return replace(step, bias=None) if part == "content" else replace(step, q=torch.zeros_like(step.q))


def mixed(step: AxialAttention, how: str) -> AxialAttention:
    """Return the step with the heads of each of its two attentions mixed into one."""
    height, width = (fuse(weights.transpose(0, 1), how).unsqueeze(1) for weights in (step.height, step.width))
    return AxialAttention(height, width, step.pool)


def row(link: Link, start: Tensor, heads: slice | list[int], axis: str = "both") -> Tensor:
    """Return for each head the attention of the tokens that `start` [N_written] weights, [heads, N_read]."""
    step = link.step
    if isinstance(step, AxialAttention):
        return _axial_row(step, start, heads, axis)
    assert isinstance(step, Attention)
    found: Tensor | float = 0.0
    for rows in start.nonzero()[:, 0].split(BLOCK):
        weights = step.weights(rows, heads)  # [heads, rows, N_read]
        found = found + torch.einsum("r,hrn->hn", start[rows].to(weights), weights)  # [heads, N_read]
    assert isinstance(found, Tensor)
    return found


def column(link: Link, start: Tensor, heads: slice | list[int]) -> Tensor:
    """Return for each head how much every token attends to the one that `start` [N_read] marks, [heads, N_written]."""
    step = link.step
    if int((start > 0).sum()) != 1:
        raise ValueError("Choose a patch to see which others look at it.")
    if isinstance(step, AxialAttention):
        return _axial_column(step, int(start.argmax()), heads)
    assert isinstance(step, Attention)
    place = int(start.argmax())
    everyone = torch.arange(step.shape[0])
    return torch.cat(
        [step.weights(rows, heads)[:, :, place] for rows in everyone.split(BLOCK)], 1
    )  # [heads, N_written]


def panel(trace: Trace, target: Target, direction: str = "looks at") -> tuple[np.ndarray, ...]:
    """Return the maps of every head of every layer that has one, each float32 [heads, rows, cols], in layer order.

    The same as one call of `explain` for each layer and head; for the small multiples that are drawn at once.
    """
    found = []
    for link in attention_links(trace):
        looked_at = direction == "is looked at by"
        read = link.writes if looked_at else link.reads
        if read.grid is None:
            continue
        start = one_hot(trace, link.reads if looked_at else link.writes, target)
        values = column(link, start, slice(None)) if looked_at else row(link, start, slice(None))  # [heads, N]
        found.append(values[:, len(read.prefix) :].reshape(-1, *read.grid).numpy().astype(np.float32))
    return tuple(found)


def matrix(link: Link, head: int | None = None) -> np.ndarray:
    """Return all weights of a small step, float32 [N_written, N_read], of one head or the mean: queries to queries."""
    assert isinstance(link.step, Attention) and link.step.shape[0] * link.step.shape[1] <= 512 * 512, link.name
    weights = link.step.weights() if head is None else link.step.weights(heads=[head])
    return weights.mean(0).numpy().astype(np.float32)


def _axial_row(step: AxialAttention, start: Tensor, heads: slice | list[int], axis: str) -> Tensor:
    """Both steps composed, or one of them alone; a head is the same head of both steps."""
    height, width = step.height[:, heads], step.width[:, heads]  # [cols, heads, rows, rows], [rows, heads, cols, cols]
    still_down = torch.eye(step.grid[0]).expand_as(height) if axis == "row" else height
    still_along = torch.eye(step.grid[1]).expand_as(width) if axis == "column" else width
    count = height.shape[1]
    alone = [AxialAttention(still_down[:, [h]], still_along[:, [h]], step.pool) for h in range(count)]
    return torch.stack([one.pull(start) for one in alone])  # [heads, N_read]


def _axial_column(step: AxialAttention, place: int, heads: slice | list[int]) -> Tensor:
    rows, cols = step.grid
    i, j = divmod(place, cols)
    # P(a, b -> i, j) = width of row a from b to j, times height of column j from a to i
    found = step.height[j, heads][:, :, i].unsqueeze(-1) * step.width[:, heads, :, j].transpose(0, 1)  # [heads, a, b]
    flat = found.reshape(found.shape[0], rows * cols)
    return flat if step.pool is None else torch.stack([step.pool.push(head) for head in flat])  # [heads, N_written]


def _query(start: Tensor, writes: Sequence) -> int | None:
    return int(start.argmax()) if writes.grid is None else None


METHOD = Method(
    name="attention",
    title="Raw attention",
    needs="trace",
    by_class=False,
    description="Where one step of the model looks, as it computed it; it does not know which class you picked.",
    run=explain,
    options=(
        Option("direction", "The direction", "looks at", ("looks at", "is looked at by")),
        Option("heads", "The mix of heads", "mean", ("mean", "max", "min"), help="Used while no head is chosen."),
        Option(
            "part",
            "The part",
            "both",
            ("both", "content", "bias"),
            help="Models with a learned bias only: softmax of the content or of the bias alone.",
        ),
        Option(
            "axis",
            "The axis",
            "both",
            ("both", "column", "row"),
            help="Axial attention only: both steps composed, or the column or row step alone.",
        ),
    ),
    layers=link_names,
    heads=True,
    starts=written_tokens,
)
