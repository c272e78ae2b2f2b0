"""The client of a running server, against scripted answers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pyinfer.cli.main import main
from pyinfer.cli.server_client import Address, ServerClient, server_address
from pyinfer.errors import (
    EngineError,
    ModelNotFoundError,
    QueueFullError,
    RequestError,
    UsageError,
)

LAST = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 2_000_000_000,
    "load_duration": 500_000_000,
    "prompt_eval_count": 10,
    "prompt_eval_duration": 100_000_000,
    "eval_count": 5,
    "eval_duration": 400_000_000,
}


class Scripted:
    """A server; ``answers`` are (status, body) by path."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {
            "/api/version": (200, b'{"version": "0.12.0"}'),
            "/api/show": (200, b'{"parameters": "temperature  0.5\\nstop \\"a\\"\\nstop \\"b\\""}'),
            "/api/chat": (200, b""),
        }
        self.requests: list[tuple[str, dict[str, str], Any]] = []
        scripted = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = json.loads(data) if data else None
                scripted.requests.append((self.path, dict(self.headers), body))
                status, answer = scripted.answers[self.path]
                self.send_response(status)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                for piece in answer.splitlines(keepends=True):
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                if not answer.endswith(b"!"):
                    self.wfile.write(b"0\r\n\r\n")
                else:
                    self.close_connection = True

            do_GET = do_POST  # noqa: N815

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def say(self, *lines: dict[str, Any]) -> None:
        """Answer chats with these lines."""
        text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.answers["/api/chat"] = (200, text)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scripted]:
    server = Scripted()
    monkeypatch.setenv("PYINFER_HOST", f"127.0.0.1:{server.port}")
    monkeypatch.setattr("sys.stdin", None)
    yield server
    server.close()


def client(scripted: Scripted) -> ServerClient:
    return ServerClient(Address("127.0.0.1", scripted.port))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:8080", "http://box:8080"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":8080", "http://127.0.0.1:8080"),
        ("http://box", "http://box:80"),
        ("https://box/", "https://box:443"),
        ("::1", "http://[::1]:11434"),
        ("[::1]:99", "http://[::1]:99"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert str(server_address({"OLLAMA_HOST": text})) == address
    assert str(server_address({"OLLAMA_HOST": "x", "PYINFER_HOST": text or "x:1"})) == (
        address if text else "http://x:1"
    )


@pytest.mark.parametrize("text", ["box:port", "box:99999", "http://[::1"])
def test_no_addresses(text: str) -> None:
    with pytest.raises(UsageError, match="PYINFER_HOST"):
        server_address({"PYINFER_HOST": text})


def test_probes(scripted: Scripted) -> None:
    assert client(scripted).is_there()
    for answer in ((200, b"{}"), (200, b"hello"), (404, b"no"), (200, b'{"version": 1}')):
        scripted.answers["/api/version"] = answer
        assert not client(scripted).is_there()
    assert not ServerClient(Address("127.0.0.1", 1)).is_there()


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, ModelNotFoundError), (400, RequestError), (503, QueueFullError), (500, EngineError)],
)
def test_errors_have_their_types(scripted: Scripted, status: int, error: type[Exception]) -> None:
    scripted.answers["/api/show"] = (status, b'{"error": "so it is"}')
    with pytest.raises(error, match="so it is"):
        client(scripted).call("POST", "/api/show", {})
    scripted.answers["/api/show"] = (status, b"<html>")
    with pytest.raises(error, match=f"status {status}"):
        client(scripted).call("POST", "/api/show", {})


def test_a_key_is_sent(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_API_KEY", "secret")
    client(scripted).call("POST", "/api/show", {})
    assert scripted.requests[-1][1]["Authorization"] == "Bearer secret"


def test_run_answers_through_the_server(
    scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted.say(
        {"message": {"role": "assistant", "content": "", "thinking": "Hm."}},
        {"message": {"role": "assistant", "content": "4"}},
        {"message": {"role": "assistant", "content": "2"}},
        {"message": {"role": "assistant", "content": ""}, **LAST},
    )
    command = ["run", "some-model", "What?", "--verbose", "--keepalive", "10m", "-c", "512"]
    assert main([*command, "--think=high", "--format", '{"type": "integer"}']) == 0
    out, err = capsys.readouterr()
    assert out == "<think>\nHm.\n</think>\n\n42\n"
    assert "total duration:       2s" in err
    assert "eval rate:            10.00 tokens/s" in err
    path, _, body = scripted.requests[-1]
    assert path == "/api/chat"
    assert body == {
        "model": "some-model",
        "messages": [{"role": "user", "content": "What?"}],
        "options": {"num_ctx": 512},
        "keep_alive": "10m",
        "format": {"type": "integer"},
        "think": "high",
    }


def test_run_reports_what_the_server_says(
    scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted.say({"message": {"content": "4"}}, {"error": "the disk is on fire"})
    assert main(["run", "some-model", "What?"]) == EngineError.exit_code
    assert "the disk is on fire" in capsys.readouterr().err
    scripted.say({"message": {"content": "4"}})
    assert main(["run", "some-model", "What?"]) == EngineError.exit_code
    assert "ended the answer early" in capsys.readouterr().err
    scripted.answers["/api/chat"] = (200, b'{"message": {"content": "4"}}\n!')
    assert main(["run", "some-model", "What?"]) == EngineError.exit_code
    scripted.answers["/api/chat"] = (503, b'{"error": "server busy"}')
    assert main(["run", "some-model", "What?"]) == QueueFullError.exit_code


def test_models_that_the_server_has_not_are_loaded_here(
    scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted.answers["/api/show"] = (404, b'{"error": "model not found"}')
    assert main(["run", "no-such-model", "What?"]) == ModelNotFoundError.exit_code
    assert "no-such-model" in capsys.readouterr().err
    assert [path for path, _, _ in scripted.requests] == ["/api/version", "/api/show"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["some-model", "x", "--format", "no-such-file"], "neither json nor"),
        (["some-model", "x", "--think=deeply"], "must be true or false"),
    ],
)
def test_wrong_options(
    scripted: Scripted, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
) -> None:
    assert main(["run", *arguments]) == UsageError.exit_code
    assert text in capsys.readouterr().err
