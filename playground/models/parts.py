"""A model's stem and positions as numpy, read from its modules: one function a family."""

import copy
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from playground.models.axial import AxialAttention, AxialResNet
from playground.models.card import Card
from playground.models.detr import DETR, sine_positions
from playground.models.preprocess import preprocess_of
from playground.models.vit import prefix_names
from playground.parts import Axis, Parts, Places, RelativeTable, Stage, Stem

NONE = (
    "No table, rotation or bias of positions was found that can be shown: a model may also know places from its "
    "convolutions, from the edges of the picture, or in a way of its own."
)
TABLE = "A learned table: one row for every place of the grid, added to the patch embedding."
SINE = "Sines and cosines of row and column, never trained, added to queries and keys in every layer."
ROPE = "Rotary: queries and keys are turned by an angle that depends on row and column, in every layer."
BIAS = "A learned bias for every distance between two places, added to the attention scores of each head."
AXIAL = "Learned vectors for every distance along a column or a row, which meet queries, keys and values."
ROW = "The grid is read row by row as one row of tokens."


def parts_of(model: Any, card: Card, size: tuple[int, int] | None = None) -> Parts:
    """Return the parts of a card's model, made for pictures of `size` (rows, cols), its own by default.

    Raises ValueError where no convolution reads the pixels.
    """
    rule = preprocess_of(card)
    size = size or ((rule.shortest, rule.shortest) if rule.rule == "detr" else rule.size)
    readers: dict[str, Callable[[Any, tuple[int, int]], tuple[Stem, tuple[Places, ...]]]] = {
        "coatnet": _coatnet,
        "axial": _axial,
        "detr": _detr,
    }
    stem, positions = readers.get(card.family, _general)(model, size)
    return Parts(card.name, card.family, size, stem, positions or (Places("none", NONE),))


def _general(model: Any, size: tuple[int, int]) -> tuple[Stem, tuple[Places, ...]]:
    """Read a vision transformer, or any other network of timm."""
    patches = getattr(model, "patch_embed", None)
    first = _first(model)
    cuts = getattr(patches, "proj", None) is first and hasattr(model, "blocks")
    named = prefix_names(model) if int(getattr(model, "num_prefix_tokens", 0)) else ()
    stages = () if cuts else _stages(getattr(model, "feature_info", ()), first)
    stem = _stem(first, size, stages, named, ROW if cuts or named else "")
    rope = getattr(model, "rope", None)
    grid = tuple(getattr(patches, "grid_size", None) or stem.grid(size))
    turned = _rope(rope, grid) if rope is not None else ()
    return stem, (*_table(model, grid, named), *turned, *_relative_places(model))


def _coatnet(model: Any, size: tuple[int, int]) -> tuple[Stem, tuple[Places, ...]]:
    second = model.stem.conv2
    stages = (
        Stage("second convolution", second.out_channels, 2, _convolution(second)),
        *_stages(model.feature_info[1:], second),
    )
    row = "In the stages with attention the grid is read row by row as one row of tokens."
    return _stem(model.stem.conv1, size, stages, row=row), tuple(_relative_places(model))


def _axial(model: AxialResNet, size: tuple[int, int]) -> tuple[Stem, tuple[Places, ...]]:
    planes = model.conv1.out_channels
    if model.stem == "pool":
        stages = [Stage("max pooling", planes, 4, "The largest of 3 × 3 values, every 2nd row and column.")]
    else:
        convs: list[Any] = [model.conv2, model.conv3]
        stages = [Stage(f"convolution {i + 2}", planes, (2, 4)[i], _convolution(conv)) for i, conv in enumerate(convs)]
    reduction = 4
    for i, (blocks, stride) in enumerate(zip(model.stages, model.strides, strict=True)):
        reduction *= stride
        last: Any = blocks[-1]
        said = f"Blocks: {len(blocks)}. Attention goes down every column, then along every row; no grid is laid flat."
        stages.append(Stage(f"stage {i + 1}", last.conv_up.out_channels, reduction, said))
    tables = tuple(_axial_tables(model))
    conv: Any = model.conv1
    return _stem(conv, size, tuple(stages)), (Places("relative", AXIAL, relative=tables),)


def _axial_tables(model: AxialResNet) -> Iterator[RelativeTable]:
    for s, stage in enumerate(model.stages):
        for b, block in enumerate(stage):
            for axis, attention in (("height", block.hight_block), ("width", block.width_block)):
                assert isinstance(attention, AxialAttention)
                values = _numpy(attention.relative)  # [2C/heads, 2 * span - 1]
                shaped = values[:, :, None] if axis == "height" else values[:, None, :]
                met = tuple(zip(("queries", "keys", "values"), attention.split, strict=True))
                yield RelativeTable(f"stage {s + 1}, block {b + 1}, {axis}", shaped, _axis(axis), "channel", met)


def _axis(axis: str) -> Axis:
    return "height" if axis == "height" else "width"


