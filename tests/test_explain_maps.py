"""Raw attention, Grad-CAM, gradient times input, occlusion, lens and norms: known answers and refusals."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from explaining import SMALL, access, attention, blank_view, by_hand, model_of, traced, whole
from torch import Tensor

from playground.explanations import METHODS, Access, Cancelled, Method, Target, explain, method_of
from playground.explanations.artefacts import artefacts
from playground.explanations.attention import matrix, panel
from playground.explanations.gradcam import feature_names
from playground.explanations.lens import answers, life
from playground.explanations.occlusion import windows
from playground.explanations.places import cells, region_of
from playground.trace import Attention, AxialAttention, Feature, Graph, Sequence, Trace

THREE = torch.tensor([[[0.2, 0.3, 0.5], [0.6, 0.4, 0.0], [0.1, 0.1, 0.8]]], dtype=torch.float64)


def test_a_row_is_looks_at_and_a_column_is_looked_at_by() -> None:
    trace = by_hand([THREE], (1, 2), ("class",))
    made = explain("attention", trace)
    assert made.values.tolist() == [pytest.approx([0.3, 0.5])]
    assert made.apart == (("class", pytest.approx(0.2)),)
    at = explain("attention", trace, Target(patch=(0, 0)))
    assert whole(at).tolist() == pytest.approx([0.6, 0.4, 0.0])
    by = explain("attention", trace, Target(patch=(0, 0)), {"direction": "is looked at by"})
    assert whole(by).tolist() == pytest.approx([0.3, 0.4, 0.1])


def test_heads_are_chosen_or_mixed() -> None:
    a = attention(3, 6, 1)
    trace = by_hand([a, attention(3, 6, 2)], (2, 3))
    target = Target(patch=(1, 0), layer=0)
    for how, expected in (("mean", a.mean(0)), ("max", a.amax(0)), ("min", a.amin(0))):
        assert whole(explain("attention", trace, target, {"heads": how})).tolist() == pytest.approx(
            expected[3].tolist()
        )
    assert whole(explain("attention", trace, replace(target, head=2))).tolist() == pytest.approx(a[2, 3].tolist())


def test_the_last_layer_is_the_default_and_a_mean_readout_averages_rows() -> None:
    layers = [attention(2, 6, seed) for seed in range(2)]
    made = explain("attention", by_hand(layers, (2, 3)))
    assert made.target.layer == 1
    assert whole(made).tolist() == pytest.approx(layers[1].mean((0, 1)).tolist())


@pytest.mark.parametrize("name", ["vit", "registers", "distilled", "coatnet", "axial", "detr"])
@pytest.mark.parametrize("direction", ["looks at", "is looked at by"])
def test_the_panel_holds_the_same_maps_as_single_calls(name: str, direction: str) -> None:
    trace = traced(name)
    patch = Target(patch=(1, 1), query=2 if name == "detr" else None)
    panels = panel(trace, patch, direction)
    method = method_of("attention")
    shown = 0
    for layer, _ in enumerate(method.layers(trace)):
        target = replace(patch, layer=layer, head=1)
        try:
            made = explain("attention", trace, target, {"direction": direction})
        except ValueError:
            continue
        assert np.allclose(panels[shown][1], made.values, atol=1e-6)
        shown += 1
    assert shown == len(panels) > 0


@pytest.mark.parametrize("strided", [False, True])
def test_axial_attention_is_composed_by_the_column_of_the_attended_place(strided: bool) -> None:
    """The outer product with the query's own column is another map, and is not ours."""
    trace = traced("axial")
    layer = 1 if strided else 0
    step = trace.links[layer].step
    assert isinstance(step, AxialAttention) and (step.pool is not None) == strided
    width, height = step.width.mean(1), step.height.mean(1)
    made = explain("attention", trace, Target(patch=(2, 3), layer=layer))
    dense = torch.einsum("ijn,nim->ijmn", width, height)  # [i, j, m, n]
    expected = dense[4:6, 6:8].mean((0, 1)) if strided else dense[2, 3]
    assert np.allclose(made.values, expected, atol=1e-6)
    wrong = height[3, 2][:, None] * width[2, 3][None, :]
    assert strided or not np.allclose(made.values, wrong, rtol=1e-2)
    by = explain("attention", trace, Target(patch=(5, 6), layer=layer), {"direction": "is looked at by"})
    looked = dense[:, :, 5, 6]
    expected = looked.reshape(8, 2, 10, 2).mean((1, 3)) if strided else looked
    assert np.allclose(by.values, expected, atol=1e-6)


