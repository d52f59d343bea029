"""From pixels to tokens against known answers: stems, filters and positions."""

import numpy as np
import pytest
import torch
from embedding import EVERY, FOUR, made, parts, pixels
from explaining import SMALL, card, model_of, noise, traced
from timm.layers import apply_rot_embed_cat, resample_abs_pos_embed
from torch import nn

from playground.embeddings import filters, positions, stem, tokens
from playground.image import Preprocess, view
from playground.models.parts import parts_of
from playground.parts import RelativeTable

# tokens


@pytest.mark.parametrize("name", EVERY)
def test_the_tokens_of_every_layer_lie_on_their_grid(name: str) -> None:
    trace = traced(name)
    names = tokens.layers(trace)
    for layer, level in enumerate(names):
        found = tokens.grid_tokens(trace, layer)
        assert found.name == level
        assert found.values.dtype == np.float32 and len(found.values) == found.grid[0] * found.grid[1]
        assert len(found.prefix) == len(found.prefix_values)
    assert np.array_equal(tokens.grid_tokens(trace, -1).values, found.values)


def test_prefix_tokens_stand_apart_from_the_grid() -> None:
    trace = traced("registers")
    found = tokens.grid_tokens(trace, 0)
    whole = trace.tokens[0].values.numpy()
    assert found.prefix == ("register 1", "register 2", "register 3", "register 4")
    assert np.array_equal(np.concatenate([found.prefix_values, found.values]), whole)
    assert np.array_equal(found.values[found.place(1, 2)], whole[4 + 1 * 4 + 2])


@pytest.mark.parametrize("layer", [3, -4, 1.5, True, float("nan"), "1"])
def test_a_layer_out_of_range_is_refused_with_the_range(layer: object) -> None:
    with pytest.raises(ValueError, match=r"layer must be a whole number from -3 to 2, not "):
        tokens.grid_tokens(traced("vit"), layer)  # type: ignore[arg-type]


def test_a_model_without_patch_tokens_says_so() -> None:
    trace = traced("vit")
    bare = type(trace)(model="bare", view=trace.view, logits=trace.logits)
    with pytest.raises(ValueError, match="no tokens that lie on the picture"):
        tokens.layers(bare)
    with pytest.raises(ValueError, match="no tokens that lie on the picture"):
        tokens.grid_tokens(bare, 0)


# from pixels to tokens


