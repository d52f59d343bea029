"""Shape without texture, and texture's fine detail without colour: which of the two does a model go by?

Geirhos et al. 2019, "ImageNet-trained CNNs are biased towards texture", ask the same with other pictures.
"""

import numpy as np
from PIL import Image, ImageFilter

from playground.disturb.nouns import Place
from playground.disturb.quality import blended, luma

STRONG = 99.0  # percentile of the gradient that is drawn black
FLAT_SIDE = 160  # pixels of the shorter side while texture is flattened
PASSES, WINDOW = 4, 5
COLOURS = 16  # left of all
FINE = 1 / 64  # standard deviation of the blur that is taken away, over the shorter side


def edges(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Fade to a drawing of the edges: the length of Sobel's gradient of the brightness, dark on white."""
    light = np.pad(luma(pixels).astype(np.float32), 1, mode="edge")  # [H + 2, W + 2]
    down = light[2:] - light[:-2]  # [H, W + 2]
    along = light[:, 2:] - light[:, :-2]  # [H + 2, W]
    y = down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]  # [H, W]
    x = along[:-2] + 2 * along[1:-1] + along[2:]
    length = np.hypot(x, y)
    drawn = 255 * (1 - np.clip(length / max(float(np.percentile(length, STRONG)), 1.0), 0, 1))
    return blended(pixels, np.repeat(drawn[..., None], 3, 2), strength)


def flat(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Fade to flat areas: a 5 x 5 median four times at 160 pixels a side, then the 16 colours of a median cut."""
    height, width = pixels.shape[:2]
    picture, scale = Image.fromarray(pixels), FLAT_SIDE / min(height, width)
    if scale < 1:
        picture = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.BOX)
    for _ in range(PASSES):
        picture = picture.filter(ImageFilter.MedianFilter(WINDOW))
    few = picture.quantize(COLOURS, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB")
    areas = few.resize((width, height), Image.Resampling.BICUBIC)
    return blended(pixels, np.asarray(areas), strength)


def high_pass(pixels: np.ndarray, strength: float, random: np.random.Generator, place: Place) -> np.ndarray:
    """Fade to fine detail on grey: the picture less its own blur."""
    radius = FINE * min(pixels.shape[:2])
    coarse = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))
    return blended(pixels, 127.5 + pixels.astype(np.float32) - coarse, strength)
