"""Cards, labels and the catalogue."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.image import Preprocess
from playground.models import catalogue, family_of
from playground.models.card import LABEL_SETS, Card, CardError, Metric
from playground.models.catalogue import HUB, find, local_card
from playground.models.labels import LAST_THING, labels
from playground.models.preprocess import preprocess_of

UNUSED = (0, 12, 26, 29, 30, 45, 66, 68, 69, 71, 83)  # numbers that COCO never gave a thing

BUNDLED = Card(
    name="small-vit",
    title="A small ViT",
    family="vit",
    task="classification",
    architecture="vit_tiny_patch16_224",
    options={"img_size": 64, "patch_size": 8, "depths": [1, 2], "nested": {"tuple": (1, [2, 3])}},
    preprocess=Preprocess(rule="squash", size=(64, 64)),
    labels="everyday-80",
    source="bundled",
    sha256="0" * 64,
    size_bytes=10,
    license="apache-2.0",
    parameters=5,
    metrics=(Metric("top-1", 61.5, "%", "validation photos", "evaluated here"),),
    training={"seed": 1, "command": "python -m playground train"},
)


def changed(**values: Any) -> str:
    return json.dumps({**json.loads(BUNDLED.to_json()), **values})


def test_a_card_survives_its_own_json() -> None:
    again = Card.from_json(BUNDLED.to_json())
    assert again == BUNDLED
    assert hash(again) == hash(BUNDLED)
    assert again.options["nested"]["tuple"] == (1, (2, 3))
    assert Card.from_json(HUB[-1].to_json()) == HUB[-1]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "../secret"),
        ("name", "a/b/c"),
        ("title", "  "),
        ("family", "cnn"),
        ("task", "captions"),
        ("task", "detection"),  # not what a ViT of ours does
        ("source", "web"),
        ("labels", "imagenet-2k"),
        ("labels", []),
        ("labels", ["cat", ""]),
        ("labels", 80),
        ("sha256", "0" * 63),
        ("sha256", "X" * 64),
        ("sha256", 7),
        ("size_bytes", 0),
        ("size_bytes", "10"),
        ("parameters", True),
        ("parameters", 5.5),
        ("parameters", None),
        ("metrics", []),
        ("metrics", {}),
        ("metrics", ["top-1"]),
        ("metrics", [{"name": "top-1", "value": 1.0, "unit": "%", "dataset": "photos"}]),
        ("metrics", [{"name": "top-1", "value": "1", "unit": "%", "dataset": "photos", "source": "here"}]),
        ("temperature", 0),
        ("temperature", "warm"),
        ("unsure_below", 1.5),
        ("options", []),
        ("training", {}),
        ("preprocess", None),
        ("preprocess", {"rule": "crop", "size": [64, 64], "padding": 3}),
        ("preprocess", {"rule": "zoom", "size": [64, 64]}),
        ("preprocess", {"rule": "crop", "size": 64}),
        ("license", ""),
        ("colour", "red"),
    ],
)
def test_a_card_that_cannot_be_true_is_refused(field: str, value: Any) -> None:
    with pytest.raises(ValueError) as error:
        Card.from_json(changed(**{field: value}))
    said = str(error.value)
    assert said.endswith(".")
    assert "Traceback" not in said
    assert "/" not in said or field == "name"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"card"', '{"name": "a", "name": "b"}', "[" * 100_000, changed(temperature=float("nan"))],
)
def test_json_that_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(CardError):
        Card.from_json(text)


@pytest.mark.parametrize("field", ["name", "title", "family", "task", "architecture", "labels", "source", "license"])
def test_a_card_without_a_needed_field_is_refused_by_name(field: str) -> None:
    values = json.loads(BUNDLED.to_json())
    del values[field]
    with pytest.raises(CardError, match=f"lacks the field '{field}'"):
        Card.from_json(json.dumps(values))


def test_every_hub_card_is_complete_and_its_name_unique() -> None:
    for card in HUB:
        assert card.source == "hub"
        assert card.parameters
        assert card.metrics
        assert card.metrics[0].source
        assert card.paper.startswith("https://arxiv.org/abs/")
        assert card.sha256 is None
        assert card.filename.endswith(".safetensors")
        assert card.license in ("apache-2.0", "dinov3-license")
        assert (card.license == "dinov3-license") == bool(card.license_note)
        assert (card.task == "features") == (card.labels == "none")
    assert len({card.name for card in HUB}) == len({card.repo for card in HUB}) == len(HUB)
    assert {card.family for card in HUB} == {"vit", "coatnet", "detr"}
    assert {card.task for card in HUB} == {"classification", "features", "detection", "panoptic"}


@pytest.mark.parametrize("card", HUB, ids=lambda card: card.name)
def test_every_hub_card_builds_the_model_it_states(card: Card) -> None:
    with torch.device("meta"):
        model = family_of(card).build(card)
    named = labels(card)
    outputs = model.class_embed.out_features - 1 if card.family == "detr" else model.num_classes  # without "no object"
    assert outputs == len(named)
    assert sum(p.numel() for p in model.parameters()) == card.parameters
    assert preprocess_of(card).size


def test_everyday_labels_are_eighty_plain_words() -> None:
    named = labels(BUNDLED)
    assert len(named) == len(set(named)) == 80
    assert (named[0], named[17], named[79]) == ("backpack", "car", "volleyball")


def test_coco_labels_are_indexed_by_category_number() -> None:
    things = labels(find("detr-resnet-50"))
    assert len(things) == 91
    assert tuple(i for i, name in enumerate(things) if name is None) == UNUSED
    assert (things[1], things[17], things[90]) == ("person", "cat", "toothbrush")
    everything = labels(find("detr-resnet-50-panoptic"))
    assert len(everything) == 250
    assert everything[:91] == things
    stuff = [i for i, name in enumerate(everything) if name is not None and i > LAST_THING]
    assert len(stuff) == 53
    assert (stuff[0], stuff[-1]) == (92, 200)
    assert (everything[187], everything[193]) == ("sky", "grass")
    used = [name for name in everything if name is not None]
    assert len(set(used)) == 133


def test_imagenet_labels_are_short_and_told_apart() -> None:
    named = labels(find("vit-tiny-patch16-224"))
    assert len(named) == len(set(named)) == 1000
    assert (named[0], named[293], named[999]) == ("tench", "cheetah", "toilet tissue")
    assert named[134] != named[517]  # both are "crane"
    assert all(name and len(name) < 70 for name in named)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("timm/coatnet_rmlp_2_rw_224.sw_in12k", 11821),
        ("timm/vit_base_patch16_224.augreg_in21k", 21843),
        ("timm/swin_tiny_patch4_window7_224.ms_in22k", 21841),
        ("timm/vit_base_patch16_clip_224.openai", 0),  # 512 numbers, but no classes
    ],
)
def test_labels_of_other_editions_have_the_length_of_the_scores(name: str, count: int) -> None:
    card = find(name)
    assert len(labels(card)) == count
    assert card.labels in LABEL_SETS


def test_a_card_may_bring_its_own_labels() -> None:
    own = replace(BUNDLED, labels=("cat", "dog"))
    assert labels(Card.from_json(own.to_json())) == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "found", "family"),
    [
        ("vit-base-patch16-224", "vit-base-patch16-224", "vit"),
        (" detr-resnet-50 ", "detr-resnet-50", "detr"),
        ("facebook/detr-resnet-50", "detr-resnet-50", "detr"),
        ("timm/vit_base_patch16_224.augreg2_in21k_ft_in1k", "vit-base-patch16-augreg2", "vit"),
        ("timm/swin_tiny_patch4_window7_224.ms_in1k", "timm/swin_tiny_patch4_window7_224.ms_in1k", "timm"),
        ("coatnext_nano_rw_224.sw_in1k", "timm/coatnext_nano_rw_224.sw_in1k", "coatnet"),
        ("timm/eva02_tiny_patch14_224.mim_in22k", "timm/eva02_tiny_patch14_224.mim_in22k", "vit"),
        ("maxvit_tiny_tf_224", "timm/maxvit_tiny_tf_224.in1k", "timm"),
    ],
)
def test_models_are_found_by_short_name_and_by_hub_id(name: str, found: str, family: str) -> None:
    card = find(name)
    assert (card.name, card.family) == (found, family)
    assert find(card.name) == card
    assert find(str(card.repo)) == card


def test_licences_of_timm_are_passed_on() -> None:
    card = find("timm/vit_base_patch16_224.mae")
    assert card.license == "cc-by-nc-4.0"
    assert "non-commercial" in card.license_note


BAD_NAMES = [
    None,
    7,
    float("nan"),
    b"vit",
    [],
    ["vit-base-patch16-224"],
    {"name": "vit"},
    "",
    "   ",
    "vit",
    "VIT-BASE-PATCH16-224",
    "vit-base-patch16-225",
    "x" * 1_000_000,
    "vit-base-patch16-224" + " " * 1_000_000,
    "../../etc/passwd",
    "everyday-vit/../../secret",
    "/etc/passwd",
    "a/b/c",
    "timm/../facebook",
    "timm/vit_base_patch16_224.no_such_tag",
    "timm/no_such_model.in1k",
    "facebook/detr-resnet-50/resolve/main",
    "http://example.org/model",
    "file:///etc/passwd",
    "hf-hub:timm",
    "hf-hub:../../etc/passwd",
    "untrained:no_such_model",
    "untrained:../../etc/passwd",
    "%2e%2e%2fsecret",
    "..\\..\\secret",
    "vit\x00base",
    "\x1b[31mred\r\n",
    "\u202etxet",
    "\ud800",
    "模型",
    "😀" * 300,
    "<img src=x onerror=alert(1)>",
]


@pytest.mark.parametrize("name", BAD_NAMES, ids=lambda name: ascii(name)[:30])
def test_any_other_name_gets_one_short_sentence(name: object) -> None:
    with pytest.raises(ValueError) as error:
        find(name)
    said = str(error.value)
    assert "python -m playground models" in said
    assert len(said) < 300
    assert said.isprintable()


def test_a_near_miss_is_told_the_near_names() -> None:
    with pytest.raises(CardError, match="did you mean vit-base-patch16-224"):
        find("vit_base_patch16_225")
    with pytest.raises(CardError, match="dinov2-small-reg4 or dinov2-base-reg4"):
        find("DINOv2")


def test_names_never_reach_the_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"
    (folder / "small-vit").mkdir(parents=True)
    (folder / "small-vit" / "card.json").write_text(BUNDLED.to_json())
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "card.json").write_text(replace(BUNDLED, name="secret").to_json())
    monkeypatch.setattr(catalogue, "CHECKPOINTS", folder)
    opened: list[str] = []
    listening = [True]

    def listen(event: str, arguments: tuple[Any, ...]) -> None:
        if listening and event in ("open", "os.listdir", "os.scandir") and isinstance(arguments[0], str):
            opened.append(arguments[0])

    sys.addaudithook(listen)
    try:
        assert find("small-vit") == BUNDLED
        for name in [*BAD_NAMES, "../secret", str(tmp_path / "secret")]:
            with pytest.raises(ValueError):
                find(name)
    finally:
        listening.clear()
    assert opened
    assert all(Path(path).is_relative_to(folder) for path in opened)


def test_a_damaged_bundled_card_leaves_the_others_working(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(catalogue, "CHECKPOINTS", tmp_path)
    for name, text in (
        ("small-vit", BUNDLED.to_json()),
        ("cut", BUNDLED.to_json()[:200]),
        ("other-name", BUNDLED.to_json()),
        ("binary", "\x00"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.json").write_text(text)
    (tmp_path / "binary" / "card.json").write_bytes(b"\xff\xfe\xff")
    assert catalogue.bundled() == (BUNDLED,)
    assert catalogue.names()[0] == "small-vit"
    for name in ("cut", "other-name", "binary"):
        with pytest.raises(CardError, match="damaged"):
            find(name)
    assert find("small-vit") == BUNDLED


def test_the_bundled_cards_of_this_repository_are_sound() -> None:
    folders = {path.parent.name for path in catalogue.CHECKPOINTS.glob("*/card.json")}
    assert {card.name for card in catalogue.bundled()} == folders


def test_a_local_file_gets_a_card_that_promises_nothing() -> None:
    card = local_card("mine.safetensors", "vit-tiny-patch16-224", labels=("cat", "dog"))
    assert (card.source, card.filename, card.license) == ("local", "mine.safetensors", "unknown")
    assert (card.metrics, card.parameters, card.sha256) == ((), None, None)
    assert labels(card) == ("cat", "dog")
    with torch.device("meta"):
        assert family_of(card).build(card).num_classes == 2
    with pytest.raises(CardError, match="No model is called"):
        local_card("mine.safetensors", "no-such-architecture")