def test_axial_columns_and_rows_stand_alone() -> None:
    trace = traced("axial")
    step = trace.links[0].step
    column = explain("attention", trace, Target(patch=(2, 3), layer=0), {"axis": "column"}).values
    row = explain("attention", trace, Target(patch=(2, 3), layer=0), {"axis": "row"}).values
    assert np.allclose(column[:, 3], step.height[3].mean(0)[2], atol=1e-6)
    assert np.allclose(row[2], step.width[2].mean(0)[3], atol=1e-6)
    assert np.count_nonzero(column.sum(0)) == np.count_nonzero(row.sum(1)) == 1
    said = [
        explain("attention", trace, Target(layer=0), {"axis": axis}).notes[-1] for axis in ("both", "column", "row")
    ]
    assert [text.split()[0:2] for text in said] == [["Columns", "attend"], ["The", "column"], ["The", "row"]]


def test_detr_queries_look_into_memory_and_at_each_other() -> None:
    trace = traced("detr")
    made = explain("attention", trace, Target(query=3, layer=len(trace.links) - 1))
    assert np.allclose(made.values.ravel(), trace.links[-1].step.weights().mean(0)[3], atol=1e-6)
    assert made.target.query == 3
    among = trace.links[2]
    assert np.allclose(matrix(among, 1), among.step.weights()[1], atol=1e-6)
    with pytest.raises(ValueError, match="no map of the picture"):
        explain("attention", trace, Target(query=3, layer=2))


def test_prefix_tokens_can_be_asked_by_name() -> None:
    trace = traced("registers")
    made = explain("attention", trace, Target(token="register 2"))
    row = trace.links[-1].step.weights().mean(0)[1]
    assert np.allclose(whole(made), row, atol=1e-6)
    assert [name for name, _ in made.apart] == ["register 1", "register 2", "register 3", "register 4"]
    with pytest.raises(ValueError, match="choose one of: register 1"):
        explain("attention", trace, Target(token="class"))


def with_graph(features: list[Tensor], logits: Tensor, grid: tuple[int, int], prefix: tuple[str, ...]) -> Trace:
    patches = Sequence("patches", len(prefix) + grid[0] * grid[1], grid, prefix)
    named = tuple(Feature(f"block {i + 1}", patches, f) for i, f in enumerate(features))
    trace = by_hand([attention(1, patches.count)], grid, prefix)
    return replace(trace, logits=logits.detach(), graph=Graph(torch.zeros(1), logits, (None,), named))


def test_grad_cam_weighs_channels_by_their_mean_gradient() -> None:
    f = torch.tensor([[[9.0, 9.0], [1.0, 0.0], [2.0, 1.0], [0.0, 3.0], [1.0, 1.0]]], requires_grad=True)  # class first
    logits = torch.stack([f[0, 1:, 0].sum() - 2 * f[0, 1:, 1].sum(), f[0, 0].sum()])
    trace = with_graph([f], logits, (2, 2), ("class",))
    made = explain("gradcam", trace, Target(class_index=0))
    assert made.values.tolist() == [[1.0, 0.0], [0.0, 0.0]]  # the class token's own channels take no part
    signed = explain("gradcam", trace, Target(class_index=0), {"positive": False})
    assert signed.values.tolist() == [[1.0, 0.0], [-6.0, -1.0]]
    assert made.apart == ()