def _detr(model: DETR, size: tuple[int, int]) -> tuple[Stem, tuple[Places, ...]]:
    levels = model.backbone.feature_info.get_dicts()[: model.level + 1]
    reduction = int(levels[-1]["reduction"])
    width = model.input_proj.out_channels
    said = f"A 1 × 1 convolution brings {model.input_proj.in_channels} channels to the transformer's {width}."
    first = _first(model.backbone)
    stages = (*_stages(levels, first), Stage("projection", width, reduction, said))
    grid = (-(-size[0] // reduction), -(-size[1] // reduction))

    def at(grid: tuple[int, int]) -> np.ndarray:
        inside = torch.zeros((1, *grid), dtype=torch.bool)
        return _numpy(sine_positions(inside, width)[0].flatten(0, 1))  # [N, D]

    stem = _stem(first, size, stages, row=ROW)
    return stem, (Places("sine", SINE, grid, at(grid), at=at),)


def _first(model: nn.Module) -> nn.Conv2d:
    """Return the convolution that reads the pixels: the first one of the network."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            return module
    raise ValueError("This model reads its pixels with no convolution, so it has no filters to show.")


def _stem(
    conv: nn.Conv2d,
    size: tuple[int, int],
    stages: tuple[Stage, ...] = (),
    prefix: tuple[str, ...] = (),
    row: str = "",
) -> Stem:
    rows, cols = conv.stride
    bias = None if conv.bias is None else _numpy(conv.bias)
    return Stem(_numpy(conv.weight), bias, (rows, cols), _padding(conv, size), stages, prefix, row)


def _padding(conv: nn.Conv2d, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return (top, bottom, left, right); timm's "same" convolutions pad as much as the picture's size asks for."""
    if type(conv).__name__ == "Conv2dSame" or conv.padding == "same":
        found = []
        for n, k, s in zip(size, conv.kernel_size, conv.stride, strict=True):
            whole = max((-(-n // s) - 1) * s + k - n, 0)
            found += [whole // 2, whole - whole // 2]
        return found[0], found[1], found[2], found[3]
    assert not isinstance(conv.padding, str), conv.padding
    rows, cols = conv.padding
    return rows, rows, cols, cols


def _stages(levels: Any, first: Any) -> tuple[Stage, ...]:
    """Return those of timm's levels that are wider or coarser than the one before; `first` reads the pixels."""
    dicts = levels.get_dicts() if hasattr(levels, "get_dicts") else levels
    found: list[Stage] = []
    before = first.out_channels, first.stride[0]
    for level in dicts:
        channels, reduction = int(level["num_chs"]), int(level["reduction"])
        if (channels, reduction) != before:
            said = f"{channels} channels on a grid {reduction} times coarser than the picture."
            found.append(Stage(f"stage {len(found) + 1}", channels, reduction, said))
        before = channels, reduction
    return tuple(found)


def _convolution(conv: Any) -> str:
    rows, cols = conv.kernel_size
    step = "every row and column" if conv.stride[0] == 1 else f"every {conv.stride[0]} rows and columns"
    return f"A {rows} × {cols} convolution, {step}, from {conv.in_channels} to {conv.out_channels} channels."


def _table(model: Any, grid: tuple[int, int], prefix: tuple[str, ...]) -> Iterator[Places]:
    table = getattr(model, "pos_embed", None)
    if not isinstance(table, Tensor) or table.dim() < 3:
        return
    values = _numpy(table).reshape(-1, table.shape[-1])  # [p + N, D]
    grid = (table.shape[1], table.shape[2]) if table.dim() == 4 else grid
    extra = len(values) - grid[0] * grid[1]
    if not 0 <= extra <= len(prefix):
        return
    yield Places("table", TABLE, grid, values[extra:], prefix[:extra], values[:extra])


def _rope(rope: nn.Module, grid: tuple[int, int]) -> Iterator[Places]:
    own = copy.deepcopy(rope)

    def at(grid: tuple[int, int]) -> np.ndarray:
        turned: Any = own
        if getattr(turned, "feat_shape", None) is not None:
            turned.update_feat_shape(list(grid))
        found = turned.get_embed(shape=list(grid))
        embed = torch.cat(found, dim=-1) if isinstance(found, tuple) else found  # [..., N, 2 * d], sines then cosines
        embed = embed.reshape(-1, *embed.shape[-2:])  # [depth * heads or 1, N, 2 * d]
        return _numpy(embed.transpose(0, 1).flatten(1))  # [N, ...]

    yield Places("rope", ROPE, grid, at(grid), at=at)


def _relative_places(model: nn.Module) -> Iterator[Places]:
    tables = tuple(_relative(model))
    if tables:
        yield Places("relative", BIAS, relative=tables)


def _relative(model: nn.Module) -> Iterator[RelativeTable]:
    """Find timm's tables of relative bias: flat, as an image, or made by a small network of the distance."""
    for path, found in model.named_modules():
        module: Any = found
        window = getattr(module, "window_size", None)
        table = getattr(module, "relative_position_bias_table", None)
        if isinstance(table, Tensor) and window is not None:
            rows, cols = 2 * window[0] - 1, 2 * window[1] - 1
            image = table if table.dim() == 3 else table[: rows * cols].T.reshape(-1, rows, cols)
        elif hasattr(module, "rel_coords_log") and hasattr(module, "bias_act"):
            image = module.bias_act(module.mlp(module.rel_coords_log).permute(2, 0, 1)) * (module.bias_gain or 1)
        elif isinstance(getattr(module, "rel_pos_h", None), Tensor):  # SAM: queries meet a vector for every distance
            down, along = _numpy(module.rel_pos_h).T, _numpy(module.rel_pos_w).T  # each [D, offsets]
            met = (("queries", down.shape[0]),)
            yield RelativeTable(f"{_named(path)}, height", down[:, :, None], "height", "channel", met)
            yield RelativeTable(f"{_named(path)}, width", along[:, None, :], "width", "channel", met)
            continue
        else:
            continue
        yield RelativeTable(_named(path), _numpy(image))


def _named(path: str) -> str:
    """Return "stage 3, block 1" for "stages.2.blocks.0.attn.rel_pos"."""
    steps = path.split(".")
    words = [f"{name.removesuffix('s')} {int(number) + 1}" for name, number in pairwise(steps) if number.isdigit()]
    return ", ".join(words) or "shared by all blocks"


def _numpy(values: Tensor) -> np.ndarray:
    return values.detach().float().cpu().numpy().copy()
