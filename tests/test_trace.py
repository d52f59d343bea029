"""Steps of a trace against their textbook matrices."""

import pytest
import torch
from torch import Tensor

from playground.trace import Attention, AxialAttention, Link, Pool, Sequence


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_weights_of_chosen_rows_and_heads_are_those_of_the_whole_matrix() -> None:
    attention = Attention(q=random(3, 7, 4), k=random(3, 5, 4, seed=1), bias=random(3, 7, 5, seed=2), scale=0.5)
    whole = attention.weights()
    assert whole.shape == (3, 7, 5)
    assert torch.allclose(whole.sum(-1), torch.ones(3, 7, dtype=torch.float64))
    assert torch.equal(attention.weights([1, 6], [2]), whole[[2]][:, [1, 6]])
    assert torch.equal(Attention(stored=whole).weights(slice(2, 4)), whole[:, 2:4])


def test_a_three_token_case_by_hand() -> None:
    q = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]).log1p()
    attention = Attention(q=q, k=torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]]), scale=1.0)
    expected = torch.tensor([[[2, 1, 1], [1, 2, 1], [4 / 3, 4 / 3, 4 / 3]]]) / 4
    assert torch.allclose(attention.weights(), expected)


@pytest.mark.parametrize("block", [1, 2, 256])
def test_pull_equals_the_matrix_product(block: int) -> None:
    attention = Attention(q=random(2, 7, 4), k=random(2, 5, 4, seed=1))
    r = random(7, seed=3).abs()
    assert torch.allclose(attention.pull(r, block), r @ attention.weights().mean(0), atol=1e-12)


@pytest.mark.parametrize("pool", [None, Pool((3, 4), (2, 2))])
def test_axial_pull_equals_the_matrix_that_is_never_built(pool: Pool | None) -> None:
    rows, cols, heads = 3, 4, 2
    height, width = random(cols, heads, rows, rows).softmax(-1), random(rows, heads, cols, cols, seed=1).softmax(-1)
    step = AxialAttention(height, width, pool)
    # P(i, j -> m, n) = row attention of row i from j to n, times column attention of the attended column n from i to m
    dense = torch.einsum("ijn,nim->ijmn", width.mean(1), height.mean(1)).reshape(12, 12)
    if pool:
        dense = torch.stack([pool.pull(one_hot) for one_hot in torch.eye(4, dtype=torch.float64)]) @ dense  # [4, 12]
    r = random(len(dense), seed=4).abs()
    assert step.grid == (rows, cols)
    assert step.shape == dense.shape
    assert torch.allclose(dense.sum(-1), torch.ones(len(dense), dtype=torch.float64))
    assert torch.allclose(step.pull(r), r @ dense, atol=1e-12)


def test_the_skip_path_of_a_strided_block_reads_every_second_position() -> None:
    fine, coarse = Sequence("stage 1", 15, (3, 5)), Sequence("stage 2", 6, (2, 3))
    link = Link("stage 2", 0, fine, coarse, Pool((3, 5), (2, 3)))
    carried = link.pull_skip(torch.arange(1.0, 7.0)).reshape(3, 5)
    assert carried[0].tolist() == [1, 0, 2, 0, 3]
    assert carried[1].tolist() == [0] * 5
    assert carried[2].tolist() == [4, 0, 5, 0, 6]


def test_pool_spreads_each_window_evenly_and_keeps_the_sum() -> None:
    pool = Pool(fine=(4, 6), coarse=(2, 3))
    r = random(6).abs()
    pulled = pool.pull(r).reshape(4, 6)
    assert torch.allclose(pulled[:2, :2], r[0].expand(2, 2) / 4)
    assert torch.allclose(pulled[2:, 4:], r[5].expand(2, 2) / 4)
    assert pulled.sum().item() == pytest.approx(r.sum().item())


def test_a_link_refuses_a_step_of_another_size() -> None:
    patches = Sequence("patches", 5, (2, 2), ("class",))
    with pytest.raises(AssertionError):
        Link("block 1", 0, patches, patches, Attention(q=random(1, 4, 2), k=random(1, 4, 2)))
    with pytest.raises(AssertionError):
        Sequence("patches", 6, (2, 2), ("class",))
