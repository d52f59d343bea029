"""The house rules, read from the source: who may import whom, and what never stands in the product."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([ROOT / "app.py", *(ROOT / "playground").rglob("*.py")])

MAY_IMPORT = {  # room: the rooms it may import
    "__init__": {"api"},
    "checks": set(),
    "kept": set(),
    "image": set(),
    "samples": {"datasets"},
    "figures": {"trace"},
    "texts": set(),
    "trace": {"image"},
    "record": {"trace"},
    "parts": set(),
    "cka": set(),
    "whole": set(),
    "models": {"trace", "image", "record", "parts"},
    "web": {"texts"},
    "inference": {"models", "image", "trace", "record", "parts", "checks", "kept"},
    "explanations": {"image", "trace", "record", "checks", "cka"},
    "embeddings": {"image", "trace", "record", "checks", "cka", "parts"},
    "export_tokens": {"embeddings", "figures", "image", "models"},
    "export": {"explanations", "figures", "image", "models"},
    "maps": {"explanations", "image", "inference", "models", "trace"},
    "datasets": {"checks", "image", "whole"},
    "disturb": {"checks", "image"},
    "architecture": {"checks", "image", "inference", "models", "record", "trace"},
    "evaluation": {
        *("checks", "datasets", "disturb", "explanations", "image", "inference", "maps", "models", "trace"),
        "whole",
    },
    "training": {"checks", "datasets", "evaluation", "image", "models", "record", "trace", "whole"},
    "comparison": {
        *("architecture", "checks", "disturb", "explanations", "image", "inference", "maps", "models", "trace"),
    },
    "report": {"architecture", "comparison", "explanations", "export", "figures", "image", "models", "texts", "trace"},
    "api": {
        *("checks", "comparison", "embeddings", "explanations", "image", "inference", "maps", "models", "trace"),
    },
    "commands": {
        *("api", "architecture", "checks", "comparison", "datasets", "disturb", "embeddings", "evaluation"),
        *("explanations", "export", "export_tokens", "image", "inference", "maps", "models", "report"),
        *("texts", "trace", "training"),
    },
    "components": {"image", "texts", "figures"},
    "tabs": {
        *("api", "checks", "components", "embeddings", "explanations", "export", "export_tokens", "figures"),
        *("image", "inference", "parts"),
        *("architecture", "comparison", "disturb", "evaluation", "maps", "models", "report", "samples", "texts"),
        "trace",
    },
    "ui": {"components", "inference", "models", "tabs", "texts"},
    "launch": {"components", "image", "models", "tabs", "texts", "ui", "web"},
    "address": {"checks"},
    "__main__": {"address", "api", "commands", "launch", "training"},
    "app": {"__main__"},
}
ONLY_IN = {  # package: the rooms where it may be imported
    "gradio": {"components", "tabs", "ui", "launch"},
    "plotly": {"figures"},
    "timm": {"models", "training"},
    "huggingface_hub": {"models"},
    "torch": {
        *("architecture", "cka", "embeddings", "evaluation", "explanations", "inference", "models", "record", "trace"),
        "training",
    },
}


def room(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] if parts[0] == "app" else parts[1]


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: absolute imports only"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    for name in imports(path):
        package, *rest = name.split(".")
        if package == "playground" and rest and rest[0] != here:
            assert rest[0] in MAY_IMPORT[here], f"{here} may not import {rest[0]}"
        if package in ONLY_IN:
            assert here in ONLY_IN[package], f"{here} may not import {package}"


def test_the_hub_is_known_in_one_place() -> None:
    users = {str(p.relative_to(ROOT)) for p in SOURCES if any(n.startswith("huggingface_hub") for n in imports(p))}
    assert users <= {"playground/models/weights.py", "playground/models/hub.py"}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_hooks_pickles_globals_or_loose_arguments(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Global), "no global statement"
        if isinstance(node, ast.Attribute):
            assert not (node.attr.startswith("register_") and node.attr.endswith("hook")), "no hooks on modules"
        if isinstance(node, ast.keyword) and node.arg == "weights_only":
            assert isinstance(node.value, ast.Constant) and node.value.value is True, "never load a pickle unsafely"
    names = {name.split(".")[0] for name in imports(path)}
    assert not names & {"pickle", "dill", "shelve"}


def test_app_only_launches() -> None:
    assert len((ROOT / "app.py").read_text().splitlines()) < 20


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 380
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 70, f"{node.name} is too long"


def test_importing_does_nothing_but_import(tmp_path: Path) -> None:
    """Every module imports with the network cut, an unwritable home and warnings of ours as errors."""
    names = [
        ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for p in SOURCES
        if p.name not in ("__main__.py", "app.py")  # programs are run, not imported
    ]
    code = f"""
import socket, sys, os
def refuse(*a, **k): raise AssertionError("the network was used while importing")
socket.socket.connect = refuse
import importlib, gradio, timm  # gradio and torch leave folders of their own
before = set(os.listdir({str(tmp_path)!r}))
for name in {names!r}:
    importlib.import_module(name)
assert set(os.listdir({str(tmp_path)!r})) == before, os.listdir({str(tmp_path)!r})
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False,
        env={"HOME": "/nonexistent", "PATH": "", "TMPDIR": str(tmp_path), "GRADIO_ANALYTICS_ENABLED": "False"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
