"""Decoded pixels of any kind -> upright sRGB with 8 bits, on white, without metadata."""

import io

import numpy as np
from PIL import Image, ImageCms


def plain(image: Image.Image, orientation: int | None) -> tuple[Image.Image, float]:
    """The picture upright, in sRGB, 8 bits, on white, without metadata; and the share (0..1) that was transparent."""
    turn, profile = _TURNS.get(orientation or 1), image.info.get("icc_profile")
    see_through = 0.0
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        rgb = _eight_bits(image).convert("RGB")
    elif image.has_transparency_data:
        rgba = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        alpha = rgba.getchannel("A")
        rgb = Image.new("RGB", image.size, "white")
        rgb.paste(_to_srgb(rgba.convert("RGB"), profile), mask=alpha)
        see_through = sum(alpha.histogram()[:3]) / (image.width * image.height)
    else:
        rgb = _to_srgb(image, profile)
    if turn is not None:
        rgb = rgb.transpose(turn)
    if rgb is image:
        rgb = rgb.copy()
    rgb.info = {}  # no EXIF, no comments, no profile travel on
    return rgb, see_through


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def stated_orientation(image: Image.Image) -> int | None:
    """The EXIF orientation of a loaded picture (a TIFF was turned while it loaded); None if absent or damaged."""
    try:
        orientation = image.getexif().get(0x0112)
    except Exception:  # any kind of damage inside EXIF; the pixels are fine
        return None
    return orientation if isinstance(orientation, int) else None


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """Mode RGB in sRGB, through the colour profile when it is sound and not sRGB already."""
    if image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    if isinstance(profile, bytes):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "srgb" not in ImageCms.getProfileDescription(source).lower():
                srgb = ImageCms.createProfile("sRGB")
                return ImageCms.profileToProfile(image, source, srgb, outputMode="RGB") or image.convert("RGB")
        except Exception:  # broken, or made for another kind of picture: as if there were none
            return image.convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit, 32-bit and float grey levels -> mode L.

    16 bits span 0..65535 (a TIFF may state fewer bits). Floats span 0..1 or 0..255 when they lie within, else their
    own range; NaN is black.
    """
    values = np.asarray(image).astype(np.float32)  # [rows, cols]
    tags = getattr(image, "tag_v2", {})
    seen = values[np.isfinite(values)]
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 1.0)
    if image.mode == "F":
        low, high = next(((0.0, top) for top in (1.0, 255.0) if low >= 0 and high <= top), (low, high))
    elif image.mode == "I" and not (image.format == "PNG" and high <= 65535):
        low, high = min(low, 0.0), next((top for top in (255.0, 65535.0) if high <= top), high)
    else:
        low, high = 0.0, float(2 ** min(int(tags.get(258, (16,))[0]), 16) - 1)
    values -= low
    values /= max(high - low, 1e-12)
    if tags.get(262) == 0:  # TIFF's "white is zero", which Pillow leaves as it is at these depths
        values = 1 - values
    scaled = np.nan_to_num(np.clip(values, 0, 1), nan=0.0) * 255 + 0.5
    return Image.fromarray(scaled.astype(np.uint8))
