"""Errors in the form of each dialect."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("fastapi")

from fastapi import FastAPI, Query

from pyinfer.errors import (
    AuthError,
    ContextLengthError,
    ModelNotFoundError,
    PyinferError,
    QueueFullError,
    RequestError,
    UnavailableError,
)
from pyinfer.server.http.errors import error_body, install_error_handlers, public_text, status_of

from ..asgi import call


def failing_app() -> FastAPI:
    app = FastAPI()
    install_error_handlers(app)
    raised: dict[str, PyinferError] = {
        "model": ModelNotFoundError("model 'x' not found"),
        "queue": QueueFullError("server busy"),
        "loading": UnavailableError("Loading model"),
        "key": AuthError("no key"),
    }

    def fail(kind: str, number: int = Query(0)) -> None:
        raise raised[kind]

    for prefix in ("/api", "/v1", ""):
        app.get(prefix + "/fail/{kind}")(fail)
        app.get(prefix + "/failures")(fail)
    return app


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/api/fail/model", 404, {"error": "model 'x' not found"}),
        ("/api/fail/queue", 503, {"error": "server busy"}),
        (
            "/v1/fail/model",
            404,
            {
                "error": {
                    "message": "model 'x' not found",
                    "type": "not_found_error",
                    "param": None,
                    "code": "model_not_found",
                }
            },
        ),
        (
            "/fail/loading",
            503,
            {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        ),
    ],
)
def test_the_path_decides_on_the_form(path: str, status: int, body: Any) -> None:
    answer = asyncio.run(call(failing_app(), path=path))
    assert (answer.status, answer.json) == (status, body)


@pytest.mark.parametrize("path", ["/v1/fail/queue", "/fail/queue"])
def test_a_full_queue_is_429_outside_ollama(path: str) -> None:
    answer = asyncio.run(call(failing_app(), path=path))
    assert answer.status == 429
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("own", "estimate", "expected"), [(0, 23, "23"), (17, 23, "17"), (1000, 23, "60"), (0, 0, "1")]
)
def test_refused_clients_are_told_when_to_come_again(
    own: int, estimate: int, expected: str
) -> None:
    app = failing_app()
    app.state.service = SimpleNamespace(retry_after=lambda: estimate)
    error = QueueFullError("busy")
    error.retry_after = own

    def fail() -> None:
        raise error

    app.get("/v1/busy")(fail)
    assert asyncio.run(call(app, path="/v1/busy")).headers["retry-after"] == expected
    assert "retry-after" not in asyncio.run(call(app, path="/v1/fail/model")).headers


def test_wrong_values_paths_and_methods_have_the_dialect_too() -> None:
    app = failing_app()
    for prefix in ("/api", "/v1", ""):
        wrong = asyncio.run(call(app, path=f"{prefix}/fail/model?number=x"))
        assert wrong.status == 400
        assert "number" in wrong.body.decode()
        assert asyncio.run(call(app, path=f"{prefix}/nothing/here")).status == 404
        method = asyncio.run(call(app, "POST", f"{prefix}/fail/model"))
        assert (method.status, method.headers["allow"]) == (405, "GET")
        assert isinstance(method.json["error"], str) == (prefix == "/api")


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/failure", ("/failure", "the nearest route is /failures")),
        ("GET", "/v1/fai/lures", ("/v1/fai/lures", "the nearest route is /v1/failures")),
        ("GET", "/zzzzzzzzzzzzzz", ("/zzzzzzzzzzzzzz", "docs/serving.md")),
        ("GET", "/" + "q" * 5000, ("/qqq", "…")),
        ("GET", "/a\x1b[2J\nb", (r"/a\x1b[2J b",)),
        ("POST", "/fail/model", ("/fail/model does not answer to POST", "it answers to GET")),
    ],
)
def test_unknown_paths_are_named_with_the_nearest_route(
    method: str, path: str, words: tuple[str, ...]
) -> None:
    answer = asyncio.run(call(failing_app(), method, path))
    message = answer.json["error"]["message"]
    assert len(message) < 400
    for word in words:
        assert word in message


def test_missing_keys_ask_for_one() -> None:
    answer = asyncio.run(call(failing_app(), path="/v1/fail/key"))
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.json["error"]["type"] == "authentication_error"


def test_the_field_at_fault_is_named() -> None:
    error = RequestError("must be at most 2")
    error.param = "temperature"
    assert error_body(error, "openai")["error"]["param"] == "temperature"


def test_an_over_long_prompt_tells_both_lengths() -> None:
    error = ContextLengthError("too long")
    error.prompt_tokens, error.context = 300, 256
    assert error_body(error, "llama")["error"] == {
        "code": 400,
        "message": "request (300 tokens) exceeds the available context size (256 tokens), "
        "try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 300,
        "n_ctx": 256,
    }
    assert error_body(error, "openai")["error"]["n_ctx"] == 256
    assert status_of(error, "openai") == 400


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("cannot read /home/me/m.gguf: gone", "cannot read m.gguf: gone"),
        ("'/a/b/c' and (/d/e)", "'c' and (e)"),
        ("see http://host/a/b, hf.co/org/repo, 3/4 and a/b",) * 2,
    ],
)  # fmt: skip
def test_folders_are_not_told(text: str, public: str) -> None:
    assert public_text(PyinferError(text)) == public
