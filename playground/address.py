"""Where the page is served, checked before anything large is loaded."""

import errno
import os
import socket

HERE = "127.0.0.1"
NAME, PORT = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"


def address(host: str | None = None, port: int | None = None) -> tuple[str, int | None]:
    """Return the host and port to listen on; None leaves a port to the server: the first free one from 7860.

    host, port: None means as GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say. Raises ValueError with one sentence for
    what cannot be listened on.
    """
    host = host or os.environ.get(NAME) or HERE
    wanted = port if port is not None else os.environ.get(PORT) or None
    if wanted is not None:
        try:
            port = int(wanted)
        except ValueError:
            port = 0
        if not 1 <= port <= 65535:
            raise ValueError(f"A port is a whole number from 1 to 65535, not {str(wanted)[:24]}.")
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
    return host, port
