"""A tiny model's weights file, whole and broken in every way, and what a good refusal looks like."""

import json
import struct
from functools import cache
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save
from torch import Tensor, nn

from playground.models.card import Card
from playground.models.hub import WeightsError

NAME = "timm/test_vit.r160_in1k"


def plain(name: str = "test_vit", **options: Any) -> nn.Module:
    torch.manual_seed(7)
    return timm.create_model(name, **options).eval()


def build(card: Card) -> nn.Module:
    return timm.create_model(card.architecture.split(".")[0], **card.options)


@cache
def tiny_state() -> dict[str, Tensor]:
    return plain().state_dict()


@cache
def whole_file() -> bytes:
    return save(tiny_state())


def is_one_plain_sentence(error: pytest.ExceptionInfo[WeightsError], *hidden: object) -> str:
    said = str(error.value)
    assert said[0].isupper()
    assert said.endswith(".")
    assert len(said) < 320
    for word in ("Error", "Traceback", "http://", "127.0.0.1", ".cache", *map(str, hidden)):
        assert word not in said
    return said


def broken_files(whole: bytes) -> dict[str, bytes]:
    def with_header(header: dict[str, Any], data: bytes) -> bytes:
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + data

    def entry(start: int, end: int, kind: str = "F32", count: int = 2) -> dict[str, Any]:
        return {"dtype": kind, "shape": [count], "data_offsets": [start, end]}

    return {
        "empty": b"",
        "truncated": whole[: len(whole) // 2],
        "html": b"<!DOCTYPE html><html><body>Sign in</body></html>" * 20,
        "huge header": struct.pack("<Q", 2**60) + b"{}",
        "overlapping": with_header({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)),
        "out of range": with_header({"a": entry(0, 8), "b": entry(8, 2**40)}, bytes(16)),
        "wrong dtype": with_header({"a": entry(0, 8, kind="F99")}, bytes(8)),
        "pickle": EvilPickle.BYTES,
    }


class EvilPickle:
    """What a malicious .bin holds: a call that runs while it is read. Written out by hand: nothing here pickles."""

    MARK = "vit_playground_was_here"
    BYTES = b"cos\nmkdir\n(S'" + MARK.encode() + b"'\ntR."


BROKEN = ["empty", "truncated", "html", "huge header", "overlapping", "out of range", "wrong dtype", "pickle"]
