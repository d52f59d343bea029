"""What stands between the network and the page."""

import asyncio
import json

import pytest

from playground import web
from playground.components import bundle_path


def through(path: str, method: str = "POST", body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> list:
    """Send one request through the guard and return the messages that came back."""
    sent: list = []
    chunks = [body[i : i + 100_000] for i in range(0, len(body), 100_000)] or [b""]
    scope = {"type": "http", "path": path, "method": method}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers]

    async def receive() -> dict:
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(GUARD(scope, receive, send))
    return sent


async def reading(scope: dict, receive: object, send: object) -> None:
    """An app that reads its whole body and says how long it was."""
    length, more = 0, True
    while more:
        message = await receive()  # type: ignore[operator]
        length, more = length + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": str(length).encode()})  # type: ignore[operator]


GUARD = web.Guard(reading, frozenset({"predict"}), limit=1_000_000)


@pytest.mark.parametrize("stated", [True, False])
def test_a_large_body_is_refused_whether_or_not_it_states_its_length(stated: bool) -> None:
    body = b"x" * 1_100_000
    headers = (("content-length", str(len(body))),) if stated else ()
    start, end = through("/gradio_api/queue/join", body=body, headers=headers)
    assert start["status"] == 413
    assert json.loads(end["body"])["error"] == "The request is larger than 1 MB."


def test_uploads_may_be_larger_than_other_bodies() -> None:
    headers = (("content-type", "multipart/form-data; boundary=x"),)
    assert through("/gradio_api/upload", body=b"x" * 1_100_000, headers=headers)[1]["body"] == b"1100000"


@pytest.mark.parametrize(
    ("path", "status"), [("call/predict", 200), ("call/nothing", 404), ("run/x/", 404), ("call/v2/x", 404)]
)
def test_unknown_api_names_are_404(path: str, status: int) -> None:
    assert through(f"/gradio_api/{path}")[0]["status"] == status


def test_every_response_carries_safe_headers_and_names_no_other_host() -> None:
    headers = dict(through("/", method="GET")[0]["headers"])
    assert headers[b"x-content-type-options"] == b"nosniff"
    policy = headers[b"content-security-policy"].decode()
    fetched = [rule for rule in policy.split(";") if "frame-ancestors" not in rule]
    assert not any("http" in rule or "*" in rule for rule in fetched)


def test_plotlys_own_bundle_is_where_it_is_served_from() -> None:
    assert bundle_path().stat().st_size > 1_000_000
