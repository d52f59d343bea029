"""What kinds of block there are: the equation of each, and the paper that gives it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from playground.architecture.anatomy import Part

Group = Literal["stem", "convolution", "attention", "axial", "window", "pooling", "decoder", "head", "other"]


@dataclass(frozen=True)
class Kind:
    """One kind of block: `key` names it among the texts, `group` gives its colour, `equation` is plain Unicode.

    `paper` and `link` say where the equation stands; both are empty where a block is described by what it does alone.
    """

    key: str
    group: Group
    equation: str
    paper: str = ""
    link: str = ""


ARXIV = "https://arxiv.org/abs/"
VIT, COATNET = "Dosovitskiy et al. 2021", "Dai et al. 2021"
AXIAL, DETR = "Wang et al. 2020", "Carion et al. 2020"
SOFTMAX = "softmax(QKᵀ / √d) V"
KINDS = (
    # what a picture becomes first
    Kind("patches", "stem", "z₀ = [x_class; x₁E; …; x_N E] + E_pos", f"{VIT}, equation 1", ARXIV + "2010.11929"),
    Kind("stem", "stem", "x = Conv(picture)"),
    Kind("tokens", "stem", "z = [tokens; patches] + positions"),
    # attention
    Kind(
        "vit", "attention", f"z′ = z + MSA(LN(z)),  z = z′ + MLP(LN(z′)),  MSA: {SOFTMAX}",
        f"{VIT}, equations 2 and 3", ARXIV + "2010.11929",
    ),
    Kind("relative", "attention", "yᵢ = Σⱼ softmaxⱼ(xᵢᵀxⱼ + wᵢ₋ⱼ) xⱼ", f"{COATNET}, equation 3", ARXIV + "2106.04803"),
    Kind(
        "axial", "axial",
        "yₒ = Σₚ softmaxₚ(qₒᵀkₚ + qₒᵀr^q + kₚᵀr^k)(vₚ + r^v),  r at p − o,  p in the column, then in the row of o",
        f"{AXIAL}, equation 4", ARXIV + "2003.07853",
    ),
    Kind(
        "encoder", "attention", f"x = LN(x + {SOFTMAX}),  Q = K = x + position,  V = x;  x = LN(x + FFN(x))",
        f"{DETR}, section 3.2 and appendix A.3", ARXIV + "2005.12872",
    ),
    Kind(
        "decoder", "decoder", f"q = LN(q + among queries),  q = LN(q + {SOFTMAX}),  K = memory + position,  V = memory",
        f"{DETR}, section 3.2 and appendix A.3", ARXIV + "2005.12872",
    ),
    Kind("attention", "attention", SOFTMAX, "Vaswani et al. 2017, equation 1", ARXIV + "1706.03762"),
    Kind(
        "window", "window", f"{SOFTMAX} inside each window; every second block shifts the windows",
        "Liu et al. 2021, equations 3 and 4", ARXIV + "2103.14030",
    ),
    Kind(
        "maxvit", "window", f"{SOFTMAX} inside blocks of neighbours, then over a coarse grid of the whole picture",
        "Tu et al. 2022, section 3.2", ARXIV + "2204.01697",
    ),
    Kind(
        "windows", "window", f"{SOFTMAX} inside groups of positions",
        "Vaswani et al. 2017, equation 1", ARXIV + "1706.03762",
    ),
    # convolution
    Kind(
        "mbconv", "convolution", "y = x + Conv₁ₓ₁(SE(DWConv₃ₓ₃(Conv₁ₓ₁(BN(x)))))",
        f"{COATNET}, equation 5", ARXIV + "2106.04803",
    ),
    Kind(
        "residual", "convolution", "y = ReLU(x + F(x)),  F: convolutions and batch norm",
        "He et al. 2016, equation 1", ARXIV + "1512.03385",
    ),
    Kind(
        "convnext", "convolution", "y = x + Linear(GELU(Linear(LN(DWConv₇ₓ₇(x)))))",
        "Liu et al. 2022, figure 4", ARXIV + "2201.03545",
    ),
    Kind(
        "inverted", "convolution", "y = x + Conv₁ₓ₁(SE(DWConv(Conv₁ₓ₁(x))))",
        "Sandler et al. 2018, section 3.3; Tan and Le 2019", ARXIV + "1801.04381",
    ),
    Kind("convolution", "convolution", "y = W ∗ x"),
    # between stages
    Kind("projection", "pooling", "y = W₁ₓ₁ ∗ x"),
    Kind("downsampling", "pooling", "y = W [neighbours side by side], or a convolution with a stride"),
    # answers
    Kind("classes", "head", "p = softmax(W · LN(what is read of the last tokens) + b)"),
    Kind(
        "boxes", "head", "box = sigmoid(MLP(q)): centre, width and height in 0…1",
        f"{DETR}, section 3.2", ARXIV + "2005.12872",
    ),
    Kind(
        "box_maps", "head", "softmax(q kᵀ / √d) over all heads and places of the memory",
        f"{DETR}, section 4.4", ARXIV + "2005.12872",
    ),
    Kind(
        "masks", "head", "mask = Conv(upsampled maps + backbone features), level by level",
        f"{DETR}, section 4.4 and figure 8", ARXIV + "2005.12872",
    ),
    # the rest
    Kind(
        "mixer", "other", "U = X + W₂ σ(W₁ LN(X)) over positions;  Y = U + (W₄ σ(W₃ LN(U)ᵀ))ᵀ over channels",
        "Tolstikhin et al. 2021, equation 1", ARXIV + "2105.01601",
    ),
    Kind("linear", "other", "y = W x + b"),
    Kind("plain", "other", "no multiply-adds: a norm, an activation or a pooling"),
)  # fmt: skip
OF_CLASS = {  # the class of a module: its kind
    "PatchEmbed": "patches", "Block": "vit", "EvaBlock": "vit", "ResPostBlock": "vit", "ParallelScalingBlock": "vit",
    "MbConvBlock": "mbconv", "TransformerBlock2d": "relative", "AxialBlock": "axial", "EncoderLayer": "encoder",
    "DecoderLayer": "decoder", "Bottleneck": "residual", "BasicBlock": "residual", "SwinTransformerBlock": "window",
    "MaxxVitBlock": "maxvit", "PartitionAttention2d": "maxvit", "ConvNeXtBlock": "convnext",
    "InvertedResidual": "inverted", "DepthwiseSeparableConv": "inverted", "MixerBlock": "mixer",
    "BoxAttention": "box_maps", "MaskHead": "masks",
}  # fmt: skip
OF_NAME = {
    "bbox_embed": "boxes", "class_embed": "classes", "head": "classes", "fc": "classes", "classifier": "classes",
    "head_dist": "classes", "input_proj": "projection", "downsample": "downsampling", "stem": "stem",
}  # fmt: skip
OWN = "(own)"  # stands for the parameters and operations that a model holds outside its modules


def kind(key: str) -> Kind:
    """Return the kind with this key."""
    return next(kind for kind in KINDS if kind.key == key)


def kind_of(part: Part) -> Kind:
    """Return the kind of a block: by its class, by its name, or else by what it does."""
    if part.kind == OWN:
        return kind("tokens")
    named = OF_CLASS.get(part.kind) or OF_NAME.get(part.name)
    parted = any(mixing.spread != "everywhere" for mixing in part.attention)
    if named is not None and not (named == "vit" and parted):
        return kind(named)
    if part.attention:
        return kind("windows" if parted else "attention")
    kinds = [inside.kind for inside in walk(part)]
    if any("Conv" in name for name in kinds):
        return kind("convolution")
    return kind("linear" if part.macs else "plain")


def walk(part: Part) -> Iterator[Part]:
    """Yield the part and everything inside it."""
    yield part
    for inside in part.parts:
        yield from walk(inside)
