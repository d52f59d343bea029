"""The learned relative bias of an attention: as a picture of offsets, and how much of the attention it decides."""

import numpy as np
import torch
from torch import Tensor

from playground.explanations.attention import BLOCK
from playground.trace import Attention, Link


def relative_bias(link: Link) -> np.ndarray:
    """Return the bias of every head by offset, float32 [heads, 2 rows - 1, 2 cols - 1], offset zero in the centre.

    Row r, column c is what a key gets that lies r - (rows - 1) below and c - (cols - 1) right of its query. Read out
    of the bias that the model added, so no order of a table is assumed. Raises ValueError where there is none.
    Source: CoAtNet (Dai et al. 2021), equation 3: w_(i-j), here of each head.
    """
    bias, (rows, cols) = _learned(link)
    picture = np.full((len(bias), 2 * rows - 1, 2 * cols - 1), np.nan, dtype=np.float32)
    for query in (0, cols - 1, (rows - 1) * cols, rows * cols - 1):  # the corners see every offset
        i, j = divmod(query, cols)
        seen = bias[:, query].reshape(-1, rows, cols).numpy()  # [heads, rows, cols]
        picture[:, rows - 1 - i : 2 * rows - 1 - i, cols - 1 - j : 2 * cols - 1 - j] = seen
    return picture


def bias_share(link: Link) -> tuple[float, ...]:
    """Return for each head the share 0..1 of the spread of its logits that comes of the bias.

    Var(bias) / (Var(bias) + Var(content)) over the keys, mean over queries; 0 for a table of zeros.
    Source: ours.
    """
    bias, _ = _learned(link)
    step = link.step
    assert isinstance(step, Attention) and step.q is not None and step.k is not None
    total = torch.zeros(len(bias), dtype=torch.float64)
    for rows in torch.arange(step.shape[0]).split(BLOCK):
        content = (step.scale * step.q[:, rows] @ step.k.mT).double().var(-1)  # [heads, rows]
        learned = bias[:, rows].double().var(-1)  # [heads, rows]
        total += (learned / (learned + content).clamp_min(torch.finfo(content.dtype).tiny)).sum(-1)
    return tuple((total / step.shape[0]).tolist())


def _learned(link: Link) -> tuple[Tensor, tuple[int, int]]:
    """Return the bias [heads, N, N] and the grid of a link that has one for every offset."""
    step, grid = link.step, link.writes.grid
    held = isinstance(step, Attention) and step.q is not None and step.bias is not None and step.bias.dim() == 3
    if not held or grid is None or link.reads.name != link.writes.name or link.writes.prefix:
        raise ValueError("This attention has no learned bias over positions; CoAtNet's has.")
    assert isinstance(step, Attention) and step.bias is not None
    return step.bias.expand(step.heads, *step.shape), grid
