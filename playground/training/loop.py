"""One training loop for every recipe. The schedule follows elapsed time: `--minutes` is kept on a busy machine."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from playground.training import parallel
from playground.training.attention import fast_attention
from playground.training.causes import cause
from playground.whole import replacing

LEAST_SCORE_EVERY = 30.0  # seconds


class TrainingError(RuntimeError):
    """Training cannot go on or be resumed; the text is one plain sentence."""


@dataclass(frozen=True)
class Stage:
    """A span of the budget: until this share of the time, `size` pixels a side and `batch` pictures a step.

    `keep` is the share of patches that a vision transformer reads while training (Li et al. 2023, arXiv 2212.00794);
    `strength`, 0..1, that of the recipe's augmentation.
    """

    until: float
    size: int
    batch: int
    keep: float = 1.0
    strength: float = 1.0


@dataclass(frozen=True)
class Settings:
    """What the loop needs to know besides the task: time in minutes, peak learning rate, regularisation, device."""

    minutes: float
    stages: tuple[Stage, ...]
    lr: float
    weight_decay: float
    clip: float = 1.0
    warmup: float = 0.04  # share of the budget
    ema: float = 0.998
    seed: int = 0
    device: str = "cpu"
    bf16: bool = True
    channels_last: bool = False
    enter: float = 0.0  # share of the schedule that training starts at: above 0 for weights trained before
    save_every: float = 60.0  # seconds
    score_every: float = 300.0  # seconds; in a short training a sixth of its time, but at least LEAST_SCORE_EVERY


class Task(Protocol):
    """What is learned: builds the network, draws batches, measures the loss."""

    def build(self, size: int) -> nn.Module:
        """The network for this input size, freshly initialised."""

    def fit(self, state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        """A state from another input size, resampled to this network's shapes."""

    def enter(self, model: nn.Module, stage: Stage) -> None:
        """Set the network up for a stage, beyond its input size."""

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        """(factor on the learning rate, parameter names) for every trained parameter."""

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """Draw `count` examples at `size` pixels."""

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        """Scalar loss of one batch."""

    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        """Numbers worth logging, measured on held-out training data."""


