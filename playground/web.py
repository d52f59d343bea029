"""What stands between the network and the page: size limits, safe headers, Plotly's bundle. Knows no Gradio."""

import gzip
import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from playground.texts import say

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 1_000_000  # bytes of a request that is no upload; uploads have Gradio's max_file_size
CALL = re.compile(r"/gradio_api/(?:run|api|call|call/v2)/([^/]+)/?")
CALLS = ("/gradio_api/run/", "/gradio_api/api/", "/gradio_api/call/", "/gradio_api/queue/join")
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    # Gradio's page runs inline scripts and compiles small ones; nothing may come from, or go to, another host.
    "content-security-policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; "
        "connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; form-action 'self'; "
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
    ),
}


class Guard:
    """Refuse oversized bodies (413) and unknown API names (404) in one line, and add safe headers to every response."""

    def __init__(self, app: App, names: frozenset[str], limit: int = BODY_LIMIT) -> None:
        self.app = app
        self.names = names
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        calls = scope["method"] == "POST" and scope["path"].startswith(CALLS)
        named = CALL.fullmatch(scope["path"])
        if calls and named and named[1] not in self.names:
            await _refuse(404, say("error_route"), send)
            return
        limit = None if scope["method"] == "GET" or _is_upload(scope) else self.limit
        if limit is not None and _length(scope) > limit:
            await _refuse(413, say("error_body", limit=limit // 1_000_000), send)
            return
        watched = _Watched(receive, send, limit)
        try:
            await self.app(scope, watched.receive, watched.send)
        except _TooLarge:
            pass
        except (KeyError, IndexError):  # Gradio looks an unknown function up and does not find it
            if watched.started or not calls:
                raise
            await _refuse(404, say("error_route"), send)
        if watched.over and not watched.started:
            await _refuse(413, say("error_body", limit=self.limit // 1_000_000), send)


class _TooLarge(Exception):
    """A body that does not state its length grew past the limit."""


class _Watched:
    """One request: counts what comes in, adds the headers to what goes out, says nothing once the body is too large."""

    def __init__(self, receive: Receive, send: Send, limit: int | None) -> None:
        self._receive, self._send, self._limit = receive, send, limit
        self._held = 0
        self.started = False
        self.over = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._held += len(message.get("body", b""))
        if self._limit is not None and self._held > self._limit:
            self.over = True
            raise _TooLarge
        return message

    async def send(self, message: Message) -> None:
        if self.over and not self.started:
            return  # whatever the app makes of the broken body, the answer is 413
        if message["type"] == "http.response.start":
            self.started = True
            _add_headers(message)
        await self._send(message)


def _add_headers(start: Message) -> None:
    headers = MutableHeaders(scope=start)
    for name, value in HEADERS.items():
        headers[name] = value


def bundle_route(url: str, path: Path) -> Route:
    """Return the route that serves the file at `path` under `url`, compressed once and kept by the browser."""

    def serve(request: Request) -> Response:
        headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(path.read_bytes(), media_type="text/javascript", headers=headers)
        headers["content-encoding"] = "gzip"
        return Response(_compressed(path), media_type="text/javascript", headers=headers)

    return Route(f"/{url}", serve, methods=["GET"])


def pictures_route(url: str, draw: Callable[[str], bytes | None]) -> Route:
    """Return the route that serves the small WebP pictures that `draw` makes by name."""

    def serve(request: Request) -> Response:
        made = draw(request.path_params["name"])
        if made is None:
            return Response(status_code=404)
        return Response(made, media_type="image/webp", headers={"cache-control": "public, max-age=86400"})

    return Route(f"/{url}/{{name}}.webp", serve, methods=["GET"])


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


def _is_upload(scope: Scope) -> bool:
    kind = Headers(scope=scope).get("content-type", "")
    return scope["path"].rstrip("/").endswith("/upload") and kind.startswith("multipart/form-data")


def _length(scope: Scope) -> int:
    stated = Headers(scope=scope).get("content-length", "0")
    return int(stated) if stated.isdecimal() and len(stated) < 20 else 0


async def _refuse(status: int, text: str, send: Send) -> None:
    body = json.dumps({"error": text}, ensure_ascii=False).encode()
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": status, "headers": headers}
    _add_headers(start)
    await send(start)
    await send({"type": "http.response.body", "body": body})
