"""Every model that can be asked by name: bundled checkpoints, the Hub cards listed here, and timm's own registry."""

import difflib
from dataclasses import replace
from functools import cache
from pathlib import Path

import timm

from playground.image import Preprocess
from playground.models.any_name import (
    LICENSE_NOTES,
    family_of_architecture,
    from_repository,
    from_timm,
    is_repository,
    untrained,
    untrained_architecture,
)
from playground.models.card import HF_HUB, UNTRAINED, Card, CardError, Metric
from playground.models.labels import IMAGENET_EDITIONS

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
OWN = Path("~/.vit-playground/checkpoints")  # where trainings write when CHECKPOINTS is read-only
MAX_ECHO = 64  # letters of a foreign name that an error repeats
MAX_NAME = 256
MOST_FOUND = 50
HOW_TO_LIST = "`python -m playground models` lists them all."

AUGREG = "https://arxiv.org/abs/2106.10270"
DEIT = "https://arxiv.org/abs/2012.12877"
DINOV2 = "https://arxiv.org/abs/2304.07193"
REGISTERS = "https://arxiv.org/abs/2309.16588"
DINOV3 = "https://arxiv.org/abs/2508.10104"
COATNET = "https://arxiv.org/abs/2106.04803"
DETR = "https://arxiv.org/abs/2005.12872"
TIMM_RESULTS = "timm, results/results-imagenet.csv"
IMAGENET = "ImageNet-1k validation"


def _timm(name: str, title: str, architecture: str, parameters: int, metric: Metric, paper: str) -> Card:
    """A card for weights that timm keeps on the Hub: a classifier, or features when a head of others was measured."""
    classifies = metric.name == "top-1"
    license_name = "dinov3-license" if "dinov3" in architecture else "apache-2.0"
    return Card(
        name=name,
        title=title,
        family=family_of_architecture(architecture),
        task="classification" if classifies else "features",
        architecture=architecture,
        labels="imagenet-1k" if classifies else "none",
        source="hub",
        repo=f"timm/{architecture}",
        license=license_name,
        license_note=LICENSE_NOTES.get(license_name, ""),
        parameters=parameters,
        metrics=(metric,),
        paper=paper,
    )


def _classifiers(paper: str, *rows: tuple[str, str, str, int, float]) -> tuple[Card, ...]:
    """Rows of name, title, architecture, parameters and top-1 in %."""
    return tuple(
        _timm(name, title, architecture, parameters, Metric("top-1", top1, "%", IMAGENET, TIMM_RESULTS), paper)
        for name, title, architecture, parameters, top1 in rows
    )


def _features(paper: str, dataset: str, source: str, *rows: tuple[str, str, str, int, float]) -> tuple[Card, ...]:
    """Rows of name, title, architecture, parameters and the top-1 in % that a linear layer on top was measured at."""
    measured = "top-1 of a linear layer"
    return tuple(
        _timm(name, title, architecture, parameters, Metric(measured, top1, "%", dataset, source), paper)
        for name, title, architecture, parameters, top1 in rows
    )


def _detr(size: str, title: str, parameters: int, value: float, revision: str | None = None) -> Card:
    """A card for facebook/detr-resnet-SIZE; `value` is the published AP, or PQ, in %."""
    panoptic = size.endswith("panoptic")
    name, options = f"detr-resnet-{size}", {"backbone": f"resnet{size.split('-')[0]}", "dilation": "dc5" in size}
    return Card(
        name=name,
        title=title,
        family="detr",
        task="panoptic" if panoptic else "detection",
        architecture="detr",
        options={**options, "num_classes": 250 if panoptic else 91, "panoptic": panoptic},
        preprocess=Preprocess(rule="detr", interpolation="bilinear"),
        labels="coco-panoptic" if panoptic else "coco",
        source="hub",
        repo=f"facebook/{name}",
        revision=revision,
        license="apache-2.0",
        parameters=parameters,
        metrics=(
            Metric("PQ", value, "%", "COCO val2017 panoptic", "DETR paper, table 5")
            if panoptic
            else Metric("AP", value, "%", "COCO val2017", "DETR paper, table 1"),
        ),
        paper=DETR,
    )


