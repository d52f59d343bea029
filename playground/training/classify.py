"""The classification task: crops, flips and light colour changes made on whole batches of tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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

    def milder(self, strength: float) -> "Augment":
        """The same at a strength between 0, nothing but flips, and 1, as it is."""
        return replace(
            self,
            least_area=1 - strength * (1 - self.least_area),
            aspect=self.aspect**strength,
            colour=strength * self.colour,
            mix=strength * self.mix,
        )


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
    drawn = torch.rand(8, count, generator=generator).to(device)  # all at once: each way to a device costs time
    flip = torch.where(drawn[0] < 0.5, -1.0, 1.0)
    area, bent, right, down, *strengths = (2 * drawn[1:] - 1).unbind()  # each -1..1
    area = 1 - (1 - how.least_area) * (area + 1) / 2
    bent = torch.exp(bent * float(np.log(how.aspect)) / 2)
    wide, high = (area.sqrt() * bent).clamp(max=1), (area.sqrt() / bent).clamp(max=1)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1] = wide * flip, high
    theta[:, 0, 2], theta[:, 1, 2] = right * (1 - wide), down * (1 - high)
    grid = F.affine_grid(theta, list(images.shape), align_corners=False)
    images = F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    bright, contrast, saturation = (1 + how.colour * strength.view(-1, 1, 1, 1) for strength in strengths)
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
    """Photos -> classes, by cross-entropy with smoothed labels, and with a teacher's answers where there is one."""

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
        teacher: Callable[[Tensor], Tensor] | None = None,
        trust: float = 0.5,
    ) -> None:
        """`teacher` gives probabilities [B, classes] for photos [B, 3, S, S] in 0..1; they weigh `trust` in the
        targets."""
        self.photos, self.held_out = photos, held_out
        self.build, self.fit = build, fit
        self.augment, self.smoothing, self.device = augment, smoothing, device
        self.channels_last = channels_last
        self.teacher, self.trust = teacher, trust
        self.trained_on = torch.from_numpy(trained_on)
        self.images = torch.from_numpy(np.array(photos.images)).to(device)  # uint8: the whole set fits on a GPU
        self.labels = torch.from_numpy(photos.labels).to(device)
        self.varied = augment

    def enter(self, model: nn.Module, stage: Stage) -> None:
        """Vary photos as the stage has it, and leave out its share of patches; only a vision transformer can."""
        self.varied = self.augment.milder(stage.strength)
        dropped = 1 - stage.keep
        if dropped and hasattr(model, "patch_drop"):
            model.patch_drop = PatchDropout(dropped, model.num_prefix_tokens)
        elif isinstance(getattr(model, "patch_drop", None), PatchDropout):
            model.patch_drop = nn.Identity()

    def groups(self, model: nn.Module) -> Sequence[tuple[float, list[str]]]:
        return [(1.0, [name for name, _ in model.named_parameters()])]

    def batch(self, size: int, count: int, generator: torch.Generator) -> tuple[object, ...]:
        """(pixels [B, 3, size, size], targets [B, classes]) of photos drawn with replacement.

        A teacher answers the very view that the network sees, as cut, coloured and mixed, at the teacher's own size
        (Beyer et al. 2022, arXiv 2106.05237).
        """
        drawn = self.trained_on[torch.randint(len(self.trained_on), (count,), generator=generator)].to(self.device)
        images = augmented(self.images[drawn].permute(0, 3, 1, 2).float().div_(255), self.varied, generator)
        targets = F.one_hot(self.labels[drawn], len(self.photos.classes)).float()
        targets = targets * (1 - self.smoothing) + self.smoothing / len(self.photos.classes)
        if float(torch.rand((), generator=generator)) < self.varied.mix:
            images, targets = mixed(images, targets, generator)
        if self.teacher is not None:
            targets = (1 - self.trust) * targets + self.trust * self.teacher(images)
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
        """top-1 and top-5 (of fewer classes all) on at most 1000 held-out training photos, 0..1."""
        chosen = self.held_out[:1000]
        logits = predict_logits(model, self.photos.images, chosen, size, self.device)
        best = logits.topk(min(5, logits.shape[1])).indices.numpy()
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
