"""Read any upload safely, and make the model's view of it.

`read` looks at the header before a pixel is decoded, so a file that claims to be enormous costs milliseconds. Files are
told apart by content, never by name. `view` does what a model expects and remembers where on the upload it looked.
"""

import base64
import hashlib
import io
import math
import stat
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from playground import image_headers as headers
from playground.image_pixels import plain

MAX_BYTES = 20 * 1024 * 1024
MAX_PIXELS = 40_000_000
MAX_JPEG_PIXELS = 200_000_000  # read at a half or a quarter of the size, which costs no more than MAX_PIXELS
MAX_RATIO = 50
MIN_SIDE = 2
TINY_SIDE = 32
MAX_SCANS = 100  # a progressive JPEG has about ten; thousands of empty ones would keep the decoder busy for hours

Rule = Literal["crop", "squash", "detr"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

KINDS_READ = "JPEG, PNG, WebP, GIF, BMP and TIFF"
UNREADABLE = f"This is not a picture that can be read, or it is damaged; {KINDS_READ} files work."
SWOLLEN = "The texts stored inside this picture unpack to far too much; please save the picture again without them."
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


@dataclass(frozen=True)
class Preprocess:
    """How a model wants its picture.

    `size` is (rows, cols). "detr" takes `shortest` and `longest` instead of it, and is always bilinear.
    """

    rule: Rule
    size: tuple[int, int] = (224, 224)
    crop_pct: float = 1.0
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    shortest: int = 800
    longest: int = 1333

    def __post_init__(self) -> None:
        for name in ("size", "mean", "std"):  # lists come from JSON
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if self.rule not in get_args(Rule):
            raise ValueError(f"The rule must be one of {', '.join(get_args(Rule))}.")
        if self.interpolation not in get_args(Interpolation):
            raise ValueError(f"The interpolation must be one of {', '.join(get_args(Interpolation))}.")
        if len(self.size) != 2 or min(*self.size, self.shortest, self.longest) < 1 or not 0 < self.crop_pct <= 4:
            raise ValueError("Sizes must be whole numbers from 1, and crop_pct must lie between 0 and 4.")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("The mean and std need three numbers each, and std must be above 0.")


@dataclass(frozen=True, eq=False)
class View:
    """The picture as a model saw it, and where that lies on the upload."""

    picture_size: tuple[int, int]  # (width, height) of the upload
    image: Image.Image
    pixels: np.ndarray  # float32 [3, rows, cols], normalised
    region_xyxy: tuple[float, float, float, float]  # what the view covers, in upload pixels; may reach past the edge

    def to_upload(self, boxes_xyxy: np.ndarray) -> np.ndarray:
        """Boxes [N, 4] in view pixels -> the same boxes in upload pixels, clipped to the upload."""
        x0, y0, x1, y1 = self.region_xyxy
        step = np.array([(x1 - x0) / self.image.width, (y1 - y0) / self.image.height] * 2)
        limit = np.array(self.picture_size * 2, dtype=np.float64)
        boxes = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4)  # [N, 4]
        return np.clip(boxes * step + np.array([x0, y0, x0, y0]), 0.0, limit)

    def cell_boxes(self, grid: tuple[int, int]) -> np.ndarray:
        """Where each cell of a (rows, cols) grid lies: boxes [rows, cols, 4] in upload pixels, clipped to it."""
        rows, cols = grid
        y, x = np.mgrid[0:rows, 0:cols]
        boxes = np.stack([x, y, x + 1, y + 1], axis=-1) * np.array(
            [self.image.width / cols, self.image.height / rows] * 2
        )
        return self.to_upload(boxes).reshape(rows, cols, 4)

    def cell_at(self, x: float, y: float, grid: tuple[int, int]) -> tuple[int, int] | None:
        """The (row, col) of the grid cell under a point of the upload, or None where the model did not look."""
        x0, y0, x1, y1 = self.region_xyxy
        across, down = (x - x0) / (x1 - x0), (y - y0) / (y1 - y0)
        if not (0 <= across <= 1 and 0 <= down <= 1):
            return None
        return min(int(down * grid[0]), grid[0] - 1), min(int(across * grid[1]), grid[1] - 1)


# ---- reading ---------------------------------------------------------------------------------------------------------


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
            image, notes = source, list[str]()
        else:
            image, notes = _open(_bytes_of(source))
        rgb, see_through = plain(image)
    except ImageError:
        raise
    except Exception as error:  # Pillow's decoders raise many kinds on damaged data
        raise ImageError(SWOLLEN if "Decompressed data too large" in str(error) else UNREADABLE) from error
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
        raise ImageError("A picture must come as a file, its bytes or a PIL picture.")
    if not isinstance(data, bytes):
        raise ImageError("The file was opened as text; please open it in binary mode.")
    if not data:
        raise ImageError("The file is empty.")
    if len(data) > MAX_BYTES:
        raise ImageError("The file is larger than 20 MB; please send a smaller one.")
    return data


