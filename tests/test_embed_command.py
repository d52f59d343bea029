"""`python -m playground embed` and `pg.embed`: what is written is what the model made, for each family."""

import io
import json
from pathlib import Path

import gradio.media
import numpy as np
import pytest
from PIL import Image

import playground as pg
from playground import export_tokens, image, inference
from playground.__main__ import main
from playground.commands import embed
from playground.embeddings import cloud, projector, stem, tokens
from playground.models import catalogue

LION = Path(gradio.media.MEDIA_ROOT) / "images" / "lion.jpg"
BUNDLED = [card.name for card in catalogue.bundled()]
VIT = next((card.name for card in catalogue.bundled() if card.family == "vit"), "")
DETR = next((card.name for card in catalogue.bundled() if card.family == "detr"), "")


def shell(*arguments: str | Path) -> int:
    return main(["embed", *map(str, arguments)])


@pytest.mark.parametrize("name", BUNDLED)
def test_the_file_holds_the_tokens_of_the_trace(name: str, at_home: Path) -> None:
    assert shell(LION, "--model", name, "--layer", "1", "--out", "tokens.npz") == 0
    held = np.load("tokens.npz")
    trace = inference.trace(image.read(LION), catalogue.find(name))
    whole = next(t for t in trace.tokens if t.name == tokens.layers(trace)[1]).values.numpy()
    assert np.array_equal(np.concatenate([held["prefix_values"], held["values"]]), whole)
    assert len(held["values"]) == held["grid"].prod()
    settings = json.loads(str(held["settings"]))
    assert (settings["model"], settings["layer"], settings["picture"]) == (name, 1, "lion.jpg")
    found = pg.embed(LION, name, 1)
    assert np.array_equal(found.values, held["values"]) and found.prefix == tuple(held["prefix_names"].tolist())


def test_the_last_layer_is_the_default_and_the_call_makes_it_again(at_home: Path) -> None:
    assert shell(LION, "--model", VIT, "--out", "tokens.npz") == 0
    held = np.load("tokens.npz")
    said = json.loads(str(held["settings"]))["call"].replace("'lion.jpg'", repr(str(LION)))
    made: dict[str, object] = {}
    exec(said, made)
    assert np.array_equal(made["tokens"].values, held["values"])  # type: ignore[attr-defined]
    assert np.array_equal(pg.embed(LION, VIT).values, held["values"])
    assert len(held["classes"]) == len(held["shares"]) == len(held["values"])


def test_the_page_stands_alone(at_home: Path) -> None:
    assert shell(LION, "--model", DETR, "--layer", "0", "--out", "page.html") == 0
    page = Path("page.html").read_text()
    assert "component 1:" in page and "pg.embed(" in page and "scatter3d" in page
    assert "<script src" not in page and "<link" not in page


def test_the_projector_gets_vectors_facts_and_a_sprite_in_one_order(at_home: Path) -> None:
    assert shell(LION, "--model", VIT, "--projector", "folder") == 0
    folder = Path("folder")
    found = pg.embed(LION, VIT)
    vectors = np.loadtxt(folder / "vectors.tsv", delimiter="\t")
    assert np.allclose(vectors, found.values, rtol=1e-5, atol=1e-6)
    lines = (folder / "metadata.tsv").read_text().splitlines()
    assert lines[0].split("\t") == ["patch", "row", "col", "class", "share"] and len(lines) == 1 + len(vectors)
    rows, cols = found.grid
    assert lines[1 + 3 * cols + 5].split("\t")[1:3] == ["3", "5"]
    card = catalogue.find(VIT)
    trace = inference.trace(image.read(LION), card)
    classes = embed.classes_of(trace, -1, card)
    assert lines[1 + 3 * cols + 5].split("\t")[3] == classes[3 * cols + 5].label
    config = (folder / "projector_config.pbtxt").read_text()
    side = projector.thumbnail_side(rows * cols)
    assert f"single_image_dim: {side}" in config and 'tensor_path: "vectors.tsv"' in config
    with Image.open(folder / "sprite.png") as sprite:
        across = sprite.width // side
        assert across**2 >= rows * cols and max(sprite.size) <= 8192
        x, y = (3 * cols + 5) % across * side, (3 * cols + 5) // across * side
        shown = np.asarray(sprite.convert("RGB").crop((x, y, x + side, y + side)), dtype=float)
    patch = stem.patch_pixels(trace.view, found.grid, 3, 5)
    assert np.abs(shown.mean((0, 1)) - patch.mean((0, 1))).max() < 3


def test_a_table_needs_its_library_and_says_so(at_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrow = pytest.importorskip if export_tokens.find_spec("pyarrow") else None
    done = shell(LION, "--model", VIT, "--out", "tokens.parquet")
    if arrow is None:
        assert done == 2 and "pip install pyarrow" in capsys.readouterr().err
        assert not Path("tokens.parquet").exists()
        return
    table = arrow("pyarrow.parquet").read_table("tokens.parquet").to_pydict()
    found = pg.embed(LION, VIT)
    assert table["token"] == [*found.prefix, *["patch"] * len(found.values)]
    assert np.array_equal(np.array(table["embedding"], np.float32)[len(found.prefix) :], found.values)
    assert table["row"][: len(found.prefix)] == [None] * len(found.prefix)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--out", "x.csv"), "must end in .npz, .parquet or .html"),
        ((), "Say where to write"),
        (("--layer", "99", "--out", "x.npz"), "layer must be a whole number from -"),
        (("--out", "/proc/nowhere/x.npz"), "cannot be written there"),
    ],
)
def test_bad_input_is_one_sentence(
    arguments: tuple[str, ...], sentence: str, at_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shell(LION, "--model", VIT, *arguments) == 2
    said = capsys.readouterr()
    assert sentence in said.err and len(said.err.strip().splitlines()) == 1 and not said.out
    assert not list(at_home.iterdir())


def test_other_formats_and_thin_tokens_are_refused() -> None:
    card = catalogue.find(VIT)
    picture = image.read(LION)
    trace = inference.trace(picture, card)
    found = tokens.grid_tokens(trace)
    with pytest.raises(ValueError, match="one of npz, parquet, html"):
        export_tokens.as_file("csv", found, picture, trace.view, card)
    thin = tokens.GridTokens("thin", found.grid, found.values[:, :2], (), found.prefix_values[:0, :2])
    with pytest.raises(ValueError, match="fewer channels"):
        export_tokens.as_html(thin, picture, trace.view, card)


def test_labels_cannot_break_the_lines_of_the_projector() -> None:
    found = tokens.GridTokens('a "b"', (1, 2), np.ones((2, 3), np.float32), (), np.ones((0, 3), np.float32))
    classes = (cloud.PatchClass(0, "a\tb\nc", 0.5), cloud.PatchClass(1, "d", 0.25))
    assert projector.metadata(found, classes).splitlines()[1] == "row 0, col 0\t0\t0\ta b c\t0.5000"
    assert "tensor_name: \"a 'b'\"" in projector.config(found, 32)
    assert projector.thumbnail_side(1369) == 32 and projector.thumbnail_side(4096 * 64) == 16


def test_the_numbers_of_a_file_are_floats_that_numpy_reads_without_pickles() -> None:
    card = catalogue.find(DETR)
    trace = inference.trace(image.read(LION), card)
    held = np.load(io.BytesIO(export_tokens.as_npz(tokens.grid_tokens(trace), trace.view, card)), allow_pickle=False)
    assert held["values"].dtype == np.float32 and held["classes"].size == 0
    assert tuple(held["picture_size"]) == trace.view.picture_size
