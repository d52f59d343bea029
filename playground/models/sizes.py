"""The same weights on pictures of another size: which sizes a model can take, and the model made for one of them."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from timm.layers import resample_abs_pos_embed
from timm.layers.pos_embed_rel import resize_rel_pos_bias_table
from torch import Tensor, nn

from playground.image import Preprocess
from playground.models import family_of
from playground.models.card import Card
from playground.models.preprocess import preprocess_of
from playground.models.weights import build_unfilled

LOWEST, HIGHEST = 32, 1024  # pixels of the shorter side
FINEST = {"vit": 64, "timm": 64, "detr": 64, "axial": 96, "coatnet": 32}  # tokens along a side where attention begins


@dataclass(frozen=True)
class Sizes:
    """The shorter sides a model can be asked at, in pixels: `low` to `high` in steps of `step`; `usual` its own."""

    low: int
    high: int
    step: int
    usual: int


def sizes_of(model: Any, card: Card) -> Sizes:
    """Return the sides allowed for a card's model; the upper bound keeps attention within a laptop's memory."""
    rule = preprocess_of(card)
    usual = rule.shortest if rule.rule == "detr" else min(rule.size)
    step, finest = _reductions(model, card)
    low = -(-max(LOWEST, 2 * step) // step) * step
    high = min(HIGHEST, FINEST[card.family] * finest) // step * step
    return Sizes(min(low, usual), max(high, usual), step, usual)


def preprocess_at(card: Card, side: int, step: int) -> Preprocess:
    """Return the card's preprocessing with the shorter side `side`; the longer keeps its share, in whole steps."""
    rule = preprocess_of(card)
    if rule.rule == "detr":
        return replace(rule, shortest=side, longest=round(rule.longest * side / rule.shortest))
    shorter = min(rule.size)
    rows, cols = (side if n == shorter else max(1, round(n * side / shorter / step)) * step for n in rule.size)
    return replace(rule, size=(rows, cols))


def at_size(model: Any, card: Card, size: tuple[int, int]) -> nn.Module:
    """Return a model with the same weights for pictures of `size` (rows, cols); only position tables are new.

    Position tables are resampled as timm does: bicubic for absolute tables, as BEiT for tables of relative bias.
    Convolutional and axial models, and DETR on a backbone that has no size, take any size and are returned as they are.
    Raises ValueError.
    """
    backbone = card.options.get("backbone_options", {})
    if card.family == "axial" or (card.family == "detr" and "img_size" not in backbone):
        return model
    sized = {"backbone_options": {**backbone, "img_size": size}} if card.family == "detr" else {"img_size": size}
    try:
        other = build_unfilled(replace(card, options={**card.options, **sized}), family_of(card).build)
    except (TypeError, AssertionError, ValueError, RuntimeError):  # no argument of that name, or a size it refuses
        if not _any_size(model):
            raise ValueError("This model cannot be made for another size of picture; choose another model.") from None
        return model
    wanted = other.state_dict()
    state = {
        name: _resampled(name, value, wanted.get(name), model, other) for name, value in model.state_dict().items()
    }
    if set(state) != set(wanted) or any(state[name].shape != wanted[name].shape for name in wanted):
        raise ValueError("This model's weights do not fit another size of picture; choose another model.")
    other.load_state_dict(state, strict=True, assign=True)
    return other.eval().requires_grad_(False).to(next(model.parameters()).device)


def _any_size(model: Any) -> bool:
    return not isinstance(getattr(model, "pos_embed", None), Tensor) and not hasattr(model, "img_size")


def _reductions(model: Any, card: Card) -> tuple[int, int]:
    """Return how much coarser than the picture the last grid is, and the grid on which attention begins."""
    if card.family == "axial":
        return 4 * int(torch.tensor(model.strides).prod()), 4
    if card.family == "detr":
        reduction = int(model.backbone.feature_info.get_dicts()[model.level]["reduction"])
        return reduction, reduction
    if card.family == "coatnet":
        kinds = [type(stage.blocks[-1]).__name__ for stage in model.stages]
        attends = next((i for i, kind in enumerate(kinds) if kind != "MbConvBlock" and kind != "ConvNeXtBlock"), 0)
        stages = model.feature_info[1:]
        return int(stages[-1]["reduction"]), int(stages[attends]["reduction"])
    patches: Any = getattr(model, "patch_embed", None)
    if hasattr(model, "blocks") and hasattr(patches, "patch_size"):
        side = int(max(patches.patch_size))
        return side, side
    levels: Any = getattr(model, "feature_info", None)
    found = levels.get_dicts() if hasattr(levels, "get_dicts") else levels
    return (int(found[-1]["reduction"]) if found else 32), 16


def _resampled(name: str, value: Tensor, wanted: Tensor | None, model: Any, other: Any) -> Tensor:
    if wanted is None or value.shape == wanted.shape:
        return value
    if name == "pos_embed" and value.dim() == 3 and hasattr(model.patch_embed, "grid_size"):
        old, new = model.patch_embed.grid_size, other.patch_embed.grid_size
        prefix = value.shape[1] - old[0] * old[1]
        return resample_abs_pos_embed(value, list(new), list(old), num_prefix_tokens=prefix)
    if name.endswith("relative_position_bias_table"):
        path = name.rpartition(".")[0]
        here, there = model.get_submodule(path), other.get_submodule(path)
        return resize_rel_pos_bias_table(
            value, there.window_size, tuple(wanted.shape), old_window_size=here.window_size
        )
    return value
