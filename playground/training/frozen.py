"""Learning a detector's transformer on stored features: the backbone runs once a scene, the rest many times."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from playground.datasets.scenes import Composer, Scene
from playground.evaluation.detection import average_precision
from playground.models.detr import DETR, detect
from playground.training.classify import normalised, to_float
from playground.training.detection import Detection, as_found, coloured, target, truths
from playground.training.loop import Stage
from playground.training.matching import COST, Target, Targets


class Given(nn.Module):
    """Stands where the backbone was: its input is the features themselves."""

    def forward(self, features: Tensor) -> list[Tensor]:
        """The one feature level [B, C, rows, cols]."""
        return [features]


def without_backbone(model: DETR) -> DETR:
    """The same detector fed with features [B, C, rows, cols] in place of pixels."""
    model.backbone, model.level = Given(), 0
    return model


class FrozenDetection(Detection):
    """Scenes composed once, features stored as float16; projection, transformer and heads learn.

    `whole` makes the complete detector with its starting weights; its batch norms use their running statistics.
    """

    def __init__(
        self,
        maker: Composer,
        held_out: Sequence[Scene],
        whole: Callable[[int], DETR],
        size: int,
        count: int,
        store: Path,
        groups: int = 1,
        device: str = "cpu",
        seed: int = 0,
        class_cost: float = COST["class"],
    ) -> None:
        def headless(_: int) -> nn.Module:
            return without_backbone(whole(size))

        super().__init__(maker, held_out, headless, groups, 1.0, device, class_cost=class_cost)
        backbone = whole(size).to(device).eval()
        rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
        self.features, self.targets = self._stored(backbone, rng, generator, size, count, store)
        self.held_features = torch.cat([features(backbone, [scene], device) for scene in held_out])
        self.size = size

    def _stored(
        self, model: DETR, rng: np.random.Generator, generator: torch.Generator, size: int, count: int, store: Path
    ) -> tuple[np.ndarray, list[Target]]:
        """Features of `count` fresh scenes in a memory-mapped file, and labels with boxes [n, 5] of each."""
        stored: np.ndarray | None = None
        targets: list[Target] = []
        for start in range(0, count, 50):
            scenes = [self.maker.compose(rng, size) for _ in range(min(50, count - start))]
            found = features(model, scenes, self.device, generator)
            if stored is None:
                store.parent.mkdir(parents=True, exist_ok=True)
                shape = (count, *found.shape[1:])
                stored = np.lib.format.open_memmap(store, mode="w+", dtype=np.float16, shape=shape)
            stored[start : start + len(scenes)] = found.half().numpy()
            targets += [target(scene) for scene in scenes]
        assert stored is not None
        return stored, targets

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """(features [B, C, rows, cols], Targets), drawn with replacement."""
        drawn = torch.randint(len(self.targets), (count,), generator=generator)
        return (
            torch.from_numpy(self.features[drawn.numpy()]).to(self.device).float(),
            Targets.of([self.targets[int(number)] for number in drawn]).to(self.device),
        )

    def enter(self, model: nn.Module, stage: Stage) -> None:
        """Features have one size."""
        assert stage.size == self.size

    @torch.inference_mode()
    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        """mAP and mAP50 on the held-out scenes, from their stored features."""
        out = model(self.held_features)
        answer = detect(out["logits"].float(), out["boxes_cxcywh"].float(), (size, size))
        results = average_precision(as_found(answer, size), truths(self.held_out), len(self.names))
        return {"mAP": results["mAP"], "mAP50": results["mAP50"]}


@torch.inference_mode()
def features(model: DETR, scenes: Sequence[Scene], device: str, generator: torch.Generator | None = None) -> Tensor:
    """The backbone's answer [B, C, rows, cols] for scenes of one size; with a generator their colours vary."""
    images = to_float(np.stack([scene.image for scene in scenes]), device)
    if generator is not None:
        images = coloured(images, generator)
    return model.backbone(normalised(images, images.shape[-1]))[model.level].float().cpu()
