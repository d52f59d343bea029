"""Where the page is served: what cannot be listened on is said before anything is loaded, by each way to start it."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.address import NAME, PORT, address

ROOT = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    monkeypatch.delenv(PORT, raising=False)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_nothing_said_is_this_machine_alone_and_any_port() -> None:
    assert address() == ("127.0.0.1", None)


def test_variables_say_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    monkeypatch.setenv(NAME, "0.0.0.0")
    monkeypatch.setenv(PORT, str(free))
    assert address() == ("0.0.0.0", free)
    assert address("127.0.0.1") == ("127.0.0.1", free)


@pytest.mark.parametrize(
    ("host", "port", "said"),
    [
        (None, 0, "--port must be a whole number from 1 to 65535, not 0"),
        (None, 99999, "from 1 to 65535, not 99999"),
        ("192.0.2.1", 7860, "192.0.2.1 is no address of this machine"),  # kept for documentation: RFC 5737
        ("no such host", None, "no such host is no address of this machine"),
    ],
)
def test_what_cannot_be_listened_on_is_a_sentence(host: str | None, port: int | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        address(host, port)


@pytest.mark.parametrize("given", [None, 7860])
@pytest.mark.parametrize("port", ["abc", "-1", "7860.5", "٧x", ""])
def test_a_variable_that_is_no_port_is_a_sentence(
    port: str, given: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PORT, port)
    with pytest.raises(ValueError, match="GRADIO_SERVER_PORT must be a whole number from 1 to 65535"):
        address(port=given)


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_address_with_colons_is_returned_in_brackets(host: str) -> None:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("needs a machine with IPv6")
    assert address(host) == ("[::1]", None)


def test_a_port_in_use_is_a_sentence(taken: int) -> None:
    with pytest.raises(ValueError, match=f"Port {taken} of 127.0.0.1 is in use; choose another with --port"):
        address(port=taken)


@pytest.mark.parametrize("start", [["app.py"], ["-m", "playground", "serve"]])
def test_both_ways_to_start_say_it_without_a_trace(start: list[str], taken: int) -> None:
    done = subprocess.run(
        [sys.executable, *start, "--port", str(taken)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "in use" in done.stderr
    helped = subprocess.run([sys.executable, *start, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--port" in helped.stdout