HUB: tuple[Card, ...] = (
    *_classifiers(
        AUGREG,
        ("vit-tiny-patch16-224", "ViT-Ti/16", "vit_tiny_patch16_224.augreg_in21k_ft_in1k", 5_717_416, 75.45),
        ("vit-small-patch16-224", "ViT-S/16", "vit_small_patch16_224.augreg_in21k_ft_in1k", 22_050_664, 81.40),
        ("vit-base-patch16-224", "ViT-B/16", "vit_base_patch16_224.augreg_in21k_ft_in1k", 86_567_656, 84.53),
        ("vit-base-patch16-augreg2", "ViT-B/16 II", "vit_base_patch16_224.augreg2_in21k_ft_in1k", 86_567_656, 85.11),
        ("vit-base-patch32-224", "ViT-B/32", "vit_base_patch32_224.augreg_in21k_ft_in1k", 88_224_232, 80.73),
        ("vit-large-patch16-224", "ViT-L/16", "vit_large_patch16_224.augreg_in21k_ft_in1k", 304_326_632, 85.86),
    ),
    *_classifiers(
        DEIT,
        ("deit-tiny-patch16-224", "DeiT-Ti/16", "deit_tiny_patch16_224.fb_in1k", 5_717_416, 72.19),
        ("deit-small-patch16-224", "DeiT-S/16", "deit_small_patch16_224.fb_in1k", 22_050_664, 79.86),
        ("deit-base-patch16-224", "DeiT-B/16", "deit_base_patch16_224.fb_in1k", 86_567_656, 81.98),
        ("deit-tiny-distilled", "DeiT-Ti/16 distilled", "deit_tiny_distilled_patch16_224.fb_in1k", 5_910_800, 74.54),
    ),
    *_classifiers(
        REGISTERS,
        ("vit-little-reg4", "ViT-Little/16 reg4", "vit_little_patch16_reg4_gap_256.sbb_in1k", 22_516_008, 82.52),
        ("vit-medium-reg4", "ViT-M/16 reg4", "vit_medium_patch16_reg4_gap_256.sbb_in12k_ft_in1k", 38_881_768, 84.96),
    ),
    *_features(
        DINOV2,
        IMAGENET,
        "DINOv2 README",
        ("dinov2-small-reg4", "DINOv2 ViT-S/14 reg4", "vit_small_patch14_reg4_dinov2.lvd142m", 22_057_344, 80.9),
        ("dinov2-base-reg4", "DINOv2 ViT-B/14 reg4", "vit_base_patch14_reg4_dinov2.lvd142m", 86_582_016, 84.6),
    ),
    *_features(
        DINOV3,
        "ImageNet-ReaL",
        "DINOv3 model card",
        ("dinov3-small", "DINOv3 ViT-S/16", "vit_small_patch16_dinov3.lvd1689m", 21_586_944, 87.0),
        ("dinov3-base", "DINOv3 ViT-B/16", "vit_base_patch16_dinov3.lvd1689m", 85_641_216, 89.3),
    ),
    *_classifiers(
        COATNET,
        ("coatnet-nano-224", "CoAtNet nano", "coatnet_nano_rw_224.sw_in1k", 15_141_244, 81.70),
        ("coatnet-0-224", "CoAtNet-0", "coatnet_0_rw_224.sw_in1k", 27_435_562, 82.40),
        ("coatnet-1-224", "CoAtNet-1", "coatnet_1_rw_224.sw_in1k", 41_721_502, 83.62),
        ("coatnet-2-224", "CoAtNet-2", "coatnet_2_rw_224.sw_in12k_ft_in1k", 73_868_400, 86.58),
        ("coatnet-rmlp-2-224", "CoAtNet-2 RMLP", "coatnet_rmlp_2_rw_224.sw_in12k_ft_in1k", 73_881_264, 86.54),
    ),
    _detr("50", "DETR R50", 41_524_768, 42.0, "1d5f47bd3bdd2c4bbfa585418ffe6da5028b4c0b"),
    _detr("101", "DETR R101", 60_464_672, 43.5),
    _detr("50-dc5", "DETR R50-DC5", 41_524_768, 43.3),
    _detr("101-dc5", "DETR R101-DC5", 60_464_672, 44.9),
    _detr("50-panoptic", "DETR R50 panoptic", 42_899_288, 43.4, "12df956224e66b0faed42e288f43704ddab668ce"),
    _detr("50-dc5-panoptic", "DETR R50-DC5 panoptic", 42_899_288, 44.6),
    _detr("101-panoptic", "DETR R101 panoptic", 61_839_192, 45.1),
)


def bundled() -> tuple[Card, ...]:
    """Return the cards under CHECKPOINTS and OWN, by name; folders whose card cannot be read are left out."""
    return tuple(card for card in _bundled().values() if isinstance(card, Card))


def first() -> Card | None:
    """Return the card of the bundled classifier that measured best, else of any bundled model: it needs no download."""
    own = [card for card in bundled() if card.source == "bundled"]
    classifiers = [card for card in own if card.task == "classification" and card.metrics]
    best = max(classifiers, key=lambda card: card.metrics[0].value, default=None)
    return best or next(iter(own), None)


def folder_of(name: str) -> Path:
    """Return the folder of a bundled checkpoint, by the card's checked name; the project's own come first."""
    here = CHECKPOINTS / name
    return here if here.is_dir() else OWN.expanduser() / name


def names() -> tuple[str, ...]:
    """Return every name that a menu offers, bundled models first."""
    return tuple(card.name for card in (*bundled(), *HUB))


