"""Small models of every family in files of their own, and pictures, for tests of comparisons."""

from dataclasses import replace
from pathlib import Path

from explaining import SMALL, model_of, noise
from safetensors.torch import save_file

from playground.image import Picture, read
from playground.models.card import Card

FAMILIES = ("vit", "coatnet", "axial", "detr")


def cards(folder: Path) -> dict[str, Card]:
    """Save a small random model of each family and return their cards by name; all know the classes a to e."""
    found = {}
    for name in FAMILIES:
        path = folder / f"{name}.safetensors"
        save_file({key: value.contiguous() for key, value in model_of(name).state_dict().items()}, path)
        found[name] = replace(SMALL[name], name=f"small-{name}", title=name, filename=str(path), labels=tuple("abcde"))
    return found


def picture(seed: int = 0, rows: int = 60, cols: int = 100) -> Picture:
    return read(noise(rows, cols, seed))
