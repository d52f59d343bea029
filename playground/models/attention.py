"""DETR's attention module: nn.MultiheadAttention's parameter names around one fused call that a recorder sees."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MultiheadAttention(nn.Module):
    """Scaled dot-product attention over batch-first sequences, "Attention Is All You Need", section 3.2.

    The parameters bear the names and shapes of torch.nn.MultiheadAttention, so weights move between the two unchanged.
    Every forward pass makes exactly one call of torch.nn.functional.scaled_dot_product_attention.
    """

    def __init__(self, dim: int, num_heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if dim % num_heads:
            raise ValueError(f"A width of {dim} cannot be shared by {num_heads} heads; choose a divisor of the width.")
        self.num_heads = num_heads
        self.dropout = dropout
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))  # rows: query, key, value
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * dim))
        self.out_proj = nn.Linear(dim, dim)
        nn.init.xavier_uniform_(self.in_proj_weight)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, allowed: Tensor | None = None) -> Tensor:
        """Return [B, T, D] for query [B, T, D], key and value [B, S, D].

        `allowed` is boolean and broadcasts to [B, heads, T, S]: True where a query may look at a key
        (`key_mask` makes such a mask); None lets every query look everywhere.
        """
        weight_q, weight_k, weight_v = self.in_proj_weight.chunk(3)
        bias_q, bias_k, bias_v = self.in_proj_bias.chunk(3)
        q = self._split(F.linear(query, weight_q, bias_q))  # [B, heads, T, D/heads]
        k = self._split(F.linear(key, weight_k, bias_k))  # [B, heads, S, D/heads]
        v = self._split(F.linear(value, weight_v, bias_v))  # [B, heads, S, D/heads]
        dropout = self.dropout if self.training else 0.0
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed, dropout_p=dropout, scale=q.shape[-1] ** -0.5)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # [B, T, D]

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # [B, N, D] -> [B, heads, N, D/heads]


def key_mask(padding: Tensor | None) -> Tensor | None:
    """Turn padding [B, S] (True: a key is only padding) into a mask [B, 1, 1, S] of allowed keys; None stays None."""
    return None if padding is None else ~padding[:, None, None, :]
