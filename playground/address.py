"""Where the page is served, checked before anything large is loaded."""

import errno
import os
import socket

from playground import checks

HERE = "127.0.0.1"
NAME, PORT = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"


def address(host: str | None = None, port: int | None = None) -> tuple[str, int | None]:
    """Return the host and port to listen on; None leaves a port to the server: the first free one from 7860.

    host, port: None means as GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say; the port there must be right also where
    another is given, for Gradio reads it when it is loaded. Raises ValueError with one sentence for what cannot be
    listened on.
    """
    host = (host or os.environ.get(NAME) or HERE).removeprefix("[").removesuffix("]")
    there = _port(PORT, os.environ.get(PORT))
    port = there if port is None else _port("--port", port)
    try:
        (family, kind, _, _, place), *_ = socket.getaddrinfo(host, port or 0, type=socket.SOCK_STREAM)
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise ValueError(
                f"{host[:64]} is no address of this machine; use 127.0.0.1 for this machine only, or 0.0.0.0 for all."
            ) from error
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
        raise ValueError(f"Port {port} of {host} {reason}; choose another with --port or {PORT}.") from error
    return f"[{host}]" if ":" in host else host, port


def _port(name: str, value: int | str | None) -> int | None:
    try:
        port = None if value is None else int(value)
    except ValueError:
        port = 0
    if port is not None and not 1 <= port <= 65535:
        raise ValueError(f"{name} must be a whole number from 1 to 65535, not {checks.said(value)}.")
    return port
