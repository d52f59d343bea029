"""`python -m playground explain` and what it writes: a picture, a page, arrays, and the call that makes them again."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attending import cards, known  # noqa: F401  fixtures
from explaining import noise
from PIL import Image

import playground as pg
from playground import export, image, maps
from playground.__main__ import main
from playground.explanations import Target
from playground.models import catalogue

NAME = "<b>photo</b>.png"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    noise().save(path)
    return path


def asked(photo: Path, out: str, *more: str) -> list[str]:
    return ["explain", str(photo), "--out", str(photo.parent / out), *more]


@pytest.mark.parametrize(
    ("model", "more", "target", "options"),
    [
        ("vit", ["--method", "relevance", "--target", "class:d"], Target(class_index=3), {}),
        ("vit", ["--method", "attention", "--target", "patch:1,4", "--layer", "0", "--head", "2"],
         Target(patch=(1, 4), layer=0, head=2), {}),
        ("axial", ["--method", "gradient_rollout", "--target", "class:2", "--option", "start_layer=1"],
         Target(class_index=2), {"start_layer": 1}),
        ("detr", ["--target", "query:4", "--option", "residual=0.25", "--option", "without_artefacts=yes"],
         Target(query=4), {"residual": 0.25, "without_artefacts": True}),
        ("registers", ["--method", "attention", "--target", "token:register 2", "--option", "heads=max"],
         Target(token="register 2"), {"heads": "max"}),
    ],
)  # fmt: skip
def test_arrays_hold_the_map_and_the_call_that_makes_it_again(
    photo: Path, monkeypatch: pytest.MonkeyPatch, model: str, more: list[str], target: Target, options: dict[str, Any]
) -> None:
    assert main(asked(photo, "map.npz", "--model", model, *more)) == 0
    arrays = np.load(photo.parent / "map.npz")
    method = more[1] if more[0] == "--method" else "rollout"
    expected = pg.explain(photo, model, method, target, options)
    assert np.array_equal(arrays["values"], expected.values)
    assert tuple(arrays["region_xyxy"]) == expected.region_xyxy
    assert arrays["picture_size"].tolist() == [100, 60]
    assert dict(zip(arrays["apart_names"].tolist(), arrays["apart_values"].tolist(), strict=True)) == dict(
        expected.apart
    )
    settings = json.loads(str(arrays["settings"]))
    assert (settings["model"], settings["method"]) == (model, method)
    assert {name: settings["options"][name] for name in options} == options
    monkeypatch.chdir(photo.parent)
    again: dict[str, Any] = {}
    exec(str(arrays["call"]), again)
    assert np.array_equal(again["made"].values, expected.values)


def test_a_picture_has_print_size_its_scale_below_and_its_settings_inside(photo: Path) -> None:
    assert main(asked(photo, "map.png", "--model", "vit", "--method", "gradcam", "--target", "class:b")) == 0
    with Image.open(photo.parent / "map.png") as drawn:
        assert drawn.size == (2000, 1200 + 120)
        assert drawn.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert json.loads(drawn.info["Description"])["target"]["class_index"] == 1


def test_a_page_needs_no_network_and_reads_no_markup_in_names(photo: Path) -> None:
    card = catalogue.find("vit")
    made = maps.make(image.read(photo), card, "relevance", Target(class_index=1))
    page = export.as_file("html", made, image.read(photo), card, {}, NAME).decode()
    assert "Plotly.newPlot" in page
    assert not re.search(r'<(?:script|link|img)[^>]+(?:src|href)="http', page)
    assert NAME not in page
    assert "Transformer relevance, class b" in page


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--model", "vit", "--target", "patch:3,0"], "row of the patch must be a whole number from 0 to 2"),
        (["--model", "vit", "--target", "patch:1"], "Give --target as"),
        (["--model", "vit", "--target", "class:zebra"], "knows no class called 'zebra'"),
        (["--model", "vit", "--target", "class:-1"], "class must be a whole number from 0 to 4"),
        (["--model", "vit", "--layer", "1"], "no single layer to choose"),
        (["--model", "vit", "--method", "attention", "--layer", "3"], "layer must be a whole number from 0 to 2"),
        (["--model", "vit", "--option", "residual=nan"], "residual weight must be a number from 0 to 1"),
        (["--model", "vit", "--option", "residual"], "Give --option as NAME=VALUE"),
        (["--model", "vit", "--option", "nope=1"], "has no option 'nope'"),
        (["--model", "resnet"], "has no attention"),
        (["--model", "detr", "--target", "query:6"], "object query must be a whole number from 0 to 5"),
        (["--model", "vit", "--method", "x"], "choose one of attention, rollout"),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    photo: Path, capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    assert main(asked(photo, "map.png", *more)) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1 and str(photo.parent) not in error
    assert not (photo.parent / "map.png").exists()


@pytest.mark.parametrize("out", ["map.txt", "nowhere/map.png"])
def test_a_file_that_cannot_be_written_is_said(photo: Path, capsys: pytest.CaptureFixture[str], out: str) -> None:
    assert main(asked(photo, out, "--model", "vit")) == 2
    assert "--out file" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "said"), [("rollout", True), ("relevance", False)])
def test_a_class_that_a_method_does_not_know_is_noted(
    photo: Path, capsys: pytest.CaptureFixture[str], method: str, said: bool
) -> None:
    assert main(asked(photo, "map.npz", "--model", "vit", "--method", method, "--target", "class:d")) == 0
    assert ("the same for every class" in capsys.readouterr().out) == said
