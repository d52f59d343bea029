"""A small server on this machine that speaks the model hub's protocol, with every fault on request."""

import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

COMMIT = "0123456789abcdef0123456789abcdef01234567"
STATUS = {  # fault: status, what the hub says in X-Error-Code
    "gated": (403, "GatedRepo"),
    "private": (401, "RepoNotFound"),
    "login": (401, ""),
    "busy": (429, ""),
    "broken": (500, ""),
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle is part of the tests."""


class FakeHub:
    """Serves `put` files below owner/name/resolve/REVISION/FILE and counts what was asked.

    `faults` maps a repository to one of STATUS, or to "silent" (never answers), "cut" (closes in the middle, every
    time), "cut once" (in the middle of the first answer), "short" (ends early but in order), "flipped" (one byte
    differs from the checksum), "flipped once", "hiccup" (one 500) or "patient" (sends when two askers have
    come, each of whom asks for the head twice).
    """

    def __init__(self) -> None:
        self.files: dict[tuple[str, str, str], bytes] = {}
        self.faults: dict[str, str] = {}
        self.asked: list[tuple[str, str, str | None]] = []  # method, path, Range
        self.silence = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def put(self, repo: str, content: bytes, filename: str = "model.safetensors", revision: str = "main") -> None:
        self.files[repo, revision, filename] = content

    def count(self, method: str) -> int:
        return sum(asked[0] == method for asked in self.asked)

    def __enter__(self) -> "FakeHub":
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.silence.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

        def do_HEAD(self) -> None:
            self.answer(with_body=False)

        def do_GET(self) -> None:
            self.answer(with_body=True)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            if code:
                self.send_header("X-Error-Code", code)
            if status == 429:
                self.send_header("Retry-After", "55")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def answer(self, with_body: bool) -> None:
            hub.asked.append((self.command, self.path, self.headers.get("Range")))
            owner, name, _, revision, filename = self.path.lstrip("/").split("/", 4)
            repo = f"{owner}/{name}"
            fault = hub.faults.get(repo, "")
            if fault == "silent":
                hub.silence.wait(20)
                self.close_connection = True
                return None
            if fault == "hiccup" and len(hub.asked) == 1:
                return self.refuse(500, "")
            if fault in STATUS:
                return self.refuse(*STATUS[fault])
            known = [key for key in hub.files if key[0] == repo]
            if not known:
                return self.refuse(404, "RepoNotFound")
            if not any(key[1] == revision for key in known):
                return self.refuse(404, "RevisionNotFound")
            if (repo, revision, filename) not in hub.files:
                return self.refuse(404, "EntryNotFound")
            return self.serve(hub.files[repo, revision, filename], revision, fault, with_body)

        def serve(self, content: bytes, revision: str, fault: str, with_body: bool) -> None:
            first = hub.count("GET") == 1
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
            body = content[start:]
            if fault == "flipped" or (fault == "flipped once" and first):
                body = body[:-1] + bytes([body[-1] ^ 1])
            ends_early = fault == "short" and with_body
            self.send_response(206 if start else 200)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("X-Repo-Commit", revision if len(revision) == 40 else COMMIT)
            self.send_header("Content-Length", str(len(body) // 2 if ends_early else len(body)))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.end_headers()
            if not with_body:
                return
            for _ in range(600):
                if fault != "patient" or hub.count("HEAD") >= 4:
                    break
                time.sleep(0.1)
            if fault == "cut" or (fault == "cut once" and first):
                if start == 0:
                    self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.wfile.write(body[: len(body) // 2] if ends_early else body)

    return Handler
