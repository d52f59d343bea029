"""Attention as it trains fastest on a processor."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class WrittenOut(TorchFunctionMode):
    """While entered, attention is two products and a softmax: on a CPU its backward takes a third of the fused one's
    time, and less than half of torch's own written-out form, which works in float32."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        known = {"attn_mask", "scale", "dropout_p"}
        plain = func is F.scaled_dot_product_attention and len(args) == 3 and kwargs.keys() <= known
        if plain and not kwargs.get("dropout_p"):
            q, k, v = args
            return _attention(q, k, v, kwargs.get("attn_mask"), kwargs.get("scale"))
        return func(*args, **kwargs)


def fast_attention(device: str) -> AbstractContextManager[Any]:
    """What to enter around a training step: on a CPU attention is written out, elsewhere torch chooses."""
    return WrittenOut() if device == "cpu" else nullcontext()


def _attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float | None) -> Tensor:
    """softmax(q k^T scale + mask) v, in the precision of q: [..., T, d] for q [..., T, d], k and v [..., S, d]."""
    scores = (q * (q.shape[-1] ** -0.5 if scale is None else scale)) @ k.mT  # [..., T, S]
    if mask is not None and mask.dtype == torch.bool:
        scores = scores.masked_fill(~mask, float("-inf"))
    elif mask is not None:
        scores = scores + mask
    return scores.softmax(-1).to(v.dtype) @ v