class Run:
    """The state of a training: network, moving average, optimiser, time spent. Saved and resumed as safetensors."""

    def __init__(self, task: Task, settings: Settings, initial: dict[str, Tensor] | None = None) -> None:
        """`initial` are weights trained before, at any input size; without them the network is fresh."""
        self.task, self.settings = task, settings
        torch.backends.cudnn.benchmark = True  # sizes stay the same for a whole stage
        self.elapsed, self.step, self.seen = settings.enter * 60 * settings.minutes, 0, 0
        torch.manual_seed(settings.seed)
        self.generator = torch.Generator().manual_seed(self._seed())
        self.size = self.stage().size
        self.entered: Stage | None = None
        self._adopt(task.build(self.size), task.build(self.size))
        if initial is not None:
            self.model.load_state_dict(task.fit(initial, self.model))
        self.ema.load_state_dict(self.model.state_dict())

    def _seed(self) -> int:
        """Where this process's batches begin: several processes draw different ones, also after a resume."""
        return self.settings.seed + 1_000_003 * parallel.rank() * (self.step + 1)

    def _adopt(self, model: nn.Module, ema: nn.Module) -> None:
        layout = torch.channels_last if self.settings.channels_last else torch.contiguous_format
        self.model = model.to(self.settings.device).to(memory_format=layout).train()
        self.ema = ema.to(self.settings.device).to(memory_format=layout).eval().requires_grad_(False)
        self.called = parallel.trained(self.model, self.settings.device)
        self.names = {id(p): n for n, p in self.model.named_parameters()}
        self.optimizer = torch.optim.AdamW(self._groups(), lr=self.settings.lr, fused=True)

    def _groups(self) -> list[dict[str, object]]:
        """Weight decay on matrices and kernels only; norms, biases, tokens and position tables go without."""
        parameters = dict(self.model.named_parameters())
        groups: list[dict[str, object]] = []
        for factor, names in self.task.groups(self.model):
            decayed = [
                n
                for n in names
                if parameters[n].ndim > 1 and not n.endswith(("pos_embed", "cls_token", "_table", "relative"))
            ]
            for members, decay in ((decayed, self.settings.weight_decay), (sorted(set(names) - set(decayed)), 0.0)):
                if members:
                    groups.append({"params": [parameters[n] for n in members], "weight_decay": decay, "factor": factor})
        return groups

    @property
    def progress(self) -> float:
        """Where in the schedule training is, 0..1."""
        return min(1.0, self.elapsed / (60 * self.settings.minutes))

    @property
    def minutes(self) -> float:
        """Minutes of training in this run; what came before `enter` is not its own."""
        return self.elapsed / 60 - self.settings.enter * self.settings.minutes

    def stage(self) -> Stage:
        """The stage that the progress falls in."""
        return next((s for s in self.settings.stages if self.progress < s.until), self.settings.stages[-1])

    def grow(self, size: int) -> None:
        """Rebuild for another input size; weights and moments carry over, moments of resampled tables restart."""
        moments = self._moments()
        states = [m.state_dict() for m in (self.model, self.ema)]
        fresh = [self.task.build(size), self.task.build(size)]
        for model, state in zip(fresh, states, strict=True):
            model.load_state_dict(self.task.fit(state, model))
        self.size = size
        self._adopt(fresh[0], fresh[1])
        self._restore_moments(moments)

    def _moments(self) -> dict[str, Tensor]:
        tensors = {}
        for parameter, state in self.optimizer.state.items():
            for key, value in state.items():
                tensors[f"{key}/{self.names[id(parameter)]}"] = value
        return tensors

    def _restore_moments(self, tensors: dict[str, Tensor]) -> None:
        parameters = dict(self.model.named_parameters())
        for name, parameter in parameters.items():
            found = {k: tensors[f"{k}/{name}"] for k in ("step", "exp_avg", "exp_avg_sq") if f"{k}/{name}" in tensors}
            if len(found) == 3 and found["exp_avg"].shape == parameter.shape:
                self.optimizer.state[parameter] = {k: v.to(parameter.device).clone() for k, v in found.items()}

    def save(self, path: Path) -> None:
        """Write everything needed to resume: to a second file first, flushed, then renamed over the old one."""
        tensors = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"ema/{k}": v for k, v in self.ema.state_dict().items()}
        tensors |= {f"moment/{k}": v for k, v in self._moments().items()}
        tensors["generator"] = self.generator.get_state()
        facts = {"elapsed": self.elapsed, "step": self.step, "seen": self.seen, "size": self.size}
        write_tensors(path, tensors, {"run": json.dumps(facts)})

    def resume(self, path: Path) -> None:
        """Continue from a saved state. Raises TrainingError when the file is damaged or of another recipe."""
        try:
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()["run"])
                tensors = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118 (safe_open is no dict)
            if facts["size"] != self.size:
                self.size = facts["size"]
                self._adopt(self.task.build(self.size), self.task.build(self.size))
            self.model.load_state_dict(_under(tensors, "model/"))
            self.ema.load_state_dict(_under(tensors, "ema/"))
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise TrainingError(
                "The saved state cannot be resumed; it is damaged or belongs to another recipe."
            ) from error
        self._restore_moments(_under(tensors, "moment/"))
        self.elapsed, self.step, self.seen = facts["elapsed"], facts["step"], facts["seen"]
        if parallel.leads():
            self.generator.set_state(tensors["generator"])
        else:
            self.generator.manual_seed(self._seed())

    def one_step(self) -> float:
        """One optimiser step; the loss. Raises TrainingError when the loss is not a number."""
        started = time.perf_counter()
        if (stage := self.stage()) != self.entered or stage.size != self.size:
            if stage.size != self.size:
                self.grow(stage.size)
            self.task.enter(self.model, stage)
            self.entered = stage
        rate = _rate(self.progress, self.settings)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        batch = self.task.batch(stage.size, stage.batch, self.generator)
        with fast_attention(self.settings.device), self._precision():
            loss = self.task.loss(self.called, batch)
        value = parallel.mean(float(loss.detach()), self.settings.device)
        if not math.isfinite(value):
            raise TrainingError(
                f"The loss became {value} at step {self.step} (learning rate {rate:.2g}, {stage.size} px): "
                f"{cause(batch, self.model)}. Resume from the last saved state, which is sound, or train more slowly."
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimizer.step()
        self._average()
        self.step, self.seen = self.step + 1, self.seen + stage.batch * parallel.size()
        self.elapsed = parallel.led(self.elapsed + time.perf_counter() - started, self.settings.device)
        return value

    def _precision(self) -> torch.autocast:
        return torch.autocast(self.settings.device.split(":")[0], torch.bfloat16, enabled=self.settings.bf16)

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential moving average of weights and of batch-norm statistics, short at first."""
        decay = min(self.settings.ema, (1 + self.step) / (25 + self.step))
        ours, theirs = self.ema.state_dict(), self.model.state_dict()
        floats = [k for k in ours if ours[k].is_floating_point()]
        torch._foreach_lerp_([ours[k] for k in floats], [theirs[k] for k in floats], 1 - decay)
        for key in ours.keys() - set(floats):
            ours[key].copy_(theirs[key])


def train(
    task: Task,
    settings: Settings,
    state_file: Path,
    resume: bool = False,
    log: Callable[[str], None] = print,
    initial: dict[str, Tensor] | None = None,
) -> Run:
    """Train until the budget is spent, saving about every minute. Returns the finished run; its `ema` is the result.

    Of several processes the first one alone saves, scores and logs.
    """
    if not parallel.leads():
        log = _silent
    run = Run(task, settings, initial)
    if resume and state_file.exists():
        run.resume(state_file)
        log(f"resumed at {run.elapsed / 60:.1f} of {settings.minutes:g} min, {run.seen} pictures seen")
    saved = scored = reported = run.elapsed
    score_every = min(settings.score_every, max(LEAST_SCORE_EVERY, 10 * settings.minutes))
    mean, recent = 0.0, (run.elapsed, run.seen)
    while run.progress < 1:
        loss = run.one_step()
        mean = loss if not mean else 0.98 * mean + 0.02 * loss
        if run.elapsed - saved >= settings.save_every:
            if parallel.leads():
                run.save(state_file)
            saved = run.elapsed
        if run.elapsed - reported >= 15:
            speed = (run.seen - recent[1]) / (run.elapsed - recent[0])
            left = max(0.0, 60 * settings.minutes - run.elapsed)
            log(_line(run, mean, speed, left))
            reported, recent = run.elapsed, (run.elapsed, run.seen)
        if run.elapsed - scored >= score_every:
            began = time.perf_counter()
            if parallel.leads():
                log("held out: " + ", ".join(f"{k} {v:.4f}" for k, v in task.score(run.ema, run.size).items()))
            run.elapsed = parallel.led(run.elapsed + time.perf_counter() - began, settings.device)
            scored = run.elapsed
            recent = (run.elapsed, run.seen)
    if run.size != settings.stages[-1].size:  # a slow step can leap over the last stage
        run.grow(settings.stages[-1].size)
    if parallel.leads():
        run.save(state_file)
    return run


def saved_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The averaged weights of a saved run, and its facts: elapsed (seconds), step, seen, size. Raises TrainingError."""
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if name.startswith("ema/")]  # noqa: SIM118 (safe_open is no dict)
            return {name.removeprefix("ema/"): file.get_tensor(name) for name in names}, json.loads(
                file.metadata()["run"]
            )
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise TrainingError("The saved state cannot be read; it is damaged or missing.") from error


def saved_minutes(path: Path) -> float:
    """Minutes that a saved run has spent; 0 when there is none."""
    return saved_state(path)[1]["elapsed"] / 60 if path.exists() else 0.0


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a safetensors file whole or not at all. Raises TrainingError when the disk is full or read-only."""
    try:
        with replacing(path) as part:
            save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, part, metadata)
            part.chmod(0o644)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            "The state could not be saved; is the disk full or read-only? The last one is intact."
        ) from error


def _rate(progress: float, settings: Settings) -> float:
    """Linear warm-up, then a cosine down to 1 % of the peak."""
    if progress < settings.warmup:
        return settings.lr * max(0.02, progress / settings.warmup)
    along = (progress - settings.warmup) / (1 - settings.warmup)
    return settings.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along)))


def _silent(_: str) -> None:
    """Where the other processes' lines go."""


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _line(run: Run, loss: float, speed: float, left: float) -> str:
    bar = "#" * round(20 * run.progress)
    return (
        f"[{bar:<20}] {100 * run.progress:5.1f} %  step {run.step}  {run.size} px  loss {loss:.3f}  "
        f"{speed:.0f} pictures/s  {left / 60:.1f} min left"
    )
