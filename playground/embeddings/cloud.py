"""Tokens as points in two or three dimensions, and the class that the model's head reads in each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from playground import checks
from playground.embeddings.projection import fit
from playground.embeddings.tokens import grid_tokens, layers
from playground.embeddings.values import checked_sets, split
from playground.trace import Trace

How = Literal["pca", "tsne", "umap"]
NEEDS = {"tsne": ("sklearn.manifold", "scikit-learn", "t-SNE"), "umap": ("umap", "umap-learn", "UMAP")}
MOST_TOKENS = 3000  # for t-SNE and UMAP, which take seconds
FEWEST_TOKENS = 5
AT_ONCE = 4096  # tokens that the head reads at once


@dataclass(frozen=True)
class PatchClass:
    """The best class that the head reads in one patch, and the share of probability that it gets, 0 to 1."""

    index: int
    label: str
    share: float


def available() -> tuple[str, ...]:
    """Return the ways of `cloud` that this machine can do: PCA always, t-SNE and UMAP where they are installed."""
    return tuple(
        how for how in get_args(How) if how not in NEEDS or find_spec(NEEDS[how][0].partition(".")[0]) is not None
    )


def cloud(sets: Sequence[np.ndarray], dimensions: int = 3, how: str = "pca", seed: int = 0) -> tuple[np.ndarray, ...]:
    """Return a point for every token, float32 [N_i, dimensions] for each set [N_i, D], all in one fitted space.

    "pca" keeps distances as far as a linear view can; "tsne" (van der Maaten and Hinton 2008) and "umap" (McInnes et
    al. 2018) keep neighbours, and their far distances mean nothing. Raises ValueError, also where a library is missing.
    """
    dimensions = checks.whole(dimensions, "dimensions", 2, 3)
    if how not in get_args(How):
        raise ValueError(f"A cloud is made by one of {', '.join(get_args(How))}.")
    found = checked_sets(sets)
    if how == "pca":
        return fit(found, dimensions).scores
    title = NEEDS[how][2]
    tokens = np.concatenate(found).astype(np.float32)
    if not FEWEST_TOKENS <= len(tokens) <= MOST_TOKENS:
        raise ValueError(f"{title} takes {FEWEST_TOKENS} to {MOST_TOKENS} tokens, and here are {len(tokens)}; use pca.")
    points = _fitted(how, tokens, dimensions, checks.whole(seed, "The seed", 0, 2**31 - 1))
    return split(np.asarray(points, dtype=np.float32), found)


def patch_classes(
    trace: Trace, layer: int, read: Callable[[Tensor], Tensor] | None, labels: Sequence[str | None]
) -> tuple[PatchClass, ...]:
    """Return the class that final norm and head read in every patch token of a layer (the logit lens), row by row.

    `read` takes sequences [n, T, D] to logits [n, C], as `inference.readers` gives it; `labels` name the classes.
    Raises ValueError for a detector, a model without a class head, and a layer of another width than the last.
    Source: the logit lens (nostalgebraist 2020), per patch as in ViT-Prisma.
    """
    if trace.boxes_cxcywh is not None:
        raise ValueError("A detector's head reads object queries, not patches, so patches have no class here.")
    if read is None or trace.logits is None:
        raise ValueError("This model has no class head that can read single patches.")
    tokens = grid_tokens(trace, layer)
    width = grid_tokens(trace, len(layers(trace)) - 1).values.shape[1]
    if tokens.values.shape[1] != width:
        raise ValueError(f"The head reads tokens of {width} channels and these have {tokens.values.shape[1]}.")
    values = torch.from_numpy(tokens.values)
    copies = values[:, None].expand(-1, len(tokens.prefix) + 1, -1)  # [N, T, D]; pooling copies changes nothing
    shares, best = torch.cat([read(part).softmax(-1) for part in copies.split(AT_ONCE)]).max(-1)  # each [N]
    return tuple(
        PatchClass(int(i), _label(labels, int(i)), float(share))
        for i, share in zip(best.tolist(), shares.tolist(), strict=True)
    )


def _label(labels: Sequence[str | None], index: int) -> str:
    return (labels[index] if index < len(labels) else None) or f"class {index}"


def _library(how: str) -> Any:
    name, package, title = NEEDS[how]
    try:
        return import_module(name)
    except ImportError:
        raise ValueError(
            f"{title} needs the package {package}: install it with `pip install {package}`, or choose pca."
        ) from None


def _fitted(how: str, tokens: np.ndarray, dimensions: int, seed: int) -> Any:
    library = _library(how)
    if how == "tsne":
        perplexity = min(30.0, (len(tokens) - 1) / 3)
        made = library.TSNE(dimensions, perplexity=perplexity, init="pca", random_state=seed)
        return made.fit_transform(tokens)
    start = "random" if len(tokens) <= dimensions + 1 else "pca"
    made = library.UMAP(
        n_neighbors=min(15, len(tokens) - 1), n_components=dimensions, init=start, random_state=seed, n_jobs=1
    )
    return made.fit_transform(tokens)
