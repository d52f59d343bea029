"""A teacher's answers on the training photos, computed once: soft labels (Hinton et al. 2015, arXiv 1503.02531)."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import nn

from playground.training.classify import normalised, to_float
from playground.training.loop import TrainingError
from playground.whole import replacing


@torch.inference_mode()
def answers(model: nn.Module, images: np.ndarray, size: int, device: str = "cpu", count: int = 128) -> np.ndarray:
    """Probabilities float16 [N, classes] for uint8 [N, S, S, 3], averaged over each photo and its mirror image."""
    parts = []
    for start in range(0, len(images), count):
        pixels = normalised(to_float(images[start : start + count], device), size)
        with torch.autocast(device.split(":")[0], torch.bfloat16):
            logits = [model(view).float() for view in (pixels, pixels.flip(-1))]
        parts.append((logits[0].softmax(-1) + logits[1].softmax(-1)).div(2).half().cpu().numpy())
    return np.concatenate(parts)


def kept_answers(
    model: nn.Module, weights: Path, images: np.ndarray, size: int, cache: Path, device: str
) -> np.ndarray:
    """`answers`, kept in the cache folder under the hash of the teacher's weights file."""
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
    file = cache / f"answers-{digest}-{size}.npy"
    if not file.exists():
        found = answers(model, images, size, device)
        try:
            with replacing(file) as part, part.open("wb") as stream:
                np.save(stream, found)
        except OSError as error:
            raise TrainingError(
                "The teacher's answers could not be kept; is the disk full or the cache folder read-only?"
            ) from error
    return np.load(file)