def test_patches_of_the_last_block_never_reach_a_class_token() -> None:
    """Elsewhere Grad-CAM on the last block of a vision transformer is a zero map; ours takes an earlier or says so."""
    trace = traced("vit", graph=True)
    made = explain("gradcam", trace, Target(class_index=1))
    assert feature_names(trace)[made.target.layer] == "block 2"
    assert made.values.max() > 0
    with pytest.raises(ValueError, match="earlier layer"):
        explain("gradcam", trace, Target(class_index=1, layer=2))
    averaging = explain("gradcam", traced("registers", graph=True), Target(class_index=1), {"positive": False})
    assert averaging.target.layer == 2


@pytest.mark.parametrize("name", ["coatnet", "axial", "detr", "resnet", "beit"])
def test_grad_cam_works_on_every_level_of_every_family(name: str) -> None:
    trace = traced(name, graph=True)
    count = len(feature_names(trace))
    assert count > 1
    for layer in range(count if name != "beit" else 0):
        made = explain("gradcam", trace, Target(layer=layer), {"positive": False})
        assert made.values.shape == trace.graph.features[layer].sequence.grid
        assert np.abs(made.values).max() > 0


def linear_trace(rows: int, cols: int, grid: tuple[int, int]) -> tuple[Trace, Tensor]:
    trace = replace(by_hand([attention(1, grid[0] * grid[1])], grid), view=blank_view(rows, cols))
    pixels = torch.randn(1, 3, rows, cols, generator=torch.Generator().manual_seed(3)).requires_grad_()
    weight = torch.randn(2, 3, rows, cols, generator=torch.Generator().manual_seed(4))
    logits = (weight * pixels).sum((1, 2, 3)) + torch.tensor([0.5, 0.0])
    return replace(trace, logits=logits.detach(), graph=Graph(pixels, logits, (None,))), weight


def test_gradient_times_input_adds_up_for_a_linear_model() -> None:
    trace, weight = linear_trace(32, 48, (2, 3))
    made = explain("gradient_input", trace, Target(class_index=0))
    assert made.values.shape == (2, 3) and made.signed
    assert made.values.sum() == pytest.approx(float(trace.logits[0]) - 0.5, rel=1e-4)
    product = (weight[0] * trace.graph.pixels.detach()[0]).sum(0)
    assert made.values[1, 2] == pytest.approx(float(product[16:, 32:].sum()), rel=1e-4)
    fine = explain("gradient_input", trace, Target(class_index=0), {"detail": "pixels", "strength": True})
    assert np.allclose(fine.values, product.abs(), atol=1e-5)


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr", "resnet"])
def test_gradient_times_input_works_for_every_family(name: str) -> None:
    made = explain("gradient_input", traced(name, graph=True))
    assert np.abs(made.values).max() > 0


def additive(weights: np.ndarray, cell: int) -> Access:
    """A model whose class 0 is the sum of weights of cells that are not mean colour."""
    grid = torch.from_numpy(weights).float()

    def forward(pixels: Tensor) -> Tensor:
        seen = (pixels.abs().amax(1) > 1e-6).float()  # [n, H, W]
        seen = torch.nn.functional.avg_pool2d(seen[:, None], cell)[:, 0]  # [n, rows, cols]
        score = (seen * grid).sum((1, 2))
        return torch.stack([score, torch.zeros_like(score)], -1)

    return Access(forward)


def painted(grid: tuple[int, int]) -> Trace:
    trace = by_hand([attention(1, grid[0] * grid[1])], grid)
    view = trace.view
    return replace(trace, view=replace(view, pixels=np.ones_like(view.pixels)), logits=torch.tensor([1.0, 0.0]))


