"""The logit lens: what the model's head would answer, were the model to stop at an earlier layer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from playground.explanations.nouns import Access, Map, Method, Settings, Target
from playground.explanations.places import as_map
from playground.explanations.targets import chosen, class_of, is_detector, query_of
from playground.trace import Tokens, Trace

NOTE = "Early layers know more than this lens shows: the head was trained to read the last layer only."


@dataclass(frozen=True, eq=False)
class Step:
    """What a detector's head makes of one query after one decoder layer; the box in 0..1 of the view."""

    layer: str
    probabilities: np.ndarray  # float32 [C + 1], "no object" last
    box_cxcywh: tuple[float, float, float, float]


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return p(class) that final norm and head read in every single token of one layer, 0..1.

    Source: the logit lens (nostalgebraist 2020), per patch as in ViT-Prisma; the final norm is part of it.
    """
    read = _reader(access)
    names = level_names(trace)
    layer = chosen(names, target.layer)
    tokens = levels(trace)[layer]
    wanted = class_of(trace, target)
    copies = tokens.values[:, None].expand(
        -1, len(tokens.sequence.prefix) + 1, -1
    )  # [N, T, D]; pooling changes nothing
    values = read(copies).softmax(-1)[:, wanted]  # [N]
    done = replace(target, class_index=wanted, layer=layer)
    return as_map("lens", trace, tokens.sequence, values, done, notes=(NOTE,))


def answers(trace: Trace, access: Access | None) -> tuple[tuple[str, np.ndarray], ...]:
    """Return for every layer its name and the probabilities float32 [C] that the whole head reads of its tokens.

    The last is the model's answer.
    """
    read = _reader(access)
    return tuple((t.name, _numpy(read(t.values[None]).softmax(-1)[0])) for t in levels(trace))


def life(trace: Trace, target: Target, access: Access | None) -> tuple[Step, ...]:
    """Return classes and box of one object query after each decoder layer of a detector.

    Norm and heads were trained on every decoder layer, so here the lens is legitimate (Carion et al. 2020, 3.2).
    """
    if not is_detector(trace):
        raise ValueError("Only a detector has object queries whose life can be told.")
    if access is None or access.read is None or access.read_boxes is None:
        raise ValueError("This view reads tokens with the model's head, so it needs the model beside its trace.")
    query = query_of(trace, target)
    found = []
    for tokens in trace.tokens:
        if tokens.sequence.grid is None:
            state = tokens.values[query][None, None]  # [1, 1, D]
            box = tuple(access.read_boxes(state)[0].tolist())
            assert len(box) == 4
            found.append(Step(tokens.name, _numpy(access.read(state).softmax(-1)[0]), box))
    return tuple(found)


def levels(trace: Trace) -> tuple[Tokens, ...]:
    """Return the levels of tokens that the head can read: those as wide as the last one."""
    if is_detector(trace):
        raise ValueError("A detector's head reads object queries, not patches; look at the life of a query instead.")
    found = [tokens for tokens in trace.tokens if tokens.sequence.grid is not None]
    if trace.logits is None or not found:
        raise ValueError("This model has no class head for the lens to read with.")
    return tuple(tokens for tokens in found if tokens.values.shape[1] == found[-1].values.shape[1])


def level_names(trace: Trace) -> tuple[str, ...]:
    """Name the levels of tokens that the head can read."""
    return tuple(tokens.name for tokens in levels(trace))


def _reader(access: Access | None) -> Callable[[Tensor], Tensor]:
    if access is None or access.read is None:
        raise ValueError("This model's head cannot read single tokens, so the lens does not work here.")
    return access.read


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().cpu().numpy().astype(np.float32)


METHOD = Method(
    name="lens",
    title="Logit lens",
    needs="head",
    by_class=True,
    description="What the head would answer at each patch, were the model to stop at this layer.",
    run=explain,
    layers=level_names,
)
