"""What a recipe states: one frozen dataclass for each kind of network. Times are minutes of wall clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal, Self

from playground.datasets import shapes
from playground.models.card import Family, Task
from playground.training.classify import Augment
from playground.training.loop import Settings, Stage


@dataclass(frozen=True)
class Recipe:
    """What every recipe states. `options` are the constructor's arguments at the final size, as the card lists them.

    Times, batches and rates are for two processor cores; `gpu` has what takes their place on a GPU.
    """

    task: ClassVar[Task]
    name: str
    title: str
    family: Family
    architecture: str
    options: Mapping[str, Any]
    stages: tuple[Stage, ...]
    minutes: float
    lr: float
    paper: str
    weight_decay: float = 0.05
    clip: float = 1.0
    ema: float = 0.998
    seed: int = 0
    channels_last: bool = False
    bundled: bool = True
    gpu: Mapping[str, Any] = field(default_factory=dict)

    def on(self, device: str) -> Self:
        """The recipe as this device follows it."""
        return replace(self, **self.gpu) if device.startswith("cuda") else self

    @property
    def how(self) -> str:
        """How the network is made, for the checkpoint's README."""
        return self.__doc__ or ""

    @property
    def labels(self) -> str | tuple[str, ...]:
        """The card's labels: the name of a label set, or the labels themselves."""
        raise NotImplementedError

    @property
    def size(self) -> int:
        """Pixels a side of the finished model's input."""
        return self.stages[-1].size

    def settings(self, minutes: float | None, device: str) -> Settings:
        """The loop's settings for a budget; half precision (bf16) wherever it runs."""
        return Settings(
            minutes=minutes or self.minutes,
            stages=self.stages,
            lr=self.lr,
            weight_decay=self.weight_decay,
            clip=self.clip,
            ema=self.ema,
            seed=self.seed,
            device=device,
            channels_last=self.channels_last,
        )


@dataclass(frozen=True)
class ClassifierRecipe(Recipe):
    """A classifier of the 80 everyday classes. `teacher` names the recipe whose network's answers weigh `trust` in its
    targets, beside the labels (DeiT's soft distillation). `classes` are those of somebody's own photos, in place of
    the 80."""

    task: ClassVar[Task] = "classification"
    augment: Augment = field(default_factory=Augment)
    smoothing: float = 0.05
    teacher: str = ""
    trust: float = 0.5
    classes: tuple[str, ...] = ()

    def own(self, classes: tuple[str, ...]) -> "ClassifierRecipe":
        """The same network and schedule for other classes, without a teacher: "everyday-vit" becomes "own-vit"."""
        return replace(
            self,
            name=self.name.replace("everyday", "own"),
            title=f"{self.title.split(',')[0]}, {len(classes)} classes of your own",
            options=dict(self.options) | {"num_classes": len(classes)},
            classes=classes,
            teacher="",
            bundled=True,
        )

    @property
    def how(self) -> str:
        if not self.classes:
            return super().how
        return f"Trained on photos of your own by the recipe of {self.name.replace('own', 'everyday')}."

    @property
    def labels(self) -> str | tuple[str, ...]:
        return self.classes or "everyday-80"


@dataclass(frozen=True)
class Phase:
    """A part of a detector's training: "whole" trains everything on fresh scenes, "frozen" all but the backbone.

    `share` of the recipe's minutes; `scenes` are stored for a frozen phase; `class_cost` weighs the class in matching.
    """

    kind: Literal["whole", "frozen"]
    share: float
    stages: tuple[Stage, ...]
    lr: float
    groups: int
    scenes: int = 0
    class_cost: float = 1.0


@dataclass(frozen=True)
class DetectorRecipe(Recipe):
    """A detector of the objects called `names`, on scenes; `backbone` names the recipe whose weights it starts from."""

    task: ClassVar[Task] = "detection"
    names: tuple[str, ...] = ()
    backbone: str = ""
    phases: tuple[Phase, ...] = ()
    backbone_factor: float = 0.3

    @property
    def labels(self) -> str | tuple[str, ...]:
        return self.names

    def phase_settings(self, phase: Phase, minutes: float | None, device: str) -> Settings:
        """The loop's settings for one phase of a budget."""
        whole = self.settings(minutes, device)
        return replace(whole, minutes=whole.minutes * phase.share, stages=phase.stages, lr=phase.lr)


@dataclass(frozen=True)
class ShapesRecipe(Recipe):
    """A panoptic detector of the drawn world (`datasets.shapes`), from nothing and without data.

    `groups` of queries while training, each step drawing the masks of `masks` queries; scenes have up to `things`
    things, of one colour each when they are `plain`.
    """

    task: ClassVar[Task] = "panoptic"
    groups: int = 3
    masks: int = 8
    things: int = 5
    plain: bool = False

    @property
    def labels(self) -> str | tuple[str, ...]:
        return shapes.NAMES
