"""Cards for models that no list of ours names: timm's registry, repositories of timm models, random weights."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import timm
from timm.models import is_model_in_modules

from playground.image import Preprocess
from playground.models import hub
from playground.models.card import HF_HUB, UNTRAINED, Card, CardError, Family
from playground.models.labels import IMAGENET_EDITIONS
from playground.models.preprocess import rule_of

TIMM_ID = re.compile(r"(?:timm/)?(?P<architecture>[a-z0-9_]{3,80})(?:\.(?P<tag>[a-z0-9_]{1,80}))?", re.ASCII)
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}/[A-Za-z0-9][A-Za-z0-9_.-]{0,95}", re.ASCII)
WORDNET = re.compile(r"n[0-9]{8}", re.ASCII)
VIT_MODULES = ("vision_transformer", "deit", "eva")
LICENSE_NOTES = {
    "dinov3-license": "Meta's DINOv3 licence: read it before use; the Hub may ask you to accept it first.",
    "cc-by-nc-4.0": "For non-commercial use only.",
}
MAX_CONFIG = 4_000_000  # bytes; 21,000 labels with their descriptions fit
MAX_NUMBER = 2**16  # of a constructor's argument: more would build what no machine holds
MAX_SIDE = 2048
# what timm.create_model or our own build takes for itself, so that no repository can name another file to load
OURS = {
    *("pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "scriptable"),
    *("exportable", "no_jit", "features_only", "num_classes", "in_chans", "model_name", "same_grid"),
}


def family_of_architecture(architecture: str) -> Family:
    """Return which of our family files reads this timm architecture."""
    plain = architecture.split(".")[0]
    if plain.startswith(("coatnet", "coatnext")):
        return "coatnet"
    return "vit" if is_model_in_modules(plain, VIT_MODULES) else "timm"


def from_timm(text: str) -> Card | None:
    """Return a card for weights of timm's registry that are kept as timm/... on the Hub, or None."""
    config = _registered(text)
    if config is None or not str(config.hf_hub_id).startswith("timm/") or config.hf_hub_filename:
        return None
    card = _of_config(f"{config.architecture}.{config.tag}" if config.tag else config.architecture, config)
    return replace(
        card,
        name=f"timm/{card.architecture}",
        repo=config.hf_hub_id,
        license=config.license or "unknown",
        license_note=LICENSE_NOTES.get(config.license, ""),
        paper=f"https://arxiv.org/abs/{config.paper_ids}" if isinstance(config.paper_ids, str) else "",
    )


def untrained(card: Card) -> Card:
    """Return a card for the same architecture with random weights, always the same ones."""
    return replace(
        card,
        name=UNTRAINED + card.name.removeprefix("timm/"),
        title=f"{card.title}, untrained",
        source="untrained",
        repo=None,
        revision=None,
        sha256=None,
        size_bytes=None,
        license="none (random weights)",
        license_note="Random weights: what this model answers means nothing.",
        metrics=(),
        training={},
        temperature=1.0,
        unsure_below=0.0,
    )


def untrained_architecture(text: str) -> Card | None:
    """Return a card for any architecture of timm with random weights, or None where timm has no such name."""
    config = _registered(text)
    return None if config is None else untrained(_of_config(text.removeprefix("timm/"), config))


def is_repository(text: str) -> bool:
    """Whether the text can name a repository of the Hub."""
    return REPOSITORY.fullmatch(text) is not None and ".." not in text


@lru_cache(maxsize=256)
def from_repository(repo: str) -> Card:
    """Return a card for a Hub repository that holds a timm model, as its config.json describes it.

    `repo` is one by `is_repository`. That file is fetched where it is not on this machine. Raises WeightsError or
    CardError with one sentence.
    """
    asked = Card(
        name=HF_HUB + repo,
        title=repo,
        family="timm",
        task="features",
        architecture="unknown",
        labels="none",
        source="hub",
        license="unknown",
        license_note="The repository's page on the Hub states its licence.",
        repo=repo,
        filename="config.json",
    )
    found = _config(hub.fetch(asked), repo)
    architecture, given = found.get("architecture"), found.get("pretrained_cfg", found)
    if not isinstance(architecture, str) or not timm.is_model(architecture) or not isinstance(given, dict):
        raise CardError(f"{repo} is not a model of timm, and others cannot be read; choose another model.")
    classes = found.get("num_classes", given.get("num_classes", 1000))
    if not isinstance(classes, int) or not _is_number(classes, 0, MAX_NUMBER):
        raise CardError(f"The settings of {repo} give no sound number of classes; choose another model.")
    return replace(
        asked,
        family=family_of_architecture(architecture),
        task="classification" if classes else "features",
        architecture=architecture,
        labels=_labels(found, classes),
        options={**_arguments(found.get("model_args", {}), repo), "num_classes": classes},
        preprocess=_preprocess(given, repo),
        license=str(given.get("license") or "unknown")[:64],
        filename="model.safetensors",
    )


