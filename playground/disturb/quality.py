"""Worse pictures: out of focus, noisy, of few pixels, pale, or without colour."""

import numpy as np
from PIL import Image, ImageFilter

from playground.disturb.nouns import Place

WIDEST = 1 / 32  # standard deviation of the blur over the shorter side, at strength 1
LOUDEST = 0.4 * 255  # standard deviation of the noise at strength 1; ImageNet-C's strongest is 0.38 of the range
SMALLEST = 1 / 32  # of each side, at strength 1
PALEST = 0.05  # of the contrast, at strength 1; as ImageNet-C's strongest


def blur(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Out of focus: a Gaussian, which Pillow makes of three box filters."""
    radius = strength * WIDEST * min(pixels.shape[:2])
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def noise(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Independent Gaussian noise on every channel of every pixel (Hendrycks and Dietterich 2019)."""
    added = random.standard_normal(pixels.shape, dtype=np.float32) * np.float32(strength * LOUDEST)
    return to_bytes(pixels + added)


def resolution(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Fewer pixels: areas averaged into one pixel, and enlarged again to the old size."""
    height, width = pixels.shape[:2]
    small = (max(1, round(width * SMALLEST**strength)), max(1, round(height * SMALLEST**strength)))
    picture = Image.fromarray(pixels).resize(small, Image.Resampling.BOX)
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))


def grey(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Colours fade to their brightness."""
    return blended(pixels, np.repeat(luma(pixels)[..., None], 3, 2), strength)


def contrast(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Values draw near the mean of their channel."""
    mean = pixels.reshape(-1, 3).mean(0, dtype=np.float64).astype(np.float32)
    return to_bytes(mean + np.float32(1 - (1 - PALEST) * strength) * (pixels - mean))


def luma(pixels: np.ndarray) -> np.ndarray:
    """Return the brightness by ITU-R BT.601, uint8 [H, W]."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def blended(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
    """Return `share` of the new picture over the rest of the old, uint8."""
    return to_bytes(old + np.float32(share) * (new.astype(np.float32) - old))


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Return the values rounded and cut to 0..255, uint8."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
