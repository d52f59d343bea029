"""Read any upload safely.

The header is looked at before a pixel is decoded, so a file that claims to be enormous costs milliseconds. Files are
told apart by content, never by name.
"""

import base64
import hashlib
import io
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from playground.image import headers
from playground.image.pixels import plain, stated_orientation

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_JPEG_PIXELS = 200_000_000  # read at a half or a quarter of the size, which costs no more than MAX_PIXELS
MAX_RATIO = 50
MIN_SIDE = 2
TINY_SIDE = 32
MAX_RLE_BYTES = 1024 * 1024  # Pillow unpacks run-length BMPs one run at a time
MAX_SCANS = 100  # a progressive JPEG has about ten; thousands of empty ones would keep the decoder busy for hours

KINDS_READ = "JPEG, PNG, WebP, GIF, BMP and TIFF"
UNREADABLE = f"This is not a picture that can be read, or it is damaged; {KINDS_READ} files work."
TOO_MANY_BYTES = "The file is larger than 20 MB; please send a smaller one."
SWOLLEN = "The texts stored inside this picture unpack to far too much; please save the picture again without them."
CROWDED = "The file is split into far too many parts; please save the picture again and send that."
CUT_OFF = "The picture is damaged or cut off; please send the whole file again."


class ImageError(ValueError):
    """The picture cannot be used; the text is one or two plain sentences for the person who sent it."""


@dataclass(frozen=True, eq=False)
class Picture:
    """An upload made plain: upright, sRGB, mode RGB, without metadata. `notes` say what was done to it, if anything."""

    rgb: Image.Image
    notes: tuple[str, ...] = ()

    @cached_property
    def key(self) -> str:
        """A hash of size and pixels: equal for equal pictures, whatever file they came in."""
        digest = hashlib.blake2b(f"{self.rgb.width}x{self.rgb.height}:".encode(), digest_size=16)
        digest.update(self.rgb.tobytes())
        return digest.hexdigest()


def read(source: str | Path | bytes | BinaryIO | Image.Image) -> Picture:
    """Turn an upload (a path, bytes, an open binary file or a PIL picture) into a `Picture`.

    JPEG (MPO), PNG, WebP, GIF, BMP and TIFF; at most 20 MB, 50 : 1 and 40 megapixels (a JPEG saved in one pass: 200,
    decoded at a reduced scale, with a note); at least 2 x 2 pixels. EXIF orientation is applied once, colour profiles
    become sRGB, deep and float pixels are scaled to 8 bits, transparency is laid on white, the first frame is used.
    Raises ImageError, always with a sentence. Ours.
    """
    try:
        if isinstance(source, Image.Image):
            _check_size(source.size)
            image, notes = _loaded(source), list[str]()
            orientation = stated_orientation(image)
        else:
            image, notes = _open(_bytes_of(source))
            orientation = headers.directory(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))[1]
        rgb, see_through = plain(image, orientation)
    except ImageError:
        raise
    except Exception as error:  # the same while a header is read
        raise ImageError(SWOLLEN if "Decompressed data" in str(error) else UNREADABLE) from error
    if see_through > 0.99:
        notes.append("almost wholly transparent: shown on white")
    if min(rgb.size) < TINY_SIDE:
        notes.append(f"tiny picture: {rgb.width} x {rgb.height} pixels")
    return Picture(rgb, tuple(notes))


def _bytes_of(source: str | Path | bytes | BinaryIO) -> bytes:
    """The file's bytes, never more than the limit."""
    if source is None:
        raise ImageError("Choose a picture first.")
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | Path):
        data = _bytes_of_path(source)
    elif hasattr(source, "read"):
        if hasattr(source, "seekable") and source.seekable():
            source.seek(0)
        data = source.read(MAX_BYTES + 1)
    else:
        raise ImageError("A picture must come as a file, its bytes or a Pillow picture.")
    if not isinstance(data, bytes):
        raise ImageError("The file was opened as text; please open it in binary mode.")
    if not data:
        raise ImageError("The file is empty.")
    if len(data) > MAX_BYTES:
        raise ImageError(TOO_MANY_BYTES)
    return data


def _bytes_of_path(source: str | Path) -> bytes:
    try:
        path = Path(source)
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise ImageError("That is not a file; please choose a picture.")
        if facts.st_size > MAX_BYTES:
            raise ImageError(TOO_MANY_BYTES)
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError("There is no such file, or it may not be opened.") from error


