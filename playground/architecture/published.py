"""The published tables of the four families, and what this code counts for the same models.

Every model is built without weights and counted (`costs.count`); a number is equal when it rounds to the digits that
were published. Where it is not, or where two definitions differ, the row says why.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from playground.architecture.costs import Costs, count
from playground.architecture.kinds import walk
from playground.architecture.stages import Stage
from playground.image import Preprocess
from playground.models.card import Card
from playground.models.catalogue import HUB

FROZEN = (("stem", 1), ("backbone", 1))
UNITS = {"M": 1e6, "B": 1e9, "G": 1e9}
# DETR paper, table 1: pictures a second on one V100
PICTURES_A_SECOND = {
    "detr-resnet-50": 28.0, "detr-resnet-50-dc5": 12.0, "detr-resnet-101": 20.0, "detr-resnet-101-dc5": 10.0,
}  # fmt: skip
PLAIN = Preprocess(rule="crop")
VIT = "ViT paper, table 1"
COATNET = "CoAtNet paper, tables 3, 11 and 12"
SPEED = "CoAtNet paper, tables 4, 5, 9, 13 and 14"
AXIAL = "Axial-DeepLab paper, tables 1 and 2"
AUTHORS = "README of the authors' PyTorch release"
DETR = "DETR paper, tables 1 and 5"
TIMM = "timm, results/results-imagenet.csv"


@dataclass(frozen=True)
class Claim:
    """One published number: `text` as printed ("86M"), of `what`, for a picture of `size` where that matters.

    `what` is "parameters", "trainable" (without the frozen first layers), "headless" (without the classifier) or
    "macs"; `why` names the text that explains a difference.
    """

    what: str
    text: str
    source: str
    size: tuple[int, int] | None = None
    why: str = ""


@dataclass(frozen=True)
class Entry:
    """One model of a table: `shape` are published facts of its build, `results` its published accuracies in words."""

    name: str
    card: Card
    shape: tuple[tuple[str, str], ...]
    claims: tuple[Claim, ...]
    results: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Rebuilt:
    """An entry of a table with what this code counts for it, and each published fact beside its count."""

    entry: Entry
    costs: Costs
    checks: tuple["Check", ...]


@dataclass(frozen=True)
class Check:
    """One fact beside its count: both in the same words, whether they are equal, and for a picture of which size."""

    what: str
    published: str
    counted: str
    equal: bool
    source: str
    why: str = ""
    size: tuple[int, int] | None = None


def rebuilt(entry: Entry) -> Rebuilt:
    """Build the entry's model without weights and set every published fact beside what is counted on it."""
    own = count(entry.card)
    built = dict(_shape(own))
    source = _SOURCES[entry.card.family]
    checks = [Check(name, text, built.get(name, ""), built.get(name) == text, source) for name, text in entry.shape]
    for claim in entry.claims:
        costs = own if claim.size is None else count(entry.card, claim.size)
        value = _value(claim.what, costs)
        counted = f"{value / _unit(claim.text):.2f}{claim.text[-1]}"
        equal = agrees(value, claim.text)
        checks.append(Check(claim.what, claim.text, counted, equal, claim.source, claim.why, claim.size))
    return Rebuilt(entry, own, tuple(checks))


def agrees(value: float, text: str) -> bool:
    """Whether a count rounds to the published digits: 24,999,000 agrees with "25M", 25,600,000 does not."""
    match = re.fullmatch(r"(\d+(?:\.(\d+))?)([MBG])", text)
    assert match is not None, text
    digits = len(match[2] or "")
    return abs(value / UNITS[match[3]] - float(match[1])) <= 0.5 * 10**-digits + 1e-9


def _unit(text: str) -> float:
    return UNITS[text[-1]]


def _value(what: str, costs: Costs) -> int:
    if what == "macs":
        return costs.macs
    if what == "trainable":  # DETR keeps its first convolution and stage as they were
        return costs.parameters - sum(s.parameters for s in costs.stages if (s.role, s.number) in FROZEN)
    if what == "headless":
        last = costs.stages[-1].blocks[-1].part
        return costs.parameters - last.parameters
    return costs.parameters


