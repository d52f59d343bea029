"""The training loop: attention written out as it is trained on a processor."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from playground.training.loop import WrittenOut


@pytest.mark.parametrize("mask", [None, "boolean", "added"])
def test_attention_written_out_is_attention(mask: str | None) -> None:
    draw = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 8, generator=draw, requires_grad=True) for n in (5, 7, 7))
    given: dict[str, Tensor | None] = {"attn_mask": None}
    if mask == "boolean":
        given["attn_mask"] = torch.rand(2, 1, 5, 7, generator=draw) < 0.8
    if mask == "added":
        given["attn_mask"] = torch.randn(2, 1, 5, 7, generator=draw)
    plain = F.scaled_dot_product_attention(q, k, v, scale=0.3, **given)
    wanted = torch.autograd.grad(plain.square().sum(), (q, k, v))
    with WrittenOut():
        written = F.scaled_dot_product_attention(q, k, v, scale=0.3, **given)
    found = torch.autograd.grad(written.square().sum(), (q, k, v))
    torch.testing.assert_close(written, plain, rtol=1e-5, atol=1e-6)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_attention_that_drops_or_looks_back_only_stays_torchs_own() -> None:
    q = torch.randn(1, 1, 4, 8, generator=torch.Generator().manual_seed(1))
    with WrittenOut():
        causal = F.scaled_dot_product_attention(q, q, q, is_causal=True)
        torch.manual_seed(0)
        dropped = F.scaled_dot_product_attention(q, q, q, dropout_p=0.9)
    torch.testing.assert_close(causal, F.scaled_dot_product_attention(q, q, q, is_causal=True))
    assert not torch.allclose(dropped, F.scaled_dot_product_attention(q, q, q))