def test_occlusion_finds_the_one_patch_that_matters() -> None:
    weights = np.zeros((3, 4))
    weights[1, 2] = 2.0
    made = explain("occlusion", painted((3, 4)), Target(class_index=0), {"window": 1}, additive(weights, 16))
    lost = 1 / (1 + np.exp(-2)) - 0.5
    expected = np.zeros((3, 4))
    expected[1, 2] = lost
    assert made.values == pytest.approx(expected, abs=1e-6)
    wide = explain("occlusion", painted((3, 4)), Target(class_index=0), {"window": 2}, additive(weights, 16))
    assert wide.values.argmax() == 6 and wide.values[0, 0] == 0
    assert wide.values[1, 1] == pytest.approx(lost / 2) and wide.values[0, 1] == pytest.approx(lost / 4)


def test_windows_cover_every_cell_alike() -> None:
    covers = windows((3, 4), 2, 1).reshape(-1, 3, 4)
    assert len(covers) == 20
    assert covers.sum(0).tolist() == [[4] * 4] * 3
    assert windows((50, 50), 4, 4).any(0).all() and len(windows((50, 50), 4, 4)) <= 256
    assert windows((2, 2), 5, 1).any(0).all()


def test_occlusion_tells_its_progress_and_can_be_stopped() -> None:
    seen: list[float] = []
    ask = replace(additive(np.ones((3, 4)), 16), batch=4, progress=seen.append)
    explain("occlusion", painted((3, 4)), Target(class_index=0), {"window": 1}, ask)
    assert seen == sorted(seen) and seen[-1] == 1.0 and len(seen) == 4
    with pytest.raises(Cancelled):
        explain("occlusion", painted((3, 4)), None, None, replace(ask, cancelled=lambda: len(seen) > 4))


@pytest.mark.parametrize("name", ["vit", "coatnet", "axial", "detr"])
def test_occlusion_runs_every_family_and_fixes_class_and_query_on_the_whole_picture(name: str) -> None:
    trace = traced(name)
    made = explain("occlusion", trace, None, {"window": 3, "fill": "blur"}, access(name))
    assert made.target.class_index is not None and (made.target.query is not None) == (name == "detr")
    assert np.abs(made.values).max() > 0


@pytest.mark.parametrize("name", ["vit", "registers", "distilled", "pooled", "coatnet", "axial"])
def test_the_last_step_of_the_lens_is_the_models_own_answer(name: str) -> None:
    model = model_of(name)
    trace = traced(name, model=model)
    found = answers(trace, access(name, model))
    assert np.allclose(found[-1][1], trace.logits.softmax(-1), atol=1e-5)
    made = explain("lens", trace, Target(class_index=2), access=access(name, model))
    assert made.values.shape == trace.tokens[-1].sequence.grid
    if name == "vit":
        assert made.apart[0][1] == pytest.approx(float(trace.logits.softmax(-1)[2]), abs=1e-5)


def test_the_lens_goes_through_the_final_norm() -> None:
    model = model_of("vit")
    trace = traced("vit", model=model)
    made = explain("lens", trace, Target(class_index=0, layer=1), access=access("vit", model))
    token = trace.tokens[1].values[3]
    with torch.no_grad():
        expected = model.head(model.norm(token)).softmax(-1)[0]
    assert made.values.ravel()[2] == pytest.approx(float(expected), abs=1e-6)


def test_the_life_of_a_query_ends_at_its_answer() -> None:
    model = model_of("detr")
    trace = traced("detr", model=model)
    steps = life(trace, Target(query=4), access("detr", model))
    assert [s.layer for s in steps] == ["decoder layer 1", "decoder layer 2", "decoder layer 3"]
    assert np.allclose(steps[-1].probabilities, trace.logits[4].softmax(-1), atol=1e-5)
    assert steps[-1].box_cxcywh == pytest.approx(trace.boxes_cxcywh[4].tolist(), abs=1e-5)
    with pytest.raises(ValueError, match="life of a query"):
        explain("lens", trace, access=access("detr", model))