def _open(data: bytes) -> tuple[Image.Image, list[str]]:
    """Recognise the file, check its header, and decode its first frame."""
    kind = headers.kind_of(data)
    if kind is None:
        raise ImageError(headers.refusal(data) or UNREADABLE)
    if kind == "jpeg":
        return _open_jpeg(data)
    frames, parts, claimed = 1, 0, 0
    if kind == "webp":  # its decoder sets aside the whole canvas as soon as it is opened
        _check_size(headers.webp_size(data))
    elif kind == "gif":  # its decoder fills in what is missing
        size, frames, parts = headers.gif_facts(data) or (None, 0, 0)
        _check_size(size)
    elif kind == "png":
        parts = headers.png_parts(data)
    elif kind == "tiff":
        claimed = headers.directory(data)[0] - len(data)
    if parts > headers.MAX_PARTS or claimed > headers.MAX_NOTES:
        raise ImageError(CROWDED)
    # the plugin itself, not Image.open: no other decoder is tried and no process-wide limit or warning takes part
    image = _DECODERS[kind](io.BytesIO(data))
    _check_size(image.size)
    if kind == "bmp" and image.info.get("compression") in (1, 2) and len(data) > MAX_RLE_BYTES:
        raise ImageError("This BMP is packed in an old way that opens too slowly; please save it as PNG and send that.")
    notes = []
    if frames > 1 or (kind != "gif" and getattr(image, "is_animated", False)):
        notes.append("several pages: first frame used" if kind == "tiff" else "animated: first frame used")
    return _loaded(image), notes


def _loaded(image: Image.Image) -> Image.Image:
    """The picture with its pixels decoded."""
    try:
        image.load()
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        raise ImageError(SWOLLEN if "Decompressed data" in str(error) else CUT_OFF) from error
    return image


_DECODERS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
}


def _check_size(size: tuple[int, int] | None, limit: int = MAX_PIXELS) -> None:
    """Refuse what is too large, too small or too thin, from the header's numbers alone; None is a header cut off."""
    if size is None:
        raise ImageError(CUT_OFF)
    width, height = size
    if min(size) < 1:
        raise ImageError(UNREADABLE)
    is_this = f"The picture is {width} x {height} pixels;"
    if max(size) > MAX_RATIO * min(size):
        raise ImageError(f"{is_this} that shape cannot be read as a photo, at most {MAX_RATIO} : 1 can.")
    if min(size) < MIN_SIDE:
        raise ImageError(f"{is_this} that is too small, it needs at least {MIN_SIDE} x {MIN_SIDE}.")
    if width * height > limit:
        raise ImageError(f"{is_this} at most {limit // 10**6} megapixels can be read, please make it smaller.")


def _open_jpeg(data: bytes) -> tuple[Image.Image, list[str]]:
    """Limits and faults that only JPEG has: endless passes, missing parts painted grey, sizes worth reducing."""
    facts = headers.jpeg_facts(data)
    claimed, _ = headers.directory(facts.exif)
    if facts.parts > headers.MAX_PARTS or len(facts.exif) + claimed > headers.MAX_NOTES:
        raise ImageError(CROWDED)
    header = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    width, height = header.size
    in_one_pass = facts.scans == 1 and not header.info.get("progressive")
    _check_size(header.size, MAX_JPEG_PIXELS if in_one_pass else MAX_PIXELS)
    if facts.scans > MAX_SCANS:
        raise ImageError(f"This JPEG was saved in more than {MAX_SCANS} passes; please save it again and send that.")
    if facts.end is None:
        raise ImageError(CUT_OFF)
    scale = next(scale for scale in (1, 2, 4) if width * height <= MAX_PIXELS * scale**2 or scale == 4)
    image = _decoded_jpeg(data, scale)
    if _mid_grey(image.crop((image.width - 4, image.height - 4, *image.size))):
        # what a decoder paints where data is missing; with more data before the end mark it would paint something else
        longer = _decoded_jpeg(data[: facts.end] + b"\x5a\xa5\x33\xc7" * 1024 + b"\xff\xd9", scale)
        if longer.tobytes() != image.tobytes():
            raise ImageError(CUT_OFF)
    if scale == 1:
        return image, []
    return image, [
        f"very large ({width} x {height}): read at {image.width} x {image.height}, boxes count in these pixels"
    ]


def _decoded_jpeg(data: bytes, scale: int) -> Image.Image:
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if scale > 1:
        image.draft(None, (image.width // scale, image.height // scale))
    return _loaded(image)


def _mid_grey(image: Image.Image) -> bool:
    return {image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)} <= {128, (128, 128, 128)}


def content_key(picture: Picture) -> str:
    """A stable key for caches: equal for pictures of equal size and pixels. Ours."""
    return picture.key


def thumbnail_uri(image: Image.Image, longest: int = 960, quality: int = 85) -> str:
    """The picture as a small JPEG in a `data:` address, without metadata, for showing under a figure. Ours."""
    small = image.convert("RGB")
    if max(small.size) > longest:
        small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    small.info = {}
    file = io.BytesIO()
    small.save(file, "JPEG", quality=quality, optimize=True, subsampling=0 if max(small.size) <= 320 else 2)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
