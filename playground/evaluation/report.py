"""What an evaluation found, as a value, as JSON and as a text for the shell; no torch."""

import json
import math
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Number:
    """One measure: a value in `unit`, None where nothing of the data could be measured."""

    name: str
    value: float | None
    unit: str = "%"

    @property
    def said(self) -> str:
        """The value for the shell."""
        return "    none" if self.value is None else f"{self.value:8.2f} {self.unit}"


@dataclass(frozen=True)
class PerClass:
    """One class: `value` in %, of the measure that the report names, over `n` pictures, objects or segments."""

    name: str
    value: float
    n: int


@dataclass(frozen=True)
class Confusion:
    """`times` of `of` pictures of the class `true` were answered with `answered`."""

    true: str
    answered: str
    times: int
    of: int


@dataclass(frozen=True)
class Report:
    """One model on one data set. `left_out` counts pictures of classes that the model does not know."""

    model: str
    sha256: str
    task: str
    data: str
    pictures: int
    left_out: int
    metrics: tuple[Number, ...]
    measure: str
    classes: tuple[PerClass, ...]
    confusions: tuple[Confusion, ...]
    rate: float
    model_rate: float
    peak_bytes: int | None
    hardware: str
    command: str
    date: str

    def metric(self, name: str) -> float | None:
        """The value of one measure; None when it was not measured."""
        return next((number.value for number in self.metrics if number.name == name), None)

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_text(self) -> str:
        """The report as lines for the shell."""
        lines = [f"{self.model} on {self.data}: {self.pictures:,} pictures"]
        if self.left_out:
            lines.append(f"left out: {self.left_out:,} pictures of classes that the model does not know")
        lines += [f"{number.name:20}{number.said}" for number in self.metrics]
        lines.append(f"{'throughput':20}{self.rate:8.1f} pictures a second ({self.model_rate:.1f} in the model alone)")
        peak = "not known" if self.peak_bytes is None else f"{self.peak_bytes / 1e6:8.0f} MB"
        lines.append(f"{'peak memory':20}{peak} on {self.hardware}")
        ordered = sorted(self.classes, key=lambda one: -one.value)
        ends = [("best", ordered[:8])] + ([("worst", ordered[-8:])] if len(ordered) > 8 else [])
        for title, part in ends:
            said = ", ".join(f"{one.name} {one.value:.0f}" for one in part)
            lines.append(f"{title} classes ({self.measure}, %): {said}")
        lines += [f"{one.true} taken for {one.answered}: {one.times} of {one.of}" for one in self.confusions]
        return "\n".join(lines) + "\n"


def numbers(values: dict[str, float]) -> tuple[Number, ...]:
    """Shares 0..1 as numbers in %; NaN becomes None."""
    return tuple(Number(name, None if math.isnan(v) else round(100 * v, 4)) for name, v in values.items())