def test_norms_are_of_tokens_before_the_final_norm_and_outliers_stand_out() -> None:
    """Norms taken after the final norm hide the outliers; there is no threshold that fits all models."""
    tokens = torch.ones(13, 4)
    tokens[0] *= 500
    tokens[1:] *= torch.linspace(1, 2, 12)[:, None]
    tokens[7] *= 50
    trace = by_hand([attention(1, 13)], (3, 4), ("class",), tokens=[tokens])
    found = artefacts(trace)
    assert found.places == (7,) and found.patches == ((1, 2),)
    made = explain("norms", trace)
    assert made.apart == (("class", pytest.approx(1000)),)
    assert made.values[0, 0] == pytest.approx(2.0)
    assert made.notes[0].startswith("1 of 12 patches")
    assert artefacts(traced("vit")).norms.shape == (16,)


@pytest.mark.parametrize("name", ["vit", "detr"])
def test_maps_know_where_they_lie_on_the_upload(name: str) -> None:
    trace = traced(name)
    made = explain("attention", trace, Target(layer=0, patch=(0, 0)))
    x0, y0, x1, y1 = made.region_xyxy
    if name == "vit":
        assert (x0, y0, x1, y1) == trace.view.region_xyxy
    rows, cols = made.values.shape
    scale = trace.view.image.width / trace.view.picture_size[0]
    stride = 16 if name == "vit" else 32
    assert (x1 - x0) * scale / cols == pytest.approx(stride, rel=0.02)
    assert rows * cols == trace.links[0].reads.count - len(trace.links[0].reads.prefix)


def test_a_grid_that_does_not_divide_the_view_reaches_past_its_edge() -> None:
    """DETR rounds sizes up: 1066 pixels make 34 columns of 32, and the last column is partly padding."""
    view = blank_view(800, 1066)
    assert region_of(view, (25, 34)) == (0, 0, pytest.approx(1088), 800)
    where = cells(view, (25, 34))
    assert where[0, 31] == 0 and where[0, 32] == 1 and where[-1, -1] == 25 * 34 - 1


@pytest.mark.parametrize("method", METHODS, ids=lambda m: m.name)
@pytest.mark.parametrize("name", ["vit", "registers", "coatnet", "axial", "detr", "resnet", "pvt"])
def test_every_method_answers_every_family_or_says_why_not(method: Method, name: str) -> None:
    trace = traced(name, graph=method.needs == "gradient")
    options = {"window": 4} if method.name == "occlusion" else {}
    if (name, method.name) in REFUSED:
        with pytest.raises(ValueError, match=r"^[A-Z][^\n]{20,200}\.$"):
            explain(method.name, trace, None, options, access(name))
        return
    made = explain(method.name, trace, None, options, access(name))
    assert made.method == method.name
    assert made.values.dtype == np.float32 and made.values.ndim == 2 and np.isfinite(made.values).all()
    assert made.signed or made.values.min() >= 0


