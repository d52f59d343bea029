"""Axial attention: parity with its authors' release, its definition, and pictures of any size."""

import numpy as np
import pytest
import standin
import torch
from torch import Tensor

from playground.models import axial
from playground.record import record
from playground.trace import AxialAttention


def random_attention(dim: int = 16, heads: int = 2, span: int = 6, axis: axial.Axis = "height") -> axial.AxialAttention:
    """One step whose batch norms hold statistics unlike the identity."""
    step = axial.AxialAttention(dim, heads, span, axis)
    shapes = [(name, tuple(value.shape)) for name, value in step.state_dict().items()]
    step.load_state_dict(standin.weights(shapes), strict=False)
    return step.eval()


@pytest.fixture(scope="module")
def small() -> axial.AxialResNet:
    torch.manual_seed(0)
    model = axial.AxialResNet((1, 2, 1), 0.125, 5, spans=(16, 16, 8), strides=(1, 2, 2), heads=2, stem="convs")
    for block in model.modules():
        if isinstance(block, axial.AxialBlock):
            torch.nn.init.ones_(block.bn2.weight)  # the blocks of a fresh network add nothing to their skip path
    return model.eval()


# The reference: outputs of csrhddlam/axial-deeplab at 79088edb on stand-in weights.
@torch.no_grad()
def test_parity_with_the_authors_release() -> None:
    golden = np.load(standin.REFERENCE / "axial26s.npz")
    with torch.device("meta"):
        model = axial.axial26s()
    official = standin.published("axial26s.keys.txt")
    state = axial.rename(standin.weights(official.items()))
    counters = {n: torch.tensor(0) for n in official if n.endswith("num_batches_tracked")}
    model.load_state_dict(state | counters, strict=True, assign=True)
    logits, states = model.eval().forward_intermediates(standin.pixels(3, 1, 3, 224, 224))
    np.testing.assert_allclose(logits, golden["logits"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(states[1].mean((2, 3)), golden["layer1_mean"], atol=1e-4, rtol=0)
    np.testing.assert_allclose(states[-1].mean((2, 3)), golden["layer4_mean"], atol=1e-4, rtol=0)


def test_names_and_shapes_are_the_official_ones() -> None:
    with torch.device("meta"):
        ours = {name: tuple(value.shape) for name, value in axial.axial26s().state_dict().items()}
    official = {name: torch.empty(shape) for name, shape in standin.published("axial26s.keys.txt").items()}
    assert ours == {name: tuple(value.shape) for name, value in axial.rename(official).items()}


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        (axial.axial26s, 5_944_936),
        (axial.axial50s, 11_586_216),
        (axial.axial50m, 25_179_400),
        (axial.axial50l, 43_973_480),
        (axial.axial_small, 2_042_128),
    ],
)
def test_parameter_counts(variant: type[axial.AxialResNet], count: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in variant().parameters()) == count


def by_definition(step: axial.AxialAttention, x: Tensor) -> tuple[Tensor, Tensor]:
    """Equation 4, position by position, on a column x [C, L]: weights [heads, L, L] and what bn_output gets [2C, L]."""
    span = (step.relative.shape[1] + 1) // 2
    qkv = step.bn_qkv(step.qkv_transform(x[None]))[0].unflatten(0, (step.heads, -1))  # [heads, 2c, L]
    d = qkv.shape[1] // 4
    q, k, v = qkv[:, :d], qkv[:, d : 2 * d], qkv[:, 2 * d :]
    length = x.shape[1]
    terms = torch.zeros(1, 3 * step.heads, length, length)
    for o in range(length):
        for p in range(length):
            towards, back = step.relative[:, o - p + span - 1], step.relative[:, p - o + span - 1]
            for h in range(step.heads):
                terms[0, h, o, p] = q[h, :, o] @ k[h, :, p]
                terms[0, step.heads + h, o, p] = q[h, :, o] @ towards[:d]
                terms[0, 2 * step.heads + h, o, p] = k[h, :, p] @ back[d : 2 * d]
    weights = step.bn_similarity(terms)[0].unflatten(0, (3, step.heads)).sum(0).softmax(-1)
    out = torch.zeros(step.heads, 2 * d, 2, length)
    for o in range(length):
        values = torch.stack([step.relative[2 * d :, o - p + span - 1] for p in range(length)], dim=1)  # [2d, L]
        out[:, :, 0, o] = torch.einsum("hp,hcp->hc", weights[:, o], v)
        out[:, :, 1, o] = weights[:, o] @ values.T
    return weights, out.flatten(0, 2)


@torch.no_grad()
@pytest.mark.parametrize("length", [6, 4])
def test_one_line_equals_the_equation(length: int) -> None:
    step = random_attention(span=6)
    x = standin.pixels(5, 16, length)
    weights, raw = by_definition(step, x)
    with record() as calls:
        out = step(x[None, :, :, None])
    assert len(calls) == 1
    torch.testing.assert_close(calls[0].weights()[0], weights)
    expected = step.bn_output(raw[None])[0].unflatten(0, (-1, 2)).sum(1)
    torch.testing.assert_close(out[0, :, :, 0], expected)


@torch.no_grad()
def test_terms_add_up_to_what_the_softmax_sees() -> None:
    for axis in ("height", "width"):
        step = random_attention(axis=axis)
        x = standin.pixels(6, 2, 16, 6, 5)
        with record() as calls:
            step(x)
        lines, length = (5, 6) if axis == "height" else (6, 5)
        terms = step.terms(x)
        assert terms.shape == (2 * lines, 3, 2, length, length)
        torch.testing.assert_close(terms.sum(1).softmax(-1), calls[0].weights())


