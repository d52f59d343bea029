"""What a card's model answers to many pictures, through the page's own reading and preprocessing."""

import time
from collections.abc import Sequence

import numpy as np
import torch

from playground import inference
from playground.image import Picture, view
from playground.models.card import Card
from playground.models.preprocess import preprocess_of


def class_logits(card: Card, pictures: Sequence[Picture]) -> tuple[np.ndarray, float]:
    """(Logits float32 [n, C] of a classifier, whose views all have one size; the seconds that the model took)."""
    pixels = torch.stack([torch.from_numpy(view(picture, preprocess_of(card)).pixels) for picture in pictures])
    run = inference.forward(card)
    began = time.perf_counter()
    logits = run(pixels).numpy()
    return logits, time.perf_counter() - began
