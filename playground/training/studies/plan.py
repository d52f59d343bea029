"""What a study plans, and its run: job after job, each written when it is done, so that it can be gone on with."""

import datetime
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from playground.evaluation.hardware import hardware
from playground.evaluation.study import SHELF, Axis, Point, Series, Study, write
from playground.training.studies.bench import Bench

Measured = list[tuple[float, float, int]]  # x, y, and how many things were counted


@dataclass(frozen=True)
class Job:
    """One thing to measure: points of the series called `series`; `run` does the work with a seed."""

    series: str
    key: str
    run: Callable[[Bench, int], Measured]


@dataclass(frozen=True)
class Plan:
    """A study before it is measured. `finding` puts the finished study in words; `photos` are those each network sees
    while it learns, by default."""

    name: str
    title: str
    question: str
    x: Axis
    y: Axis
    photos: int
    jobs: tuple[Job, ...]
    finding: Callable[[Mapping[str, Series]], str]
    facts: Callable[[Bench], dict[str, Any]]


@dataclass
class Record:
    """What was measured so far: job key -> seed -> points."""

    raw: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)

    def lacks(self, job: Job, seed: int) -> bool:
        """Whether this job has not been done with this seed."""
        return str(seed) not in self.raw.get(job.key, {})

    def add(self, job: Job, seed: int, points: Measured) -> None:
        """Keep what a job measured."""
        self.raw.setdefault(job.key, {})[str(seed)] = [[float(x), float(y), int(n)] for x, y, n in points]

    def series(self, plan: Plan) -> tuple[Series, ...]:
        """The series of the study: y is the mean over seeds, `low` and `high` the least and greatest of several."""
        found: dict[str, list[Point]] = {}
        for job in plan.jobs:
            seeds = list(self.raw.get(job.key, {}).values())
            for same in zip(*seeds, strict=True):
                xs, ys, counts = zip(*same, strict=True)
                low, high = (min(ys), max(ys)) if len(ys) > 1 else (None, None)
                point = Point(sum(xs) / len(xs), sum(ys) / len(ys), low, high, int(sum(counts)))
                found.setdefault(job.series, []).append(point)
        return tuple(Series(name, tuple(sorted(points, key=lambda p: p.x))) for name, points in found.items())


def verdict(holds: bool, seeds_overlap: bool) -> str:
    """What becomes of a claim, in words."""
    if not holds:
        return "does not reproduce here"
    return "holds here on average only, since the seeds overlap" if seeds_overlap else "holds here"


def measure(
    plan: Plan,
    bench: Bench,
    seeds: tuple[int, ...],
    minutes: float | None,
    folder: Path,
    command: str,
    log: Callable[[str], None],
) -> Study:
    """Do the jobs that are left, writing the study after each; no job is begun once the minutes are over, save the
    first. Where nothing is left, the finding is told anew."""
    record = kept(plan, settings(plan, bench), folder)
    began, study = time.monotonic(), None
    for seed in seeds:
        for number, job in enumerate(plan.jobs, 1):
            if not record.lacks(job, seed):
                continue
            if study is not None and minutes is not None and time.monotonic() - began > 60 * minutes:
                log(f"{plan.name}: the time is over; the same command goes on from here")
                return study
            points = job.run(bench, seed)
            record.add(job, seed, points)
            study = as_study(plan, bench, record, command)
            write(study, folder)
            said = ", ".join(f"{y:.2f} {plan.y.unit} at {x:.4g}" for x, y, _ in points)
            log(f"{plan.name}, {number} of {len(plan.jobs)}, seed {seed}: {job.series}: {said}")
    if study is None:
        study = as_study(plan, bench, record, command)
        write(study, folder)
    return study


def settings(plan: Plan, bench: Bench) -> dict[str, Any]:
    """What the study's facts say of how it was measured, as JSON gives it back."""
    facts = {"photos seen by each network": bench.photos_seen, **plan.facts(bench)}
    return dict(json.loads(json.dumps(facts)))


def kept(plan: Plan, facts: dict[str, Any], folder: Path) -> Record:
    """What an earlier run with the same settings has measured; nothing when there is none."""
    if plan.name not in SHELF.names(folder):
        return Record()
    earlier = dict(SHELF.read(plan.name, folder).facts)
    measured = earlier.pop("measured", {})
    return Record({key: dict(seeds) for key, seeds in measured.items()} if earlier == facts else {})


def as_study(plan: Plan, bench: Bench, record: Record, command: str) -> Study:
    """The study as far as it has come; the finding is told when every job is done."""
    series = record.series(plan)
    done = all(job.key in record.raw for job in plan.jobs)
    seeds = sorted({int(seed) for seeds in record.raw.values() for seed in seeds})
    return Study(
        study=plan.name,
        title=plan.title,
        question=plan.question,
        command=command,
        hardware=hardware(torch.device("cpu")),
        seeds=tuple(seeds),
        date=datetime.date.today().isoformat(),
        finding=plan.finding({one.name: one for one in series}) if done else "",
        x=plan.x,
        y=plan.y,
        series=series,
        facts={**settings(plan, bench), "measured": record.raw},
    )
