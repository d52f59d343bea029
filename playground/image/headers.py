"""What a picture file says about itself before anything is decoded: kind, size, frames, passes. Bytes in, facts out."""

import re

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


def jpeg_scans(data: bytes, start: int, enough: int) -> tuple[int, int | None]:
    """How many passes the first picture of a JPEG file has, counted to just past `enough`, and where its end mark is.

    `start` lies inside the first pass, where Pillow stops after reading the header.
    """
    scans = 1
    while scans <= enough and (found := _MARKER.search(data, start)):
        marker, start = data[found.start() + 1], found.end()
        if marker == 0xD9:  # the end of this picture; another may follow it
            return scans, found.start()
        scans += marker == 0xDA
        start += int.from_bytes(data[start : start + 2])
    return scans, None


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


def gif_frames(data: bytes) -> tuple[tuple[int, int], int] | None:
    """((width, height), number of frames) of a GIF; None if it stops inside a block. Frame 1 may widen the size."""
    try:
        size = _pair(data, 6)
        at, frames = 13 + _palette_bytes(data[10]), 0
        while at < len(data) and data[at] in b"!,":  # a missing end mark between two blocks loses nothing
            if data[at] == ord(","):
                if not frames:
                    corner, extent = _pair(data, at + 1), _pair(data, at + 5)
                    size = max(size[0], corner[0] + extent[0]), max(size[1], corner[1] + extent[1])
                frames += 1
                at += 11 + _palette_bytes(data[at + 9])
            else:
                at += 2
            while data[at]:  # sub-blocks: a length, then so many bytes
                at += data[at] + 1
            at += 1
    except IndexError:
        return None
    return (size, frames) if frames else None


def _pair(data: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(data[at : at + 2], "little"), int.from_bytes(data[at + 2 : at + 4], "little")


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
