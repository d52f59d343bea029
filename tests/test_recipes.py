"""Recipes: networks as they say, detectors phase after phase, and the checkpoints that the command writes."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import EIGHTY, NAMES, drawn_photos, write_everyday
from PIL import Image
from torch import Tensor

from playground.__main__ import main
from playground.datasets.scenes import SceneMaker
from playground.models import catalogue
from playground.models.card import Card
from playground.models.detr import DETR
from playground.training import command, loop, recipes
from playground.training.classify import Augment, Classification, normalised, to_float
from playground.training.detection import Detection, detections
from playground.training.drawn import ShapesSession
from playground.training.failures import failures
from playground.training.frozen import FrozenDetection, features
from playground.training.loop import Run, Settings, Stage, TrainingError
from playground.training.matching import Targets
from playground.training.phases import PhasedTraining
from playground.training.publish import Results, halved, how_made, load_weights, publish, write_weights
from playground.training.recipe import Phase


def test_recipes_build_what_they_say() -> None:
    assert [recipe.name for recipe in recipes.RECIPES if recipe.bundled] == [
        "everyday-coatnet",
        "everyday-vit",
        "everyday-axial",
        "everyday-detr",
        "shapes-detr-panoptic",
        "shapes-tiny",
    ]
    for recipe in recipes.RECIPES:
        model = recipes.build(recipe, recipe.size).eval()
        count = sum(p.numel() for p in model.parameters())
        assert 1e5 < count < (5e6 if recipe.bundled else 2e7), "half precision must stay under 10 MB"
        with torch.inference_mode():
            out = model(torch.zeros(1, 3, recipe.size, recipe.size))
        shape = out["logits"].shape if isinstance(out, dict) else out.shape
        if isinstance(out, dict):  # the last class is "no object"
            assert shape == (1, recipe.options["num_queries"], recipe.options["num_classes"] + 1)
        else:
            assert shape == (1, recipe.options["num_classes"])
        assert len(recipe.labels) == shape[-1] - isinstance(out, dict) or recipe.labels == "everyday-80"
        assert recipe.stages[-1].until == 1.0
        assert recipe.on("cpu") is recipe
        there = recipe.on("cuda:0")
        assert (there.name, there.options, there.size) == (recipe.name, recipe.options, recipe.size)
    with pytest.raises(ValueError, match="no recipe called"):
        recipes.find("../everyday-vit")


def test_a_detector_starts_from_a_classifier_and_loses_its_spare_queries() -> None:
    recipe = recipes.find("everyday-detr")
    assert isinstance(recipe, recipes.DetectorRecipe)
    given = recipes.build(recipes.find(recipe.backbone), 64).state_dict()
    model = recipes.build(recipe, 128, groups=4)
    assert isinstance(model, DETR)
    model.load_state_dict(recipes.backbone_state(given, model))
    stage = model.backbone.stages_1.blocks[0].attn
    torch.testing.assert_close(stage.qkv.weight, given["stages.1.blocks.0.attn.qkv.weight"])
    assert len(stage.rel_pos.relative_position_bias_table) == 31**2  # offsets within 16 cells at 128 px, 8 at 64
    small = recipes.build(recipe, 128)
    small.load_state_dict(recipes.with_groups(model.state_dict(), 25))
    pixels = torch.randn(1, 3, 128, 128)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(pixels)["logits"], small.eval()(pixels)["logits"])
    with pytest.raises(ValueError, match="another network"):
        recipes.backbone_state({"stem.conv1.weight": torch.zeros(1)}, model)


def test_a_detector_learns_from_scenes() -> None:
    """A few steps lower the loss on scenes; detections come back in pixels."""
    recipe = small_detector()
    maker = SceneMaker(drawn_photos(), np.arange(80), NAMES[:3])
    held = [maker.compose(np.random.default_rng(0), 64) for _ in range(4)]
    task = Detection(maker, held, lambda size: recipes.build(recipe, size, 2), groups=2)
    run = Run(task, Settings(10, (Stage(1.0, 64, 4),), lr=1e-3, weight_decay=0.0, warmup=1e-9, bf16=False))
    losses = [run.one_step() for _ in range(40)]
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    answers = detections(run.ema, held, "cpu")
    assert answers[0].boxes_xyxy.shape == (6, 4)
    assert answers[0].boxes_xyxy.min() >= 0 and answers[0].boxes_xyxy.max() <= 64


def small_detector() -> recipes.DetectorRecipe:
    """The detector's recipe with fewer layers, for drawn photos."""
    recipe = recipes.find("everyday-detr")
    assert isinstance(recipe, recipes.DetectorRecipe)
    options = dict(recipe.options) | {
        "backbone": "resnet18",
        "backbone_options": {"channels": (32, 64, 128, 256), "output_stride": 16},
        "enc": 1,
        "dec": 2,
        "d_model": 32,
        "ffn": 32,
        "num_classes": 3,
        "num_queries": 6,
    }
    stages = (Stage(1.0, 64, 2),)
    phases = (Phase("whole", 0.5, stages, 5e-4, 2), Phase("frozen", 0.5, stages, 5e-4, 1, scenes=12, class_cost=5.0))
    whole = dataclasses.replace(recipe, options=options, names=NAMES[:3], phases=phases, stages=stages)
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
    assert isinstance(targets, Targets)
    assert pixels.shape == (4, 256, 4, 4)
    assert len(targets.labels) == len(targets.counts) == 4


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
    assert [line for line in told if line.startswith("phase ")][-1] == names[-1]
    states = [file.name for file in entered.cache.glob("*.state.safetensors")]
    assert states == [f"everyday-detr.{len(names)}.state.safetensors"]


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
    kept = model.patch_drop(torch.randn(2, 257, 192))
    assert kept.shape == (2, 65, 192)  # the class token and a quarter of 256 patches
    model.eval()
    assert model.patch_drop(torch.randn(2, 257, 192)).shape == (2, 257, 192)
    task.enter(model.train(), Stage(1.0, 64, 2))
    assert model.patch_drop(torch.randn(2, 257, 192)).shape == (2, 257, 192)


