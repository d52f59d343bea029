"""A seeded collection of bad and odd picture files, made in memory, each with the answer or sentence it must get."""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms, PngImagePlugin

Colour = tuple[int, int, int]
QUADRANTS: tuple[Colour, ...] = ((200, 60, 50), (60, 150, 70), (50, 70, 170), (215, 190, 80))  # tl, tr, bl, br
WHITE: Colour = (255, 255, 255)


@dataclass(frozen=True)
class Case:
    """A file and what must become of it: `says` is part of the sentence it is refused with, else it is answered."""

    name: str
    data: bytes
    says: str = ""
    colours: tuple[Colour, ...] = ()  # what the four quadrants must show, within 2
    note: str = ""
    size: tuple[int, int] | None = None
    may_read: bool = False  # damaged without a trace: an answer is as good as a sentence


# ---- building blocks -------------------------------------------------------------------------------------------------


def quadrants(width: int = 96, height: int = 64) -> Image.Image:
    """Four flat colours, so that colour and turn can both be checked."""
    top, bottom = (np.repeat([[a, b]], width // 2, axis=1) for a, b in (QUADRANTS[:2], QUADRANTS[2:]))
    rows = np.concatenate([np.repeat(half, height // 2, axis=0) for half in (top, bottom)])
    return Image.fromarray(rows.astype(np.uint8))


def noisy(width: int = 160, height: int = 120, seed: int = 7) -> Image.Image:
    """A soft picture with grain, so that half a file is really half a picture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    soft = np.stack([90 + 60 * np.sin(x / 19), 120 + 50 * np.cos(y / 13), 100 + 40 * np.sin((x + y) / 31)], axis=-1)
    return Image.fromarray(np.clip(soft + rng.normal(0, 14, soft.shape), 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The picture as a file of this kind."""
    file = io.BytesIO()
    if kind == "JPEG":
        options = {"quality": 95, "subsampling": 0} | options
    if kind == "WEBP":
        options = {"lossless": True} | options
    image.save(file, kind, **options)
    return file.getvalue()


def png(
    width: int, height: int, depth: int, colour: int, rows: bytes, chunks: tuple[tuple[bytes, bytes], ...] = ()
) -> bytes:
    """A PNG from raw rows (each led by its filter byte), for sizes and depths Pillow would not write."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)),
        *chunks,
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d)) for t, d in parts)
    return b"\x89PNG\r\n\x1a\n" + body


def tiff(
    width: int, height: int, bits: int, data: bytes, photometric: int = 1, order: str = "<", form: int = 1
) -> bytes:
    """A TIFF of one strip and one channel."""
    entries = [
        (256, 4, width), (257, 4, height), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 8),
        (277, 3, 1), (278, 4, height), (279, 4, len(data)), (339, 3, 1),
    ]  # fmt: skip
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8 + len(data))
    table = struct.pack(order + "H", len(entries))
    for tag, kind, value in entries:
        table += struct.pack(order + "HHI", tag, kind, 1) + struct.pack(order + ("I" if kind == 4 else "HH"), *(
            (value,) if kind == 4 else (value, 0)
        ))  # fmt: skip
    return head + data + table + struct.pack(order + "I", 0)


def adobe_rgb_profile() -> bytes:
    """A small matrix profile with the primaries and gamma of Adobe RGB (1998), under a name of its own."""
    columns = np.round(ADOBE.T * 65536).astype(int)
    point = [b"XYZ \0\0\0\0" + struct.pack(">3i", *column) for column in (*columns, (63190, 65536, 54061))]
    text = b"wide test space"
    named = b"desc\0\0\0\0" + struct.pack(">I", len(text) + 1) + text + b"\0" * (1 + 78)
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
    tags = list(zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), point, strict=True))
    tags += [(b"desc", named + b"\0" * (-len(named) % 4)), (b"cprt", b"text\0\0\0\0none\0\0\0\0")]
    tags += [(name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")]
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"\0" * 4, 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


# linear RGB -> XYZ (D50), from the two standards
ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
SRGB = np.array([[0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410]])


def in_adobe_rgb(image: Image.Image) -> Image.Image:
    """The numbers that show the same colours when they are read as Adobe RGB."""
    value = np.asarray(image, dtype=np.float64) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    wide = np.clip(linear @ SRGB.T @ np.linalg.inv(ADOBE).T, 0, 1) ** (256 / 563)
    return Image.fromarray(np.round(wide * 255).astype(np.uint8))


def oriented(orientation: int, kind: str = "JPEG") -> bytes:
    """The quadrants stored the way a camera held differently would, so that upright they are themselves again."""
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    image = quadrants()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = image.transpose(undo[orientation]) if orientation in undo else image
    if kind == "TIFF":
        return saved(stored, kind, tiffinfo={274: orientation})
    return saved(stored, kind, exif=exif.tobytes())


def patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def jpeg_claiming(width: int, height: int, **options: object) -> bytes:
    """A small JPEG whose header claims another size."""
    data = saved(quadrants(), "JPEG", **options)
    at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
    return patched(data, at + 5, struct.pack(">HH", height, width))


def rle_bmp(rows: int, row: bytes, width: int = 96) -> bytes:
    """A run-length BMP whose palette begins with the four quadrant colours."""
    palette = b"".join(bytes((*reversed(colour), 0)) for colour in QUADRANTS).ljust(1024, b"\0")
    body = row * rows if rows > 1000 else row
    head = struct.pack("<IiiHHIIiiII", 40, width, rows, 1, 8, 1, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + head + palette + body


def claiming_directory(entries: int, size: int) -> bytes:
    """A TIFF directory whose entries all claim the same bytes."""
    table = b"".join(struct.pack("<HHII", 1000 + n, 7, size, 8) for n in range(entries))
    return b"II*\0" + struct.pack("<IH", 8, entries) + table + bytes(4 + size)


def many_scans(times: int) -> bytes:
    """A progressive JPEG whose last pass is repeated over and over."""
    data = saved(quadrants(), "JPEG", progressive=True)
    last = data.rfind(b"\xff\xda")
    return data[:-2] + data[last:-2] * times + b"\xff\xd9"


# ---- the cases -------------------------------------------------------------------------------------------------------

NOT_READ = "not a picture that can be read"
DAMAGED = "damaged"
LIMIT = "at most 40 megapixels"
SHAPE = "shape cannot be read as a photo"
KINDS = (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF"), ("bmp", "BMP"), ("gif", "GIF"))


def cases() -> list[Case]:
    """All of them, always the same."""
    return [
        *_not_pictures(),
        *_cut(),
        *_bombs(),
        *_shapes(),
        *_animations(),
        *_colours(),
        *_deep(),
        *_turned(),
        *_mixed(),
    ]


def bombs() -> list[Case]:
    """Those that must be refused from the header alone."""
    return list(_bombs())


def _not_pictures() -> Iterator[Case]:
    rng = np.random.default_rng(1)
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'
    entity = b'<?xml version="1.0"?>\n<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/hostname">]>\n' + drawing
    yield Case("zero_bytes.png", b"", "empty")
    yield Case("one_byte.png", b"\x89", NOT_READ)
    yield Case("random_bytes.jpg", rng.bytes(4000), NOT_READ)
    yield Case("random_after_magic.jpg", b"\xff\xd8\xff" + rng.bytes(4000), DAMAGED)
    yield Case("zeros.png", bytes(5000), NOT_READ)
    yield Case("text.jpg", b"This is a letter, and no picture.\n" * 40, NOT_READ)
    yield Case("svg_as.png", drawing, "SVG")
    yield Case("real.svg", b'<?xml version="1.0"?>\n' + drawing, "SVG")
    yield Case("svg_xxe.svg", entity, "SVG")
    yield Case("html_as.png", b"<!DOCTYPE html><html><body><svg ></svg></body></html>", "web page")
    yield Case("page.pdf", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "PDF")
    yield Case("drawing.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "EPS")
    yield Case("drawing_dos.eps", b"\xc5\xd0\xd3\xc6" + bytes(60), "EPS")
    yield Case("layers.psd", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 9, 9, 8, 3) + bytes(400), "PSD")
    yield Case("stars.fits", b"SIMPLE  =                    T".ljust(2880), NOT_READ)
    yield Case("phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + rng.bytes(900), "save the picture as JPEG")
    yield Case("phone_mif1.heic", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + rng.bytes(900), "save the picture as JPEG")
    yield Case("new.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + rng.bytes(900), "AVIF")
    yield Case("film.mp4", b"\0\0\0\x18ftypisom\0\0\2\0isomiso2" + rng.bytes(900), "film")
    yield Case("icon.ico", saved(quadrants(), "ICO"), NOT_READ)
    yield Case("old.tga", saved(quadrants(), "TGA"), NOT_READ)
    yield Case("plain.ppm", saved(quadrants(), "PPM"), NOT_READ)


def _cut() -> Iterator[Case]:
    for ending, kind in KINDS:
        whole = saved(noisy(), kind)
        yield Case(f"trunc_half.{ending}", whole[: len(whole) // 2], DAMAGED)
        yield Case(f"trunc_20.{ending}", whole[:20], DAMAGED)
        yield Case(f"trunc_90.{ending}", whole[: len(whole) * 9 // 10], DAMAGED)
    photo = saved(noisy(400, 300), "JPEG", quality=80, subsampling=2)
    yield Case("cut_photo.jpg", photo[: len(photo) * 7 // 10], DAMAGED)
    yield Case("cut_photo_zero_tail.jpg", photo[: len(photo) * 7 // 10].ljust(len(photo), b"\0"), DAMAGED)
    yield Case("cut_photo_end_mark.jpg", photo[: len(photo) * 7 // 10] + b"\xff\xd9", DAMAGED)
    soft = saved(noisy(400, 300).resize((200, 150)), "JPEG", quality=60, subsampling=2)
    yield Case("cut_soft_zero_tail.jpg", soft[: len(soft) // 2].ljust(len(soft), b"\0"), DAMAGED)
    progressive = saved(noisy(400, 300), "JPEG", progressive=True)
    yield Case("cut_progressive.jpg", progressive[: len(progressive) // 2], DAMAGED)
    for ending, kind in (("gif", "GIF"), ("webp", "WEBP")):
        whole = saved(noisy(), kind, save_all=True, append_images=[noisy(seed=8), noisy(seed=9)])
        yield Case(f"trunc_anim.{ending}", whole[: len(whole) // 6], DAMAGED)
    packed = saved(noisy(), "TIFF", compression="tiff_lzw")
    at = packed.find(b"II*\0")
    yield Case("lzw_zeroed.tif", patched(packed, at + 2000, bytes(3000)), DAMAGED, may_read=True)


def _bombs() -> Iterator[Case]:
    for side in (15000, 10000):
        rows = bytes((1 + (side + 7) // 8) * side)
        yield Case(f"bomb_{side}_one_bit.png", png(side, side, 1, 0, rows), LIMIT)
    yield Case("claims_60000.png", png(60000, 60000, 8, 2, bytes(600)), LIMIT)
    gif = saved(quadrants(), "GIF")
    yield Case("claims_65535.gif", patched(gif, 6, b"\xff\xff\xff\xff"), LIMIT)
    frame = gif.index(b",", 13 + (3 << (gif[10] & 7) + 1))
    yield Case("frame_claims_65535.gif", patched(gif, frame + 5, b"\xff\xff\xff\xff"), LIMIT)
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\xff\x3f\0" + b"\xff\x3f\0"
    yield Case("claims_16384.webp", b"RIFF" + struct.pack("<I", 4 + len(extended)) + b"WEBP" + extended, LIMIT)
    still = saved(quadrants(), "WEBP")
    yield Case("claims_lossless.webp", patched(still, 21, struct.pack("<I", 0x3FFF | 0x3FFF << 14)), LIMIT)
    lossy = saved(quadrants(), "WEBP", lossless=False)
    yield Case("claims_lossy.webp", patched(lossy, 26, struct.pack("<HH", 0x3FFF, 0x3FFF)), LIMIT)
    yield Case("claims_60000.bmp", patched(saved(quadrants(), "BMP"), 18, struct.pack("<ii", 60000, 60000)), LIMIT)
    yield Case("claims_60000.tif", tiff(60000, 60000, 8, bytes(64)), LIMIT)
    yield Case("claims_60000.jpg", jpeg_claiming(60000, 60000), "at most 200 megapixels")
    yield Case("claims_48mp_progressive.jpg", jpeg_claiming(8000, 6000, progressive=True), LIMIT)
    yield Case("claims_48mp.png", png(8000, 6000, 1, 0, bytes(1001 * 6000)), LIMIT)
    text = b"Comment\0\1\0\0\0" + zlib.compress(bytes(9_000_000), 9)
    yield Case("text_chunk_bomb.png", png(2, 2, 8, 0, bytes(6), ((b"iTXt", text),)), "unpack to far too much")
    profile = b"wide\0\0" + zlib.compress(bytes(9_000_000), 9)
    yield Case("profile_bomb.png", png(2, 2, 8, 0, bytes(6), ((b"iCCP", profile),)), "unpack to far too much")
    yield Case("many_scans.jpg", many_scans(400), "passes")
    whole = saved(quadrants(), "PNG")
    chunk = struct.pack(">I", 0) + b"abCd" + struct.pack(">I", zlib.crc32(b"abCd"))
    yield Case("many_chunks.png", whole[:33] + chunk * 200_000 + whole[33:], "too many parts")
    whole = saved(quadrants(), "JPEG")
    yield Case("many_segments.jpg", whole[:2] + b"\xff\xe5\0\2" * 200_000 + whole[2:], "too many parts")
    yield Case("long_filling.jpg", whole[:2] + b"\xff" * 400_000 + whole[2:], "too many parts")
    yield Case("long_junk.jpg", whole[:20] + b"\7" * 400_000 + whole[20:], "too many parts")
    claims = claiming_directory(3000, 20_000)
    exif = b"\xff\xe1" + struct.pack(">H", len(claims) + 8) + b"Exif\0\0" + claims
    yield Case("exif_claims_60mb.jpg", whole[:2] + exif + whole[2:], "too many parts")
    yield Case("tags_claim_1gb.tif", claiming_directory(1000, 1_000_000), "too many parts")
    yield Case("many_blocks.gif", gif[:-1] + b"!\xfe" + b"\1a" * 200_000 + b"\0;", "too many parts")
    yield Case("slow_runs.bmp", rle_bmp(2000, b"\1\5" * 400 + b"\0\0", 400), "opens too slowly")
    yield Case("file_25mb.jpg", saved(quadrants(), "JPEG") + bytes(25 * 1024 * 1024), "larger than 20 MB")


def _shapes() -> Iterator[Case]:
    for width, height, says, note in (
        (1, 1, "too small", ""), (1, 3, "too small", ""), (2, 3, "", "tiny"), (2, 2, "", "tiny"), (31, 200, "", "tiny"),
        (1, 20000, SHAPE, ""), (20000, 1, SHAPE, ""), (7, 9000, SHAPE, ""), (102, 2, SHAPE, ""), (100, 2, "", "tiny"),
    ):  # fmt: skip
        data = saved(Image.new("RGB", (width, height), WHITE), "PNG")
        yield Case(f"size_{width}x{height}.png", data, says, () if says else (WHITE,) * 4, note, (width, height))
    large = Image.new("L", (8000, 6000), 117)
    yield Case("phone_48mp.jpg", saved(large, "JPEG", quality=50), "", ((117,) * 3,) * 4, "very large", (4000, 3000))
    yield Case("zero_height.jpg", jpeg_claiming(96, 0), DAMAGED)
    yield Case("zero_width.png", png(0, 9, 8, 0, bytes(9)), DAMAGED)


def _animations() -> Iterator[Case]:
    frames = [Image.new("RGB", (96, 64), (i, 9 * i, 90)) for i in range(1, 12)]
    for ending, kind, word in (
        ("gif", "GIF", "animated"), ("png", "PNG", "animated"), ("webp", "WEBP", "animated"), ("tif", "TIFF", "pages"),
    ):  # fmt: skip
        data = saved(quadrants(), kind, save_all=True, append_images=frames)
        yield Case(f"anim.{ending}", data, colours=QUADRANTS, note=word)
    yield Case("no_end_mark.gif", saved(quadrants(), "GIF")[:-1], colours=QUADRANTS)
    stereo = saved(quadrants(), "MPO", save_all=True, append_images=frames[:1], quality=95, subsampling=0)
    yield Case("stereo.mpo", stereo, colours=QUADRANTS)


def _colours() -> Iterator[Case]:
    image = quadrants()
    grey = tuple((v, v, v) for v in (image.convert("L").getpixel(at) for at in ((9, 9), (80, 9), (9, 50), (80, 50))))
    for ending, kind in KINDS:
        yield Case(f"ok.{ending}", saved(image, kind), colours=QUADRANTS, size=(96, 64))
    yield Case("progressive.jpg", saved(image, "JPEG", progressive=True), colours=QUADRANTS)
    yield Case("cmyk.jpg", saved(image.convert("CMYK"), "JPEG"), colours=QUADRANTS)
    yield Case("cmyk.tif", saved(image.convert("CMYK"), "TIFF"), colours=QUADRANTS)
    yield Case("lzw.tif", saved(image, "TIFF", compression="tiff_lzw"), colours=QUADRANTS)
    yield Case("gray.jpg", saved(image.convert("L"), "JPEG"), colours=grey)
    yield Case("palette.png", saved(image.quantize(16), "PNG"), colours=QUADRANTS)
    yield Case("palette.bmp", saved(image.quantize(16), "BMP"), colours=QUADRANTS)
    runs = (b"\x30\2\x30\3\0\0" * 32) + (b"\x30\0\x30\1\0\0" * 32) + b"\0\1"  # from the bottom up
    yield Case("runs.bmp", rle_bmp(64, runs), colours=QUADRANTS)
    ink = Image.new("1", (96, 64), 1)
    ink.paste(0, (0, 0, 48, 32))
    for ending, kind in (("png", "PNG"), ("tif", "TIFF"), ("bmp", "BMP"), ("gif", "GIF")):
        yield Case(f"one_bit.{ending}", saved(ink, kind), colours=((0, 0, 0), WHITE, WHITE, WHITE))
    hole = Image.new("L", (96, 64), 255)
    hole.paste(0, (0, 0, 48, 32))
    rgba, la, pale = image.copy(), image.convert("L").convert("LA"), image.quantize(8)
    rgba.putalpha(hole)
    la.putalpha(hole)
    for ending, kind in (("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
        yield Case(f"rgba.{ending}", saved(rgba, kind), colours=(WHITE, *QUADRANTS[1:]))
    yield Case("la.png", saved(la, "PNG"), colours=(WHITE, *grey[1:]))
    see_through = saved(pale, "PNG", transparency=pale.getpixel((5, 5)))
    yield Case("palette_alpha.png", see_through, colours=(WHITE, *QUADRANTS[1:]))
    see_through = saved(pale, "GIF", transparency=pale.getpixel((5, 5)))
    yield Case("palette_alpha.gif", see_through, colours=(WHITE, *QUADRANTS[1:]))
    half = image.copy()
    half.putalpha(128)
    yield Case("half_alpha.png", saved(half, "PNG"), colours=tuple(tuple((c + 255) // 2 for c in q) for q in QUADRANTS))
    gone = image.copy()
    gone.putalpha(0)
    yield Case("fully_transparent.png", saved(gone, "PNG"), colours=(WHITE,) * 4, note="transparent")
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield Case("icc_srgb.jpg", saved(image, "JPEG", icc_profile=srgb), colours=QUADRANTS)
    for ending, kind in (("jpg", "JPEG"), ("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
        wide = saved(in_adobe_rgb(image), kind, icc_profile=adobe_rgb_profile())
        yield Case(f"icc_wide.{ending}", wide, colours=QUADRANTS)
    wide_rgba = in_adobe_rgb(image)
    wide_rgba.putalpha(hole)
    wide = saved(wide_rgba, "PNG", icc_profile=adobe_rgb_profile())
    yield Case("icc_wide_alpha.png", wide, colours=(WHITE, *QUADRANTS[1:]))
    yield Case("icc_garbage.jpg", saved(image, "JPEG", icc_profile=b"no profile" * 30), colours=QUADRANTS)
    misfit = saved(image.convert("CMYK"), "JPEG", icc_profile=adobe_rgb_profile())
    yield Case("icc_of_another_kind.jpg", misfit, colours=QUADRANTS)


def _deep() -> Iterator[Case]:
    level = ((117, 117, 117),) * 4
    deep = round(0.46 * 65535)
    row = b"\0" + struct.pack(">H", deep) * 96
    yield Case("gray16.png", png(96, 64, 16, 0, row * 64), colours=level)
    wide_row = b"\0" + struct.pack(">HHH", deep, deep // 2, 0) * 96
    yield Case("rgb16.png", png(96, 64, 16, 2, wide_row * 64), colours=((117, 58, 0),) * 4)
    yield Case("gray16_le.tif", tiff(96, 64, 16, struct.pack("<H", deep) * 96 * 64), colours=level)
    yield Case("gray16_be.tif", tiff(96, 64, 16, struct.pack(">H", deep) * 96 * 64, order=">"), colours=level)
    yield Case("gray16_inverted.tif", tiff(96, 64, 16, struct.pack("<H", 65535 - deep) * 96 * 64, 0), colours=level)
    twelve = round(0.46 * 4095)
    pair = bytes([twelve >> 4, (twelve & 15) << 4 | twelve >> 8, twelve & 255])
    yield Case("gray12.tif", tiff(96, 64, 12, pair * 48 * 64), colours=level)
    yield Case("int32.tif", saved(Image.new("I", (96, 64), deep), "TIFF"), colours=level)

    def floats(values: np.ndarray) -> bytes:
        return saved(Image.fromarray(values.astype(np.float32)), "TIFF")

    plain = np.full((64, 96), 0.46)
    broken = plain.copy()
    broken[:32, :48] = np.nan
    endless = plain.copy()
    endless[:32, :48], endless[:32, 48:] = np.inf, -np.inf
    yield Case("float32.tif", floats(plain), colours=level)
    yield Case("float_255.tif", floats(plain * 255), colours=level)
    yield Case("float_nan.tif", floats(broken), colours=((0, 0, 0), *level[1:]))
    yield Case("float_all_nan.tif", floats(plain * np.nan), colours=((0, 0, 0),) * 4)
    yield Case("float_inf.tif", floats(endless), colours=(WHITE, (0, 0, 0), *level[2:]))
    signed = np.linspace(-1000, 1000, 96)[None].repeat(64, axis=0)
    signed[:, :48], signed[:, 48:] = -1000, 1000
    yield Case("float_signed.tif", floats(signed), colours=((0, 0, 0), WHITE) * 2)


def _turned() -> Iterator[Case]:
    for orientation in (1, 2, 3, 4, 5, 6, 7, 8, 0, 99):
        yield Case(f"exif_{orientation}.jpg", oriented(orientation), colours=QUADRANTS, size=(96, 64))
    for ending, kind in (("png", "PNG"), ("webp", "WEBP"), ("tif", "TIFF")):
        yield Case(f"exif_6.{ending}", oriented(6, kind), colours=QUADRANTS, size=(96, 64))
    words = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x02\0\x03\0\0\0up\0\0" + bytes(4)  # an orientation in letters
    yield Case("exif_text.jpg", saved(quadrants(), "JPEG", exif=words), colours=QUADRANTS)
    garbage = saved(quadrants(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x7f" * 90)
    yield Case("exif_garbage.jpg", garbage, colours=QUADRANTS)


def _mixed() -> Iterator[Case]:
    image = quadrants()
    exif = Image.Exif()
    exif[0x010E] = "<script>alert(1)</script>"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    yield Case(
        "exif_gps_xss.jpg", saved(image, "JPEG", exif=exif.tobytes(), comment=b"<img onerror=1>"), colours=QUADRANTS
    )
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "<img onerror=1>")
    yield Case("text.png", saved(image, "PNG", pnginfo=note), colours=QUADRANTS)
    yield Case("png_named.jpg", saved(image, "PNG"), colours=QUADRANTS)
    yield Case("no_extension", saved(image, "JPEG"), colours=QUADRANTS)
    yield Case("jpg_and_html.jpg", saved(image, "JPEG") + b"<html><script>alert(1)</script></html>", colours=QUADRANTS)
    yield Case("gif_and_js.gif", saved(image, "GIF") + b"/*=1;alert(1)//*/", colours=QUADRANTS)
    yield Case("png_and_zip.png", saved(image, "PNG") + b"PK\3\4" + bytes(60), colours=QUADRANTS)
    for name, colour in (("black", (0, 0, 0)), ("white", WHITE)):
        yield Case(f"{name}.png", saved(Image.new("RGB", (96, 64), colour), "PNG"), colours=(colour,) * 4)
    level = saved(Image.new("RGB", (96, 64), (128, 128, 128)), "JPEG")
    yield Case("level_grey.jpg", level, colours=((128, 128, 128),) * 4)
    yield Case("noise.png", saved(noisy(), "PNG"))
