"""How a card's model wants to see a picture."""

import timm
import timm.data

from playground.image import Preprocess
from playground.image.views import Rule
from playground.models.card import Card


def rule_of(crop_mode: object) -> Rule:
    """Return our rule for timm's crop mode, of which "center" is the usual one."""
    rules: dict[object, Rule] = {"squash": "squash", "border": "border"}
    return rules.get(crop_mode, "crop")


def preprocess_of(card: Card) -> Preprocess:
    """Return the card's own preprocessing, or timm's evaluation settings for its architecture.

    Size, crop share, interpolation, mean and standard deviation come from `timm.data.resolve_data_config`.
    """
    if card.preprocess is not None:
        return card.preprocess
    config = timm.get_pretrained_cfg(card.architecture, allow_unregistered=True)
    settings = timm.data.resolve_data_config(pretrained_cfg=config.to_dict() if config else {})
    rows, cols = settings["input_size"][1:]
    if "img_size" in card.options:
        wanted = card.options["img_size"]
        rows, cols = (wanted, wanted) if isinstance(wanted, int) else wanted
    return Preprocess(
        rule=rule_of(settings.get("crop_mode")),
        size=(rows, cols),
        crop_pct=settings["crop_pct"],
        interpolation=settings["interpolation"],
        mean=tuple(settings["mean"]),
        std=tuple(settings["std"]),
    )
