"""The detection task: scenes composed on the fly, DETR's set loss on every decoder layer."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets.nouns import Truth
from playground.datasets.scenes import Composer, Scene
from playground.evaluation.detection import Found, average_precision
from playground.models.detr import DETR, Detections, detect
from playground.training.ahead import Ahead
from playground.training.classify import normalised, to_float
from playground.training.loop import Stage
from playground.training.matching import COST, Target, Targets, dense_loss, set_loss, smallest_around, to_cxcywh
from playground.training.parallel import plain


class Boxed(Protocol):
    """A picture uint8 [S, S, 3] with boxes float32 [N, 4] in its pixels and labels int64 [N]."""

    @property
    def image(self) -> np.ndarray: ...

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def boxes_xyxy(self) -> np.ndarray: ...


Made = TypeVar("Made", bound=Boxed)
Made_co = TypeVar("Made_co", bound=Boxed, covariant=True)


class Maker(Protocol[Made_co]):
    """What draws scenes; equal generators draw equal ones."""

    def compose(self, rng: np.random.Generator, size: int) -> Made_co:
        """Draw one scene of `size` pixels a side."""


def with_targets(scenes: Sequence[Boxed]) -> tuple[Tensor, Targets]:
    """Images uint8 [B, S, S, 3] and Targets of scenes, on the CPU."""
    return torch.from_numpy(np.stack([scene.image for scene in scenes])), Targets.of([target(one) for one in scenes])


def drawing(
    maker: Maker[Made],
    collated: Callable[[Sequence[Made]], tuple[object, ...]],
    size: int,
    count: int,
    seed: int,
) -> tuple[object, ...]:
    """A batch of `count` fresh scenes, on the CPU; the same seed, the same scenes."""
    rng = np.random.default_rng(seed)
    return collated([maker.compose(rng, size) for _ in range(count)])


class SceneTask(Generic[Made]):
    """What all tasks on scenes share: scenes drawn as they are needed, one network for every size, and `groups`
    independent groups of queries while training. For an accelerator other processes draw them ahead.

    `collated` makes a batch of scenes on the CPU: images, Targets, and what else the task needs.
    """

    collated: Callable[[Sequence[Made]], tuple[object, ...]] = staticmethod(with_targets)

    def __init__(
        self,
        maker: Maker[Made],
        held_out: Sequence[Made],
        build: Callable[[int], nn.Module],
        groups: int = 1,
        device: str = "cpu",
        channels_last: bool = False,
    ) -> None:
        self.maker, self.held_out, self._build = maker, held_out, build
        self.query_groups, self.device, self.channels_last = groups, device, channels_last
        self.ahead: Ahead | None = None

    def build(self, size: int) -> nn.Module:
        """The network; any size will do, since DETR's positions are computed."""
        return self._build(size)

    def fit(self, state: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
        """Nothing depends on the size."""
        return state

    def enter(self, model: nn.Module, stage: Stage) -> None:
        """Nothing differs between stages but the size."""

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        """Everything learns alike."""
        return [(1.0, [name for name, _ in model.named_parameters()])]

    def drawn(self, size: int, count: int, generator: torch.Generator) -> tuple[Tensor, Targets, tuple[object, ...]]:
        """Pixels [count, 3, size, size] of fresh scenes with colours varied, their Targets, and what else `collated`
        gives, all on the device."""
        seed = int(torch.randint(2**62, (), generator=generator))
        if self.device == "cpu":
            parts = drawing(self.maker, self.collated, size, count, seed)
        else:
            if self.ahead is None or not self.ahead.gives(size, count):
                self.ahead = Ahead(partial(drawing, self.maker, self.collated, size, count), seed, (size, count))
            parts = self.ahead.take()
        images, targets, *rest = (part.to(self.device) for part in parts)  # type: ignore[attr-defined]
        pixels = normalised(coloured(images.permute(0, 3, 1, 2).float().div_(255), generator), size)
        if self.channels_last:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        return pixels, targets, tuple(rest)


class Detection(SceneTask[Scene]):
    """Scenes -> boxes and classes of the objects called `names`."""

    def __init__(
        self,
        maker: Composer,
        held_out: Sequence[Scene],
        build: Callable[[int], nn.Module],
        groups: int = 1,
        backbone_factor: float = 0.3,
        device: str = "cpu",
        channels_last: bool = False,
        class_cost: float = COST["class"],
    ) -> None:
        super().__init__(maker, held_out, build, groups, device, channels_last)
        self.names, self.backbone_factor, self.class_cost = maker.names, backbone_factor, class_cost

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        """The backbone, which starts from trained weights, learns more slowly than the rest."""
        names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        backbone = [name for name in names if name.startswith("backbone.")]
        return [(1.0, [n for n in names if not n.startswith("backbone.")]), (self.backbone_factor, backbone)]

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """(pixels [B, 3, size, size], Targets)."""
        pixels, targets, _ = self.drawn(size, count, generator)
        return pixels, targets

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        """The set loss of the last and of every earlier decoder layer, and the dense loss on the memory."""
        pixels, targets = batch
        out = model(pixels)
        layers = [(layer["logits"], layer["boxes_cxcywh"]) for layer in (*out["aux"], out)]
        detr = plain(model)
        assert isinstance(targets, Targets) and isinstance(detr, DETR)
        cells = detr.heads(out["memory"])
        found = set_loss(layers, targets, self.query_groups, self.class_cost)
        return found + dense_loss(cells, smallest_around(targets, out["grid"]), targets)

    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        """mAP and mAP50 on scenes of held-out training photos."""
        found = detections(model, self.held_out, self.device)
        results = average_precision(found, truths(self.held_out), len(self.names))
        return {"mAP": results["mAP"], "mAP50": results["mAP50"]}


def target(scene: Boxed) -> Target:
    """What is to be found in a scene: all its labels, and its boxes as shares of its side."""
    boxes = to_cxcywh(torch.from_numpy(scene.boxes_xyxy) / len(scene.image))
    return Target(torch.from_numpy(scene.labels), boxes)


def coloured(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures [B, 3, S, S] in 0..1 with brightness and the balance of colours varied."""
    count = len(images)
    balance = torch.empty(count, 3, 1, 1).uniform_(0.8, 1.2, generator=generator).to(images.device)
    brightness = torch.empty(count, 1, 1, 1).uniform_(0.75, 1.25, generator=generator).to(images.device)
    return (images * balance * brightness).clamp(0, 1)


def as_found(answer: Detections, size: int) -> list[Found]:
    """A batch of detections on square pictures, one Found each, boxes clipped to the picture."""
    rows = zip(answer.labels, answer.scores, answer.boxes_xyxy.clamp(0, size), strict=True)
    return [Found(labels.cpu().numpy(), scores.cpu().numpy(), boxes.cpu().numpy()) for labels, scores, boxes in rows]


def truths(scenes: Sequence[Scene]) -> list[Truth]:
    """What the scenes hold, as the evaluation wants it."""
    return [Truth(scene.labels, scene.boxes_xyxy) for scene in scenes]


@torch.inference_mode()
def detections(model: nn.Module, scenes: Sequence[Scene], device: str, count: int = 25) -> list[Found]:
    """Every query's best class and box on each scene; boxes in pixels of the scene."""
    found = []
    for start in range(0, len(scenes), count):
        images = np.stack([scene.image for scene in scenes[start : start + count]])
        size = images.shape[1]
        out = model(normalised(to_float(images, device), size))
        answer = detect(out["logits"].float(), out["boxes_cxcywh"].float(), (size, size))
        found += as_found(answer, size)
    return found
