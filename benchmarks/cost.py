"""How the cost of attention grows with the picture: `PYTHONPATH=. python benchmarks/cost.py`.

Measures full, axial and windowed attention and a convolution over a factor of 8 in the side of the grid, on one
thread, in processor seconds, and the memory that each takes when all its weights are held at once. Prints the fitted
exponents beside theory and writes playground/architecture/measured.json, which the Architecture tab draws. The peak
memory of a pass is read from Linux's /proc; elsewhere only times are measured.
"""

import argparse
import datetime
import platform
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from playground.architecture.growth import RUNS, WAYS, WIDTH, WINDOW, Point, Way, fitted, sides, timed
from playground.architecture.measured import FILE, Measured

PROC = Path("/proc/self")


def held(way: Way, sizes: tuple[int, ...]) -> tuple[Point, ...]:
    """Return the bytes that one pass adds at most to what a fresh process holds, all weights at once."""
    if not (PROC / "clear_refs").exists():
        return ()
    points = []  # a process for each: memory that has been freed is not always given back
    for side in sizes:
        with ProcessPoolExecutor(1, mp_context=get_context("fork")) as fresh:
            points.append(Point(side, float(fresh.submit(peak, way.key, side).result())))
    return tuple(points)


def peak(key: str, side: int) -> int:
    """Return the bytes that one pass adds at most to what this process holds; Linux only."""
    way = next(way for way in WAYS if way.key == key)
    x = torch.randn(side, side, WIDTH)
    with torch.no_grad():
        way.run(x[:WINDOW, :WINDOW].contiguous(), 2**62)  # the code itself is in memory from now on
    (PROC / "clear_refs").write_text("5")  # the peak starts anew from what is held now
    before = _status("VmHWM")
    with torch.no_grad():
        way.run(x, 2**62)
    return _status("VmHWM") - before


def _status(name: str) -> int:
    line = next(line for line in (PROC / "status").read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


def _hardware() -> str:
    listed = Path("/proc/cpuinfo")
    named = (
        [line for line in listed.read_text().splitlines() if line.startswith("model name")] if listed.exists() else []
    )
    model = named[0].partition(":")[2].strip() if named else platform.processor()
    return f"1 thread of {model or platform.machine()}"


def main() -> None:
    """Measure, print exponents beside theory, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--out", type=Path, default=FILE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    memory = {way.key: held(way, sides(way.held)) for way in WAYS}  # first, while the process is small
    times = {}
    print(f"{'':12} {'theory':>7} {'seconds':>8} {'bytes':>7}   sides")
    for way in WAYS:
        times[way.key] = tuple(timed(way, sides(way.span), options.runs, clock=time.process_time))
        exponents = [fitted(points) for points in (times[way.key], memory[way.key])]
        said = " ".join(f"{e:8.2f}" if e is not None else "       –" for e in exponents)
        print(f"{way.key:12} {way.order:7.1f} {said}   {way.span[0]} to {way.span[1]}", flush=True)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    command = "python benchmarks/cost.py" + (f" --runs {options.runs}" if options.runs != RUNS else "")
    found = Measured(times, memory, _hardware(), torch.__version__.split("+")[0], today, command)
    options.out.write_text(found.to_json(), encoding="utf-8")


if __name__ == "__main__":
    main()
