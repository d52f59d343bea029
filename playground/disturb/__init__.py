"""A picture made harder on purpose: patches moved or hidden, blur, noise, turns, edges alone; seeded, numpy and Pillow.

`disturb(picture, kind, strength, seed, place)` for every kind of `DISTURBANCES`. A new kind is one function and its
line in the tuple.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from playground import checks
from playground.disturb import geometry, patches, quality, texture
from playground.disturb.cells import covered
from playground.disturb.nouns import Disturbance, Place
from playground.image import Picture

__all__ = ["DISTURBANCES", "Disturbance", "Place", "disturb", "kind_of"]

MOST_PIXELS = 4_000_000  # larger pictures are reduced first: no model looks at more than a third of that
MOST_SEED = 2**31 - 1

DISTURBANCES = (
    Disturbance(
        "shuffle", "Shuffled patches", "share of the patches that change places", "y[p_k+1] = x[p_k] on a random ring",
        patches.shuffle,
    ),
    Disturbance(
        "swap", "Swapped patches", "share of the pairs that trade places", "y[p] = x[q], y[q] = x[p]", patches.swap
    ),
    Disturbance(
        "move", "Moved patches", "share of the moves carried out", "y[q] = x[p], y[p] = mean colour", patches.move
    ),
    Disturbance("mask", "Hidden patches", "share of the place that is hidden", "y = mean colour", patches.mask),
    Disturbance(
        "blur", "Blur", "width of the Gaussian", "y = x * N(0, sigma), sigma = s min(H, W) / 32", quality.blur,
        inside=True,
    ),
    Disturbance(
        "noise", "Noise", "loudness of the noise", "y = x + 0.4 * 255 s e, e ~ N(0, 1)", quality.noise, inside=True
    ),
    Disturbance(
        "resolution", "Fewer pixels", "how few pixels are left", "each side times 32^-s, then back", quality.resolution,
        inside=True,
    ),
    Disturbance("rotate", "Rotation", "the angle, 180 degrees at 1", "turned by 180 s degrees", geometry.rotate),
    Disturbance("crop", "Crop", "how far the edges move in", "edge + s (goal - edge)", geometry.crop),
    Disturbance(
        "edges", "Edges only", "how far the picture fades to its edges", "y = (1 - s) x + s 255 (1 - |Sobel| / p99)",
        texture.edges, inside=True,
    ),
    Disturbance(
        "flat", "Flattened texture", "how far the picture fades to flat areas",
        "y = (1 - s) x + s 16 colours of (median 5 x 5)^4 at 160 pixels", texture.flat, inside=True,
    ),
    Disturbance(
        "high_pass", "Fine detail only", "how far the picture fades to its fine detail",
        "y = (1 - s) x + s (127.5 + x - blurred x)", texture.high_pass, inside=True,
    ),
    Disturbance("grey", "Without colour", "how far colours fade", "y = (1 - s) x + s luma", quality.grey, inside=True),
    Disturbance(
        "contrast", "Less contrast", "how much contrast is lost", "y = m + (1 - 0.95 s)(x - m), m the mean",
        quality.contrast, inside=True,
    ),
)  # fmt: skip


def disturb(picture: Picture, kind: Any, strength: Any, seed: Any = 0, place: Place | None = None) -> Picture:
    """Return the picture disturbed by one kind; the same seed gives the same pixels, strength 0 the picture itself.

    kind: the name of one of `DISTURBANCES`. strength: 0 to 1, as that kind says. place: which cells, pairs or box to
    touch. Above four megapixels the picture is reduced first. Raises ValueError with one sentence.
    """
    chosen = kind_of(kind)
    strength = checks.share(strength, "The strength")
    seed = checks.whole(seed, "The seed", 0, MOST_SEED)
    if strength == 0:
        return picture
    place = place or Place()
    rgb, place = _reduced(picture.rgb, place)
    pixels = np.asarray(rgb)  # [H, W, 3]
    touched = chosen.touch(pixels, strength, np.random.default_rng(seed), place)
    where = covered(pixels, place) if chosen.inside else None
    if where is not None:
        touched = np.where(where[..., None], touched, pixels)
    note = f"disturbed: {chosen.title.lower()}, strength {strength:.2g}"
    return Picture(Image.fromarray(np.ascontiguousarray(touched)), (*picture.notes, note))


def kind_of(name: Any) -> Disturbance:
    """Return the kind of this name. Raises ValueError naming those there are."""
    for kind in DISTURBANCES:
        if kind.name == name:
            return kind
    raise ValueError(f"There is no such disturbance; there are {', '.join(kind.name for kind in DISTURBANCES)}.")


def _reduced(rgb: Image.Image, place: Place) -> tuple[Image.Image, Place]:
    """Return the picture with at most MOST_PIXELS, and the place on it."""
    scale = (MOST_PIXELS / (rgb.width * rgb.height)) ** 0.5
    if scale >= 1:
        return rgb, place
    small = rgb.resize((max(1, int(rgb.width * scale)), max(1, int(rgb.height * scale))), Image.Resampling.BOX)
    if place.box_xyxy is None:
        return small, place
    left, top, right, bottom = place.box_xyxy
    x, y = small.width / rgb.width, small.height / rgb.height
    return small, replace(place, box_xyxy=(left * x, top * y, right * x, bottom * y))
