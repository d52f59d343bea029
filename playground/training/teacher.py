"""A trained network's answers as soft labels (Hinton et al. 2015, arXiv 1503.02531)."""

import torch
from torch import Tensor, nn

from playground.training.classify import normalised


class Teacher:
    """Gives probabilities [B, classes] for photos [B, 3, S, S] in 0..1, seen at the network's own `size`."""

    def __init__(self, model: nn.Module, size: int, device: str = "cpu") -> None:
        self.model = model.to(device).to(memory_format=torch.channels_last).eval().requires_grad_(False)
        self.size, self.device = size, device

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        pixels = normalised(images, self.size).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            logits: Tensor = self.model(pixels)
        return logits.float().softmax(-1)
