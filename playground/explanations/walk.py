"""The backward walk: a row vector goes back through the links of a trace, and no matrix of all pairs is made.

    r = start at the chosen output token            # [N_written]
    for link in reversed(links): r = kept along the skip path + moved through the step

Writing the textbook product R_L = T_L ... T_1 as start^T T_L ... T_1 and multiplying from the left costs one vector
for each sequence of tokens. The methods differ in their `split` alone.
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from playground.explanations.nouns import Map, Target
from playground.explanations.places import as_map
from playground.explanations.targets import attention_links, is_detector
from playground.trace import Attention, AxialAttention, Link, Pool, Sequence, Trace

Group = tuple[Link, ...]  # steps that run side by side, beside one skip path
Split = Callable[[Group, Tensor], tuple[Tensor, Tensor]]  # r -> what stays on the skip path, what moved [N_read]


def groups(links: Iterable[Link]) -> list[Group]:
    """Put steps together that read and write the same tokens in one layer: attentions side by side."""
    found: list[Group] = []
    for link in links:
        if found and _key(found[-1][0]) == _key(link):
            found[-1] = (*found[-1], link)
        else:
            found.append((link,))
    return found


def used(trace: Trace, start_layer: int = 0) -> tuple[tuple[Link, ...], Sequence]:
    """Return the links from the attention `start_layer` on, and the sequence on which their walk ends.

    Pooling before the first attention is left out: the map lies on the grid where attention begins. Raises
    ValueError where the tokens of one layer are not the tokens of the next.
    """
    attending = attention_links(trace)
    for link in attending:
        across = link.reads.name != link.writes.name and link.writes.grid is not None
        if across and not isinstance(link.step, AxialAttention):
            raise ValueError(
                "A walk through all layers needs attention among the same tokens in every layer, and this model "
                "attends to reduced ones; choose raw attention."
            )
    _need_chain(trace)
    places = [i for i, link in enumerate(trace.links) if not isinstance(link.step, Pool)]
    encoder = sum(link.writes.grid is not None for link in attending)
    last = encoder if is_detector(trace) else len(attending) - 1  # a detector's walk goes through its whole decoder
    if start_layer > last:
        raise ValueError(f"The start layer must be a whole number from 0 to {last}.")
    links = trace.links[places[start_layer] :]
    return links, next(link.reads for link in links if link.reads.grid is not None)


def walk(links: tuple[Link, ...], start: Tensor, split: Split) -> dict[str, Tensor]:
    """Take `start` [N] on the last written sequence back through the links; return what lies on each sequence.

    A step without a skip path moves everything, pooling among them. A skip path between grids reads every s-th
    position; between sequences without a common place (memory and object queries) it stays where it is.
    """
    lying = {links[-1].writes.name: start}
    for group in reversed(groups(links)):
        link = group[0]
        r = lying.pop(link.writes.name, None)
        if r is None:
            continue
        if isinstance(link.step, Pool):
            kept, moved = torch.zeros_like(r), link.step.pull(r)
        else:
            kept, moved = split(group, r)
        stays = link.writes if link.writes.grid is None else link.reads
        if link.skip:
            _add(lying, stays.name, kept if stays is link.writes else link.pull_skip(kept))
        _add(lying, link.reads.name, moved)
    return lying


def subsamples(link: Link) -> bool:
    """Whether a skip path between grids reads every s-th position."""
    return link.skip and link.writes.grid is not None and link.reads.count != link.writes.count


def walked_map(
    method: str, trace: Trace, source: Sequence, lying: dict[str, Tensor], target: Target, notes: tuple[str, ...] = ()
) -> Map:
    """Return what lies on the source as a map; what lies on other sequences stands apart."""
    apart = tuple((name, float(r.sum())) for name, r in lying.items() if name != source.name)
    if any(map(subsamples, trace.links)):
        notes = (*notes, "Where the grid gets coarser, skip paths read every second place, so these stand out.")
    if trace.unread:
        notes = (*notes, trace.unread)
    return as_map(method, trace, source, lying[source.name], target, apart=apart, notes=notes)


def _key(link: Link) -> tuple[int, str, str, bool]:
    return link.layer, link.reads.name, link.writes.name, isinstance(link.step, Attention)


def _add(lying: dict[str, Tensor], name: str, r: Tensor) -> None:
    lying[name] = lying[name] + r if name in lying else r


def _need_chain(trace: Trace) -> None:
    """Refuse a trace whose links do not hand their tokens on, as where some attention could not be read."""
    written = trace.links[0].reads.name
    for link in trace.links:
        if link.writes.grid is not None and link.reads.name != written:
            raise ValueError(
                "A walk through all layers needs to read every attention of the model, and some of this one's have "
                "no readable map; choose raw attention."
            )
        written = link.writes.name if link.writes.grid is not None else written
