"""The filters that read the pixels, as small pictures, and what they are made of."""

import numpy as np

from playground import checks
from playground.embeddings.projection import fit
from playground.parts import Parts

GREY = 128  # the colour of a weight of 0
ROBUST = 99.5  # percentile of the sizes of all weights that takes the whole scale


def filters(parts: Parts) -> np.ndarray:
    """Return the patch-embedding or first-convolution filters as RGB, uint8 [n, h, w, 3], all on one scale.

    Grey is 0; a channel brighter than grey has a positive weight. Raises ValueError for a model that does not read
    three colours. As in Dosovitskiy et al. 2021, figure 7, left, which shows their components.
    """
    weight = _colour(parts)  # [n, h, w, 3]
    return _shown(weight, np.percentile(np.abs(weight), ROBUST))


def filter_components(parts: Parts, count: int = 28) -> tuple[np.ndarray, np.ndarray]:
    """Return the first principal components of the filters, uint8 [n, h, w, 3], and their explained shares [n].

    Each component is on its own scale, grey is 0. Fewer are returned where the filters have fewer dimensions.
    Source: Dosovitskiy et al. 2021, figure 7, left.
    """
    weight = _colour(parts)
    count = checks.whole(count, "The number of components", 1, 1000)
    flat = weight.reshape(len(weight), -1)  # [n, h * w * 3]
    found = fit([flat], min(count, flat.shape[1], len(flat)))
    components = found.basis.reshape(-1, *weight.shape[1:])  # [k, h, w, 3]
    scale = np.abs(components).max(axis=(1, 2, 3), keepdims=True)
    return _shown(components, scale), found.explained


def _colour(parts: Parts) -> np.ndarray:
    weight = parts.stem.weight
    if weight.shape[1] != 3:
        raise ValueError(f"The filters of this model read {weight.shape[1]} channels and not three colours.")
    return weight.transpose(0, 2, 3, 1)


def _shown(values: np.ndarray, scale: np.ndarray | float) -> np.ndarray:
    scale = np.where(np.asarray(scale) > 0, scale, 1.0)
    return np.rint(GREY + (255 - GREY) * (values / scale).clip(-1.0, 1.0)).astype(np.uint8)
