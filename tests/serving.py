"""The page as a visitor gets it: `python app.py` in a process of its own, on a free port."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
PATIENCE = 240  # seconds for a busy machine to start


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running() -> Iterator[str]:
    """Start the app, offline, and give its address; stop it at the end."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    with tempfile.TemporaryDirectory() as folder:
        given = {
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_TEMP_DIR": folder,
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_OFFLINE": "1",
            "HF_HOME": folder,
        }
        log = Path(folder, "log.txt")
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env={**os.environ, **given}, stdout=stream, stderr=stream
            )
            try:
                _wait(address, process, log)
                yield address
            finally:
                process.terminate()
                process.wait(timeout=20)


def _wait(address: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the app stopped: {log.read_text()}"
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the page did not open within {PATIENCE} s: {log.read_text()}")
