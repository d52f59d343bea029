"""Names of published DETR weights: the authors' release, the Hub's two layouts, and those of transformers 5."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

# Before the body "model." or nothing; panoptic files put "detr." before all but the mask parts.
PREFIX = re.compile(r"^(detr\.)?(model\.)?")
RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        # backbone
        (r"^backbone\.(0\.body|conv_encoder\.model|model)\.", "backbone."),
        (r"^backbone\.embedder\.embedder\.convolution\.", "backbone.conv1."),
        (r"^backbone\.embedder\.embedder\.normalization\.", "backbone.bn1."),
        (r"^backbone\.encoder\.stages\.(\d+)\.layers\.", r"backbone.stage\1."),
        (r"^(backbone\.\w+\.\d+)\.shortcut\.convolution\.", r"\1.downsample.0."),
        (r"^(backbone\.\w+\.\d+)\.shortcut\.normalization\.", r"\1.downsample.1."),
        (r"^(backbone\.\w+\.\d+)\.layer\.(\d+)\.convolution\.", r"\1.conv<\2>."),
        (r"^(backbone\.\w+\.\d+)\.layer\.(\d+)\.normalization\.", r"\1.bn<\2>."),
        # transformer
        (r"^(encoder|decoder)\.", r"transformer.\1."),
        (r"^(transformer\.decoder)\.layernorm\.", r"\1.norm."),
        (r"\.encoder_attn\.", ".multihead_attn."),
        (r"_attn\.o_proj\.", "_attn.out_proj."),
        (r"(\.layers\.\d+)\.(?:mlp\.)?fc([12])\.", r"\1.linear\2."),
        (r"\.self_attn_layer_norm\.", ".norm1."),
        (r"\.encoder_attn_layer_norm\.", ".norm2."),
        (r"(\.encoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm2."),
        (r"(\.decoder\.layers\.\d+)\.final_layer_norm\.", r"\1.norm3."),
        # projection, queries, heads
        (r"^input_projection\.", "input_proj."),
        (r"^query_position_embeddings\.", "query_embed."),
        (r"^class_labels_classifier\.", "class_embed."),
        (r"^bbox_predictor\.", "bbox_embed."),
        (r"^bbox_attention\.([qk])_proj\.", r"bbox_attention.\1_linear."),
        (r"^mask_head\.conv([12])\.conv\.", r"mask_head.lay\1."),
        (r"^mask_head\.conv([12])\.norm\.", r"mask_head.gn\1."),
        (r"^mask_head\.fpn_stages\.(\d)\.fpn_adapter\.", r"mask_head.adapter<\1>."),
        (r"^mask_head\.fpn_stages\.(\d)\.refine\.conv\.", r"mask_head.lay<<<\1>>>."),
        (r"^mask_head\.fpn_stages\.(\d)\.refine\.norm\.", r"mask_head.gn<<<\1>>>."),
        (r"^mask_head\.output_conv\.", "mask_head.out_lay."),
        (r"^backbone\.stage(\d)", r"backbone.layer<\1>"),
    )
)
COUNTED = re.compile(r"(<+)(\d+)>+")  # "<0>" counts from one instead of zero: 1; "<<<0>>>" from three: 3
PROJECTION = re.compile(r"_attn\.[qkv]_proj\.")


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a published state dict under our names; our own names pass unchanged, and so does whatever is unknown.

    Reads the authors' files (the dict under "model"), both Hub layouts (timm and no_timm backbones) and the names of
    transformers 5. Separate query, key and value projections become one; counters of batch norm, which
    the authors froze, are dropped.
    """
    if all(_name(key) == key for key in state):  # ours: a trained backbone of ours keeps its counters
        return _join(state)
    named = {_name(key): value for key, value in state.items() if not key.endswith("num_batches_tracked")}
    return _join(named)


def _name(key: str) -> str:
    key = PREFIX.sub("", key, count=1)
    for pattern, replacement in RULES:
        key = pattern.sub(replacement, key, count=1)
    return COUNTED.sub(lambda found: str(int(found[2]) + len(found[1])), key)


def _join(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Join q_proj, k_proj and v_proj, in this order, into in_proj; incomplete triples stay as they are."""
    joined: dict[str, Tensor] = {}
    for key, value in state.items():
        found = PROJECTION.search(key)
        if found is None:
            joined[key] = value
            continue
        before, kind = key[: found.start()], key[found.end() :]
        parts = [f"{before}_attn.{part}_proj.{kind}" for part in "qkv"]
        if not all(part in state for part in parts):
            joined[key] = value
        elif key == parts[0]:
            joined[f"{before}_attn.in_proj_{kind}"] = torch.cat([state[part] for part in parts])
    return joined