REFUSED = {
    ("detr", "lens"), ("resnet", "attention"), ("resnet", "rollout"),
    ("resnet", "gradient_rollout"), ("resnet", "relevance"), ("resnet", "lens"),
    ("pvt", "rollout"), ("pvt", "gradient_rollout"), ("pvt", "relevance"), ("pvt", "lens"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (Target(patch=(3, 0)), "row of the patch must be a whole number from 0 to 2"),
        (Target(patch=(0, -1)), "column of the patch must be a whole number from 0 to 4"),
        (Target(patch=(0, float("nan"))), "column of the patch"),  # type: ignore[arg-type]
        (Target(patch=(1,)), "its row and its column"),  # type: ignore[arg-type]
        (Target(layer=3), "layer must be a whole number from 0 to 2"),
        (Target(head=3), "head must be a whole number from 0 to 2"),
        (Target(head=True), "head must be a whole number"),
        (Target(token="no such token " * 9), "choose one of: class"),
    ],
)
def test_targets_outside_the_model_are_refused(target: Target, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        explain("attention", traced("vit"), target)


def test_classes_and_queries_outside_the_model_are_refused() -> None:
    with pytest.raises(ValueError, match="class must be a whole number from 0 to 4"):
        explain("relevance", traced("vit", graph=True), Target(class_index=5))
    detr = traced("detr", graph=True)
    with pytest.raises(ValueError, match="query must be a whole number from 0 to 5"):
        explain("relevance", detr, Target(query=6))
    with pytest.raises(ValueError, match="class must be a whole number from 0 to 4"):  # 5 is "no object"
        explain("relevance", detr, Target(query=0, class_index=5))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"residual": float("nan")}, "residual weight must be a number from 0 to 1"),
        ({"residual": 1.5}, "from 0 to 1"),
        ({"heads": "median"}, "mean, max, min"),
        ({"heads": ["max"]}, "mean, max, min"),
        ({"start_layer": 0.5}, "start layer must be a whole number"),
        ({"without_artefacts": "no"}, "true or false"),
        ({"colour": "red"}, "has no option 'colour'"),
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        explain("rollout", traced("vit"), None, options)


def test_maps_that_are_not_finite_are_refused() -> None:
    broken = by_hand([torch.full((1, 6, 6), float("nan"))], (2, 3))
    with pytest.raises(ValueError, match="not finite"):
        explain("attention", broken, Target(patch=(0, 0)))
    with pytest.raises(ValueError, match="choose one of attention, rollout"):
        explain("guess", broken)


def test_the_detectors_best_class_is_never_no_object() -> None:
    trace = traced("detr", graph=True)
    logits = trace.logits.clone()
    logits[:, -1] += 100
    made = explain("gradcam", replace(trace, logits=logits))
    assert 0 <= made.target.class_index < 5
    assert set(SMALL) >= {"vit", "coatnet", "axial", "detr"}


def test_padded_keys_get_no_attention() -> None:
    bias = torch.zeros(1, 1, 6)
    bias[..., 4:] = -torch.inf
    trace = by_hand([attention(1, 6)], (2, 3))
    step = Attention(q=torch.ones(2, 6, 3), k=torch.ones(2, 6, 3), bias=bias)
    trace = replace(trace, links=(replace(trace.links[0], step=step),))
    assert whole(explain("attention", trace, Target(patch=(0, 0)))).tolist() == pytest.approx([0.25] * 4 + [0, 0])


@pytest.mark.parametrize(
    ("name", "method", "target", "sentence"),
    [
        ("vit", "rollout", Target(layer=0), "Attention rollout has no single layer to choose"),
        ("vit", "relevance", Target(head=1), "has no single head to choose"),
        ("vit", "gradcam", Target(head=0), "has no single head to choose"),
        ("axial", "rollout", Target(query=0), "has no object queries"),
        ("vit", "attention", Target(class_index=5), "class must be a whole number from 0 to 4"),
        ("detr", "rollout", Target(class_index=5), "class must be a whole number from 0 to 4"),
    ],
)
def test_what_a_method_or_model_does_not_know_is_refused_not_passed_over(
    name: str, method: str, target: Target, sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        explain(method, traced(name, graph=True), target)


@pytest.mark.parametrize("part", ["content", "bias"])
def test_a_map_of_one_part_of_the_logits_says_so(part: str) -> None:
    assert part in explain("attention", traced("coatnet"), None, {"part": part}).notes[-1]


@pytest.mark.parametrize("patch", [(99, 0), (0, -1)])
def test_a_patch_outside_every_grid_is_refused_by_methods_that_start_from_none(patch: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"(row|column) of the patch must be a whole number from 0 to \d+, not "):
        explain("gradcam", traced("vit", graph=True), Target(patch=patch))


def test_an_axis_is_for_axial_models_alone() -> None:
    with pytest.raises(ValueError, match="no column and row step"):
        explain("attention", traced("vit"), None, {"axis": "row"})
