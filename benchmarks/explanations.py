"""What explanations of ViT-B/16 cost beside timm's plain fused forward: `python benchmarks/explanations.py`.

Random weights, one picture, the ways in turn in one process; prints medians and their ratios to the plain forward. Peak
memory is that of a whole process for each way, so it is measured in processes of their own. Run it on a quiet machine.
"""

import argparse
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch import nn

from playground.explanations import Target, explain
from playground.image import Preprocess, View, view
from playground.models import vit
from playground.models.card import Card
from playground.trace import Trace

NAME = "vit_base_patch16_224"
SMALL, LARGE = 224, 1024
GOALS = {  # (way, pixels): ratio to the plain forward
    ("trace", SMALL): 1.02,
    ("rollout", SMALL): 1.05,
    ("gradient_rollout", SMALL): 2.5,
    ("relevance", SMALL): 2.5,
    ("rollout", LARGE): 1.5,
}
MEMORY_GOAL = 1.25
Ways = dict[str, Callable[[], object]]


def main() -> None:
    """Measure and print; `--memory WAY PIXELS` is what the processes of their own are called with."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15, help="runs of each way at 224 pixels (default 15)")
    parser.add_argument("--large-runs", type=int, default=3, help="runs of each way at 1024 pixels (default 3)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads (default 2)")
    parser.add_argument("--memory", nargs=2, metavar=("WAY", "PIXELS"), help="run one way once, print its peak memory")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory:
        way, pixels = options.memory
        ways(int(pixels))[way]()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # kilobytes
        return
    for pixels, runs in ((SMALL, options.runs), (LARGE, options.large_runs)):
        chosen = ways(pixels)
        names = ["plain", *(way for way, size in GOALS if size == pixels)]
        medians = timed({name: chosen[name] for name in names}, runs)
        print(f"{pixels} px, median of {runs}: plain forward {1000 * medians['plain']:.0f} ms")
        for name in names[1:]:
            ratio = medians[name] / medians["plain"]
            print(f"  {name:<17} {1000 * medians[name]:6.0f} ms  ratio {ratio:.3f}  (goal {GOALS[name, pixels]})")
    plain, rolled = (peak(way, LARGE) for way in ("plain", "rollout"))
    print(f"{LARGE} px, peak memory of the whole process: plain {plain:.0f} MB, rollout {rolled:.0f} MB,", end=" ")
    print(f"ratio {rolled / plain:.3f}  (goal {MEMORY_GOAL})")


def ways(pixels: int) -> Ways:
    """Return what is measured at this size, by name, on one model and one picture."""
    card = Card(NAME, NAME, "vit", "classification", NAME, "imagenet-1k", "local", "none")
    model = timm.create_model(NAME, img_size=pixels).eval().requires_grad_(False)
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    seen = view(Image.fromarray(noise), Preprocess("squash", (pixels, pixels)))
    return {
        "plain": partial(plain_forward, model, torch.from_numpy(seen.pixels)[None]),
        "trace": partial(traced, model, seen, card),
        "rollout": lambda: explain("rollout", traced(model, seen, card)),
        "gradient_rollout": lambda: explain("gradient_rollout", traced(model, seen, card, graph=True), Target()),
        "relevance": lambda: explain("relevance", traced(model, seen, card, graph=True), Target()),
    }


def plain_forward(model: nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Return the logits of timm's own forward, its attention fused."""
    with torch.no_grad():
        logits: torch.Tensor = model(pixels)
        return logits


def traced(model: nn.Module, seen: View, card: Card, graph: bool = False) -> Trace:
    """Return the trace with the links of all layers."""
    return vit.trace(model, seen, card, torch.device("cpu"), graph)


def timed(chosen: Ways, runs: int) -> dict[str, float]:
    """Return the median seconds of each way, in turn so that a busy moment meets all; the first run warms up."""
    seconds: dict[str, list[float]] = {name: [] for name in chosen}
    for run in range(runs + 1):
        for name, way in chosen.items():
            start = time.perf_counter()
            way()
            if run:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(each) for name, each in seconds.items()}


def peak(way: str, pixels: int) -> float:
    """Return the peak memory in megabytes of a process that runs one way once."""
    command = [sys.executable, str(Path(__file__).resolve()), "--memory", way, str(pixels)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


if __name__ == "__main__":
    main()
