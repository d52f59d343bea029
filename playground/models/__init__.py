"""The model families, in display order. A new family is one file and its name here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from playground.image import View
from playground.models.lean import import_timm
from playground.trace import Trace

import_timm()  # before the families, which would import it whole

from playground.models import any_timm, axial, axial_trace, coatnet, detr, detr_trace, vit  # noqa: E402
from playground.models.card import Card  # noqa: E402


@dataclass(frozen=True)
class Family:
    """How one family is built, filled and traced; `name` is what a card's `family` says.

    The last argument of `trace` asks for a trace with its graph, for gradients.
    """

    name: str
    title: str
    build: Callable[[Card], nn.Module]
    rename: Callable[[dict[str, Tensor]], dict[str, Tensor]]
    trace: Callable[[Any, View, Card, torch.device, bool], Trace]


FAMILIES = (
    Family("vit", "Vision transformer (ViT)", vit.build, vit.rename, vit.trace),
    Family("coatnet", "CoAtNet", coatnet.build, coatnet.rename, coatnet.trace),
    Family("axial", "Axial attention", axial.build, axial.rename, axial_trace.trace),
    Family("detr", "DETR", detr.build, detr.rename, detr_trace.trace),
    Family("timm", "Other architectures", any_timm.build, any_timm.rename, any_timm.trace),
)


def family_of(card: Card) -> Family:
    """Return the family that a card names."""
    return next(family for family in FAMILIES if family.name == card.family)