def _registered(text: str) -> Any | None:
    """Return timm's settings of an architecture, or of ARCHITECTURE.TAG, with "timm/" before it or not; else None."""
    match = TIMM_ID.fullmatch(text)
    if match is None or not timm.is_model(match["architecture"]):
        return None
    try:
        return timm.get_pretrained_cfg(text.removeprefix("timm/"), allow_unregistered=False)
    except RuntimeError:  # the architecture exists, the tag does not
        return None


def _of_config(architecture: str, config: Any) -> Card:
    classes = IMAGENET_EDITIONS.get(config.num_classes)  # other counts are not classes but widths of an embedding
    return Card(
        name=architecture,
        title=architecture,
        family=family_of_architecture(config.architecture),
        task="classification" if classes else "features",
        architecture=architecture,
        labels=classes or "none",
        source="hub",
        repo=f"timm/{architecture}",
        license="unknown",
    )


def _config(path: Path, repo: str) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes()) if path.stat().st_size <= MAX_CONFIG else None
    except (OSError, ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CardError(f"The settings of {repo} cannot be read; choose another model.")
    return found


def _labels(found: Mapping[str, Any], classes: int) -> str | tuple[str, ...]:
    """Return the repository's own labels, or the name of the edition of ImageNet that they are."""
    names, said = found.get("label_names"), found.get("label_descriptions")
    if not isinstance(names, list) or len(names) != classes or not all(isinstance(x, str) and x for x in names):
        return IMAGENET_EDITIONS.get(classes, "none")
    if classes in IMAGENET_EDITIONS and WORDNET.fullmatch(names[0]):
        return IMAGENET_EDITIONS.get(classes, "none")
    described = said if isinstance(said, dict) else {}
    return tuple(str(described.get(name) or name).split(",")[0] for name in names)


def _arguments(given: Any, repo: str) -> dict[str, Any]:
    """Return the constructor's arguments, where they are plain values of sane sizes; else raises CardError."""

    def plain(value: Any, depth: int = 0) -> bool:
        if isinstance(value, list):
            return depth < 2 and len(value) <= 64 and all(plain(inner, depth + 1) for inner in value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _is_number(value, -MAX_NUMBER, MAX_NUMBER)
        return value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) <= 64)

    if not isinstance(given, dict) or not all(plain(value) for value in given.values()) or OURS & set(given):
        raise CardError(f"The settings of {repo} ask for something that is not built here; choose another model.")
    return given


def _preprocess(given: Mapping[str, Any], repo: str) -> Preprocess:
    size, crop = given.get("input_size") or (3, 224, 224), given.get("crop_pct") or 0.875
    sound = isinstance(size, list | tuple) and len(size) == 3 and size[0] == 3
    if not sound or not all(_is_number(side, 1, MAX_SIDE) for side in size):
        raise CardError(f"{repo} wants pictures of a size that cannot be made here; choose another model.")
    try:
        return Preprocess(
            rule=rule_of(str(given.get("crop_mode"))),
            size=(int(size[1]), int(size[2])),
            crop_pct=float(crop),
            interpolation=given.get("interpolation", "bicubic"),
            mean=tuple(given.get("mean", Preprocess.mean)),
            std=tuple(given.get("std", Preprocess.std)),
        )
    except (TypeError, ValueError):
        raise CardError(f"The settings of {repo} say in no sound way how to prepare a picture.") from None


def _is_number(value: Any, low: int, high: int) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
