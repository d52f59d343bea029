"""The model's view of a picture: what `timm` or DETR would feed to the network, and where that lies on the upload."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from PIL import Image

from playground.image.reading import Picture, read

Rule = Literal["crop", "squash", "border", "detr"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


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

    def stride(self, grid: tuple[int, int]) -> tuple[float, float]:
        """How many view pixels one step of a (rows, cols) grid is, down and across.

        Where the view is no multiple of the grid but rounding up by a power of two gives it, as in the backbones of
        DETR, the stride is that power and the last cells reach past the edge.
        """
        rows, cols = grid
        return _stride(self.image.height, rows), _stride(self.image.width, cols)

    def grid_xyxy(self, grid: tuple[int, int]) -> tuple[float, float, float, float]:
        """Where a (rows, cols) grid lies: x0, y0, x1, y1 in upload pixels; may reach past the view's edge."""
        x0, y0, x1, y1 = self.region_xyxy
        down, across = self.stride(grid)
        wide, high = grid[1] * across / self.image.width, grid[0] * down / self.image.height
        return x0, y0, x0 + (x1 - x0) * wide, y0 + (y1 - y0) * high

    def cell_boxes(self, grid: tuple[int, int]) -> np.ndarray:
        """Where each cell of a (rows, cols) grid lies: boxes [rows, cols, 4] in upload pixels, clipped to it."""
        rows, cols = grid
        y, x = np.mgrid[0:rows, 0:cols]
        down, across = self.stride(grid)
        boxes = np.stack([x, y, x + 1, y + 1], axis=-1) * np.array([across, down] * 2)
        return self.to_upload(boxes).reshape(rows, cols, 4)

    def cell_at(self, x: float, y: float, grid: tuple[int, int]) -> tuple[int, int] | None:
        """The (row, col) of the grid cell under a point of the upload, or None where the model did not look."""
        left, top, right, bottom = self.region_xyxy
        if not (left <= x <= right and top <= y <= bottom):
            return None
        x0, y0, x1, y1 = self.grid_xyxy(grid)
        row, col = int((y - y0) / (y1 - y0) * grid[0]), int((x - x0) / (x1 - x0) * grid[1])
        return min(row, grid[0] - 1), min(col, grid[1] - 1)


def view(picture: Picture | Image.Image, preprocess: Preprocess) -> View:
    """The picture as the model wants it: resized, cropped, normalised, with the part of the upload that it covers.

    "crop": shorter side to floor(size / crop_pct), then the centre; "squash": both sides to floor(size / crop_pct),
    then the centre; "border": the longer side so, the rest in the mean colour (all as timm's evaluation transform).
    "detr": shorter side to `shortest` unless the longer would pass `longest` (Carion et al. 2020, with their code's
    rounding), no padding.
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
    image = resized
    if (wide, high) != (cols, rows):
        around = preprocess.mean if preprocess.rule == "border" else (0.0, 0.0, 0.0)
        image = Image.new("RGB", (cols, rows), tuple(round(255 * share) for share in around))
        image.paste(resized, (-left, -top))
    image.info = {}
    pixels = np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / np.float32(255)  # [3, rows, cols]
    pixels -= np.array(preprocess.mean, dtype=np.float32)[:, None, None]
    pixels /= np.array(preprocess.std, dtype=np.float32)[:, None, None]
    x0, x1 = (x * width / wide for x in (left, left + cols))
    y0, y1 = (y * height / high for y in (top, top + rows))
    return View((width, height), image, np.ascontiguousarray(pixels), (x0, y0, x1, y1))


def _stride(pixels: int, cells: int) -> float:
    """How many pixels a cell is long on one side."""
    power = 2.0 ** round(math.log2(pixels / cells))
    return power if pixels % cells and math.ceil(pixels / power) == cells else pixels / cells


def _timm_size(width: int, height: int, preprocess: Preprocess) -> tuple[int, int]:
    """(width, height) after the resize of timm's evaluation transform."""
    high, wide = (math.floor(side / preprocess.crop_pct) for side in preprocess.size)
    if preprocess.rule == "squash":
        return wide, high
    if preprocess.rule == "border":
        ratio = max(height / high, width / wide)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
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
