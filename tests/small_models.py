"""Small models with random weights in files of their own, asked as any card is."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from playground.image import Preprocess
from playground.models import family_of
from playground.models.card import Card


def small_card(folder: Path, task: str = "classification", labels: tuple[str, ...] = ("a", "b"), seed: int = 0) -> Card:
    """Write weights drawn with the seed and return their card; "panoptic" has masks too."""
    options: dict[str, object] = {"layers": (1, 1), "width": 0.25, "spans": (16, 8), "strides": (1, 2), "stem": "convs"}
    if task != "classification":
        options = {"backbone": "resnet10t", "num_queries": 6, "d_model": 32, "nhead": 4, "enc": 1, "dec": 1, "ffn": 32}
        if task == "panoptic":
            options |= {"panoptic": True, "d_model": 128, "nhead": 8}
    family = "axial" if task == "classification" else "detr"
    card = Card(
        name=f"small-{task}",
        title="small",
        family=family,  # type: ignore[arg-type]
        task=task,  # type: ignore[arg-type]
        architecture=family,
        labels=labels,
        source="local",
        license="none",
        options=options | {"num_classes": len(labels)},
        preprocess=Preprocess("squash", (64, 64), 1.0, "bicubic"),
        filename=str(folder / f"{task}-{seed}.safetensors"),
    )
    torch.manual_seed(seed)
    model = family_of(card).build(card)
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, card.filename)
    return card
