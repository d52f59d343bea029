"""Reading pictures: every file of the corpus gets its answer or its sentence, wherever it comes from."""

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
from PIL import Image, ImageFile, PngImagePlugin

from playground.image import ImageError, Picture, content_key, read, thumbnail_uri

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
