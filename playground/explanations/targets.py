"""From a target as a visitor gives it to numbers that are sure to lie inside this model."""

from dataclasses import replace

import torch
from torch import Tensor

from playground import checks
from playground.explanations.nouns import Method, Target
from playground.trace import Link, Pool, Sequence, Trace


def is_detector(trace: Trace) -> bool:
    """Whether each query answers for itself."""
    return trace.boxes_cxcywh is not None


def attention_links(trace: Trace) -> tuple[Link, ...]:
    """Return the links that attend, pooling left out; raises ValueError where the model has none to show."""
    found = tuple(link for link in trace.links if not isinstance(link.step, Pool))
    if not found:
        raise ValueError(trace.unread or "This model has no attention over positions, so there is no map to show.")
    return found


def query_of(trace: Trace, target: Target) -> int:
    """Return the chosen object query of a detector, or the one that answers most surely."""
    assert trace.logits is not None
    if target.query is None:
        return int(trace.logits.softmax(-1)[:, :-1].amax(-1).argmax())
    return checks.whole(target.query, "The object query", 0, trace.logits.shape[0] - 1)


def class_of(trace: Trace, target: Target) -> int:
    """Return the chosen class, or the best one of the answer; a detector's "no object" is never the best."""
    if trace.logits is None:
        raise ValueError("This model has no classes; choose a method that needs none, such as rollout.")
    logits = trace.logits[query_of(trace, target), :-1] if is_detector(trace) else trace.logits
    if target.class_index is None:
        return int(logits.argmax())
    return checks.whole(target.class_index, "The class", 0, logits.numel() - 1)


def second_class(trace: Trace, target: Target) -> int:
    """Return the best class of the answer, or of the chosen query's, but for the target's own."""
    own = class_of(trace, target)
    assert trace.logits is not None
    logits = trace.logits[query_of(trace, target), :-1] if is_detector(trace) else trace.logits
    if logits.numel() < 2:
        raise ValueError("This model has one class only, so there is no other to compare with.")
    return next(index for index in logits.argsort(descending=True).tolist() if index != own)


def resolved(trace: Trace, target: Target) -> Target:
    """Return the target with its class, and for a detector its query, filled in from the answer."""
    query = query_of(trace, target) if is_detector(trace) else None
    return replace(target, class_index=class_of(trace, target), query=query)


def score_of(logits: Tensor, target: Target) -> Tensor:
    """Return the logit of a resolved target, in the graph if `logits` [C] or [Q, C + 1] are."""
    return logits[target.class_index] if target.query is None else logits[target.query, target.class_index]


def fitting(method: Method, trace: Trace, target: Target) -> None:
    """Refuse with a ValueError what the method or the model does not know, where it would be passed over in silence."""
    if target.layer is not None and not method.layers(trace):
        raise ValueError(f"{method.title} has no single layer to choose; leave the layer out.")
    if target.head is not None and not method.heads:
        raise ValueError(f"{method.title} has no single head to choose; leave the head out, or choose raw attention.")
    if target.query is not None and not is_detector(trace):
        raise ValueError("This model has no object queries; leave the query out.")
    if target.class_index is not None and trace.logits is not None:
        class_of(trace, target)
    grids = [sequence.grid for sequence in trace.sequences() if sequence.grid is not None]
    if target.patch is not None and grids and method.starts(trace, target) is None:
        for name, place, sides in zip(("row", "column"), target.patch, zip(*grids, strict=True), strict=True):
            checks.whole(place, f"The {name} of the patch", 0, max(sides) - 1)


def one_hot(trace: Trace, sequence: Sequence, target: Target) -> Tensor:
    """Return where on `sequence` the explanation starts, float64 [N], summing to 1.

    The chosen patch or prefix token; for object queries the chosen query; else what the head reads of the last
    sequence, and on any other the class token, or all patches alike.
    """
    start = torch.zeros(sequence.count, dtype=torch.float64)
    if sequence.grid is None and is_detector(trace):
        start[query_of(trace, target)] = 1.0
    elif target.token is not None:
        start[prefix_index(sequence, target.token)] = 1.0
    elif target.patch is not None:
        start[patch_index(sequence, target.patch)] = 1.0
    elif trace.readout is not None and sequence.name == trace.links[-1].writes.name:
        return trace.readout.to(start)
    elif "class" in sequence.prefix:
        start[sequence.prefix.index("class")] = 1.0
    else:
        start[len(sequence.prefix) :] = 1.0 / (sequence.count - len(sequence.prefix))
    return start


def prefix_index(sequence: Sequence, token: str) -> int:
    """Return the place of a prefix token such as "class" or "register 1"."""
    if token not in sequence.prefix:
        allowed = f"choose one of: {', '.join(sequence.prefix)}" if sequence.prefix else "choose a patch"
        raise ValueError(f"This model has no token called '{str(token)[:40]}'; {allowed}.")
    return sequence.prefix.index(token)


def patch_index(sequence: Sequence, patch: tuple[int, int]) -> int:
    """Return the place of the patch (row, col) in the sequence, prefix counted."""
    if sequence.grid is None:
        raise ValueError("These tokens have no place on the picture; choose an object query.")
    rows, cols = sequence.grid
    if not isinstance(patch, tuple | list) or len(patch) != 2:
        raise ValueError("The patch must be two numbers: its row and its column.")
    row = checks.whole(patch[0], "The row of the patch", 0, rows - 1)
    col = checks.whole(patch[1], "The column of the patch", 0, cols - 1)
    return len(sequence.prefix) + row * cols + col


def chosen(names: tuple[str, ...], layer: int | None, default: int = -1) -> int:
    """Return the chosen layer among `names`, counted from 0."""
    return default % len(names) if layer is None else checks.whole(layer, "The layer", 0, len(names) - 1)


def head_of(link: Link, target: Target) -> int | None:
    """Return the chosen head of a link, None for all of them."""
    assert not isinstance(link.step, Pool)
    return None if target.head is None else checks.whole(target.head, "The head", 0, link.step.heads - 1)


def link_names(trace: Trace) -> tuple[str, ...]:
    """Name the links that attend, in order."""
    return tuple(link.name for link in attention_links(trace))


def last_tokens(trace: Trace, target: Target) -> Sequence:
    """Return the last tokens that attention writes."""
    return attention_links(trace)[-1].writes


def written_tokens(trace: Trace, target: Target) -> Sequence:
    """Return the tokens that the chosen attention writes."""
    return attention_links(trace)[chosen(link_names(trace), target.layer)].writes
