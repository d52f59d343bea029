"""Parts, weights and pixels of small models of every family."""

import numpy as np
import torch
from explaining import SMALL, model_of, noise
from torch import nn

from playground.image import view
from playground.models import family_of
from playground.models.card import Card
from playground.models.parts import parts_of
from playground.models.preprocess import preprocess_of
from playground.parts import Parts

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
