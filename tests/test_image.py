"""Reading pictures: every file of the corpus gets its answer or sentence; views equal timm's and map back exactly."""

import base64
import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import corpus
import numpy as np
import pytest
import timm
import timm.data
from PIL import Image, ImageFile, PngImagePlugin

from playground.image import ImageError, Picture, Preprocess, View, content_key, read, thumbnail_uri, view

pytestmark = pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow's remark on two of the files
CASES = corpus.cases()
LEAK = re.compile(
    r"[/\\]|\b\w*(Error|Exception|Warning|Traceback|File|Plugin)\b|PIL|<|\b0x|\bat line\b|None|\w+\.\w+\(|__", re.ASCII
)


def sentence_of(source: object) -> str:
    """The sentence a picture is refused with; checks that it is one, and gives nothing away."""
    with pytest.raises(ImageError) as caught:
        read(source)  # type: ignore[arg-type]
    text = str(caught.value)
    assert not LEAK.search(text), text
    assert text[0].isupper() and text.endswith("."), text
    assert 15 < len(text) < 180, text
    return text


def shown(image: Image.Image) -> np.ndarray:
    """The colours in the middle of the four quadrants, [4, 3]."""
    width, height = image.size
    middles = [(width * x // 4, height * y // 4) for y in (1, 3) for x in (1, 3)]
    return np.array([image.getpixel(at) for at in middles])


# ---- the table of files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_file_gets_its_answer_or_its_sentence(case: corpus.Case) -> None:
    if case.says:
        assert case.says in sentence_of(case.data)
        return
    picture = read(case.data)
    assert picture.rgb.mode == "RGB"
    assert type(picture.rgb) is Image.Image
    assert picture.rgb.info == {}
    assert dict(picture.rgb.getexif()) == {}
    if case.colours:
        assert np.abs(shown(picture.rgb) - np.array(case.colours)).max() <= 2
    if case.size:
        assert picture.rgb.size == case.size
    assert len(picture.notes) == bool(case.note)
    assert case.note in "".join(picture.notes)


def test_reading_leaves_no_settings_and_no_bomb_warnings_behind() -> None:
    before = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for case in CASES:
            try:
                read(case.data)
            except ImageError:
                continue
    assert not [w for w in seen if issubclass(w.category, Image.DecompressionBombWarning)]
    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, PngImagePlugin.MAX_TEXT_CHUNK)
    assert before[1] is False


@pytest.mark.parametrize("case", corpus.bombs(), ids=lambda case: case.name)
def test_a_bomb_is_refused_before_any_pixel_is_decoded(case: corpus.Case, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(self: ImageFile.ImageFile) -> None:
        raise AssertionError("pixels were decoded")

    monkeypatch.setattr(ImageFile.ImageFile, "load", decode)
    monkeypatch.setattr(Image.Image, "load", decode)
    assert case.says in sentence_of(case.data)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory is read from Linux's /proc")
def test_bombs_need_no_memory_and_reading_opens_nothing_else(tmp_path: Path) -> None:
    """In a process of its own, where the peak can be seen; the second number shows that the measure sees a decode."""
    for folder, chosen in (("bombs", corpus.bombs()), ("rest", CASES)):
        (tmp_path / folder).mkdir()
        for case in chosen:
            (tmp_path / folder / case.name).write_bytes(case.data)
    code = """
import sys
from pathlib import Path
from playground.image import ImageError, read
def refuse(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork")) or (
        event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")):
        raise SystemExit(f"{event} {arguments}")
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
def read_all(paths):
    for path in paths:
        try:
            read(path)
        except ImageError:
            pass
    return peak()
files = [sorted(Path(sys.argv[1], folder).iterdir()) for folder in ("bombs", "rest")]
start = read_all(path for path in files[1] if path.name.startswith("ok."))
sys.addaudithook(refuse)
after_bombs = read_all(files[0])
print(after_bombs - start, read_all(files[1]) - after_bombs)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(Path(__file__).parent.parent), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    bombs, decoded = map(int, done.stdout.split())
    assert bombs < 20
    assert decoded > 40  # the large phone photo, read at 12 megapixels


@pytest.mark.parametrize(("ending", "kind"), corpus.KINDS)
def test_random_damage_is_answered_or_refused_but_never_crashes(ending: str, kind: str) -> None:
    rng = np.random.default_rng(sum(ending.encode()))
    frames = {"save_all": True, "append_images": [corpus.noisy(48, 32, 3)]} if kind in ("GIF", "WEBP") else {}
    whole = corpus.saved(corpus.noisy(48, 32), kind, **frames)
    answered, sentences = 0, set[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(2000):
            data = bytearray(whole)
            for _ in range(rng.integers(1, 6)):
                at = int(rng.integers(len(data)) ** rng.choice([1.0, 0.6]))  # headers suffer more often
                match rng.integers(4):
                    case 0:
                        data[at] ^= 1 << int(rng.integers(8))
                    case 1:
                        data[at : at + 4] = rng.bytes(4)
                    case 2:
                        del data[at : at + int(rng.integers(1, 40))]
                    case _:
                        data[at:at] = rng.bytes(int(rng.integers(1, 40)))
            try:
                picture = read(bytes(data))
            except ImageError as error:
                sentences.add(re.sub(r"\d+", "7", str(error)))
            else:
                answered += 1
                assert picture.rgb.mode == "RGB"
    assert 0 < answered < 2000
    assert 0 < len(sentences) < 20
    assert not [text for text in sentences if LEAK.search(text)]


def test_every_cut_of_a_gif_or_jpeg_is_refused() -> None:
    for kind in ("GIF", "JPEG"):
        whole = corpus.saved(corpus.noisy(48, 32), kind)
        for end in range(len(whole) - 2):
            sentence_of(whole[:end])


# ---- where pictures come from ----------------------------------------------------------------------------------------


def test_path_bytes_file_and_picture_give_the_same(tmp_path: Path) -> None:
    data = corpus.saved(corpus.noisy(), "PNG")
    path = tmp_path / "a name with spaces ä.gif"  # the name is not believed
    path.write_bytes(data)
    file = io.BytesIO(data)
    file.seek(0, io.SEEK_END)
    with path.open("rb") as opened, Image.open(path) as lazy:
        keys = {content_key(read(source)) for source in (data, path, str(path), file, opened, lazy)}
    assert len(keys) == 1
    assert keys != {content_key(read(corpus.saved(corpus.noisy(seed=8), "PNG")))}


def test_what_is_no_file_gets_a_sentence(tmp_path: Path) -> None:
    assert "Choose a picture" in sentence_of(None)
    assert "no such file" in sentence_of(tmp_path / "absent.png")
    assert "no such file" in sentence_of("a\0b.png")
    assert "no such file" in sentence_of("x" * 5000)
    assert "no such file" in sentence_of("https://example.com/cat.png")
    assert "not a file" in sentence_of(tmp_path)
    assert "not a file" in sentence_of("/dev/zero")
    assert "binary" in sentence_of(io.StringIO("text"))
    assert "Pillow picture" in sentence_of(17)
    assert "Pillow picture" in sentence_of([1])
    with pytest.raises(ValueError, match="empty"):  # the command line and the page rely on this
        read(b"")


def test_large_files_are_refused_without_being_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "20 MB" in sentence_of(path)


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "LA", "PA", "La", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"]
)
def test_pictures_of_any_mode_are_read(mode: str) -> None:
    original = corpus.quadrants()
    if mode in ("1", "L", "LA", "La"):
        original = original.convert("L").point(lambda v: 255 * (v > 110))
    steps = {"PA": ("P",), "La": ("L", "LA"), "LA": ("L",), "RGBa": ("RGBA",)}.get(mode, ())
    image = original
    for step in (*steps, mode):
        image = image.convert(step)
    tolerance = 8 if mode in ("LAB", "HSV", "P", "PA", "YCbCr") else 2  # those spaces have coarser steps
    expected = shown(original.convert("RGB"))
    if mode in ("P", "PA"):
        expected = shown(image.convert("RGB"))
    assert np.abs(shown(read(image).rgb) - expected).max() <= tolerance


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I;16L", "I", "F"])
def test_deep_pictures_keep_their_greys(mode: str) -> None:
    if mode == "F":
        image = Image.fromarray(np.full((64, 96), 0.46, dtype=np.float32))
    else:
        order = {"I;16B": ">u2", "I": "<i4"}.get(mode, "<u2")
        image = Image.frombytes(mode, (96, 64), np.full((64, 96), round(0.46 * 65535), dtype=order).tobytes())
    assert np.abs(shown(read(image).rgb) - 117).max() <= 1


def test_a_picture_in_memory_is_turned_once() -> None:
    turned = Image.open(io.BytesIO(corpus.oriented(6)))
    assert np.abs(shown(read(turned).rgb) - np.array(corpus.QUADRANTS)).max() <= 2
    assert np.abs(shown(read(turned).rgb) - np.array(corpus.QUADRANTS)).max() <= 2  # and not once more
    tiff = Image.open(io.BytesIO(corpus.oriented(6, "TIFF")))
    assert np.abs(shown(read(tiff).rgb) - np.array(corpus.QUADRANTS)).max() <= 2


def test_a_given_picture_is_not_changed_or_shared() -> None:
    given = corpus.quadrants()
    given.info["exif"] = corpus.oriented(6)
    picture = read(given)
    picture.rgb.putpixel((0, 0), (0, 0, 0))
    assert given.getpixel((0, 0)) == corpus.QUADRANTS[0]
    assert "exif" in given.info
    assert "megapixels" in sentence_of(Image.new("1", (9000, 9000)))


# ---- the view --------------------------------------------------------------------------------------------------------

SIZES = [(160, 120), (120, 160), (333, 50), (64, 64), (51, 203), (7, 9)]


@pytest.mark.parametrize("crop_pct", [1.0, 0.95, 0.9, 0.875])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "lanczos"])
@pytest.mark.parametrize("size", [(64, 64), (224, 224), (96, 128), (160, 72)])
@pytest.mark.parametrize(("rule", "crop_mode"), [("crop", "center"), ("squash", "squash"), ("border", "border")])
def test_the_view_equals_timms_evaluation_transform(
    rule: str, crop_mode: str, size: tuple[int, int], interpolation: str, crop_pct: float
) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.5, 0.25, 0.225)
    theirs = timm.data.create_transform(
        (3, *size), interpolation=interpolation, mean=mean, std=std, crop_pct=crop_pct, crop_mode=crop_mode
    )
    ours = Preprocess(rule, size, crop_pct, interpolation, mean, std)  # type: ignore[arg-type]
    for width, height in SIZES:
        picture = Picture(corpus.noisy(width, height))
        seen = view(picture, ours)
        assert seen.pixels.dtype == np.float32
        assert seen.pixels.shape == (3, *size)
        assert np.abs(seen.pixels - theirs(picture.rgb).numpy()).max() <= 1e-6
        assert seen.picture_size == (width, height)
        assert seen.image.size == size[::-1]


@pytest.mark.parametrize(
    "name",
    [
        "vit_tiny_patch16_224.augreg_in21k_ft_in1k",
        "vit_base_patch16_384.augreg_in21k_ft_in1k",
        "vit_base_patch14_reg4_dinov2.lvd142m",
        "deit_small_patch16_224.fb_in1k",
        "coatnet_0_rw_224.sw_in1k",
        "vit_so400m_patch14_siglip_384.webli",
        "eva02_base_patch14_448.mim_in22k_ft_in1k",
    ],
)
def test_the_view_equals_what_timm_resolves_for_a_published_model(name: str) -> None:
    config = timm.data.resolve_data_config(pretrained_cfg=timm.get_pretrained_cfg(name).to_dict())
    rule = "squash" if config["crop_mode"] == "squash" else "crop"
    ours = Preprocess(
        rule, config["input_size"][1:], config["crop_pct"], config["interpolation"], config["mean"], config["std"]
    )
    picture = Picture(corpus.noisy(500, 375))
    assert np.abs(view(picture, ours).pixels - timm.data.create_transform(**config)(picture.rgb).numpy()).max() <= 1e-6


def test_a_crop_larger_than_the_resized_picture_is_padded_as_timm_does() -> None:
    theirs = timm.data.create_transform((3, 64, 64), crop_pct=1.3, interpolation="bicubic")
    picture = Picture(corpus.noisy(70, 90))
    assert np.abs(view(picture, Preprocess("crop", (64, 64), 1.3)).pixels - theirs(picture.rgb).numpy()).max() <= 1e-6


@pytest.mark.parametrize(
    ("upload", "expected"),  # (width, height) -> (rows, cols), worked out by hand from the published rule
    [
        ((640, 480), (800, 1066)),
        ((480, 640), (1066, 800)),
        ((1000, 400), (533, 1332)),
        ((400, 1000), (1332, 533)),
        ((800, 800), (800, 800)),
        ((800, 1200), (1200, 800)),
        ((1333, 27), (27, 1333)),
        ((50, 1), (27, 1350)),
    ],
)
def test_detr_sizes(upload: tuple[int, int], expected: tuple[int, int]) -> None:
    seen = view(Picture(Image.new("RGB", upload, (124, 116, 104))), Preprocess("detr"))
    assert seen.pixels.shape == (3, *expected)
    assert seen.region_xyxy == (0, 0, *upload)
    assert np.abs(seen.pixels).max() < 0.02  # the ImageNet mean becomes zero


def test_detr_is_bilinear() -> None:
    picture = corpus.noisy(90, 60)
    seen = view(picture, Preprocess("detr", shortest=80, longest=133))
    assert seen.image.tobytes() == picture.resize((120, 80), Image.Resampling.BILINEAR).tobytes()


PREPROCESSES = [
    Preprocess("crop", (224, 224), 0.9),
    Preprocess("crop", (96, 160), 0.95, "bilinear"),
    Preprocess("crop", (64, 64), 1.3),
    Preprocess("squash", (200, 200)),
    Preprocess("squash", (192, 128), 0.875),
    Preprocess("detr", shortest=200, longest=333),
]


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda p: f"{p.rule}-{p.size}-{p.crop_pct}")
@pytest.mark.parametrize("upload", [(300, 200), (123, 457), (400, 90)])
def test_a_mark_seen_in_the_view_is_found_on_the_upload(preprocess: Preprocess, upload: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    found = 0
    for _ in range(6):
        x, y = (int(rng.integers(4, side - 12)) for side in upload)
        image = Image.new("RGB", upload)
        image.paste((255, 255, 255), (x, y, x + 8, y + 8))
        seen = view(image, preprocess)
        rows, cols = np.nonzero(np.asarray(seen.image)[:, :, 0] > 127)
        if not rows.size or 0 in (rows.min(), cols.min()) or rows.max() == seen.image.height - 1 or (
            cols.max() == seen.image.width - 1
        ):  # fmt: skip
            continue  # cropped away
        found += 1
        box = seen.to_upload(np.array([[cols.min(), rows.min(), cols.max() + 1, rows.max() + 1]]))
        scale = max(upload[0] / seen.image.width, upload[1] / seen.image.height, 1)
        assert np.abs(box - [x, y, x + 8, y + 8]).max() <= 1.5 * scale
        grid = (10, 14)
        cell = seen.cell_at(x + 4, y + 4, grid)
        assert cell is not None
        x0, y0, x1, y1 = seen.cell_boxes(grid)[cell]
        assert x0 <= x + 4 <= x1
        assert y0 <= y + 4 <= y1
    assert found or preprocess.rule == "crop"


@pytest.mark.parametrize("preprocess", PREPROCESSES, ids=lambda p: f"{p.rule}-{p.size}-{p.crop_pct}")
@pytest.mark.parametrize("upload", [(2, 2), (2, 3), (100, 2), (3, 150)])
def test_the_smallest_and_thinnest_pictures_have_views(preprocess: Preprocess, upload: tuple[int, int]) -> None:
    seen = view(read(Image.new("RGB", upload, corpus.WHITE)), preprocess)
    assert np.isfinite(seen.pixels).all()
    assert min(seen.pixels.shape) >= 3
    boxes = seen.cell_boxes((7, 5))
    assert np.isfinite(boxes).all()
    assert boxes.min() >= 0
    assert (boxes <= [*upload, *upload]).all()
    assert seen.cell_at(upload[0] / 2, upload[1] / 2, (7, 5)) == (3, 2)


def test_boxes_are_clipped_to_the_upload_and_grids_cover_the_region() -> None:
    seen = view(corpus.noisy(300, 200), Preprocess("crop", (100, 100)))
    assert seen.region_xyxy == (50, 0, 250, 200)
    assert seen.to_upload(np.array([[0, 0, 100, 100], [-50, -50, 400, 50]])).tolist() == [
        [50, 0, 250, 200], [0, 0, 300, 100],
    ]  # fmt: skip
    assert seen.to_upload(np.zeros((0, 4))).shape == (0, 4)
    cells = seen.cell_boxes((4, 2))
    assert cells.shape == (4, 2, 4)
    assert cells[0, 0].tolist() == [50, 0, 150, 50]
    assert cells[3, 1].tolist() == [150, 150, 250, 200]
    assert seen.cell_at(151, 199, (4, 2)) == (3, 1)
    assert seen.cell_at(250, 200, (4, 2)) == (3, 1)
    assert seen.cell_at(20, 100, (4, 2)) is None


def test_a_grid_that_was_rounded_up_reaches_past_the_edge() -> None:
    """DETR: 101 x 70 pixels at stride 32 are 4 x 3 cells, the last ones cut off by the edge."""
    seen = view(corpus.noisy(101, 70), Preprocess("detr", shortest=70, longest=200))
    assert seen.grid_xyxy((3, 4)) == (0, 0, 128, 96)
    assert seen.stride((3, 4)) == (32, 32)
    assert seen.cell_at(97, 65, (3, 4)) == (2, 3)
    assert seen.cell_at(95, 63, (3, 4)) == (1, 2)
    assert seen.cell_at(102, 10, (3, 4)) is None  # inside the grid, outside the picture
    assert seen.cell_boxes((3, 4))[2, 3].tolist() == [96, 64, 101, 70]
    assert seen.stride((5, 6)) == (14, 101 / 6)  # no rounding gives this grid: even cells


@pytest.mark.parametrize("name", ["exif_3.jpg", "exif_6.jpg", "exif_7.jpg", "exif_6.tif"])
def test_a_turned_photo_is_seen_as_the_upright_one(name: str) -> None:
    """The view, and so every answer and box, is that of the picture as a person sees it."""
    kind = "ok.tif" if name.endswith("tif") else "ok.jpg"
    files = {case.name: case.data for case in CASES}
    turned, upright = (view(read(files[n]), Preprocess("crop", (64, 64))) for n in (name, kind))
    assert turned.picture_size == upright.picture_size
    assert turned.region_xyxy == upright.region_xyxy
    assert np.abs(turned.pixels - upright.pixels).mean() < 0.02


@pytest.mark.parametrize(
    "arguments",
    [
        {"rule": "stretch"},
        {"rule": "crop", "size": (0, 4)},
        {"rule": "crop", "size": (4, 4, 4)},
        {"rule": "crop", "crop_pct": 0},
        {"rule": "crop", "crop_pct": float("nan")},
        {"rule": "crop", "interpolation": "magic"},
        {"rule": "crop", "std": (1, 1, 0)},
        {"rule": "crop", "mean": (1, 1)},
        {"rule": "detr", "shortest": 0},
    ],
)
def test_impossible_preprocessing_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|need"):
        Preprocess(**arguments)  # type: ignore[arg-type]


def test_preprocessing_from_lists_equals_that_from_tuples() -> None:
    assert Preprocess("crop", [8, 9], mean=[0, 0, 0]) == Preprocess("crop", (8, 9), mean=(0, 0, 0))  # type: ignore[arg-type]


def test_views_of_unread_pictures_are_read_first() -> None:
    seen: View = view(Image.new("LA", (40, 50)), Preprocess("squash", (8, 8)))
    assert seen.image.getpixel((3, 3)) == (255, 255, 255)


# ---- small services --------------------------------------------------------------------------------------------------


def test_the_key_is_that_of_size_and_pixels() -> None:
    image = Image.new("RGB", (6, 4), (1, 2, 3))
    assert content_key(Picture(image)) == content_key(Picture(image.copy(), ("a note",)))
    assert content_key(Picture(image)) != content_key(Picture(image.transpose(Image.Transpose.ROTATE_90)))
    assert content_key(Picture(image)) == "0d49f39b2bc82ad470e41a6a4e0b449b"  # the same in every run


@pytest.mark.parametrize("size", [(2000, 500), (64, 64), (500, 2000)])
def test_thumbnails_are_small_clean_and_alike(size: tuple[int, int]) -> None:
    image = corpus.noisy(*size)
    image.info["exif"] = b"Exif\0\0secret"
    head, data = thumbnail_uri(image).split(",")
    assert head == "data:image/jpeg;base64"
    raw = base64.b64decode(data)
    small = Image.open(io.BytesIO(raw))
    assert max(small.size) == min(960, max(size))
    assert small.width * size[1] == pytest.approx(small.height * size[0], rel=0.01)
    assert b"Exif" not in raw
    assert np.abs(np.asarray(small.resize((8, 8)), float) - np.asarray(image.resize((8, 8)), float)).mean() < 3
    assert "exif" in image.info
