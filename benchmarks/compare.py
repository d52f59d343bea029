"""What comparing costs: four resident models on one picture beside the sum of their plain forwards.

Random weights of ViT-B/16, CoAtNet-0, axial attention and DETR R50; the two in turn, a new picture each time so that no
answer is kept from before; prints the medians and their ratio. Nothing is measured inside the comparison: time and
memory of a model are measured once and kept. `python benchmarks/compare.py`.
"""

import argparse
import statistics
import time
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from playground import inference
from playground.comparison.run import compare
from playground.image import Picture, view
from playground.models.card import Card
from playground.models.catalogue import find
from playground.models.preprocess import preprocess_of

NAMES = ("vit_base_patch16_224", "coatnet_0_rw_224", "everyday-axial", "detr-resnet-50")
SIDE = 224  # of the axial model, whose own pictures are so small that reading the upload would be most of the work


def cards() -> list[Card]:
    """Return the four models, all with random weights."""
    found = [find(f"untrained:{name}") for name in NAMES]
    axial = found[2]
    assert axial.preprocess is not None
    grid = tuple(span * SIDE // axial.preprocess.size[0] for span in axial.options["spans"])
    found[2] = replace(
        axial, preprocess=replace(axial.preprocess, size=(SIDE, SIDE)), options={**axial.options, "spans": grid}
    )
    return found


def main() -> None:
    """Measure both in turn and print medians and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    chosen, random = cards(), np.random.default_rng(0)
    device = inference.pick_device()
    plain, compared = [], []
    for run in range(runs + 2):
        picture = Picture(Image.fromarray(random.integers(0, 256, (480, 640, 3), dtype=np.uint8)))
        start = time.perf_counter()
        for card in chosen:
            pixels = torch.from_numpy(view(picture, preprocess_of(card)).pixels)[None].to(device)  # [1, 3, H, W]
            model = inference.load(card)
            with torch.no_grad():
                model(pixels)
        if device.type == "cuda":
            torch.cuda.synchronize()
        middle = time.perf_counter()
        rows = list(compare(picture, chosen, measure=False))
        end = time.perf_counter()
        assert not any(row.failed for row in rows), [row.failed for row in rows]
        if run >= 2:  # the first two load and warm up
            plain.append(middle - start)
            compared.append(end - middle)
    print(f"sum of plain forwards: {1000 * statistics.median(plain):.0f} ms")
    print(f"comparison:            {1000 * statistics.median(compared):.0f} ms")
    print(f"ratio: {statistics.median(compared) / statistics.median(plain):.3f}")


if __name__ == "__main__":
    main()
