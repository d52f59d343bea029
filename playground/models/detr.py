"""DETR: a set of objects from a convolutional backbone and a transformer (Carion et al. 2020, arXiv 2005.12872).

    pixels -> backbone -> 1x1 projection -> encoder (memory) -> decoder of object queries -> class and box of each query

R50, R101, their DC5 forms and the panoptic head (`detr_panoptic`), and small members on any timm backbone. Parameters
bear the names of the authors' release, but `backbone.` stands for its `backbone.0.body.`; `detr_keys.rename` reads
every published layout.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from playground.models.attention import MultiheadAttention, key_mask
from playground.models.detr_keys import rename
from playground.models.detr_panoptic import BoxAttention, MaskHead, PanopticSegment, confident, panoptic

if TYPE_CHECKING:
    from playground.models.card import Card

__all__ = ["DETR", "Detections", "PanopticSegment", "build", "confident", "detect", "panoptic", "rename"]


class FrozenBatchNorm2d(nn.Module):
    """Batch norm whose statistics and affine terms are constants: four buffers, nothing to train (eps 1e-5)."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, device: torch.device | None = None, dtype: torch.dtype | None = None) -> None:
        super().__init__()
        for name, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            self.register_buffer(name, torch.full((num_features,), value, device=device, dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        """Return x [B, C, rows, cols] normalised with the constants."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, training=False, eps=1e-5)


def sine_positions(padding: Tensor, dim: int) -> Tensor:
    """Return sine positions [B, rows, cols, dim] for padding [B, rows, cols] (True: outside the picture).

    Row and column are counted from 1 over the picture alone and scaled to 2 pi; each fills half of the channels, rows
    first, with sine on even and cosine on odd channels, temperature 10000. Paper, appendix A.4.
    """
    halves = []
    exponent = torch.arange(dim // 2, device=padding.device).div(2, rounding_mode="floor") * (4 / dim)
    frequency = 10000.0**exponent  # [dim/2]
    for axis in (1, 2):
        place = (~padding).cumsum(axis, dtype=torch.float32)  # [B, rows, cols]
        place = place / (place.select(axis, -1).unsqueeze(axis) + 1e-6)  # 0..1 inside the picture
        angle = (place * 2 * math.pi)[..., None] / frequency  # [B, rows, cols, dim/2]
        halves.append(torch.stack((angle[..., 0::2].sin(), angle[..., 1::2].cos()), dim=-1).flatten(-2))
    return torch.cat(halves, dim=-1)  # [B, rows, cols, dim]


class EncoderLayer(nn.Module):
    """Self-attention over the positions of the picture, then a two-layer network; norms after each sum."""

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(dim, heads, dropout)
        self.linear1 = nn.Linear(dim, ffn)
        self.linear2 = nn.Linear(ffn, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, position: Tensor, allowed: Tensor | None) -> Tensor:
        """Return [B, HW, D] for tokens and positions [B, HW, D]; positions enter queries and keys, never values."""
        where = x + position  # [B, HW, D]
        x = self.norm1(x + self.dropout(self.self_attn(where, where, x, allowed)))
        hidden = self.dropout(F.relu(self.linear1(x)))  # [B, HW, ffn]
        return self.norm2(x + self.dropout(self.linear2(hidden)))


class DecoderLayer(nn.Module):
    """Object queries talk to each other, then look at the memory of the picture, then a two-layer network."""

    def __init__(self, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(dim, heads, dropout)
        self.multihead_attn = MultiheadAttention(dim, heads, dropout)
        self.linear1 = nn.Linear(dim, ffn)
        self.linear2 = nn.Linear(ffn, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        x: Tensor,
        query_position: Tensor,
        memory: Tensor,
        position: Tensor,
        allowed: Tensor | None,
        groups: int = 1,
    ) -> Tensor:
        """Return [B, groups*Q, D] for query states x [B, groups*Q, D] and memory [B, HW, D].

        The queries of a group talk to each other alone; `allowed` is the mask over the memory.
        """
        apart = x.unflatten(1, (groups, -1)).flatten(0, 1)  # [B*groups, Q, D]
        where = (x + query_position).unflatten(1, (groups, -1)).flatten(0, 1)  # [B*groups, Q, D]
        heard = self.self_attn(where, where, apart).unflatten(0, (-1, groups)).flatten(1, 2)  # [B, groups*Q, D]
        x = self.norm1(x + self.dropout(heard))
        seen = self.multihead_attn(x + query_position, memory + position, memory, allowed)  # [B, Q, D]
        x = self.norm2(x + self.dropout(seen))
        hidden = self.dropout(F.relu(self.linear1(x)))  # [B, Q, ffn]
        return self.norm3(x + self.dropout(self.linear2(hidden)))


class Encoder(nn.Module):
    """The encoder layers, in order, without a final norm."""

    def __init__(self, depth: int, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(dim, heads, ffn, dropout) for _ in range(depth))


class Decoder(nn.Module):
    """The decoder layers, in order, and the norm through which the heads read any of them."""

    def __init__(self, depth: int, dim: int, heads: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, ffn, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(dim)


class Transformer(nn.Module):
    """Encoder and decoder; every layer's tokens are returned."""

    def __init__(self, dim: int, heads: int, enc: int, dec: int, ffn: int, dropout: float) -> None:
        super().__init__()
        self.encoder = Encoder(enc, dim, heads, ffn, dropout)
        self.decoder = Decoder(dec, dim, heads, ffn, dropout)
        for weight in self.parameters():
            if weight.dim() > 1:
                nn.init.xavier_uniform_(weight)

    def forward(
        self, x: Tensor, position: Tensor, padding: Tensor | None, queries: Tensor, groups: int = 1
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """Return the tokens after each encoder layer [B, HW, D] and each decoder layer [B, Q, D].

        The decoder's norm is not applied yet. x, position [B, HW, D]; padding [B, HW] or None; queries [Q, D].
        """
        allowed = key_mask(padding)  # [B, 1, 1, HW]
        encoder_tokens, decoder_tokens = [], []
        for layer in self.encoder.layers:
            x = layer(x, position, allowed)  # [B, HW, D]
            encoder_tokens.append(x)
        query_position = queries.expand(x.shape[0], -1, -1)  # [B, Q, D]
        state = torch.zeros_like(query_position)  # [B, Q, D]
        for layer in self.decoder.layers:
            state = layer(state, query_position, x, position, allowed, groups)  # [B, Q, D]
            decoder_tokens.append(state)
        return tuple(encoder_tokens), tuple(decoder_tokens)


class MLP(nn.Module):
    """Three linear layers with ReLU between: the box head."""

    def __init__(self, dim: int, out: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList((nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, out)))

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., out] for x [..., dim]."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class DETR(nn.Module):
    """Object detector, panoptic with `panoptic=True`.

    `num_classes` leaves out the no-object class, which comes last. `dilation` is DC5: the backbone's last stage keeps
    its resolution. `backbone_options` go to timm.create_model (output_stride, ...); `level` picks the backbone's
    feature level (-1: the last). `frozen_norm` makes the backbone's batch norms constants, as published weights need.
    With `query_groups` above 1, training answers that many independent groups of queries, one after another in the
    outputs; evaluation answers the first alone. `position_at_input` adds the positions to the encoder's input too, so
    that values carry them (the paper's table 3 has this ablation): a small network learns boxes far sooner.
    """

    def __init__(
        self,
        backbone: str = "resnet50",
        num_classes: int = 91,
        num_queries: int = 100,
        d_model: int = 256,
        nhead: int = 8,
        enc: int = 6,
        dec: int = 6,
        ffn: int = 2048,
        dilation: bool = False,
        panoptic: bool = False,
        backbone_options: Mapping[str, Any] | None = None,
        level: int = -1,
        frozen_norm: bool = True,
        dropout: float = 0.1,
        query_groups: int = 1,
        position_at_input: bool = False,
    ) -> None:
        super().__init__()
        self.position_at_input = position_at_input
        self.num_queries = num_queries
        self.query_groups = query_groups
        options = dict(backbone_options or {})
        if dilation:
            options["output_stride"] = 16
        if frozen_norm:
            options["norm_layer"] = FrozenBatchNorm2d
        self.backbone = timm.create_model(backbone, pretrained=False, features_only=True, **options)
        channels = self.backbone.feature_info.channels()
        self.level = level % len(channels)
        self.input_proj = nn.Conv2d(channels[self.level], d_model, 1)
        self.query_embed = nn.Embedding(num_queries * query_groups, d_model)
        self.transformer = Transformer(d_model, nhead, enc, dec, ffn, dropout)
        self.class_embed = nn.Linear(d_model, num_classes + 1)
        self.bbox_embed = MLP(d_model, 4)
        self.bbox_attention: BoxAttention | None = None
        self.mask_head: MaskHead | None = None
        if panoptic:
            if d_model % 128 or nhead % 8 or self.level < 3:
                raise ValueError(
                    "Masks need a width that is a multiple of 128, heads in eights, and three feature levels below."
                )
            finer = channels[self.level - 3 : self.level][::-1]  # coarse to fine
            self.bbox_attention = BoxAttention(d_model, nhead)
            self.mask_head = MaskHead(d_model, nhead, finer)

    def forward(self, pixels: Tensor, mask: Tensor | None = None, masks: bool = True) -> dict[str, Any]:
        """Answer normalised pixels [B, 3, H, W]; mask [B, H, W] is True on padding, which stands right and below.

        Returns logits [B, Q, C+1], boxes_cxcywh [B, Q, 4] (0..1 of the unpadded picture), aux (the same two for each
        earlier decoder layer, first to last), masks [B, Q, rows, cols] logits of the panoptic head (unless `masks` is
        False), and what a trace needs: memory [B, HW, D], encoder_tokens and decoder_tokens (a tuple over layers),
        grid (rows, cols) of the memory, padding [B, HW] or None, features (the backbone's maps up to the level used)
        and projected [B, D, rows, cols].
        """
        features = self.backbone(pixels)[: self.level + 1]  # each [B, C, rows, cols]
        projected = self.input_proj(features[-1])  # [B, D, rows, cols]
        grid = tuple(projected.shape[-2:])
        padding = None
        if mask is not None:
            padding = F.interpolate(mask[:, None].float(), size=grid, mode="nearest")[:, 0].bool()  # [B, rows, cols]
        inside = padding if padding is not None else projected.new_zeros((1, *grid), dtype=torch.bool)
        position = sine_positions(inside, projected.shape[1]).flatten(1, 2).to(projected.dtype)  # [B, HW, D]
        flat_padding = None if padding is None else padding.flatten(1)  # [B, HW]
        tokens = projected.flatten(2).mT  # [B, HW, D]
        if self.position_at_input:
            tokens = tokens + position  # [B, HW, D]
        encoder_tokens, decoder_tokens = self.transformer(tokens, position, flat_padding, *self._queries())
        answers = [self.heads(state) for state in decoder_tokens]
        out: dict[str, Any] = dict(answers[-1])
        out["aux"] = answers[:-1]
        out["memory"] = encoder_tokens[-1] if encoder_tokens else tokens  # [B, HW, D]
        out["encoder_tokens"], out["decoder_tokens"] = encoder_tokens, decoder_tokens
        out["grid"], out["padding"] = grid, flat_padding
        out["features"], out["projected"] = tuple(features), projected
        if self.mask_head is not None and masks:
            out["masks"] = self.mask_logits(out)
        return out

    def heads(self, state: Tensor) -> dict[str, Tensor]:
        """Read any decoder layer's state [B, Q, D]: logits [B, Q, C+1] and boxes_cxcywh [B, Q, 4]."""
        normed = self.transformer.decoder.norm(state)
        return {"logits": self.class_embed(normed), "boxes_cxcywh": self.bbox_embed(normed).sigmoid()}

    def mask_logits(self, out: Mapping[str, Any], queries: Tensor | None = None) -> Tensor:
        """Return mask logits [B, Q', rows, cols] on the finest feature level for an answer of `forward`.

        `queries` are the indices or the boolean choice [Q] of the queries wanted (all by default): few cost little.
        """
        maps = self.mask_attention(out, queries)  # [B, Q', heads, rows, cols]
        assert self.mask_head is not None
        return self.mask_head(out["projected"], maps, out["features"][-2:-5:-1])

    def mask_attention(self, out: Mapping[str, Any], queries: Tensor | None = None) -> Tensor:
        """Return where each query wanted looks to draw its mask, [B, Q', heads, rows, cols] on the memory's grid.

        A query's maps sum to 1 over heads, rows and cols together.
        """
        if self.bbox_attention is None:
            raise ValueError("This model draws boxes only; choose a panoptic model for masks.")
        state = self.transformer.decoder.norm(out["decoder_tokens"][-1])  # [B, Q, D]
        state = state if queries is None else state[:, queries]  # [B, Q', D]
        memory = out["memory"].mT.unflatten(2, out["grid"])  # [B, D, rows, cols]
        return self.bbox_attention(state, memory, out["padding"])

    def chosen_mask_logits(self, out: Mapping[str, Any], pictures: Tensor, queries: Tensor) -> Tensor:
        """Return mask logits [n, rows, cols] of single queries, named by their picture [n] and query [n].

        What training needs: the few queries that an object was matched to, drawn all at once.
        """
        if self.bbox_attention is None or self.mask_head is None:
            raise ValueError("This model draws boxes only; choose a panoptic model for masks.")
        state = self.transformer.decoder.norm(out["decoder_tokens"][-1][pictures, queries])  # [n, D]
        memory = out["memory"].mT.unflatten(2, out["grid"])[pictures]  # [n, D, rows, cols]
        padding = None if out["padding"] is None else out["padding"][pictures]  # [n, HW]
        maps = self.bbox_attention(state[:, None], memory, padding)[:, 0]  # [n, heads, rows, cols]
        finer = [level[pictures] for level in out["features"][-2:-5:-1]]
        return self.mask_head.draw(out["projected"][pictures], maps, finer)

    def _queries(self) -> tuple[Tensor, int]:
        """The queries [groups*Q, D] to answer, and the number of their groups."""
        if self.training:
            return self.query_embed.weight, self.query_groups
        return self.query_embed.weight[: self.num_queries], 1


@dataclass(frozen=True)
class Detections:
    """The best class of every query: scores [..., Q] in 0..1, labels [..., Q], boxes_xyxy [..., Q, 4] in pixels."""

    scores: Tensor
    labels: Tensor
    boxes_xyxy: Tensor


def detect(logits: Tensor, boxes_cxcywh: Tensor, size: tuple[int, int]) -> Detections:
    """Turn logits [..., Q, C+1] and boxes_cxcywh [..., Q, 4] into pixels of a picture of `size` (rows, cols).

    No-object is left out before the best class is taken, so each query names a class; thresholds and order are the
    caller's.
    """
    scores, labels = logits.softmax(-1)[..., :-1].max(-1)  # [..., Q]
    rows, cols = size
    centre, extent = boxes_cxcywh.split(2, dim=-1)  # [..., Q, 2]
    corners = torch.cat((centre - extent / 2, centre + extent / 2), dim=-1)  # [..., Q, 4]
    return Detections(scores, labels, corners * corners.new_tensor((cols, rows, cols, rows)))


def build(card: "Card") -> DETR:
    """Build the network that `card.options` describes: the arguments of DETR."""
    return DETR(**card.options)