def _shape(costs: Costs) -> Iterator[tuple[str, str]]:
    """Yield what the built model looks like, in the words of the papers' tables."""
    body = [stage for stage in costs.stages if stage.role == "stage"]
    main = body[0] if body else costs.stages[0]
    yield "layers", ", ".join(str(len(stage.blocks)) for stage in body)
    yield "width", str(main.gives[-1])
    yield "heads", str(main.attention[0].heads) if main.attention else ""
    hidden = [p.gives[0][-1] for b in main.blocks[:1] for p in walk(b.part) if p.name == "fc1"]
    yield "MLP", str(hidden[0]) if hidden else ""
    yield "S0–S4", "  ".join(f"{depth}×{stage.gives[1]}" for depth, stage in _coatnet(costs.stages))
    for role in ("encoder", "decoder"):
        yield f"{role} layers", str(sum(len(s.blocks) for s in costs.stages if s.role == role))
    queries = [stage.gives[1] for stage in costs.stages if stage.role == "decoder"]
    yield "queries", str(queries[0]) if queries else ""


def _coatnet(stages: tuple[Stage, ...]) -> Iterator[tuple[int, Stage]]:
    for stage in stages:
        if stage.role == "stem":
            yield sum(part.kind.startswith("Conv2d") for b in stage.blocks for part in walk(b.part)), stage
        elif stage.role == "stage":
            yield len(stage.blocks), stage


def _size(text: str, source: str, why: str = "") -> Claim:
    return Claim("parameters", text, source, None, why)


def _work(text: str, why: str, size: tuple[int, int] | None = None) -> Claim:
    return Claim("macs", text, SPEED, size, why)


def _card(name: str, family: str, architecture: str, preprocess: Preprocess | None = None, **options: Any) -> Card:
    return Card(
        name=re.sub("[ /]", "-", name), title=name, family=family, task="classification", architecture=architecture,  # type: ignore[arg-type]
        labels="imagenet-1k", source="local", license="none", options=options, preprocess=preprocess,
    )  # fmt: skip


def _vit(name: str, model: str, layers: int, width: int, mlp: int, heads: int, *claims: Claim, top1: str = "") -> Entry:
    shape = (("layers", str(layers)), ("width", str(width)), ("MLP", str(mlp)), ("heads", str(heads)))
    results = ((top1, TIMM),) if top1 else ()
    return Entry(name, _card(name, "vit", model, num_classes=1000), shape, claims, results)


def _coat(size: int, layout: str, *claims: Claim, results: tuple[str, ...] = (), **options: Any) -> Entry:
    name = f"CoAtNet-{size}"
    card = _card(name, "coatnet", "coatnet_0_224" if options else f"coatnet_{size}_224", **options)
    said = tuple((text, SPEED) for text in results)
    return Entry(name, card, (("S0–S4", layout),), claims, said)


def _axial(name: str, layers: tuple[int, ...], width: float, *claims: Claim, results: str = "") -> Entry:
    card = _card(name, "axial", "axial", PLAIN, layers=layers, width=width)
    shape = (("layers", ", ".join(str(n) for n in layers)),)
    return Entry(name, card, shape, claims, ((results, AUTHORS),) if results else ())


def _detr(name: str, model: str, trained: str, macs: str, results: str) -> Entry:
    claims = [Claim("trainable", trained, DETR, None, "why_detr_trained")] if trained else []
    claims += [Claim("macs", macs, DETR, None, "why_detr_macs")] if macs else []
    shape = (("encoder layers", "6"), ("decoder layers", "6"), ("queries", "100"))
    card = next(card for card in HUB if card.name == model)
    return Entry(name, card, shape, tuple(claims), ((results, DETR),))


def _larger(*widths: int) -> dict[str, object]:
    """Options of timm's class for CoAtNet-6 and -7, whose S3 is a stage of convolutions and one of attention."""
    return {
        "stem_width": 192, "embed_dim": widths, "depths": (2, 4, 8, 42, 2), "block_type": ("C", "C", "C", "T", "T"),
        "head_hidden_size": widths[-1], "transformer_dim_head": 128, "same_grid": 3,
    }  # fmt: skip


