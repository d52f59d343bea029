"""Artefact tokens: patches with norms far above the rest, on which attention piles up."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from playground.explanations.nouns import Access, Map, Method, Option, Settings, Target
from playground.explanations.places import as_map
from playground.explanations.targets import chosen
from playground.trace import Tokens, Trace

MADS = 6  # outliers lie this many median absolute deviations above the median


@dataclass(frozen=True, eq=False)
class Artefacts:
    """Tokens of one level whose norm stands out.

    `norms` [N] of all tokens, the `prefix` first; `median` and `threshold` of the patches, median + k MAD; `places` of
    the outliers in the sequence, prefix counted; `patches` the same as (row, col), and `deviations` how many MAD each
    lies above the median (infinite where all others are alike).
    """

    level: str
    norms: np.ndarray
    prefix: int
    median: float
    threshold: float
    places: tuple[int, ...]
    patches: tuple[tuple[int, int], ...]
    deviations: tuple[float, ...]


def artefacts(trace: Trace, level: int = -1, mads: int = MADS) -> Artefacts:
    """Return the outliers in norm of one level of tokens, before the final norm.

    There is no threshold that holds for all models, so it is set per picture: median + `mads` median absolute
    deviations of the patches. Source: "Vision Transformers Need Registers" (Darcet et al. 2023, arXiv 2309.16588),
    the rule is ours.
    """
    tokens = levels_with_grid(trace)[level]
    norms = tokens.values.double().norm(dim=-1)  # [N]
    skip = len(tokens.sequence.prefix)
    patches = norms[skip:]
    middle = patches.median()
    deviation = (patches - middle).abs().median()
    threshold = float(middle + mads * deviation)
    found = (patches > threshold).nonzero()[:, 0].tolist()
    assert tokens.sequence.grid is not None
    cols = tokens.sequence.grid[1]
    places = tuple(skip + i for i in found)
    at = tuple((i // cols, i % cols) for i in found)
    far = tuple(((patches[found] - middle) / deviation).tolist())
    return Artefacts(tokens.name, norms.numpy(), skip, float(middle), threshold, places, at, far)


def outliers(trace: Trace) -> dict[str, tuple[int, ...]]:
    """Return the places of the outliers of every sequence that lies on the picture, as its last level has them."""
    last = {tokens.sequence.name: level for level, tokens in enumerate(levels_with_grid(trace))}
    return {name: artefacts(trace, level).places for name, level in last.items()}


def explain(trace: Trace, target: Target, settings: Settings, access: Access | None = None) -> Map:
    """Return the L2 norm of every token of one level over its channels, before the final norm."""
    layer = chosen(level_names(trace), target.layer)
    tokens = levels_with_grid(trace)[layer]
    found = artefacts(trace, layer, settings["mads"])
    count = len(found.patches)
    word = f"{count} of {tokens.sequence.count - len(tokens.sequence.prefix)} patches"
    notes = (f"{word} have a norm above {found.threshold:.1f}, the median and {settings['mads']} deviations.",)
    done = replace(Target(), layer=layer)
    return as_map("norms", trace, tokens.sequence, torch.from_numpy(found.norms), done, notes=notes)


def levels_with_grid(trace: Trace) -> tuple[Tokens, ...]:
    """Return the levels of tokens that lie on the picture; raises ValueError where there are none."""
    found = tuple(tokens for tokens in trace.tokens if tokens.sequence.grid is not None)
    if not found:
        raise ValueError("This model shows no tokens that lie on the picture.")
    return found


def level_names(trace: Trace) -> tuple[str, ...]:
    """Name the levels of tokens that lie on the picture, in order."""
    return tuple(tokens.name for tokens in levels_with_grid(trace))


def norms(trace: Trace) -> tuple[Tensor, ...]:
    """Return the norms [N] of every level of tokens that lies on the picture, for histograms over layers."""
    return tuple(tokens.values.float().norm(dim=-1) for tokens in levels_with_grid(trace))


METHOD = Method(
    name="norms",
    title="Token norms",
    needs="trace",
    by_class=False,
    description="The length of every token: outliers are places that the model uses as scratch paper, not as picture.",
    run=explain,
    options=(Option("mads", "The deviations", MADS, low=1, high=50, help="Median absolute deviations to an outlier."),),
    layers=level_names,
)
