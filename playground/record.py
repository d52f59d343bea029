"""The recorder: attention is a return value, not a hook.

timm's fused attention and ours pass through `torch.nn.functional.scaled_dot_product_attention`; models that write
the softmax out themselves pass through `softmax`. A `TorchFunctionMode` sees both while it is entered, in its own
thread only, and leaves nothing behind on the model.

    with record() as calls:
        logits = model(pixels)
    calls[0].weights()      # [B, heads, N_written, N_read]
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

SOFTMAX = (torch.softmax, F.softmax, Tensor.softmax)


@dataclass(frozen=True)
class Call:
    """One attention call as the model made it, batch axis first.

    Fused: `q` [B, heads, N_written, d], `k` [B, heads, N_read, d], additive `bias` (or None) and `scale`.
    Written out by the model, or recorded explicitly: `stored`, the weights themselves.
    Where gradients flow, `out` is what the call gave, still in the graph, and `value` [B, heads, N_read, d] what it
    mixed: out = weights @ value, so the gradient of fused weights is that of `out` times value^T.
    """

    q: Tensor | None = None
    k: Tensor | None = None
    bias: Tensor | None = None
    scale: float = 1.0
    stored: Tensor | None = None
    value: Tensor | None = None
    out: Tensor | None = None

    @property
    def fused(self) -> bool:
        return self.q is not None

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weights, [..., N_written, N_read], without computing them."""
        if self.stored is not None:
            return tuple(self.stored.shape)
        assert self.q is not None and self.k is not None
        return (*self.q.shape[:-1], self.k.shape[-2])

    def weights(self) -> Tensor:
        """Return softmax(scale q k^T + bias), [..., N_written, N_read]; rows sum to 1."""
        if self.stored is not None:
            return self.stored
        assert self.q is not None and self.k is not None
        return _softmax_scores(self.q, self.k, self.bias, self.scale)


@contextmanager
def record(explicit: bool = False) -> Iterator[list[Call]]:
    """Collect every attention call made in this thread while the context is open, in order.

    With `explicit`, fused attention is replaced by softmax(q k^T) v and the weights stay in the graph, so that
    `torch.autograd.grad(score, [call.weights() for call in calls])` gives one gradient per call.
    """
    calls: list[Call] = []
    with _Recorder(calls, explicit):
        yield calls


@contextmanager
def silence(heads: Sequence[tuple[int, int]]) -> Iterator[None]:
    """Let one head give nothing for each picture of a batch: `heads` (call, head) [B], calls counted as in `record`.

    A fused call's head gives zeros; weights that the model writes out itself are zeroed.
    """
    with _Silencer(heads):
        yield


class _Silencer(TorchFunctionMode):
    def __init__(self, heads: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.heads = heads
        self.seen = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if func is not F.scaled_dot_product_attention and not (func in SOFTMAX and _over_last_axis(*args, **kwargs)):
            return result
        chosen = [(picture, head) for picture, (call, head) in enumerate(self.heads) if call == self.seen]
        self.seen += 1
        if not chosen:
            return result
        silenced = result.clone()
        each = silenced.unflatten(0, (len(self.heads), -1))  # [B, lines, heads, ...], a view
        for picture, head in chosen:
            each[picture, :, head] = 0
        return silenced


class _Recorder(TorchFunctionMode):
    def __init__(self, calls: list[Call], explicit: bool) -> None:
        super().__init__()
        self.calls = calls
        self.explicit = explicit

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return self._attention(*args, **kwargs)
        result = func(*args, **kwargs)
        if func in SOFTMAX and _over_last_axis(*args, **kwargs):
            stored = _in_graph(result) if self.explicit else result.detach()
            self.calls.append(Call(stored=stored, out=_in_graph(result) if torch.is_grad_enabled() else None))
        return result

    def _attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        seen_key, seen_value = key, value
        if enable_gqa:  # each key head serves several query heads
            seen_key, seen_value = (t.repeat_interleave(query.size(-3) // t.size(-3), -3) for t in (key, value))
        bias = _additive(attn_mask, is_causal, query, key)
        factor = query.size(-1) ** -0.5 if scale is None else scale
        if self.explicit:
            weights = _in_graph(_softmax_scores(query, seen_key, bias, factor))  # [B, heads, N_written, N_read]
            self.calls.append(Call(stored=weights))
            return F.dropout(weights, dropout_p) @ seen_value
        out = F.scaled_dot_product_attention(
            query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
        )
        call = Call(q=query.detach(), k=seen_key.detach(), bias=None if bias is None else bias.detach(), scale=factor)
        if torch.is_grad_enabled():
            call = replace(call, value=seen_value.detach(), out=_in_graph(out))
        self.calls.append(call)
        return out


def _softmax_scores(q: Tensor, k: Tensor, bias: Tensor | None, scale: float) -> Tensor:
    scores = scale * q @ k.mT  # [B, heads, N_written, N_read]
    return (scores if bias is None else scores + bias).softmax(-1)


def _additive(mask: Tensor | None, is_causal: bool, query: Tensor, key: Tensor) -> Tensor | None:
    """Return the mask of a fused call as a bias to add to the scores."""
    if is_causal:
        mask = torch.ones(query.size(-2), key.size(-2), dtype=torch.bool, device=query.device).tril()
    if mask is not None and mask.dtype == torch.bool:
        return torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, float("-inf"))
    return mask


def _over_last_axis(scores: Tensor, dim: int | None = None, *_: Any, **__: Any) -> bool:
    return scores.dim() >= 3 and dim in (-1, scores.dim() - 1)


def _in_graph(weights: Tensor) -> Tensor:
    """Return the same tensor, a leaf of the graph where nothing before it is in one: gradients can be asked of it."""
    return weights if weights.requires_grad or not torch.is_grad_enabled() else weights.requires_grad_()
