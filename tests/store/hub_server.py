"""A hub on the loopback interface that answers as the real one does, or misbehaves on purpose.

Weights are "LFS" files: the hub redirects to a content host (here: the same server under the name
``localhost``, which is another origin). Small files have a git hash only.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import re
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

#: What a request for content may meet. "ok" is the usual answer.
CONTENT_FAULTS = (
    "short", "announce_less", "announce_more", "longer", "flip", "stall", "drip", "reset",
    "reset_at_once", "no_answer", "status_416", "status_500", "status_503", "status_429",
    "status_403", "status_404", "no_range", "wrong_range", "wrong_total", "no_content_range",
    "gzip", "html", "empty", "bad_header", "bad_status_line", "redirect_loop", "redirect_nowhere",
)  # fmt: skip
LISTING_FAULTS = (
    "listing_500", "listing_429", "listing_not_json", "listing_stall", "listing_reset",
    "listing_gzip",
)  # fmt: skip


class Hub:
    """The server. A context manager; ``endpoint`` is its address.

    Attributes
    ----------
    repositories : dict
        Repository -> path -> bytes.
    faults : deque of str
        Taken one by one by requests; when it is empty, ``usual`` holds.
    usual : callable
        Gives the behaviour of a request that no entry of ``faults`` is left for.
    rate : float
        Bytes per second of each response; 0 is unlimited.
    sent : int
        Bytes of content sent in all.
    log : list
        (host header, path, headers) of every request.
    """

    def __init__(self, repositories: dict[str, dict[str, bytes]]) -> None:
        self.repositories = repositories
        self.faults: deque[str] = deque()
        self.usual: Callable[[], str] = lambda: "ok"
        self.rate = 0.0
        self.sent = 0
        self.listing: Any = None
        self.log: list[tuple[str, str, dict[str, str]]] = []
        self.stall_seconds = 2.0
        # Where faults strike: nobody else draws from it, whatever other threads do.
        self.random = random.Random(0)
        self.lock = threading.Condition()
        self.running = 0
        self.stopping = threading.Event()
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.content = f"http://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Hub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def fault(self) -> str:
        """The behaviour of the next request."""
        with self.lock:
            return self.faults.popleft() if self.faults else self.usual()

    def count_from_zero(self) -> None:
        """Forget what was sent, once no earlier request is being answered any more."""
        with self.lock:
            assert self.lock.wait_for(lambda: self.running == 0, 60)
            self.sent = 0

    def random_faults(self, seed: int, share: float, kinds: tuple[str, ...]) -> None:
        """Let a share of the requests meet faults."""
        rng = random.Random(seed)
        self.usual = lambda: rng.choice(kinds) if rng.random() < share else "ok"

    def commit(self, repo_id: str) -> str:
        """The commit of a repository: a hash of what is in it."""
        text = "".join(f"{k}{len(v)}" for k, v in sorted(self.repositories[repo_id].items()))
        return hashlib.sha1(text.encode()).hexdigest()

    def siblings(self, repo_id: str) -> list[dict[str, Any]]:
        """The listing as the hub writes it."""
        entries = []
        for path, data in self.repositories[repo_id].items():
            entry: dict[str, Any] = {"rfilename": path, "size": len(data), "blobId": git_hash(data)}
            if is_lfs(path):
                sha256 = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha256, "size": len(data), "pointerSize": 134}
            entries.append(entry)
        return entries


@cache
def bomb() -> bytes:
    """64 MiB of blanks in a few bytes."""
    return gzip.compress(b" " * (64 << 20))


def is_lfs(path: str) -> bool:
    """Whether the hub stores a file outside git."""
    return path.endswith((".gguf", ".safetensors"))


def git_hash(data: bytes) -> str:
    """Name of the git object."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Clients that go away are normal here."""


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        with self.hub.lock:
            self.hub.running += 1
        try:
            self._answer()
        finally:
            with self.hub.lock:
                self.hub.running -= 1
                self.hub.lock.notify_all()

    def _answer(self) -> None:
        hub, path = self.hub, unquote(self.path.partition("?")[0])
        with hub.lock:
            hub.log.append(
                (self.headers["host"], path, {k.lower(): v for k, v in self.headers.items()})
            )
        if path.startswith("/api/models/"):
            self._listing(path)
            return
        if path == "/loop":
            self._redirect("/loop")
            return
        resolve = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        content = re.fullmatch(r"/content/([0-9a-f]{64})", path)
        if content:
            data = next(
                d
                for files in hub.repositories.values()
                for d in files.values()
                if hashlib.sha256(d).hexdigest() == content[1]
            )
            self._content(data)
        elif resolve and resolve[3] in hub.repositories.get(resolve[1], {}):
            data = hub.repositories[resolve[1]][resolve[3]]
            if is_lfs(resolve[3]):
                digest = hashlib.sha256(data).hexdigest()
                self._redirect(f"{hub.content}/content/{digest}")
            else:
                self._content(data)
        else:
            self._status(404)

    def _listing(self, path: str) -> None:
        hub = self.hub
        repo_id = "/".join(path.split("/")[3:5])
        with hub.lock:
            fault = ""
            if hub.faults and hub.faults[0].startswith("listing"):
                fault = hub.faults.popleft()
        if fault.startswith("listing_") and fault[8:].isdigit():
            self._status(int(fault[8:]))
        elif fault == "listing_stall":
            hub.stopping.wait(hub.stall_seconds)
            self.close_connection = True
        elif fault == "listing_reset":
            self._reset()
        elif fault == "listing_not_json":
            self._send(b"<html>")
        elif fault == "listing_gzip":
            self._send(bomb(), {"Content-Encoding": "gzip"})
        elif hub.listing is not None:
            self._send(hub.listing)
        elif repo_id not in hub.repositories:
            self._status(404)
        else:
            value = {"id": repo_id, "sha": hub.commit(repo_id), "siblings": hub.siblings(repo_id)}
            self._send(json.dumps(value).encode())

    def _content(self, data: bytes) -> None:
        fault = self.hub.fault()
        if fault.startswith("status_"):
            self._status(int(fault[7:]))
            return
        special = getattr(self, f"_fault_{fault}", None)
        if special is not None:
            special(data)
            return
        start = 0
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        if match and fault != "no_range":
            start = int(match[1])
        if start >= len(data) and start:
            self._status(416)
            return
        body = bytearray(data[start:])
        length, end = len(body), len(body)
        headers = {}
        if match and fault not in ("no_range", "no_content_range"):
            first = start + (fault == "wrong_range")
            total = len(data) + (fault == "wrong_total")
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{total}"
        if fault in ("short", "stall", "reset", "drip"):
            end = self.hub.random.randrange(len(body)) if body else 0
        elif fault == "announce_less":
            length = end = length // 2
        elif fault == "announce_more":
            length += 1000
        elif fault == "longer":
            body += b"x" * 1000
            length = end = len(body)
        elif fault == "flip" and body:
            body[self.hub.random.randrange(len(body))] ^= 1 << self.hub.random.randrange(8)
        self._head(
            206 if match and fault != "no_range" else 200,
            {**headers, "Content-Length": str(length)},
        )
        self._pour(bytes(body[:end]))
        if fault == "stall":
            self.hub.stopping.wait(self.hub.stall_seconds)
        elif fault == "drip":
            for byte in body[end : end + 25]:
                self._write(bytes([byte]))
                if self.hub.stopping.wait(0.02):
                    break
        if fault == "reset":
            self._reset()
        self.close_connection = True

    def _fault_reset_at_once(self, data: bytes) -> None:
        self._reset()

    def _fault_no_answer(self, data: bytes) -> None:
        self.hub.stopping.wait(self.hub.stall_seconds)
        self.close_connection = True

    def _fault_gzip(self, data: bytes) -> None:
        self._send(bomb(), {"Content-Encoding": "gzip"})

    def _fault_html(self, data: bytes) -> None:
        self._send(b"<html>please log in</html>", {"Content-Type": "text/html"})

    def _fault_empty(self, data: bytes) -> None:
        self._send(b"")

    def _fault_bad_header(self, data: bytes) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + data)
        self.close_connection = True

    def _fault_bad_status_line(self, data: bytes) -> None:
        self._write(b"\x16\x03\x01 no http at all\r\n\r\n")
        self.close_connection = True

    def _fault_redirect_loop(self, data: bytes) -> None:
        self._redirect("/loop")

    def _fault_redirect_nowhere(self, data: bytes) -> None:
        self._redirect("file:///etc/passwd")

    def _pour(self, body: bytes) -> None:
        hub = self.hub
        step = 65536 if not hub.rate else max(1024, int(hub.rate / 50))
        for at in range(0, len(body), step):
            piece = body[at : at + step]
            if not self._write(piece):
                return
            with hub.lock:
                hub.sent += len(piece)
            if hub.rate:
                time.sleep(len(piece) / hub.rate)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def _send(self, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(200, {"Content-Length": str(len(body)), **(headers or {})})
        self._write(body)

    def _status(self, status: int) -> None:
        extra = {"Retry-After": "0"} if status in (429, 503) else {}
        self._head(status, {"Content-Length": "0", **extra})

    def _redirect(self, location: str) -> None:
        self._head(302, {"Location": location, "Content-Length": "0"})

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _write(self, data: bytes) -> bool:
        try:
            self.wfile.write(data)
        except OSError:
            self.close_connection = True
            return False
        return True