def _bytes_of_path(source: str | Path) -> bytes:
    try:
        path = Path(source)
        if not stat.S_ISREG(path.stat().st_mode):
            raise ImageError("That is not a file; please choose a picture.")
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
    frames = 1
    if kind == "webp":  # its decoder sets aside the whole canvas as soon as it is opened
        _check_size(headers.webp_size(data))
    elif kind == "gif":  # its decoder fills in what is missing
        size, frames = headers.gif_frames(data) or (None, 0)
        _check_size(size)
    # the plugin itself, not Image.open: no other decoder is tried and no process-wide limit or warning takes part
    file = io.BytesIO(data)
    image = _DECODERS[kind](file)
    notes = []
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        notes = _check_jpeg(image, data, file.tell())
    else:
        _check_size(image.size)
    if frames > 1 or (kind != "gif" and getattr(image, "is_animated", False)):
        notes.append("several pages: first frame used" if kind == "tiff" else "animated: first frame used")
    try:
        image.load()
    except Exception as error:
        raise ImageError(SWOLLEN if "Decompressed data" in str(error) else CUT_OFF) from error
    return image, notes


_DECODERS: dict[str, Callable[[io.BytesIO], Image.Image]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
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


def _check_jpeg(image: JpegImagePlugin.JpegImageFile, data: bytes, start: int) -> list[str]:
    """Limits for JPEG: a very large one only if it can be decoded at a reduced scale. Returns the note about that."""
    width, height = image.size
    scans = headers.jpeg_scans(data, start, MAX_SCANS)
    in_one_pass = scans == 1 and not image.info.get("progressive")
    _check_size(image.size, MAX_JPEG_PIXELS if in_one_pass else MAX_PIXELS)
    if scans > MAX_SCANS:
        raise ImageError(f"This JPEG was saved in more than {MAX_SCANS} passes; please save it again and send that.")
    if width * height <= MAX_PIXELS:
        return []
    scale = next(scale for scale in (2, 4, 8) if width * height <= MAX_PIXELS * scale**2)
    image.draft(None, (width // scale, height // scale))
    return [f"very large ({width} x {height}): read at {image.width} x {image.height}, boxes count in these pixels"]


# ---- the model's view ------------------------------------------------------------------------------------------------


def view(picture: Picture | Image.Image, preprocess: Preprocess) -> View:
    """The picture as the model wants it: resized, cropped, normalised, with the part of the upload that it covers.

    "crop": shorter side to floor(size / crop_pct), then the centre; "squash": both sides to floor(size / crop_pct),
    then the centre (as timm's evaluation transform). "detr": shorter side to `shortest` unless the longer would pass
    `longest` (Carion et al. 2020, with their code's rounding), no padding.
    """
    rgb = picture.rgb if isinstance(picture, Picture) else picture if picture.mode == "RGB" else read(picture).rgb
    width, height = rgb.size
    if preprocess.rule == "detr":
        wide, high = _detr_size(width, height, preprocess.shortest, preprocess.longest)
        rows, cols = high, wide
        resized = rgb.resize((wide, high), Image.Resampling.BILINEAR)
    else:
        rows, cols = preprocess.size
        wide, high = _timm_size(width, height, preprocess)
        resized = rgb.resize((wide, high), Image.Resampling[preprocess.interpolation.upper()])
    left, top = _centre(wide, cols), _centre(high, rows)
    image = resized if (wide, high) == (cols, rows) else resized.crop((left, top, left + cols, top + rows))
    image.info = {}
    pixels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)  # [3, rows, cols]
    pixels -= np.array(preprocess.mean, dtype=np.float32)[:, None, None]
    pixels /= np.array(preprocess.std, dtype=np.float32)[:, None, None]
    x0, x1 = (x * width / wide for x in (left, left + cols))
    y0, y1 = (y * height / high for y in (top, top + rows))
    return View((width, height), image, np.ascontiguousarray(pixels), (x0, y0, x1, y1))


def _timm_size(width: int, height: int, preprocess: Preprocess) -> tuple[int, int]:
    """(width, height) after the resize of timm's evaluation transform."""
    high, wide = (math.floor(side / preprocess.crop_pct) for side in preprocess.size)
    if preprocess.rule == "squash":
        return wide, high
    if wide != high:
        ratio = min(height / high, width / wide)
        return round(width / ratio), round(height / ratio)
    return (wide, int(wide * height / width)) if width <= height else (int(high * width / height), high)


def _detr_size(width: int, height: int, shortest: int, longest: int) -> tuple[int, int]:
    """(width, height) after DETR's resize; the longer side is cut, not rounded, so 1000 x 400 becomes 1332 x 533."""
    short, long = sorted((width, height))
    side = shortest if long / short * shortest <= longest else round(longest * short / long)
    if short == side:
        return width, height
    return (side, int(side * height / width)) if width < height else (int(side * width / height), side)


def _centre(size: int, crop: int) -> int:
    """Where a centred crop begins; negative when it is larger than the picture."""
    return round((size - crop) / 2) if crop <= size else -((crop - size) // 2)


# ---- small services --------------------------------------------------------------------------------------------------


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
