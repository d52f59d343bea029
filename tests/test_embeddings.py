"""Patches, positions and tokens against known answers: what is computed must equal what it is said to be."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from explaining import CPU, SMALL, card, model_of, noise, traced
from timm.layers import apply_rot_embed_cat, resample_abs_pos_embed
from torch import nn

from playground import inference
from playground.cka import cka, cka_matrix
from playground.embeddings import cloud, clusters, filters, positions, projection, similarity, stem, tokens
from playground.image import Picture, Preprocess, view
from playground.models import family_of, heads
from playground.models.card import Card
from playground.models.parts import parts_of
from playground.models.preprocess import preprocess_of
from playground.parts import Parts, RelativeTable

RNG = np.random.default_rng(0)
FOUR = ("vit", "coatnet", "axial", "detr")
EVERY = tuple(SMALL)


def parts(name: str) -> Parts:
    return parts_of(model_of(name), SMALL[name])


def made(chosen: Card) -> nn.Module:
    torch.manual_seed(0)
    return family_of(chosen).build(chosen).eval().requires_grad_(False)


def pixels(name: str) -> np.ndarray:
    return view(noise(), preprocess_of(SMALL[name])).pixels


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


# projection


@pytest.mark.parametrize(("count", "width"), [(200, 12), (12, 200), (5, 5)])
def test_components_are_centred_orthonormal_signed_and_ordered(count: int, width: int) -> None:
    values = RNG.standard_normal((count, width)) * np.linspace(1, 3, width) + 7
    found = projection.fit([values], 4)
    assert np.abs(found.basis @ found.basis.T - np.eye(4)).max() < 1e-9
    assert np.abs(found.scores[0].mean(0)).max() < 1e-4
    assert (np.diff(found.explained) <= 1e-12).all()
    for component in found.basis:
        assert component[np.abs(component).argmax()] > 0
    theirs = np.linalg.svd(values - values.mean(0))[1] ** 2
    assert np.allclose(found.explained, (theirs / theirs.sum())[:4])
    spread = found.scores[0].var(0) / (values - values.mean(0)).var(0).sum()
    assert np.allclose(spread, found.explained, atol=1e-5)


def test_one_fit_over_two_sets_is_a_fit_of_both_together() -> None:
    first, second = RNG.standard_normal((30, 6)), RNG.standard_normal((20, 6)) + 2
    found, whole = projection.fit([first, second]), projection.fit([np.concatenate([first, second])])
    assert np.allclose(found.basis, whole.basis) and np.allclose(np.concatenate(found.scores), whole.scores[0])
    assert np.allclose(found.apply(second), found.scores[1], atol=1e-5)
    assert [len(part) for part in projection.colours(found)] == [30, 20]


def test_colours_do_not_depend_on_shift_scale_or_order() -> None:
    values = RNG.standard_normal((300, 8)) * np.arange(1, 9)
    plain = projection.colours(projection.fit([values]))[0]
    assert plain.dtype == np.uint8 and plain.min() == 0 and plain.max() == 255
    assert np.abs(plain.astype(int) - projection.colours(projection.fit([3 * values + 5]))[0]).max() <= 1
    order = RNG.permutation(300)
    assert np.abs(plain[order].astype(int) - projection.colours(projection.fit([values[order]]))[0]).max() <= 1


def test_colours_of_equal_tokens_are_grey_and_outliers_do_not_take_the_scale() -> None:
    assert set(projection.colours(projection.fit([np.ones((9, 4))]))[0].ravel()) == {128}
    values = RNG.standard_normal((500, 5))
    values[0] *= 1e4
    component = projection.colours(projection.fit([values]))[0][:, 1]
    assert component.std() > 40


@pytest.mark.parametrize(
    ("sets", "components", "sentence"),
    [
        ([], 3, "at least one set"),
        ([np.zeros((0, 4))], 3, "at least one of each"),
        ([np.zeros((4, 4)), np.zeros((4, 5))], 3, "4 and of 5 channels"),
        ([np.full((4, 4), np.nan)], 3, "no finite numbers"),
        ([np.zeros((4, 4))], 5, "components must be a whole number from 1 to 4"),
    ],
)
def test_bad_sets_are_refused(sets: list[np.ndarray], components: int, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        projection.fit(sets, components)


# similarity


def test_similarity_is_symmetric_and_one_with_itself() -> None:
    values = tokens.grid_tokens(traced("vit"), 1).values
    whole = np.stack([similarity.cosine(values, i) for i in range(len(values))])
    assert np.allclose(whole, whole.T, atol=1e-6) and np.allclose(np.diagonal(whole), 1, atol=1e-6)
    theirs = torch.nn.functional.cosine_similarity(torch.from_numpy(values)[:, None], torch.from_numpy(values), dim=-1)
    assert np.allclose(whole, theirs.numpy(), atol=1e-5)


def test_the_nearest_patch_of_another_picture_is_the_same_content() -> None:
    values = RNG.standard_normal((40, 16)).astype(np.float32)
    others = values[RNG.permutation(40)] * 3  # length plays no part
    for i in (0, 17, 39):
        place, found = similarity.nearest(values, i, others, 2)[0]
        assert np.allclose(others[place], 3 * values[i]) and found == pytest.approx(1, abs=1e-5)
    among = similarity.nearest(values, 5, values, 39)
    assert 5 not in [place for place, _ in among] and len(among) == 39
    assert [found for _, found in among] == sorted((found for _, found in among), reverse=True)


def test_tokens_of_other_widths_and_places_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="4 and 5 channels"):
        similarity.between(np.ones((3, 4)), 0, np.ones((3, 5)))
    with pytest.raises(ValueError, match="whole number from 0 to 2"):
        similarity.cosine(np.ones((3, 4)), 3)
    assert (similarity.cosine(np.zeros((3, 4)), 1) == 0).all()


@pytest.mark.parametrize("count", [60, 1600])  # by Gram matrices, by covariances
def test_cka_is_one_with_itself_and_blind_to_rotation(count: int) -> None:
    x = torch.from_numpy(RNG.standard_normal((count, 9)))
    rotation = torch.linalg.qr(torch.from_numpy(RNG.standard_normal((9, 9))))[0]
    y = torch.from_numpy(RNG.standard_normal((count, 14)))
    found = cka_matrix([x, 3 * x @ rotation + 5, y])
    assert torch.allclose(found.diagonal(), torch.ones(3).double(), atol=1e-6)
    assert float(found[0, 1]) == pytest.approx(1, abs=1e-6)
    assert torch.equal(found, found.T)
    assert float(found[0, 2]) == pytest.approx(cka(x, y), abs=1e-6) and float(found[0, 2]) < 0.6


@pytest.mark.parametrize("name", FOUR)
def test_every_two_layers_are_compared(name: str) -> None:
    trace = traced(name)
    found = similarity.layer_cka(trace)
    count = len(tokens.layers(trace))
    assert found.shape == (count, count) and np.allclose(found, found.T) and np.allclose(np.diagonal(found), 1)
    assert (found > 0).all() and (found <= 1).all()
    for norms, layer in zip(similarity.norms(trace), range(count), strict=True):
        level = tokens.grid_tokens(trace, layer)
        assert norms.shape == level.grid
        assert norms[0, 1] == pytest.approx(float(np.linalg.norm(level.values[1])), rel=1e-5)


# clusters


def test_separated_blobs_are_found_again_largest_first() -> None:
    centres = np.eye(3, 10)
    truth = np.repeat([0, 1, 2], [60, 30, 10])
    values = centres[truth] + 0.02 * RNG.standard_normal((100, 10))
    order = RNG.permutation(100)
    for seed in range(5):
        assert np.array_equal(clusters.kmeans(values[order], 3, seed), truth[order])
    first, second = clusters.kmeans_sets([values[:70], values[70:]], 3)
    assert np.array_equal(np.concatenate([first, second]), truth)


def test_clusters_do_not_depend_on_the_length_of_tokens_and_repeat() -> None:
    values = RNG.standard_normal((80, 6))
    stretched = values * RNG.uniform(0.5, 20, (80, 1))
    assert np.array_equal(clusters.kmeans(values, 5), clusters.kmeans(stretched, 5))
    assert np.array_equal(clusters.kmeans(values, 5, 3), clusters.kmeans(values, 5, 3))
    sizes = np.bincount(clusters.kmeans(values, 5))
    assert len(sizes) == 5 and (np.diff(sizes) <= 0).all()


def test_equal_tokens_are_one_cluster_and_bad_counts_are_refused() -> None:
    assert (clusters.kmeans(np.ones((7, 3)), 4) == 0).all()
    for count in (0, 8, 2.5):
        with pytest.raises(ValueError, match="The number of clusters must be a whole number from 1 to 7"):
            clusters.kmeans(RNG.standard_normal((7, 3)), count)  # type: ignore[arg-type]


# clouds


def test_a_cloud_by_pca_is_the_first_components() -> None:
    sets = [RNG.standard_normal((20, 7)), RNG.standard_normal((10, 7))]
    for dimensions in (2, 3):
        found = cloud.cloud(sets, dimensions)
        assert [part.shape for part in found] == [(20, dimensions), (10, dimensions)]
        assert np.allclose(np.concatenate(found), np.concatenate(projection.fit(sets, dimensions).scores))


@pytest.mark.parametrize(("how", "package"), [("tsne", "scikit-learn"), ("umap", "umap-learn")])
def test_optional_clouds_keep_neighbours_or_name_what_to_install(how: str, package: str) -> None:
    blobs = np.repeat(10 * np.eye(2, 8), 30, axis=0) + RNG.standard_normal((60, 8))
    if how not in cloud.available():
        assert package == cloud.NEEDS[how][1]
        with pytest.raises(ValueError, match=f"pip install {package}"):
            cloud.cloud([blobs], 2, how)
        return
    first, second = cloud.cloud([blobs[:30], blobs[30:]], 2, how)
    apart = np.linalg.norm(first.mean(0) - second.mean(0))
    assert apart > 2 * max(first.std(), second.std()) ** 0.5


def test_bad_clouds_are_refused() -> None:
    with pytest.raises(ValueError, match="dimensions must be a whole number from 2 to 3"):
        cloud.cloud([np.ones((5, 5))], 4)
    with pytest.raises(ValueError, match="one of pca, tsne, umap"):
        cloud.cloud([np.ones((5, 5))], 2, "isomap")


@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "axial"])
def test_the_class_of_a_patch_is_what_the_head_reads_in_it(name: str) -> None:
    trace, model = traced(name), model_of(name)
    found = cloud.patch_classes(trace, -1, heads.reader(model, SMALL[name]), tuple("abcde"))
    level = tokens.grid_tokens(trace, -1)
    assert len(found) == len(level.values)
    alone = torch.from_numpy(level.values[3])[None, None].expand(1, 1 + len(level.prefix), -1)
    reader = heads.reader(model, SMALL[name])
    assert reader is not None
    shares = reader(alone).softmax(-1)[0]
    assert found[3].index == int(shares.argmax()) and found[3].label == "abcde"[found[3].index]
    assert found[3].share == pytest.approx(float(shares.max()), abs=1e-5)


def test_patches_without_a_head_have_no_class() -> None:
    with pytest.raises(ValueError, match="object queries"):
        cloud.patch_classes(traced("detr"), -1, heads.reader(model_of("detr"), SMALL["detr"]), ())
    with pytest.raises(ValueError, match="no class head"):
        cloud.patch_classes(traced("pvt"), -1, None, ())
    with pytest.raises(ValueError, match="The head reads tokens of 512 channels"):
        cloud.patch_classes(traced("coatnet"), 0, heads.reader(model_of("coatnet"), SMALL["coatnet"]), ())


# the same weights at another size


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the small random models stand where weights would be read."""
    names = {(c.family, c.architecture): name for name, c in SMALL.items()}
    monkeypatch.setattr(inference, "load_weights", lambda c, *_: model_of(names[c.family, c.architecture]))
    monkeypatch.setattr(inference, "pick_device", lambda: CPU)
    inference.forget()
    yield
    inference.forget()


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "axial", "detr", "beit", "resnet"])
def test_the_same_weights_answer_at_another_size(name: str) -> None:
    picture, chosen = Picture(noise()), SMALL[name]
    allowed = inference.sizes(chosen)
    usual = inference.at_size(picture, chosen, allowed.usual)
    assert usual is inference.trace(picture, chosen)
    side = (allowed.usual // allowed.step + 2) * allowed.step
    found = inference.at_size(picture, chosen, side)
    assert found is inference.at_size(picture, chosen, side)
    assert min(found.view.pixels.shape[1:]) == side
    grid = tokens.grid_tokens(found, -1).grid
    assert all(a > b for a, b in zip(grid, tokens.grid_tokens(usual, -1).grid, strict=True))
    assert (found.logits is None) == (usual.logits is None)


@pytest.mark.usefixtures("small")
def test_another_size_interpolates_the_table_and_nothing_else() -> None:
    found = inference.at_size(Picture(noise()), SMALL["vit"], 80)  # 80 x 128 in place of 48 x 80
    assert found.view.pixels.shape[1:] == (80, 128)
    model = model_of("vit")
    table = positions.resampled(positions.positions(parts_of(model, SMALL["vit"])), (5, 8))
    x = model.patch_embed.proj(torch.from_numpy(found.view.pixels)[None]).flatten(2).mT  # type: ignore[union-attr,operator]
    prefix = model.cls_token + torch.from_numpy(table.prefix_values)  # type: ignore[operator]
    x = torch.cat([prefix, x + torch.from_numpy(table.values)], dim=1)
    for block in model.blocks:  # type: ignore[union-attr]
        x = block(x)
    assert torch.allclose(found.tokens[-1].values, x[0], atol=1e-4)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("side", [16, 2048, 50, 48.5, True, "64"])
def test_other_sides_are_refused_with_what_is_allowed(side: object) -> None:
    with pytest.raises(ValueError, match=r"The side must be a (whole number from 32 to 1024|multiple of 16)"):
        inference.at_size(Picture(noise()), SMALL["vit"], side)  # type: ignore[arg-type]


@pytest.mark.usefixtures("small")
def test_parts_are_read_once() -> None:
    assert inference.parts(SMALL["vit"]) is inference.parts(SMALL["vit"], side=48)
    assert inference.parts(SMALL["vit"], side=80) is inference.parts(SMALL["vit"], side=80)


@pytest.mark.usefixtures("small")
def test_the_parts_at_another_size_are_the_interpolated_ones() -> None:
    moved = positions.positions(inference.parts(SMALL["vit"], side=80))
    theirs = positions.resampled(positions.positions(inference.parts(SMALL["vit"])), (5, 8))
    assert moved.grid == (5, 8) and moved.values is not None
    assert np.allclose(moved.values, theirs.values, atol=1e-6)


@pytest.mark.usefixtures("small")
def test_tables_of_relative_bias_grow_with_the_picture() -> None:
    own, moved = (positions.positions(inference.parts(SMALL["coatnet"], side=side)).tables for side in (64, 128))
    assert [table.values.shape for table in own[:1]] == [(4, 7, 7)]
    assert [table.values.shape for table in moved[:1]] == [(4, 15, 15)]
    assert np.allclose(moved[0].values[:, 7, 7], own[0].values[:, 3, 3])  # the middle is distance 0 in both
    trace = inference.at_size(Picture(noise()), SMALL["coatnet"], 128)
    assert tokens.grid_tokens(trace, -1).grid == (4, 4)


def test_many_tokens_are_clustered_nearly_as_well_as_step_by_step() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 6, 1369)
    values = 2 * rng.standard_normal((6, 64))[truth] + rng.standard_normal((1369, 64))
    labels = clusters.kmeans(values, 6)
    assert all(np.bincount(truth[labels == k]).max() > 0.98 * (labels == k).sum() for k in range(6))
    noise = rng.standard_normal((1369, 64))  # without any clusters, where k-means takes longest to settle
    tokens = noise / np.linalg.norm(noise, axis=1, keepdims=True)

    def spread(found: np.ndarray) -> float:
        return sum(float(((tokens[found == k] - tokens[found == k].mean(0)) ** 2).sum()) for k in range(8))

    start = clusters._spread(tokens.astype(np.float32), 8, np.random.default_rng(0))
    settled, _ = clusters._settled(tokens.astype(np.float32), start, 500)
    assert spread(clusters.kmeans(noise, 8)) < 1.01 * spread(settled)


def test_a_model_of_1370_tokens_passes_through_every_function() -> None:
    large = card("vit", "vit_small_patch14_dinov2", {"depth": 2, "num_classes": 0})
    model = made(large)
    seen = view(noise(300, 400), preprocess_of(large))
    trace = family_of(large).trace(model, seen, large, CPU, False)
    level = tokens.grid_tokens(trace, -1)
    assert level.grid == (37, 37) and level.values.shape == (1369, 384) and level.prefix == ("class",)
    found = projection.fit([level.values])
    assert projection.colours(found)[0].shape == (1369, 3)
    assert np.bincount(clusters.kmeans(level.values, 5)).sum() == 1369
    assert similarity.layer_cka(trace).shape == (2, 2)
    known = parts_of(model, large)
    assert [step.shape for step in stem.steps(known)] == [(518, 518, 3), (37, 37, 384), (1369, 384), (1370, 384)]
    assert positions.place_similarity(positions.positions(known), 18, 18).argmax() == 18 * 37 + 18
