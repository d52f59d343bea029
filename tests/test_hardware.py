"""What a measurement says it ran on."""

import os
import re

import pytest
import torch

from playground.evaluation.hardware import busy, hardware


@pytest.mark.parametrize(("load", "said"), [(0.1, False), (0.4, False), (0.6, True), (9.0, True)])
def test_work_of_others_is_told_from_the_load(load: float, said: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, torch.get_num_threads() + load, 0.0))
    assert busy() is said
    words = hardware(torch.device("cpu"))
    assert re.match(rf"{torch.get_num_threads()} threads? of ", words)
    assert words.endswith(", shared with other work") is said


def test_where_nobody_counts_the_load_nothing_is_said_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getloadavg")
    assert not busy()
