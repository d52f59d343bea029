"""Training: matching, batches, the loop with resume, recipes and cards."""

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import EIGHTY, NAMES, drawn_photos, write_everyday
from PIL import Image
from torch import Tensor, nn

from playground.datasets.everyday import SIDE
from playground.datasets.scenes import SceneMaker
from playground.models.card import Card
from playground.models.detr import DETR
from playground.training import command, loop, recipes
from playground.training.classify import Augment, Classification, augmented, mixed, normalised, to_float
from playground.training.detection import Detection, detections
from playground.training.frozen import FrozenDetection, features
from playground.training.loop import Run, Settings, Stage, TrainingError
from playground.training.matching import Target, giou, layer_losses, match, set_loss, to_cxcywh, to_xyxy
from playground.training.phases import PhasedTraining
from playground.training.publish import halved, load_weights, publish, write_weights

REFERENCE = Path(__file__).parent / "reference"


# --- matching ---------------------------------------------------------------------------------------------------------


def test_matching_and_losses_equal_the_published_criterion() -> None:
    """facebookresearch/detr at 29901c51: matcher and criterion on the last layer's outputs for a batch of two."""
    facts = json.loads((REFERENCE / "detr_resnet50_loss.json").read_text())
    with np.load(REFERENCE / "detr_resnet50_loss.npz") as file:
        logits = torch.from_numpy((file["mean"] + file["deviation"] * file["step"]).astype(np.float32))
        boxes = torch.from_numpy(file["boxes"])
    targets = [Target(torch.tensor(t["labels"]), torch.tensor(t["boxes"])) for t in facts["targets"]]
    for (queries, objects), wanted in zip(match(logits, boxes, targets), facts["match"], strict=True):
        assert [queries.tolist(), objects.tolist()] == wanted
    losses = layer_losses(logits, boxes, targets)
    for ours, theirs in (("class", "loss_ce"), ("box", "loss_bbox"), ("giou", "loss_giou")):
        assert float(losses[ours]) == pytest.approx(facts["losses"][theirs], abs=1e-5)


def test_giou_known_answers() -> None:
    a = torch.tensor([0.0, 0.0, 2.0, 2.0])
    assert float(giou(a, a)) == pytest.approx(1.0)
    assert float(giou(a, torch.tensor([1.0, 0.0, 3.0, 2.0]))) == pytest.approx(1 / 3)
    assert float(giou(a, torch.tensor([4.0, 0.0, 6.0, 2.0]))) == pytest.approx(-1 / 3)  # hull 12, union 8
    boxes = torch.rand(5, 4)
    torch.testing.assert_close(to_cxcywh(to_xyxy(boxes)), boxes)


def test_perfect_answers_cost_least_and_empty_pictures_are_fine() -> None:
    target = Target(torch.tensor([1]), torch.tensor([[0.5, 0.5, 0.2, 0.4]]))
    nothing = Target(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4))
    boxes = torch.full((2, 3, 4), 0.3)
    boxes[0, 2] = target.boxes_cxcywh[0]
    logits = torch.zeros(2, 3, 4)
    logits[:, :, 3] = 20.0
    logits[0, 2] = torch.tensor([0.0, 20.0, 0.0, 0.0])
    assert match(logits, boxes, [target, nothing])[0][0].tolist() == [2]
    losses = layer_losses(logits, boxes, [target, nothing])
    assert all(float(value) == pytest.approx(0, abs=1e-5) for value in losses.values())
    assert torch.isfinite(set_loss([(logits, boxes)], [nothing, nothing]))


def test_groups_of_queries_are_matched_each_by_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, boxes = torch.randn(2, 5, 4, generator=generator), torch.rand(2, 5, 4, generator=generator)
    targets = [
        Target(torch.tensor([0, 2]), torch.rand(2, 4, generator=generator)),
        Target(torch.tensor([1]), torch.rand(1, 4, generator=generator)),
    ]
    once = set_loss([(logits, boxes)], targets)
    twice = set_loss([(torch.cat([logits, logits], 1), torch.cat([boxes, boxes], 1))], targets, groups=2)
    torch.testing.assert_close(once, twice)


# --- classification batches -------------------------------------------------------------------------------------------


