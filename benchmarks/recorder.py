"""What recording costs: a trace of ViT-B/16 at 224 px beside timm's plain forward: `python benchmarks/recorder.py`.

Random weights, one picture, runs of the two in turn; prints the medians and their ratio.
"""

import argparse
import statistics
import time

import numpy as np
import timm
import torch
from PIL import Image

from playground.image import view
from playground.models import vit
from playground.models.card import Card
from playground.models.preprocess import preprocess_of


def main() -> None:
    """Measure both in turn and print medians and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    name = "vit_base_patch16_224"
    card = Card(name, name, "vit", "classification", name, "imagenet-1k", "local", "none")
    model = timm.create_model(name).eval().requires_grad_(False)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    seen = view(Image.fromarray(noise), preprocess_of(card))
    pixels = torch.from_numpy(seen.pixels)[None]  # [1, 3, 224, 224]
    plain, traced = [], []
    for run in range(runs + 2):
        start = time.perf_counter()
        with torch.no_grad():
            model(pixels)
        middle = time.perf_counter()
        vit.trace(model, seen, card, torch.device("cpu"))
        if run >= 2:  # the first two warm up
            plain.append(middle - start)
            traced.append(time.perf_counter() - middle)
    print(f"plain forward: {1000 * statistics.median(plain):.0f} ms")
    print(f"trace:         {1000 * statistics.median(traced):.0f} ms")
    print(f"ratio: {statistics.median(traced) / statistics.median(plain):.3f}")


if __name__ == "__main__":
    main()