_SOURCES = {"vit": VIT, "coatnet": COATNET, "axial": AXIAL, "detr": DETR}
_STRIDE, _DEPTHWISE = "why_coatnet_stride", "why_coatnet_depthwise"
TABLES: dict[str, tuple[Entry, ...]] = {
    "vit": (
        _vit("ViT-B/16", "vit_base_patch16_224", 12, 768, 3072, 12, Claim("headless", "86M", VIT, None, "why_vit_head"),
             top1="81.78 % top-1 (ImageNet-21k, then 1k)"),
        _vit("ViT-L/16", "vit_large_patch16_224", 24, 1024, 4096, 16, _size("307M", VIT, "why_vit_l"),
             top1="85.86 % top-1 (AugReg, ImageNet-21k, then 1k)"),
        _vit("ViT-L/32", "vit_large_patch32_224", 24, 1024, 4096, 16, _size("307M", VIT)),
        _vit("ViT-H/14", "vit_huge_patch14_224", 32, 1280, 5120, 16, _size("632M", VIT)),
    ),
    "coatnet": (
        _coat(0, "2×64  2×96  3×192  5×384  2×768", _size("25M", COATNET),
              _work("4.2B", _STRIDE), _work("4.6B", _DEPTHWISE),
              results=("81.6 % top-1 at 224", "83.9 % at 384")),
        _coat(1, "2×64  2×96  6×192  14×384  2×768", _size("42M", COATNET),
              _work("8.4B", _STRIDE), _work("8.8B", _DEPTHWISE),
              results=("83.3 % at 224", "85.1 % at 384")),
        _coat(2, "2×128  2×128  6×256  14×512  2×1024", _size("75M", COATNET),
              _work("15.7B", _STRIDE), _work("16.6B", _DEPTHWISE),
              results=("84.1 % at 224", "85.7 % at 384", "87.1 % at 384 after ImageNet-21k")),
        _coat(3, "2×192  2×192  6×384  14×768  2×1536", _size("168M", COATNET, "why_coatnet_3"),
              _work("34.7B", _STRIDE),
              results=("84.5 % at 224", "85.8 % at 384", "87.6 % at 384 after ImageNet-21k")),
        _coat(4, "2×192  2×192  12×384  28×768  2×1536", _size("275M", COATNET),
              _work("189.5B", _STRIDE, (384, 384)), results=("87.9 % at 384 after ImageNet-21k",)),
        _coat(5, "2×192  2×256  12×512  28×1280  2×2048", _size("688M", COATNET, "why_coatnet_head"),
              _work("812B", _STRIDE, (512, 512)),
              results=("89.77 % at 512 after JFT-300M",)),
        _coat(6, "2×192  2×192  4×384  8×768  42×1536  2×2048", _size("1.47B", COATNET, "why_coatnet_6"),
              _work("1521B", "why_coatnet_row", (512, 512)),
              results=("90.45 % at 512 after JFT-3B",), **_larger(192, 384, 768, 1536, 2048)),
        _coat(7, "2×192  2×256  4×512  8×1024  42×2048  2×3072", _size("2.44B", COATNET),
              _work("2586B", "why_coatnet_row", (512, 512)),
              results=("90.88 % at 512 after JFT-3B",), **_larger(256, 512, 1024, 2048, 3072)),
    ),
    "axial": (
        _axial("Axial-ResNet-26 S", (1, 2, 4, 1), 0.5, _size("5.9M", AUTHORS), results="75.8 % top-1"),
        _axial("Axial-ResNet-50 S", (3, 4, 6, 3), 0.5, _size("12.4M", AXIAL, "why_axial_s"),
               Claim("macs", "2.8B", AXIAL), results="77.5 % top-1 (paper, table 1, convolutional stem)"),
        _axial("Axial-ResNet-50 M", (3, 4, 6, 3), 0.75),
        _axial("Axial-ResNet-50 L", (3, 4, 6, 3), 1.0),
    ),
    "detr": (
        _detr("DETR R50", "detr-resnet-50", "41.3M", "86G", "42.0 AP, 62.4 AP50, 28 pictures a second"),
        _detr("DETR R50-DC5", "detr-resnet-50-dc5", "41M", "187G", "43.3 AP, 63.1 AP50, 12 pictures a second"),
        _detr("DETR R101", "detr-resnet-101", "60M", "152G", "43.5 AP, 63.8 AP50, 20 pictures a second"),
        _detr("DETR R101-DC5", "detr-resnet-101-dc5", "60M", "253G", "44.9 AP, 64.7 AP50, 10 pictures a second"),
        _detr("DETR R50 panoptic", "detr-resnet-50-panoptic", "", "", "43.4 PQ, 79.3 SQ, 53.8 RQ"),
        _detr("DETR R50-DC5 panoptic", "detr-resnet-50-dc5-panoptic", "", "", "44.6 PQ, 79.8 SQ, 55.0 RQ"),
        _detr("DETR R101 panoptic", "detr-resnet-101-panoptic", "", "", "45.1 PQ, 79.9 SQ, 55.5 RQ"),
    ),
}  # fmt: skip
