"""A server that has the page's files and answers to its questions as a test tells it to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pyinfer.server.page.routes import HEADERS, INDEX, assets

Answer = Callable[["Handler"], None]


@dataclass(slots=True)
class ScriptedServer:
    """What was asked, and how the next questions are answered.

    Attributes
    ----------
    url : str
    answers : list
        Each used once, in order; the last one stays.
    asked : list of dict
        Bodies of the chat requests.
    keys : list
        The ``Authorization`` header of each.
    models, context : list of str, int
    left : threading.Event
        Set when a client leaves in the middle of an endless answer.
    """

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    models: list[str] = field(default_factory=lambda: ["demo", "other"])
    context: int = 2048
    left: threading.Event = field(default_factory=threading.Event)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    script: ScriptedServer

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, value: object, status: int = 200, **headers: str) -> None:
        """Send an object."""
        self.reply(status, json.dumps(value).encode(), "application/json", **headers)

    def do_GET(self) -> None:
        """Files of the page, names of the models."""
        name = INDEX if self.path == "/" else self.path.removeprefix("/page/")
        if name in assets():
            asset = assets()[name]
            self.send_response(200)
            self.send_header("Content-Type", asset.media_type)
            self.send_header("Content-Length", str(len(asset.body)))
            for header, value in HEADERS.items():
                self.send_header(header, value)
            self.end_headers()
            self.wfile.write(asset.body)
        elif self.path == "/v1/models":
            self.json({"object": "list", "data": [{"id": name} for name in self.script.models]})
        elif self.path == "/api/ps":
            names = self.script.models
            loaded = [{"name": f"{n}:latest", "context_length": self.script.context} for n in names]
            self.json({"models": loaded})
        else:
            self.reply(404, b"not found", "text/plain")

    def do_POST(self) -> None:
        """Answer a question with the next script."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.script.asked.append(json.loads(body))
        self.script.keys.append(self.headers.get("Authorization"))
        answers = self.script.answers
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        answer(self)

    def begin(self) -> None:
        """Headers of a stream; it ends with the connection."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True

    def chunk(self, **choice: object) -> None:
        """One event of a stream."""
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": None, **choice}]})

    def event(self, value: object) -> None:
        """Any event."""
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()


def says(content: str, reasoning: str = "", finish: str = "stop") -> Answer:
    """A whole answer, in pieces of three characters."""

    def answer(handler: Handler) -> None:
        handler.begin()
        handler.wfile.write(b": ping\n\n")
        for kind, text in (("reasoning_content", reasoning), ("content", content)):
            for start in range(0, len(text), 3):
                handler.chunk(delta={kind: text[start : start + 3]})
        handler.chunk(finish_reason=finish)
        usage = {"prompt_tokens": 21, "completion_tokens": 13, "total_tokens": 34,
                 "prompt_tokens_details": {"cached_tokens": 5}}  # fmt: skip
        handler.event({"choices": [], "usage": usage, "timings": {"predicted_per_second": 87.65}})
        handler.wfile.write(b"data: [DONE]\n\n")

    return answer


def refuses(status: int, body: object, **headers: str) -> Answer:
    """An error before the stream."""
    return lambda handler: handler.json(body, status, **headers)


def breaks_off(error: object | None) -> Answer:
    """A stream that ends in the middle, with an error event or without a word."""

    def answer(handler: Handler) -> None:
        handler.begin()
        handler.chunk(delta={"content": "It is"})
        if error is not None:
            handler.event(error)
            handler.wfile.write(b"data: [DONE]\n\n")

    return answer


def never_ends(handler: Handler) -> None:
    """Words until the client leaves."""
    handler.begin()
    try:
        while not handler.script.left.wait(0.005):
            handler.chunk(delta={"content": "word "})
    except OSError:
        handler.script.left.set()


@contextlib.contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """Serve on a free port of this machine."""
    script = ScriptedServer(answers=[says("Yes.")])
    handler = type("BoundHandler", (Handler,), {"script": script})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        script.url = f"http://127.0.0.1:{server.server_address[1]}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield script
        finally:
            script.left.set()
            server.shutdown()
            thread.join()
