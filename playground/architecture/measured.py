"""What was measured of the growth of costs, as a small file beside this module, written by benchmarks/cost.py."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playground.architecture.growth import WAYS, Point, fitted

FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True)
class Measured:
    """Seconds and bytes of each way (by key) at several sides, with where and how they were measured."""

    times: Mapping[str, tuple[Point, ...]]
    memory: Mapping[str, tuple[Point, ...]]
    hardware: str
    torch: str
    date: str
    command: str

    def to_json(self) -> str:
        """Return the measurements as JSON text, with the exponents that fit them."""
        values = {
            "hardware": self.hardware,
            "torch": self.torch,
            "date": self.date,
            "command": self.command,
            "seconds": {key: _written(points) for key, points in self.times.items()},
            "bytes": {key: _written(points) for key, points in self.memory.items()},
        }
        return json.dumps(values, indent=1, allow_nan=False) + "\n"


def read(path: Path = FILE) -> Measured | None:
    """Return what was measured, or None when nothing was; raises ValueError when the file cannot be true."""
    if not path.is_file():
        return None
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return Measured(
            times=_read(values["seconds"]),
            memory=_read(values["bytes"]),
            hardware=str(values["hardware"]),
            torch=str(values["torch"]),
            date=str(values["date"]),
            command=str(values["command"]),
        )
    except (OSError, json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("The measured costs cannot be read; run benchmarks/cost.py again.") from error


def _written(points: tuple[Point, ...]) -> dict[str, Any]:
    exponent = fitted(points)
    return {
        "exponent": None if exponent is None else round(exponent, 3),
        "points": [{"side": p.side, "value": p.value, "runs": p.runs} for p in points],
    }


def _read(values: Mapping[str, Any]) -> dict[str, tuple[Point, ...]]:
    found = {}
    for way in WAYS:
        points = tuple(Point(int(p["side"]), float(p["value"]), int(p["runs"])) for p in values[way.key]["points"])
        if not all(p.side > 0 and 0 < p.value < math.inf for p in points):
            raise KeyError(way.key)
        found[way.key] = points
    return found
