"""The bundled checkpoints: a sample of what each card claims is measured again."""

from pathlib import Path

import numpy as np
import pytest

from playground.datasets.everyday import load
from playground.datasets.scenes import SceneMaker
from playground.datasets.nouns import Truth
from playground.evaluation import classification, detection
from playground.models.card import Card
from playground.training import recipes
from playground.training.classify import predict_logits
from playground.training.detection import detections
from playground.training.publish import load_weights

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"


@pytest.mark.parametrize("name", [recipe.name for recipe in recipes.RECIPES if recipe.bundled])
def test_a_sample_of_each_card_s_claim_is_measured_again(
    name: str, photos: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """On every tenth validation photo (300 scenes) the weights score within what so small a sample can differ."""
    recipe = recipes.find(name)
    card = Card.from_json((CHECKPOINTS / name / "card.json").read_text())
    model = load_weights(recipe, CHECKPOINTS / name / "model.safetensors")
    validation = load(photos, "val", tmp_path_factory.getbasetemp() / "cache")
    claimed = {metric.name: metric.value for metric in card.metrics}
    if isinstance(recipe, recipes.DetectorRecipe):
        maker, rng = SceneMaker(validation, np.arange(len(validation)), recipe.names), np.random.default_rng(4)
        scenes = [maker.compose(rng, recipe.size) for _ in range(300)]
        found = detections(model, scenes, "cpu")
        truths = [Truth(scene.labels, scene.boxes_xyxy) for scene in scenes]
        measured = 100 * detection.average_precision(found, truths, len(recipe.names))["mAP50"]
        assert measured == pytest.approx(claimed["mAP50"], abs=8)
        return
    chosen = np.arange(0, len(validation), 10)
    logits = predict_logits(model, validation.images, chosen, recipe.size, "cpu").numpy()
    for measure, k in (("top-1", 1), ("top-5", 5)):
        assert 100 * classification.top_k(logits, validation.labels[chosen], k) == pytest.approx(
            claimed[measure], abs=7
        )
