"""What a picture file says about itself before anything is decoded: kind, size, frames, passes. Bytes in, facts out."""

import re
from dataclasses import dataclass
from typing import Literal

MAX_PARTS = 150_000  # blocks in one file: a reader needs many seconds for millions of empty ones
MAX_NOTES = 4 * 1024 * 1024  # bytes of EXIF and the like

# first bytes -> kind; a file's name is never asked
_KINDS = (
    (rb"\xff\xd8\xff", "jpeg"),  # MPO too: it begins with a JPEG, and that one is used
    (rb"\x89PNG\r\n\x1a\n", "png"),
    (rb"RIFF....WEBP", "webp"),
    (rb"GIF8[79]a", "gif"),
    (rb"BM", "bmp"),
    (rb"II[*+]\0|MM\0[*+]", "tiff"),
)

_REFUSED = (
    (
        rb"....ftyp(hei[cxms]|hev[cxms]|mif1|msf1)",
        "HEIC pictures cannot be read here; please save the picture as JPEG and send that.",
    ),
    (rb"....ftypavi[fs]", "AVIF pictures cannot be read here; please save the picture as JPEG or PNG and send that."),
    (rb"....ftyp", "This is a film, not a picture; please send a single picture as JPEG or PNG."),
    (rb"%PDF", "This is a PDF document; please save the page you mean as JPEG or PNG and send that."),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "EPS and PostScript files cannot be read here; please export the picture as PNG."),
    (rb"8BPS", "PSD files from Photoshop cannot be read here; please export the picture as JPEG or PNG."),
    (rb"\s*<(!doctype html|html)", "This is a web page, not a picture; please save the picture itself and send that."),
    (rb"(\xef\xbb\xbf)?\s*<(svg|.*?<svg)[\s>]", "SVG drawings cannot be read here; please export the picture as PNG."),
)

_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)


def kind_of(data: bytes) -> str | None:
    """ "jpeg", "png", "webp", "gif", "bmp" or "tiff"; None for anything else."""
    return next((kind for start, kind in _KINDS if re.match(start, data[:16], re.DOTALL)), None)


def refusal(data: bytes) -> str | None:
    """The sentence for a well-known kind of file that is not read; None if it is not one of them."""
    head, flags = data[:4096], re.DOTALL | re.IGNORECASE
    return next((sentence for start, sentence in _REFUSED if re.match(start, head, flags)), None)


@dataclass
class JpegFacts:
    """A JPEG's first picture: passes, parts that a reader would step through, EXIF, and where its end mark is."""

    scans: int = 0
    parts: int = 0
    exif: bytes = b""
    end: int | None = None


def jpeg_facts(data: bytes) -> JpegFacts:
    """Walk the markers of a JPEG file's first picture, as far as its end or as MAX_PARTS allows."""
    facts, at = JpegFacts(), 2
    while facts.parts <= MAX_PARTS and (found := _MARKER.search(data, at)):
        marker, start = data[found.start() + 1], found.end()
        facts.parts += (
            1 if facts.scans else found.start() - at + 1
        )  # before the pixels, stray bytes are read one by one
        if marker == 0xD9:
            facts.end = found.start()
            break
        facts.scans += marker == 0xDA
        at = start + int.from_bytes(data[start : start + 2])
        if marker == 0xE1 and data[start + 2 : start + 8] == b"Exif\0\0" and len(facts.exif) <= MAX_NOTES:
            facts.exif += data[start + 8 : at]
    return facts


def png_parts(data: bytes) -> int:
    """How many chunks a PNG file has, counted to just past MAX_PARTS."""
    at, parts = 8, 0
    while at < len(data) and parts <= MAX_PARTS and data[at + 4 : at + 8] != b"IEND":
        at += 12 + int.from_bytes(data[at : at + 4])
        parts += 1
    return parts


def directory(data: bytes) -> tuple[int, int | None]:
    """What the directory of a TIFF file or an EXIF block claims: bytes of values, and an orientation.

    Readers copy every value, and many entries may point at the same bytes, so a small file can claim gigabytes.
    """
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    wide = number(2, 2) == 43  # BigTIFF: longer numbers everywhere
    count_size, entry_size, word = (8, 20, 8) if wide else (2, 12, 4)
    waiting, seen, claimed, orientation = [number(8, 8) if wide else number(4, 4)], set[int](), 0, None
    while waiting and len(seen) < 16:
        start = waiting.pop()
        if start in seen or start >= len(data):
            continue
        seen.add(start)
        count = number(start, count_size)
        claimed += entry_size * count
        for index in range(min(count, MAX_PARTS, len(data) // entry_size)):
            at = start + count_size + entry_size * index
            tag, kind, values = number(at, 2), number(at + 2, 2), number(at + 4, word)
            claimed += values * (_TIFF_TYPES[kind] if kind < len(_TIFF_TYPES) else 0)
            if tag in (34665, 34853, 40965):  # directories of their own: EXIF, GPS, interoperability
                waiting.append(number(at + 4 + word, word))
            elif tag == 0x0112 and kind in (3, 4) and len(seen) == 1:
                orientation = number(at + 4 + word, 2 if kind == 3 else 4)
    return claimed, orientation


_TIFF_TYPES = (0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)  # bytes of one value, by type


def webp_size(data: bytes) -> tuple[int, int] | None:
    """(width, height) of a WebP file from its first chunk; None if it is cut off."""
    body = data[20:30]
    if len(body) < 10:
        return None
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def gif_facts(data: bytes) -> tuple[tuple[int, int], int, int] | None:
    """((width, height), frames, blocks) of a GIF; None if it stops inside a block. Frame 1 may widen the size."""
    try:
        size = _pair(data, 6)
        at, frames, parts = 13 + _palette_bytes(data[10]), 0, 0
        # stopping between two blocks, even without the end mark, loses nothing
        while at < len(data) and data[at] in b"!," and parts <= MAX_PARTS:
            if data[at] == ord(","):
                if not frames:
                    corner, extent = _pair(data, at + 1), _pair(data, at + 5)
                    size = max(size[0], corner[0] + extent[0]), max(size[1], corner[1] + extent[1])
                frames += 1
                at += 11 + _palette_bytes(data[at + 9])
            else:
                at += 2
            while data[at] and parts <= MAX_PARTS:  # sub-blocks: a length, then so many bytes
                at += data[at] + 1
                parts += 1
            at += 1
            parts += 1
    except IndexError:
        return None
    return (size, frames, parts) if frames or parts > MAX_PARTS else None


def _pair(data: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