@pytest.mark.parametrize("name", EVERY)
def test_a_convolution_is_unfolding_and_one_matrix(name: str) -> None:
    known, seen = parts(name), pixels(name)
    assert np.allclose(stem.convolved(known, seen), stem.unfolded(known, seen), atol=1e-4)
    assert stem.difference(known, seen) < 1e-9
    rows, cols = known.stem.grid(seen.shape[1:])
    exact = seen.astype(np.float64)
    whole = stem.convolved(known, exact)
    assert whole.shape == (rows * cols, known.stem.weight.shape[0])
    for row, col in ((0, 0), (rows - 1, cols - 1), (rows // 2, 0)):
        assert np.abs(stem.patch_embedding(known, exact, row, col) - whole[row * cols + col]).max() < 1e-9


@pytest.mark.parametrize("name", EVERY)
def test_the_convolution_is_the_model_s_own(name: str) -> None:
    model, seen = model_of(name), pixels(name)
    first = next(module for module in model.modules() if isinstance(module, nn.Conv2d))
    theirs = first(torch.from_numpy(seen)[None])[0]  # [D, rows, cols]
    known = parts_of(model, SMALL[name])
    assert known.stem.grid(seen.shape[1:]) == tuple(theirs.shape[1:])
    assert np.allclose(stem.convolved(known, seen), theirs.flatten(1).T.numpy(), atol=1e-4)


def test_a_base_vit_has_the_paper_s_shapes() -> None:
    base = card("vit", "vit_base_patch16_224", {"depth": 1})
    shapes = [step.shape for step in stem.steps(parts_of(made(base), base))]
    assert shapes == [(224, 224, 3), (14, 14, 768), (196, 768), (197, 768)]


@pytest.mark.parametrize("name", [*FOUR, "registers", "beit", "resnet", "pvt"])
def test_the_last_step_has_the_shape_of_the_tokens(name: str) -> None:
    seen = traced(name)
    size = seen.view.pixels.shape[1:]
    last = stem.steps(parts(name), size)[-1].shape
    found = tokens.grid_tokens(seen, -1)
    count, width = found.values.shape
    grids = {(*found.grid, width), (count, width), (count + len(parts(name).stem.prefix), width)}
    assert last in grids


def test_stems_state_stride_and_overlap() -> None:
    assert parts("vit").stem.overlap == (0, 0)
    assert parts("coatnet").stem.overlap == (1, 1)
    deep = stem.steps(parts("detr"))
    assert "A 1 × 1 convolution brings 512 channels to the transformer's 64." in [step.sentence for step in deep]
    assert "neighbours below share 1 row and neighbours beside 1 column" in deep[1].sentence


def test_patch_pixels_are_those_under_the_cell() -> None:
    seen = view(noise(64, 96), Preprocess("squash", (64, 96)))
    image = np.asarray(seen.image)
    assert np.array_equal(stem.patch_pixels(seen, (4, 6), 1, 2), image[16:32, 32:48])
    tiles = [[stem.patch_pixels(seen, (5, 7), r, c) for c in range(7)] for r in range(5)]
    assert np.array_equal(np.concatenate([np.concatenate(row, axis=1) for row in tiles]), image)
    with pytest.raises(ValueError, match=r"row must be a whole number from 0 to 3"):
        stem.patch_pixels(seen, (4, 6), 4, 0)


def test_bad_pixels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \[3, rows, cols\]"):
        stem.convolved(parts("vit"), np.zeros((1, 48, 80)))
    with pytest.raises(ValueError, match="at least 16 × 16 pixels"):
        stem.unfolded(parts("vit"), np.zeros((3, 8, 80)))
    with pytest.raises(ValueError, match="col must be a whole number from 0 to 4"):
        stem.patch_embedding(parts("vit"), pixels("vit"), 0, 5)


# filters


@pytest.mark.parametrize("name", FOUR)
def test_filters_share_one_scale_and_grey_is_nothing(name: str) -> None:
    known = parts(name)
    shown = filters.filters(known)
    weight = known.stem.weight.transpose(0, 2, 3, 1)
    assert shown.shape == weight.shape and shown.dtype == np.uint8
    order = np.argsort(weight.ravel(), kind="stable")
    assert (np.diff(shown.ravel()[order].astype(int)) >= 0).all()
    assert (shown[np.abs(weight) < 1e-6] == 128).all()


def test_filter_components_are_ordered_and_bounded() -> None:
    shown, shares = filters.filter_components(parts("vit"), 28)
    assert shown.shape == (28, 16, 16, 3)
    assert (np.diff(shares) <= 1e-12).all() and 0 < shares.sum() <= 1 + 1e-9
    few, all_shares = filters.filter_components(parts("coatnet"), 28)
    assert len(few) == len(all_shares) == 27  # 3 x 3 x 3 weights span no more
    with pytest.raises(ValueError, match="number of components"):
        filters.filter_components(parts("vit"), 0)


# positions


@pytest.mark.parametrize("grid", [(3, 5), (6, 10), (2, 3), (9, 4)])
def test_resampled_tables_equal_timm_s(grid: tuple[int, int]) -> None:
    model = model_of("vit")
    found = positions.resampled(positions.positions(parts_of(model, SMALL["vit"])), grid)
    theirs = resample_abs_pos_embed(model.pos_embed, list(grid), [3, 5])[0]  # type: ignore[arg-type]
    assert found.grid == grid
    assert found.values is not None and np.abs(found.values - theirs[1:].numpy()).max() < 1e-6
    assert np.array_equal(found.prefix_values, theirs[:1].numpy())


def test_sines_are_those_that_the_model_adds() -> None:
    from playground.models.detr import sine_positions

    found = positions.positions(parts("detr"))
    assert found.kind == "sine"
    moved = positions.resampled(found, (4, 7))
    theirs = sine_positions(torch.zeros(1, 4, 7, dtype=torch.bool), 64)[0].flatten(0, 1)
    assert np.array_equal(moved.values, theirs.numpy())


@pytest.mark.parametrize(
    "architecture", ["vit_small_patch16_dinov3", "eva02_tiny_patch14_224", "vit_small_patch16_rope_mixed_224"]
)
def test_rope_similarity_is_the_cosine_of_a_turned_constant_query(architecture: str) -> None:
    chosen = card("vit", architecture, {"depth": 1})
    model = made(chosen)
    known = parts_of(model, chosen)
    found = positions.positions(known, positions.kinds(known).index("rope"))
    embed = model.rope.get_embed(shape=list(found.grid))  # type: ignore[union-attr,operator]
    embed = embed.reshape(-1, *embed.shape[-2:])  # [depth * heads or 1, N, 2 * d]
    half = getattr(model.blocks[0].attn, "rotate_half", False)
    turned = apply_rot_embed_cat(torch.ones(embed.shape[0], embed.shape[1], embed.shape[2] // 2), embed, half=half)
    turned = turned.transpose(0, 1).flatten(1).double().numpy()  # [N, heads * d]
    turned /= np.linalg.norm(turned, axis=1, keepdims=True)
    theirs = (turned @ turned.T).reshape(*found.grid, *found.grid)
    assert np.abs(positions.similarity_grid(found) - theirs).max() < 1e-5
    assert positions.resampled(found, (5, 6)).values.shape == (30, found.values.shape[1])


@pytest.mark.parametrize("name", ["vit", "registers", "distilled", "detr"])
def test_similarity_of_positions_is_symmetric_with_a_diagonal_of_one(name: str) -> None:
    found = positions.positions(parts(name))
    values = positions.similarity_grid(found)
    rows, cols = found.grid or (0, 0)
    flat = values.reshape(rows * cols, rows * cols)
    assert np.allclose(flat, flat.T, atol=1e-6) and np.allclose(np.diagonal(flat), 1, atol=1e-6)
    assert np.allclose(positions.place_similarity(found, rows - 1, 0), values[rows - 1, 0], atol=1e-6)
    structure = positions.row_col_structure(found)
    assert structure.by_row.shape == (rows,) and structure.by_col.shape == (cols,)
    assert structure.by_row[0] == pytest.approx(1, abs=1e-5) and structure.by_col[0] == pytest.approx(1, abs=1e-5)


def test_row_and_column_structure_of_a_table_that_knows_rows_alone() -> None:
    rows = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)  # 3 x 4 places; each row has a vector of its own
    known = positions.Positions("table", "", (3, 4), rows)
    found = positions.row_col_structure(known)
    assert np.allclose(found.by_row, [1, 0, 0], atol=1e-6)
    assert np.allclose(found.by_col, [1, 1, 1, 1], atol=1e-6)


def test_relative_tables_of_coatnet_and_axial() -> None:
    model = model_of("coatnet")
    found = positions.positions(parts_of(model, SMALL["coatnet"]))
    assert found.kind == "relative" and found.tables[0].name == "stage 3, block 1"
    bias = model.stages[2].blocks[0].attn.rel_pos.get_bias()[0]  # type: ignore[union-attr,index]  # [heads, N, N]
    table = found.tables[0].values  # [heads, 2 * rows - 1, 2 * cols - 1]
    assert table.shape == (4, 7, 7)
    assert np.allclose(bias[:, 0, 0].numpy(), table[:, 3, 3])
    sides = {tuple(table[:, r, c]) for r in (0, 6) for c in (0, 6)}
    assert {tuple(bias[:, i, j].numpy()) for i, j in ((0, 15), (15, 0), (3, 12), (12, 3))} == sides
    axial = positions.positions(parts("axial")).tables
    assert [table.axis for table in axial[:2]] == ["height", "width"]
    assert axial[0].values.shape == (8, 31, 1) and axial[1].values.shape == (8, 1, 31)
    assert positions.distance_curves(axial[1])[1].shape == (8, 31)


def test_vectors_of_offsets_are_compared_within_their_spans() -> None:
    values = np.array([[1, 0, 1], [0, 2, 0], [3, 3, 0], [4, 4, 0]], dtype=np.float32)[:, None, :]
    table = RelativeTable("width", values, "width", "channel", (("queries", 2), ("values", 2)))
    alike = positions.offset_similarity(table)  # [2, 3, 3]
    assert np.allclose(alike[0], [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    assert np.allclose(alike[1], [[1, 1, 0], [1, 1, 0], [0, 0, 0]])  # an offset of zeros is like no other
    assert np.allclose(positions.offset_lengths(table), [[1, 2, 1], [5, 5, 0]])
    axial = positions.positions(parts("axial")).tables[0]
    assert axial.spans == (("queries", 2), ("keys", 2), ("values", 4))
    assert sum(count for _, count in axial.spans) == len(axial.values)


def test_positions_that_are_no_table_say_so() -> None:
    assert positions.positions(parts("resnet")).kind == "none"
    for name in ("resnet", "axial"):
        with pytest.raises(ValueError, match="no position of its own"):
            positions.similarity_grid(positions.positions(parts(name)))
    with pytest.raises(ValueError, match="rows of the grid"):
        positions.resampled(positions.positions(parts("vit")), (0, 3))
    with pytest.raises(ValueError, match="At most 4096 places"):
        positions.resampled(positions.positions(parts("vit")), (128, 128))
