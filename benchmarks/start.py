"""Seconds from `python app.py` to its first analysis, beside a bare Gradio and torch page.

Both are fresh processes, measured in turn in one run. Ours ends when the answer that the page asks for at load has
arrived over HTTP; the bare page ends at HTTP 200. Prints the medians and their ratio.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
BARE = "import gradio as gr, torch\nwith gr.Blocks(analytics_enabled=False) as page:\n    pass\npage.launch()\n"
LIMIT = 120.0  # seconds


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_page(client: httpx.Client, process: subprocess.Popen[bytes], deadline: float) -> None:
    """Return when the page answers HTTP 200."""
    while time.perf_counter() < deadline and process.poll() is None:
        try:
            if client.get("/").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise SystemExit("The page did not open.")


def first_analysis(client: httpx.Client) -> None:
    """Fire the page's load event as a browser does, and return when its answer is complete."""
    config = client.get("/config").json()
    inputs = {part["id"]: part["props"].get("value") for part in config["components"]}
    event = next(d for d in config["dependencies"] if any(target[1] == "load" for target in d["targets"]))
    data = [inputs[part] for part in event["inputs"]]
    session = "benchmark"
    client.post("/gradio_api/queue/join", json={"data": data, "fn_index": event["id"], "session_hash": session})
    with client.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as stream:
        for line in stream.iter_lines():
            message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
            if message.get("msg") == "process_completed":
                if not message.get("success"):
                    raise SystemExit("The first analysis failed.")
                return
    raise SystemExit("The first analysis did not arrive.")


def measure(command: list[str], analysis: bool) -> float:
    """Return the seconds from the start of the process to the open page, or to its first analysis."""
    port = free_port()
    environment = {**os.environ, "GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=LIMIT, trust_env=False) as client:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            wait_for_page(client, process, start + LIMIT)
            if analysis:
                first_analysis(client)
            return time.perf_counter() - start
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    """Measure both in turn and print medians and ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    bare, ours = [], []
    for _ in range(runs):
        bare.append(measure([sys.executable, "-c", BARE], analysis=False))
        ours.append(measure([sys.executable, "app.py"], analysis=True))
    print(f"bare gradio + torch page: {statistics.median(bare):.2f} s  ({min(bare):.2f} to {max(bare):.2f})")
    print(f"app.py, first analysis:   {statistics.median(ours):.2f} s  ({min(ours):.2f} to {max(ours):.2f})")
    print(f"ratio: {statistics.median(ours) / statistics.median(bare):.2f}")


if __name__ == "__main__":
    main()