@torch.no_grad()
def test_width_is_height_of_the_turned_picture() -> None:
    height, width = random_attention(axis="height"), random_attention(axis="width")
    x = standin.pixels(7, 1, 16, 5, 4)
    torch.testing.assert_close(width(x.mT), height(x).mT)


@torch.no_grad()
def test_columns_then_rows_compose_to_one_two_dimensional_attention() -> None:
    """P(i,j -> r,c) = W_i[j,c] H_c[i,r]: the column attention of the attended column, seen by moving impulses."""
    rows, cols = 4, 5
    x = standin.pixels(8, 1, 16, rows, cols)
    with record() as calls:
        random_attention(axis="width")(random_attention(axis="height")(x))
    link = AxialAttention(calls[0].weights().double(), calls[1].weights().double())
    assert link.grid == (rows, cols)
    height, width = link.height.mean(1), link.width.mean(1)  # [cols, rows, rows], [rows, cols, cols]
    moved = torch.zeros(rows, cols, rows, cols, dtype=torch.float64)
    for row in range(rows):
        for col in range(cols):
            impulse = torch.zeros(rows, cols, dtype=torch.float64)
            impulse[row, col] = 1
            down = torch.stack([height[c] @ impulse[:, c] for c in range(cols)], dim=1)  # within each column
            moved[:, :, row, col] = torch.stack([width[r] @ down[r] for r in range(rows)])  # then within each row
    torch.testing.assert_close(moved, torch.einsum("ijc,cir->ijrc", width, height))
    torch.testing.assert_close(moved.sum((2, 3)), torch.ones(rows, cols, dtype=torch.float64))
    for row, col in ((0, 0), (2, 3), (3, 1)):
        chosen = torch.zeros(rows * cols, dtype=torch.float64)
        chosen[row * cols + col] = 1
        torch.testing.assert_close(link.pull(chosen), moved[row, col].flatten())


def test_the_table_is_read_as_it_is_at_its_own_size() -> None:
    step = random_attention(span=6)
    rq, rk, rv = step._positions(6)
    unrolled = torch.stack([torch.stack([step.relative[:, o - p + 5] for p in range(6)], 1) for o in range(6)], 1)
    torch.testing.assert_close(torch.cat((rq, rk, rv)), unrolled, rtol=0, atol=0)


def test_shorter_lines_read_the_centre_and_longer_ones_stretch_it() -> None:
    step = random_attention(span=6)
    full, short, long = (torch.cat(step._positions(n)) for n in (6, 3, 11))
    torch.testing.assert_close(short, full[:, :3, :3], rtol=0, atol=0)
    torch.testing.assert_close(long.diagonal(dim1=1, dim2=2), step.relative[:, 5:6].expand(-1, 11))  # distance 0 stays
    torch.testing.assert_close(long[:, 10, 0], step.relative[:, -1])  # the farthest stays the farthest
    torch.testing.assert_close(long[:, 2, 0], step.relative[:, 6])  # twice the length: 2 positions are 1 of the table


@torch.no_grad()
@pytest.mark.parametrize("size", [(64, 64), (70, 93), (33, 57), (5, 3), (128, 40)])
def test_calls_of_any_size_are_the_announced_ones(small: axial.AxialResNet, size: tuple[int, int]) -> None:
    with record() as calls:
        logits, states = small.forward_intermediates(standin.pixels(9, 2, 3, *size))
    named = small.attention_calls(size)
    assert logits.shape == (2, 5)
    assert torch.isfinite(logits).all()
    assert len(named) == len(calls) == 8
    for name, call in zip(named, calls, strict=True):
        rows, cols = name.grid
        lines, length = (cols, rows) if name.axis == "height" else (rows, cols)
        weights = call.weights()
        assert weights.shape == (2 * lines, 2, length, length)
        torch.testing.assert_close(weights.sum(-1), torch.ones(2 * lines, 2, length))
    assert [(name.stage, name.block, name.stride) for name in named[1::2]] == [
        (0, 0, 1),
        (1, 0, 2),
        (1, 1, 1),
        (2, 0, 2),
    ]
    for before, after, name in zip(states[:-1], states[1:], named[1::2], strict=True):
        assert tuple(before.shape[-2:]) == name.grid
        assert tuple(after.shape[-2:]) == tuple(-(-n // name.stride) for n in name.grid)


def test_training_mode_learns_in_every_parameter() -> None:
    model = axial.AxialResNet((1, 2), 0.125, 4, (16, 16), (1, 2), heads=2, stem="convs", dropout=0.1, drop_path=0.1)
    for block in model.modules():
        if isinstance(block, axial.AxialBlock):
            torch.nn.init.ones_(block.bn2.weight)
    model.train()
    model(standin.pixels(10, 8, 3, 64, 64)).square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # the bias of bn_similarity moves a whole row of logits, which no softmax can see
    assert all(name.endswith("bn_similarity.bias") for name in silent), silent
    assert model.bn1.num_batches_tracked == 1


@torch.no_grad()
def test_pictures_of_a_batch_do_not_mix(small: axial.AxialResNet) -> None:
    both = standin.pixels(11, 2, 3, 64, 64)
    torch.testing.assert_close(small(both), torch.cat((small(both[:1]), small(both[1:]))), rtol=1e-4, atol=1e-5)


def test_unlike_lists_and_unknown_stems_are_refused() -> None:
    with pytest.raises(ValueError, match="one number for each stage"):
        axial.AxialResNet((1, 2), spans=(8, 8, 8), strides=(1, 2))
    with pytest.raises(ValueError, match="stem"):
        axial.AxialResNet(stem="patch")  # type: ignore[arg-type]