def find(name: object) -> Card:
    """Return the card with this name, or with this Hub id ("facebook/detr-resnet-50", "timm/ARCHITECTURE.TAG").

    "hf-hub:OWNER/NAME" is any Hub repository of a timm model, whose settings are read from the Hub when first asked
    for; "untrained:NAME" any of these names, or any architecture of timm, with random weights. The text is never
    joined to a path of this machine. Anything else raises ValueError with one sentence.
    """
    if not isinstance(name, str):
        raise CardError(f"The model must be given by its name, as text; {HOW_TO_LIST}")
    text = name.strip() if len(name) <= MAX_NAME else ""
    if text.startswith(UNTRAINED):
        return _untrained(text.removeprefix(UNTRAINED))
    if text.startswith(HF_HUB) and is_repository(text.removeprefix(HF_HUB)):
        return from_repository(text.removeprefix(HF_HUB))
    shipped = _bundled()
    if text in shipped:
        found = shipped[text]
        if isinstance(found, Card):
            return found
        raise CardError(
            f"The card of the bundled model {text} is damaged, so it cannot be used; the others still work."
        )
    for card in HUB:
        if text in (card.name, card.repo):
            return card
    registered = from_timm(text)
    if registered is None:
        raise CardError(_unknown(name))
    return registered


def search(text: object, most: int = MOST_FOUND) -> tuple[str, ...]:
    """Return up to `most` names for `find` that hold every word of the text, bundled models first.

    All of timm's classification models are among them: with weights of the Hub, and after these as "untrained:NAME".
    An empty text gives the models of the menus.
    """
    words = str(text).lower().replace("_", "-").split()[:8] if isinstance(text, str) else []
    if not words:
        return names()[:most]
    found = (name for name, said in _searchable() if all(word in said for word in words))
    return tuple(name for _, name in zip(range(most), found, strict=False))


def local_card(path: str | Path, architecture: str, labels: tuple[str, ...] | None = None) -> Card:
    """Return a card for a safetensors file of one's own, for the command line; never for text from the page.

    `architecture` is a name that `find` knows or a timm id; `labels` are the file's own classes, if it has others.
    """
    model = find(architecture)
    options = model.options if labels is None else {**model.options, "num_classes": len(labels)}
    return replace(
        model,
        name="local",
        title=f"Your weights for {model.title}",
        source="local",
        repo=None,
        revision=None,
        filename=str(path),
        sha256=None,
        size_bytes=None,
        license="unknown",
        license_note="",
        metrics=(),
        training={},
        options=options,
        labels=model.labels if labels is None else labels,
        parameters=None,
        temperature=1.0,
        unsure_below=0.0,
    )


def _bundled() -> dict[str, Card | CardError]:
    """Read every NAME/card.json of both folders; a card that cannot be read is kept as its error."""
    found: dict[str, Card | CardError] = {}
    paths = {
        path.parent.name: path for folder in (OWN.expanduser(), CHECKPOINTS) for path in folder.glob("*/card.json")
    }
    for _, path in sorted(paths.items()):
        try:
            card = Card.from_json(path.read_text(encoding="utf-8"))
            if card.name != path.parent.name or card.source != "bundled":
                raise CardError("The card's name or source does not fit its folder.")
            found[card.name] = card
        except CardError as error:
            found[path.parent.name] = error
        except (ValueError, OSError):
            found[path.parent.name] = CardError("The card cannot be read.")
    return found


def _untrained(text: str) -> Card:
    """Return the card of random weights for an architecture of timm or for anything that `find` knows."""
    found = untrained_architecture(text)
    if found is not None:
        return found
    known = find(text)
    if known.source == "untrained":
        raise CardError(f"Write {UNTRAINED} once before the name of a model.")
    return untrained(known)


@cache
def _searchable() -> tuple[tuple[str, str], ...]:
    """Return every name that can be searched for, with what is searched in it: bundled, listed, timm's, untrained."""
    listed = [(card.name, f"{card.name} {card.title} {card.architecture} {card.family}") for card in (*bundled(), *HUB)]
    known = {card.architecture for card in HUB}
    classifiers = [name for name in timm.list_models(pretrained=True) if name not in known and _classifies(name)]
    kept = [f"timm/{name}" for name in classifiers if from_timm(name) is not None]
    random = [UNTRAINED + name for name in timm.list_models() if _classifies(name)]
    said = [*listed, *((name, name) for name in (*kept, *random))]
    return tuple((name, text.lower().replace("_", "-")) for name, text in said)


def _classifies(name: str) -> bool:
    config = timm.get_pretrained_cfg(name)
    return config is not None and config.num_classes in IMAGENET_EDITIONS


def _unknown(name: str) -> str:
    start = name[:MAX_ECHO].strip()
    echo = "".join(letter if letter.isprintable() else "?" for letter in start) + ("…" if len(name) > MAX_ECHO else "")
    known = names()
    wanted = start.lower().rsplit("/", 1)[-1].replace("_", "-")
    within = [name for name in known if len(wanted) > 2 and wanted in name]
    close = (within + [n for n in difflib.get_close_matches(wanted, known, n=3, cutoff=0.6) if n not in within])[:3]
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    return f"No model is called '{echo}'; {hint}{HOW_TO_LIST}"