def test_augmented_photos_keep_their_range_and_follow_the_seed() -> None:
    images = to_float(drawn_photos(8).images)
    a, b, c = (augmented(images, Augment(), torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    torch.testing.assert_close(a, b)
    assert not torch.equal(a, c)
    assert a.shape == images.shape
    assert float(a.min()) >= 0 and float(a.max()) <= 1
    still = augmented(images, Augment(least_area=1.0, aspect=1.0, colour=0.0), torch.Generator().manual_seed(3))
    same = [
        torch.allclose(x, y, atol=1e-5) or torch.allclose(x, y.flip(-1), atol=1e-5)
        for x, y in zip(still, images, strict=True)
    ]
    assert all(same)  # only flips are left


def test_mixing_keeps_the_sum_of_targets() -> None:
    images, targets = torch.rand(6, 3, 16, 16), torch.eye(6)
    for seed in range(6):
        mixed_images, mixed_targets = mixed(images, targets, torch.Generator().manual_seed(seed))
        assert mixed_images.shape == images.shape
        torch.testing.assert_close(mixed_targets.sum(1), torch.ones(6))


def test_training_pixels_equal_the_page_s_view() -> None:
    """The network is trained and measured on what image.view gives it for a 64 px photo."""
    from playground.image import Preprocess, view

    photo = drawn_photos(1).images[0]
    ours = normalised(to_float(photo[None]), SIDE)[0]
    theirs = view(Image.fromarray(photo), Preprocess("crop", (SIDE, SIDE), 1.0, "bicubic")).pixels
    np.testing.assert_allclose(ours.numpy(), theirs, atol=1e-5)


# --- the loop ---------------------------------------------------------------------------------------------------------


class Line:
    """The smallest task: learn y = 3 x - 1 from noise-free points; `broken` gives a loss that is not a number."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken

    def build(self, size: int) -> nn.Module:
        return nn.Linear(1, 1)

    def fit(self, state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        return state

    def enter(self, model: nn.Module, stage: Stage) -> None:
        self.stage = stage

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        return [(1.0, ["weight", "bias"])]

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        x = torch.rand(count, 1, generator=generator)
        return x, 3 * x - 1

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        x, y = batch
        return (model(x) - y).square().mean() / (0.0 if self.broken else 1.0)

    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        return {"weight": float(model.weight)}


SHORT = Settings(0.05, (Stage(0.5, 8, 16), Stage(1.0, 16, 8)), lr=0.05, weight_decay=0.0, bf16=False)


def test_the_loop_learns_within_its_time(tmp_path: Path) -> None:
    lines: list[str] = []
    run = loop.train(Line(), SHORT, tmp_path / "state.safetensors", log=lines.append)
    assert run.progress == 1.0
    assert run.size == 16
    assert float(run.ema.weight) == pytest.approx(3, abs=0.1)
    assert float(run.ema.bias) == pytest.approx(-1, abs=0.1)


def test_resuming_gives_the_same_weights_as_never_stopping(tmp_path: Path) -> None:
    whole = Run(Line(), SHORT)
    for _ in range(12):
        whole.one_step()
        whole.elapsed = 0.0
    stopped = Run(Line(), SHORT)
    for _ in range(5):
        stopped.one_step()
        stopped.elapsed = 0.0
    stopped.save(tmp_path / "state.safetensors")
    resumed = Run(Line(), dataclasses.replace(SHORT, seed=99))
    resumed.resume(tmp_path / "state.safetensors")
    assert resumed.step == 5
    for _ in range(7):
        resumed.one_step()
        resumed.elapsed = 0.0
    for name, value in whole.ema.state_dict().items():
        torch.testing.assert_close(resumed.ema.state_dict()[name], value, rtol=0, atol=0)
    for name, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], value, rtol=0, atol=0)


def test_a_loss_that_is_no_number_stops_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="The loss became"):
        loop.train(Line(broken=True), SHORT, tmp_path / "state.safetensors", log=str)
    assert not (tmp_path / "state.safetensors").exists()


def test_a_damaged_or_foreign_state_is_refused(tmp_path: Path) -> None:
    run = Run(Line(), SHORT)
    run.save(tmp_path / "state.safetensors")
    data = (tmp_path / "state.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(TrainingError, match="cannot be resumed"):
        run.resume(tmp_path / "cut.safetensors")

    class Other(Line):
        def build(self, size: int) -> nn.Module:
            return nn.Linear(2, 1)

    with pytest.raises(TrainingError, match="cannot be resumed"):
        Run(Other(), SHORT).resume(tmp_path / "state.safetensors")


def test_saving_over_a_full_place_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(Line(), SHORT)
    run.save(tmp_path / "state.safetensors")
    before = (tmp_path / "state.safetensors").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(loop.os, "fsync", full)
    run.one_step()
    with pytest.raises(TrainingError, match="disk full"):
        run.save(tmp_path / "state.safetensors")
    assert (tmp_path / "state.safetensors").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from test_training import Line, SHORT
import dataclasses
from playground.training import loop
loop.train(Line(), dataclasses.replace(SHORT, minutes=5, save_every=0.02), Path(sys.argv[2]), log=print)
"""


def test_a_killed_run_resumes_from_a_whole_file(tmp_path: Path) -> None:
    state = tmp_path / "state.safetensors"
    process = subprocess.Popen([sys.executable, "-c", KILLED, __file__, str(state)], cwd=Path(__file__).parent.parent)
    try:
        deadline = time.monotonic() + 120
        while not state.exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    run = Run(Line(), SHORT)
    run.resume(state)
    assert run.step > 0
    assert np.isfinite(run.one_step())


def test_growing_keeps_what_was_learned() -> None:
    """Positions and relative tables are resampled; every other weight and its moments carry over exactly."""
    photos = dataclasses.replace(drawn_photos(16), classes=EIGHTY)
    for name in ("everyday-vit", "everyday-coatnet"):
        recipe = recipes.find(name)

        def build(size: int, recipe: recipes.Recipe = recipe) -> nn.Module:
            return recipes.build(recipe, size)

        task = Classification(photos, np.arange(16), np.arange(2), build, recipes.fit, Augment())
        run = Run(task, Settings(1, (Stage(1.0, 32, 2),), lr=1e-3, weight_decay=0.05, bf16=False))
        run.one_step()
        before, moments = dict(run.model.named_parameters()), run._moments()
        run.grow(48)
        after, later = dict(run.model.named_parameters()), run._moments()
        changed = {name for name in before if before[name].shape != after[name].shape}
        assert changed == {n for n in before if n == "pos_embed" or n.endswith("relative_position_bias_table")}
        assert all(torch.equal(before[n], after[n]) for n in before.keys() - changed)
        assert {f"exp_avg/{n}" for n in before.keys() - changed} <= later.keys()
        assert all(torch.equal(moments[k], later[k]) for k in later)
        assert np.isfinite(run.one_step())


# --- recipes and checkpoints ------------------------------------------------------------------------------------------


def test_recipes_build_what_they_say() -> None:
    assert [recipe.name for recipe in recipes.RECIPES if recipe.bundled] == [
        "everyday-coatnet",
        "everyday-vit",
        "everyday-axial",
        "everyday-detr",
    ]
    for recipe in recipes.RECIPES:
        model = recipes.build(recipe, recipe.size).eval()
        count = sum(p.numel() for p in model.parameters())
        assert 1e6 < count < 5e6, "half precision must stay under 10 MB"
        with torch.inference_mode():
            out = model(torch.zeros(1, 3, recipe.size, recipe.size))
        shape = out["logits"].shape if isinstance(out, dict) else out.shape
        assert shape == ((1, 25, 21) if isinstance(out, dict) else (1, 80))
        assert recipe.stages[-1].until == 1.0
    with pytest.raises(ValueError, match="no recipe called"):
        recipes.find("../everyday-vit")


def test_a_detector_starts_from_a_classifier_and_loses_its_spare_queries() -> None:
    recipe, other = recipes.find("everyday-detr"), recipes.find("everyday-resnet")
    assert isinstance(recipe, recipes.DetectorRecipe)
    given = recipes.build(other, 64).state_dict()
    model = recipes.build(recipe, 128, groups=4)
    model.load_state_dict(recipes.backbone_state(given, model))
    torch.testing.assert_close(model.backbone.layer1[0].conv1.weight, given["layer1.0.conv1.weight"])
    small = recipes.build(recipe, 128)
    small.load_state_dict(recipes.with_groups(model.state_dict(), 25))
    pixels = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(pixels)["logits"], small.eval()(pixels)["logits"])
    with pytest.raises(ValueError, match="another network"):
        recipes.backbone_state({"conv1.weight": torch.zeros(1)}, model)


def test_a_detector_learns_from_scenes() -> None:
    """A few steps of the real recipe lower the loss on scenes; detections come back in pixels."""
    recipe = recipes.find("everyday-detr")
    assert isinstance(recipe, recipes.DetectorRecipe)
    maker = SceneMaker(drawn_photos(), np.arange(80), NAMES[:3])
    held = [maker.compose(np.random.default_rng(0), 64) for _ in range(4)]
    task = Detection(maker, held, lambda size: recipes.build(recipe, size, 2), groups=2)
    run = Run(task, Settings(10, (Stage(1.0, 64, 4),), lr=1e-3, weight_decay=0.0, warmup=1e-9, bf16=False))
    losses = [run.one_step() for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    answers = detections(run.ema, held, "cpu")
    assert answers[0].boxes_xyxy.shape == (25, 4)
    assert answers[0].boxes_xyxy.min() >= 0 and answers[0].boxes_xyxy.max() <= 64


def small_detector() -> recipes.DetectorRecipe:
    """The detector's recipe with fewer layers, for drawn photos."""
    recipe = recipes.find("everyday-detr")
    assert isinstance(recipe, recipes.DetectorRecipe)
    options = dict(recipe.options) | {"enc": 1, "dec": 2, "d_model": 32, "ffn": 32, "num_classes": 3, "num_queries": 6}
    phases = tuple(
        dataclasses.replace(phase, scenes=min(phase.scenes, 12), stages=(Stage(1.0, 64, 2),)) for phase in recipe.phases
    )
    whole = dataclasses.replace(recipe, options=options, names=NAMES[:3], phases=phases, stages=(Stage(1.0, 64, 2),))
    assert isinstance(whole, recipes.DetectorRecipe)
    return whole


def test_stored_features_give_the_answers_of_the_whole_detector(tmp_path: Path) -> None:
    recipe = small_detector()
    maker = SceneMaker(drawn_photos(), np.arange(80), NAMES[:3])
    scenes = [maker.compose(np.random.default_rng(0), 64) for _ in range(3)]
    state = recipes.build(recipe, 64).state_dict()

    def whole(size: int) -> DETR:
        model = recipes.build(recipe, size)
        assert isinstance(model, DETR)
        model.load_state_dict(state)
        return model.eval()

    task = FrozenDetection(maker, scenes, whole, 64, 5, tmp_path / "features.npy")
    headless = task.build(64).eval()
    assert not [name for name, _ in headless.named_parameters() if name.startswith("backbone")]
    with torch.inference_mode():
        ours = headless(features(whole(64), scenes, "cpu"))["logits"]
        theirs = whole(64)(normalised(to_float(np.stack([scene.image for scene in scenes])), 64))["logits"]
    torch.testing.assert_close(ours, theirs)
    pixels, targets = task.batch(64, 4, torch.Generator().manual_seed(0))
    assert isinstance(pixels, Tensor)
    assert isinstance(targets, list)
    assert pixels.shape == (4, 256, 4, 4)
    assert len(targets) == 4


def test_phases_follow_each_other_and_finished_ones_are_not_repeated(tmp_path: Path) -> None:
    recipe = small_detector()
    maker = SceneMaker(drawn_photos(), np.arange(80), NAMES[:3])
    held_out = [maker.compose(np.random.default_rng(0), 64)]
    told: list[str] = []
    training = PhasedTraining(recipe, maker, held_out, tmp_path, "cpu", told.append)
    start = recipes.build(recipe, 64).state_dict()
    outcome = training.run(start, 0.05, False)
    assert outcome.steps >= 2
    assert outcome.state["query_embed.weight"].shape == (6, 32)
    frozen = loop.saved_state(tmp_path / "everyday-detr.2.state.safetensors")[0]
    assert not [name for name in frozen if name.startswith("backbone")]
    changed = {name for name, value in start.items() if not torch.equal(value, outcome.state[name])}
    assert {"class_embed.weight", "backbone.conv1.weight"} <= changed
    again = training.run(start, 0.05, True)
    names = [f"phase {number} of {len(recipe.phases)}: {phase.kind}" for number, phase in enumerate(recipe.phases, 1)]
    assert told[-len(names) :] == [f"{name}, done before" for name in names]
    assert all(torch.equal(again.state[name], outcome.state[name]) for name in again.state)
    entered = dataclasses.replace(training, cache=tmp_path / "entered", enter=1 - recipe.phases[-1].share)
    assert entered.run(start, 0.05, False).minutes > 0
    assert told[-1] == names[-1]
    assert [file.name for file in entered.cache.iterdir()] == [f"everyday-detr.{len(names)}.state.safetensors"]


def test_queries_are_added_and_left_out_from_the_end() -> None:
    state = {"query_embed.weight": torch.arange(12.0).reshape(4, 3)}
    assert torch.equal(recipes.with_groups(state, 2)["query_embed.weight"], state["query_embed.weight"][:2])
    more = recipes.with_groups(state, 8)["query_embed.weight"]
    assert torch.equal(more[:4], state["query_embed.weight"])
    assert not torch.equal(more[4:], state["query_embed.weight"])


def test_a_vision_transformer_reads_a_share_of_its_patches_while_it_learns() -> None:
    recipe = recipes.find("everyday-vit")
    photos = dataclasses.replace(drawn_photos(4), classes=EIGHTY)
    task = Classification(
        photos, np.arange(4), np.arange(2), lambda s: recipes.build(recipe, s), recipes.fit, Augment()
    )
    model = task.build(64)
    task.enter(model, Stage(1.0, 64, 2, keep=0.25))
    kept = model.patch_drop(torch.randn(2, 257, 144))
    assert kept.shape == (2, 65, 144)  # the class token and a quarter of 256 patches
    model.eval()
    assert model.patch_drop(torch.randn(2, 257, 144)).shape == (2, 257, 144)
    task.enter(model.train(), Stage(1.0, 64, 2))
    assert model.patch_drop(torch.randn(2, 257, 144)).shape == (2, 257, 144)


def test_half_precision_refuses_what_does_not_fit() -> None:
    assert halved({"a": torch.tensor([1.5]), "n": torch.tensor(3)})["a"].dtype == torch.float16
    with pytest.raises(TrainingError, match="half precision"):
        halved({"a": torch.tensor([1e6])})


def test_a_published_checkpoint_is_a_valid_card_and_loads(tmp_path: Path) -> None:
    recipe = recipes.find("everyday-axial")
    model = recipes.build(recipe, 64)
    write_weights(tmp_path / "model.safetensors", model.state_dict())
    each = np.linspace(0, 1, 80)
    classes = tuple(f"class {i}" for i in range(80))
    metrics = {"top-1": 12.345, "top-5": 30.0}
    publish(recipe, tmp_path, metrics, each, classes, 1.1, 0.4, {"data": "drawn", "seed": 0})
    card = Card.from_json((tmp_path / "card.json").read_text())
    assert card.name == recipe.name
    assert card.metrics[0].value == 12.35 or card.metrics[0].value == 12.34
    assert card.size_bytes == (tmp_path / "model.safetensors").stat().st_size
    assert "class 79 100" in (tmp_path / "README.md").read_text()
    loaded = load_weights(recipe, tmp_path / "model.safetensors")
    torch.testing.assert_close(loaded.fc.weight, model.fc.weight, atol=1e-3, rtol=1e-2)
    with pytest.raises(TrainingError, match="train everyday-vit first"):
        load_weights(recipes.find("everyday-vit"), tmp_path / "model.safetensors")


def test_the_command_trains_measures_and_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [
        dataclasses.replace(recipe, teacher="") if isinstance(recipe, recipes.ClassifierRecipe) else recipe
        for recipe in recipes.RECIPES
    ]
    monkeypatch.setattr(recipes, "RECIPES", tuple(alone))
    photos = dataclasses.replace(drawn_photos(60), classes=EIGHTY)
    for split in ("train", "val"):
        write_everyday(tmp_path / "data", photos, split)
    where = ["--data", str(tmp_path / "data"), "--cache", str(tmp_path / "cache"), "--out", str(tmp_path / "out")]
    assert command.main(["everyday-axial", "--minutes", "0.02", *where]) == 0
    card = Card.from_json((tmp_path / "out" / "everyday-axial" / "card.json").read_text())
    assert {metric.name for metric in card.metrics} >= {"top-1", "top-5", "calibration error"}
    assert command.main(["everyday-axial", "--measure", *where]) == 0
    again = Card.from_json((tmp_path / "out" / "everyday-axial" / "card.json").read_text())
    assert again == card
    capsys.readouterr()
    for wrong, sentence in (
        (["everyday-vit", "--measure", *where], "no card yet"),
        (["everyday-nothing", *where], "no recipe called"),
        (["everyday-axial", "--minutes", "-1", *where], "--minutes must be above 0"),
        (["everyday-axial", "--data", str(tmp_path / "none")], "does not exist"),
    ):
        assert command.main(wrong) == 2
        told = capsys.readouterr().err.strip()
        assert sentence in told
        assert "\n" not in told
