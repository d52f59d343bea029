"""Building and filling ViT-B/16 from a local safetensors file, beside timm's create_model(checkpoint_path=...).

Random weights in a file of 346 MB; the two in turn, in one process, the file in the system's cache for both; prints the
medians and their ratio. Ours also checks names, shapes and that every value is finite. `python benchmarks/loading.py`.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import timm
import torch
from safetensors.torch import save_file

from playground.models import vit
from playground.models.catalogue import local_card
from playground.models.weights import load

NAME = "vit_base_patch16_224"


def main() -> None:
    """Measure both in turn and print medians and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.safetensors")
        save_file(timm.create_model(NAME).state_dict(), path)
        card = local_card(path, "vit-base-patch16-224")
        for run in range(runs + 1):
            start = time.perf_counter()
            reference = timm.create_model(NAME, checkpoint_path=str(path)).eval()
            middle = time.perf_counter()
            model = load(card, vit.build, vit.rename)
            end = time.perf_counter()
            pairs = zip(reference.state_dict().values(), model.state_dict().values(), strict=True)
            assert all(torch.equal(one, other) for one, other in pairs)
            if run >= 1:  # the first warms up
                theirs.append(middle - start)
                ours.append(end - middle)
    print(f"timm.create_model(checkpoint_path=...): {statistics.median(theirs):.2f} s")
    print(f"build and fill:                         {statistics.median(ours):.2f} s")
    print(f"ratio: {statistics.median(ours) / statistics.median(theirs):.2f}")


if __name__ == "__main__":
    main()
