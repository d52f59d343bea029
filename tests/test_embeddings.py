"""Tokens against known answers: projections, similarity, clusters, clouds, and other sizes."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from embedding import FOUR, RNG, made
from explaining import CPU, SMALL, card, model_of, noise, traced

from playground import inference
from playground.cka import cka, cka_matrix
from playground.embeddings import cloud, clusters, positions, projection, similarity, stem, tokens
from playground.image import Picture, view
from playground.models import family_of, heads
from playground.models.parts import parts_of
from playground.models.preprocess import preprocess_of

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
