"""The classification task: crops, flips and light colour changes made on whole batches of tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from timm.layers import PatchDropout
from torch import Tensor, nn
from torch.nn import functional as F

from playground.datasets.everyday import Photos
from playground.training.loop import Stage

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Augment:
    """How training photos vary: least area of the crop (1 = whole), aspect, colour strength, mixing probability."""

    least_area: float = 0.75
    aspect: float = 1.1
    colour: float = 0.1
    mix: float = 0.0  # share of batches that are mixed, half by mixup and half by cutmix


def normalised(images: Tensor, size: int) -> Tensor:
    """[B, 3, S, S] in 0..1 -> [B, 3, size, size] with ImageNet mean and standard deviation."""
    if images.shape[-1] != size:
        images = F.interpolate(images, size=(size, size), mode="bicubic", antialias=True).clamp(0, 1)
    mean, std = (images.new_tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (images - mean) / std


def to_float(images: np.ndarray, device: str = "cpu") -> Tensor:
    """uint8 [B, S, S, 3] -> float [B, 3, S, S] in 0..1."""
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float().div_(255)


def augmented(images: Tensor, how: Augment, generator: torch.Generator) -> Tensor:
    """Random crop (scaled back), flip, brightness, contrast, saturation, drawn for each photo. [B, 3, S, S] in 0..1."""
    count, device = len(images), images.device

    def draw(low: float, high: float) -> Tensor:
        return torch.empty(count).uniform_(low, high, generator=generator).to(device)

    area = draw(how.least_area, 1.0)
    bent = torch.exp(draw(-1, 1) * float(np.log(how.aspect)) / 2)
    wide, high = (area.sqrt() * bent).clamp(max=1), (area.sqrt() / bent).clamp(max=1)
    flip = torch.where(draw(0, 1) < 0.5, -1.0, 1.0)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1] = wide * flip, high
    theta[:, 0, 2], theta[:, 1, 2] = draw(-1, 1) * (1 - wide), draw(-1, 1) * (1 - high)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    bright, contrast, saturation = (1 + how.colour * draw(-1, 1).view(-1, 1, 1, 1) for _ in range(3))
    images = images * bright
    centre = images.mean((1, 2, 3), keepdim=True)
    images = centre + contrast * (images - centre)
    grey = images.mean(1, keepdim=True)
    return (grey + saturation * (images - grey)).clamp_(0, 1)


def mixed(images: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mixup or cutmix of a batch with itself turned round; targets [B, classes] are mixed by the same share."""
    share = float(torch.empty(()).uniform_(0.5, 1.0, generator=generator))
    if float(torch.rand((), generator=generator)) < 0.5:
        images = share * images + (1 - share) * images.flip(0)
    else:
        side = images.shape[-1]
        cut = round(side * (1 - share) ** 0.5)
        top, left = (int(torch.randint(side - cut + 1, (), generator=generator)) for _ in range(2))
        images = images.clone()
        images[:, :, top : top + cut, left : left + cut] = images.flip(0)[:, :, top : top + cut, left : left + cut]
        share = 1 - (cut / side) ** 2
    return images, share * targets + (1 - share) * targets.flip(0)


class Classification:
    """Photos -> classes, by cross-entropy with smoothed labels."""

    def __init__(
        self,
        photos: Photos,
        trained_on: np.ndarray,
        held_out: np.ndarray,
        build: Callable[[int], nn.Module],
        fit: Callable[[dict[str, Tensor], nn.Module], dict[str, Tensor]],
        augment: Augment,
        smoothing: float = 0.1,
        device: str = "cpu",
        channels_last: bool = False,
        taught: np.ndarray | None = None,
        trust: float = 0.5,
    ) -> None:
        """`taught` are a teacher's probabilities [N, classes] for all photos; they weigh `trust` in the targets."""
        self.photos, self.trained_on, self.held_out = photos, trained_on, held_out
        self.build, self.fit = build, fit
        self.augment, self.smoothing, self.device = augment, smoothing, device
        self.channels_last = channels_last
        self.taught, self.trust = taught, trust
        self.images = np.ascontiguousarray(photos.images)

    def enter(self, model: nn.Module, stage: Stage) -> None:
        """Leave out the stage's share of patches while training; only a vision transformer can."""
        if hasattr(model, "patch_drop"):
            dropped = 1 - stage.keep
            model.patch_drop = PatchDropout(dropped, model.num_prefix_tokens) if dropped else nn.Identity()

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        return [(1.0, [name for name, _ in model.named_parameters()])]

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """(pixels [B, 3, size, size], targets [B, classes]) of photos drawn with replacement."""
        drawn = self.trained_on[torch.randint(len(self.trained_on), (count,), generator=generator).numpy()]
        images = augmented(to_float(self.images[drawn], self.device), self.augment, generator)
        labels = torch.from_numpy(self.photos.labels[drawn]).to(self.device)
        targets = F.one_hot(labels, len(self.photos.classes)).float()
        targets = targets * (1 - self.smoothing) + self.smoothing / len(self.photos.classes)
        if self.taught is not None:
            soft = torch.from_numpy(self.taught[drawn]).to(self.device).float()
            targets = (1 - self.trust) * targets + self.trust * soft
        if float(torch.rand((), generator=generator)) < self.augment.mix:
            images, targets = mixed(images, targets, generator)
        pixels = normalised(images, size)
        if self.channels_last:
            pixels = pixels.contiguous(memory_format=torch.channels_last)
        return pixels, targets

    def loss(self, model: nn.Module, batch: tuple[object, ...]) -> Tensor:
        """Cross-entropy with soft targets."""
        pixels, targets = batch
        assert isinstance(targets, Tensor)
        return F.cross_entropy(model(pixels).float(), targets)

    @torch.no_grad()
    def score(self, model: nn.Module, size: int) -> dict[str, float]:
        """top-1 and top-5 on at most 1000 held-out training photos, 0..1."""
        chosen = self.held_out[:1000]
        logits = predict_logits(model, self.images, chosen, size, self.device)
        best = logits.topk(5).indices.numpy()
        hits = best == self.photos.labels[chosen, None]
        return {"top-1": float(hits[:, 0].mean()), "top-5": float(hits.any(1).mean())}


@torch.inference_mode()
def predict_logits(
    model: nn.Module, images: np.ndarray, indices: np.ndarray, size: int, device: str, count: int = 100
) -> Tensor:
    """Logits [N, classes] in float32 for these photos, whole, unaugmented."""
    parts: list[Tensor] = []
    for start in range(0, len(indices), count):
        pixels = normalised(to_float(images[indices[start : start + count]], device), size)
        parts.append(model(pixels).float().cpu())
    return torch.cat(parts)
