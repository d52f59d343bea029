"""Learning masks: known answers of the losses, where queries start, and a checkpoint made from nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from playground.datasets.shapes import NAMES, THINGS, ShapesMaker
from playground.models import catalogue
from playground.models.card import Card
from playground.models.detr import DETR
from playground.training import command, recipes
from playground.training.detection import target
from playground.training.drawn import scenes
from playground.training.loop import Run, Settings, Stage
from playground.training.matching import Target, Targets, dense_loss
from playground.training.panoptic import PanopticDetection, mask_loss, segment_at, things_found
from playground.training.recipe import ShapesRecipe
from playground.training.regions import answers, best_segments_from, panoptic_quality
from playground.training.session import where_the_page_looks

SMALL = {
    "backbone": "resnet18",
    "backbone_options": {"channels": (8, 8, 8, 8), "output_stride": 8, "out_indices": (0, 1, 2, 3)},
    "num_classes": len(NAMES),
    "num_queries": 6,
    "d_model": 128,
    "nhead": 8,
    "enc": 1,
    "dec": 1,
    "ffn": 32,
    "panoptic": True,
    "frozen_norm": False,
    "dropout": 0.0,
    "position_at_input": True,
}


def small(groups: int = 1) -> DETR:
    torch.manual_seed(0)
    return DETR(**SMALL, query_groups=groups)


def drawn(count: int, size: int = 32) -> list:
    maker, rng = ShapesMaker((1, 2)), np.random.default_rng(0)
    return [maker.compose(rng, size) for _ in range(count)]


def test_a_mask_loss_is_nought_for_the_truth_and_large_for_its_opposite() -> None:
    shares = torch.zeros(2, 4, 4)
    shares[0, :2] = 1
    shares[1, 1, 1] = 1
    sure = 20 * (2 * shares - 1)
    assert float(mask_loss(sure, shares)) < 1e-4
    assert float(mask_loss(-sure, shares)) > 1
    undecided = mask_loss(torch.zeros(2, 4, 4), shares)
    focal = 0.25 * np.log(2) * np.mean([0.25 * 0.5 + 0.75 * 0.5, 0.25 / 16 + 0.75 * 15 / 16])
    dice = np.mean([1 - (8 + 1) / (8 + 8 + 1), 1 - (1 + 1) / (8 + 1 + 1)])
    assert float(undecided) == pytest.approx(focal + dice, rel=1e-5)
    assert float(mask_loss(torch.zeros(0, 4, 4), torch.zeros(0, 4, 4))) == 0


def test_each_cell_is_asked_for_the_segment_at_its_centre() -> None:
    segments = torch.ones(1, 8, 8, dtype=torch.int64)
    segments[:, :, 4:] = 2  # left and right halves
    halves = torch.tensor([[0.25, 0.5, 0.5, 1.0], [0.75, 0.5, 0.5, 1.0]])
    targets = Targets.of([Target(torch.tensor([3, 7]), halves)])
    logits = torch.full((1, 4, 11), -30.0)
    for cell, label in enumerate((3, 7, 3, 7)):
        logits[0, cell, label] = 30.0
    right = {"logits": logits, "boxes_cxcywh": halves[[0, 1, 0, 1]][None]}
    assert float(dense_loss(right, segment_at(segments, (2, 2)), targets)) == pytest.approx(0, abs=1e-4)
    wrong = {"logits": logits, "boxes_cxcywh": halves[[1, 0, 1, 0]][None]}
    box, overlap = 5 * 0.5, 2 * 1.0  # each centre is half a picture off; the boxes touch and their hull is full
    assert float(dense_loss(wrong, segment_at(segments, (2, 2)), targets)) == pytest.approx(box + overlap, rel=1e-4)


def test_masks_of_chosen_queries_equal_those_of_all() -> None:
    model = small().eval()
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        out = model(pixels)
        pictures, queries = torch.tensor([1, 0, 1]), torch.tensor([4, 2, 0])
        chosen = model.chosen_mask_logits(out, pictures, queries)
    assert torch.allclose(chosen, out["masks"][pictures, queries], atol=1e-5)
    with pytest.raises(ValueError, match="draws boxes only"):
        DETR(**(SMALL | {"panoptic": False})).chosen_mask_logits(out, pictures, queries)


def test_positions_at_the_input_reach_the_values() -> None:
    """Without them an encoder layer sees the same in each of equal cells; with them it does not."""
    flat = torch.zeros(1, 3, 64, 64)
    spread = {}
    for at_input in (False, True):
        torch.manual_seed(0)
        model = DETR(**(SMALL | {"position_at_input": at_input, "panoptic": False})).eval()
        with torch.inference_mode():
            model.input_proj.weight.zero_()  # all cells alike
            spread[at_input] = float(model(flat)["memory"].std(1).max())
    assert spread[False] < 1e-5 < 0.1 < spread[True]


def test_the_task_learns_boxes_classes_and_masks() -> None:
    shown = drawn(4)

    class Same(ShapesMaker):
        """Draws four scenes again and again."""

        def compose(self, rng: np.random.Generator, size: int) -> object:  # type: ignore[override]
            return shown[int(rng.integers(4))]

    task = PanopticDetection(Same(), shown, lambda size: small(2), groups=2, masks_at_once=6)
    settings = Settings(minutes=1.0, stages=(Stage(1.0, 32, 4),), lr=2e-3, weight_decay=0.0, bf16=False, ema=0.9)
    run = Run(task, settings)
    first = [run.one_step() for _ in range(3)]
    for _ in range(60):
        last = run.one_step()
    assert last < 0.6 * float(np.mean(first))
    names = {name for name, parameter in run.model.named_parameters() if parameter.grad is None}
    assert not names  # every parameter of the detector takes part
    assert set(task.score(run.ema, 32)) == {"mAP", "mAP50"}


class Told(nn.Module):
    """Answers with the truth of given scenes, in the order in which they are asked."""

    def __init__(self, shown: list, size: int) -> None:
        super().__init__()
        self.shown, self.size, self.at, self.num_queries = shown, size, 0, 10

    def forward(self, pixels: torch.Tensor, masks: bool = True) -> dict[str, torch.Tensor]:
        mine = self.shown[self.at : self.at + len(pixels)]
        self.at += len(pixels)
        logits = torch.zeros(len(mine), 10, len(NAMES) + 1)
        logits[..., -1] = 20.0
        boxes = torch.full((len(mine), 10, 4), 0.5)
        self.drawn = torch.full((len(mine), 10, self.size, self.size), -20.0)
        for number, scene in enumerate(mine):
            wanted = target(scene)
            for query, label in enumerate(scene.labels):
                logits[number, query, -1], logits[number, query, label] = 0.0, 20.0
                self.drawn[number, query] = torch.from_numpy(np.where(scene.masks()[query], 20.0, -20.0))
            boxes[number, : len(scene.labels)] = wanted.boxes_cxcywh
        return {"logits": logits, "boxes_cxcywh": boxes}

    def chosen_mask_logits(self, out: dict, pictures: torch.Tensor, queries: torch.Tensor) -> torch.Tensor:
        return self.drawn[pictures, queries]


def test_the_truth_is_measured_as_perfect_and_a_missing_thing_is_not() -> None:
    shown = drawn(6, 48)
    found = answers(Told(shown, 48), shown, "cpu")  # type: ignore[arg-type]
    quality = panoptic_quality(shown, found, 0.85)
    seen = ~np.isnan(quality[:, 0])
    assert seen.sum() > 4 and np.allclose(quality[seen], 1)
    for one, scene in zip(found, shown, strict=True):
        answer, parts = one.segmented((48, 48), 0.85)
        assert np.array_equal(answer, scene.segments)
        assert [part.is_thing for part in parts] == scene.is_thing.tolist()
    boxes, truths = things_found(Told(shown, 48), shown, "cpu")
    for thing, true in zip(boxes, truths, strict=True):
        assert sorted(thing.labels[thing.scores > 0.5]) == sorted(true.labels) and (true.labels < len(THINGS)).all()
    turned = shown[1:] + shown[:1]
    wrong = answers(Told(turned, 48), shown, "cpu")  # type: ignore[arg-type]
    assert np.nanmean(panoptic_quality(shown, wrong, 0.85)[:, 0]) < 0.7


@pytest.mark.parametrize(("false", "sure", "chosen"), [(0.55, 0.65, 0.6), (0.72, 0.78, 0.75)])
def test_regions_are_drawn_from_the_score_with_the_best_quality(false: float, sure: float, chosen: float) -> None:
    shown = drawn(4, 48)

    class Doubting(Told):
        """True queries answer with the score `sure`; the others with `false`, and would take the whole picture."""

        def forward(self, pixels: torch.Tensor, masks: bool = True) -> dict[str, torch.Tensor]:
            out = super().forward(pixels, masks)
            best = out["logits"].argmax(-1, keepdim=True)  # [B, 10, 1]
            true = best < len(NAMES)
            share = torch.where(true, sure, false)
            rest = (1 - share) / len(NAMES)
            out["logits"] = rest.log().repeat(1, 1, len(NAMES) + 1).scatter(-1, best * true, share.log())
            self.drawn[~true[..., 0]] = 30.0
            return out

    assert best_segments_from(Doubting(shown, 48), shown, "cpu") == chosen  # type: ignore[arg-type]


def test_scenes_for_measuring_are_fixed_and_apart() -> None:
    recipe = recipes.find("shapes-tiny")
    assert isinstance(recipe, ShapesRecipe)
    one, again, other = (scenes(recipe, use, 2) for use in ("measured", "measured", "held out"))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, again, strict=True))
    assert not any(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))


def test_a_new_user_trains_a_model_that_the_page_offers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From nothing, without data: the command writes a checkpoint, and the catalogue lists it."""
    monkeypatch.setattr("playground.training.drawn.MEASURED", 8)
    monkeypatch.setattr("playground.training.drawn.HELD_OUT", 8)
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path / "checkpoints")
    where = ["--out", str(tmp_path / "checkpoints"), "--cache", str(tmp_path / "cache")]
    assert command.main(["shapes-tiny", "--minutes", "0.01", *where]) == 0
    assert "mAP50" in capsys.readouterr().out
    card = catalogue.find("shapes-tiny")
    assert card in catalogue.bundled()
    assert (card.task, card.things, card.labels) == ("panoptic", len(THINGS), NAMES)
    assert card.training["command"].startswith("python -m playground train shapes-tiny --minutes")
    written = json.loads((tmp_path / "checkpoints" / "shapes-tiny" / "card.json").read_text())
    assert Card.from_json(json.dumps(written)) == card


def test_a_read_only_project_gets_its_checkpoints_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path / "installed" / "checkpoints")
    monkeypatch.setattr(catalogue, "OWN", tmp_path / "own")
    (tmp_path / "installed").mkdir()
    assert where_the_page_looks() == tmp_path / "installed" / "checkpoints"
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert where_the_page_looks() == tmp_path / "own"
    made = tmp_path / "own" / "shapes-tiny"
    made.mkdir(parents=True)
    shipped = Path(catalogue.__file__).parents[2] / "checkpoints" / "everyday-vit" / "card.json"
    values = json.loads(shipped.read_text()) | {"name": "shapes-tiny"}
    (made / "card.json").write_text(json.dumps(values))
    assert [card.name for card in catalogue.bundled()] == ["shapes-tiny"]
    assert catalogue.folder_of("shapes-tiny") == made