def test_photos_of_two_classes_are_scored() -> None:
    photos = drawn_photos(8)
    two = dataclasses.replace(photos, labels=photos.labels % 2, classes=NAMES[:2])
    task = Classification(two, np.arange(8), np.arange(8), lambda _: torch.nn.Identity(), recipes.fit, Augment())
    head = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 64 * 64, 2))
    assert task.score(head, 64)["top-5"] == 1.0


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
    wrong = failures("top-1", each, classes, [(3, 5, 2, 9)])
    publish(recipe, tmp_path, Results(metrics, wrong, 0.4, 1.1, 0.27), {"data": "drawn", "seed": 0})
    card = Card.from_json((tmp_path / "card.json").read_text())
    assert (card.name, card.unsure_below, card.temperature, card.threshold) == (recipe.name, 0.4, 1.1, 0.27)
    assert card.metrics[0].value == 12.35 or card.metrics[0].value == 12.34
    assert card.size_bytes == (tmp_path / "model.safetensors").stat().st_size
    readme = (tmp_path / "README.md").read_text()
    assert "class 0 0, class 1 1" in readme and "| class 3 | class 5 | 2 of 9 |" in readme
    assert (tmp_path / "failures.svg").read_text().startswith("<svg")
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
    apart = tmp_path / "apart"  # training where the validation part is not; measuring where it is
    write_everyday(apart, photos, "train")
    where[1] = str(apart)
    where[3] = str(tmp_path / "other-cache")
    capsys.readouterr()
    assert command.main(["everyday-coatnet", "--minutes", "0.001", *where]) == 2
    assert "val" in capsys.readouterr().err
    made = how_made(tmp_path / "out" / "everyday-coatnet" / "model.safetensors")
    assert made["command"].startswith("python -m playground train everyday-coatnet --data FOLDER --minutes")
    where[1] = str(tmp_path / "data")
    assert command.main(["everyday-coatnet", "--measure", *where]) == 0
    measured = Card.from_json((tmp_path / "out" / "everyday-coatnet" / "card.json").read_text())
    assert measured.training == made
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


def test_a_folder_of_ones_own_photos_trains_a_model_of_its_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for name, colour in (("red", (200, 30, 30)), ("green", (30, 200, 30))):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(40):
            pixels = np.clip(np.array(colour) + rng.normal(0, 30, (70, 90, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{number}.jpg")
    given = ["--data", str(tmp_path / "photos"), "--out", str(tmp_path / "out"), "--cache", str(tmp_path / "cache")]
    assert command.main(["everyday-vit", "--minutes", "0.4", *given]) == 0
    card = Card.from_json((tmp_path / "out" / "own-vit" / "card.json").read_text())
    assert (card.labels, card.options["num_classes"], card.license) == (("green", "red"), 2, "none")
    assert "origin" not in card.training
    metrics = {metric.name: metric.value for metric in card.metrics}
    assert metrics["top-1"] > 50
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path / "out")
    capsys.readouterr()
    assert main(["evaluate", "--model", "own-vit", "--data", str(tmp_path / "photos"), "--json"]) == 0
    measured = {one["name"]: one["value"] for one in json.loads(capsys.readouterr().out)["metrics"]}
    assert {name: metrics[name] for name in measured} == pytest.approx(measured, abs=0.006)  # the card's two digits


def test_a_full_disk_and_a_stop_by_hand_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for raised, code, sentence in (
        (OSError(28, "No space left on device"), 2, "No space left on device"),
        (KeyboardInterrupt(), 130, "--resume goes on"),
    ):

        def learn(*_: object, raised: BaseException = raised) -> None:
            raise raised

        monkeypatch.setattr(ShapesSession, "learn", learn)
        assert command.main(["shapes-tiny", "--out", str(tmp_path), "--cache", str(tmp_path)]) == code
        told = capsys.readouterr().err.strip()
        assert sentence in told and "\n" not in told


def test_too_few_photos_are_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos" / "red").mkdir(parents=True)
    for number in range(3):
        Image.new("RGB", (64, 64), (200, 30, 30)).save(tmp_path / "photos" / "red" / f"{number}.png")
    given = ["--data", str(tmp_path / "photos"), "--cache", str(tmp_path / "cache")]
    assert command.main(["everyday-vit", *given]) == 2
    assert "at least 50 are needed" in capsys.readouterr().err
