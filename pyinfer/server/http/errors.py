"""From an exception to a status and a body in the dialect of the route.

The dialect follows from the path alone, so that also answers given before or without routing
(foreign hosts, missing keys, unknown paths) have the right form:

* below ``/api/``: Ollama, ``{"error": "text"}``
* below ``/v1/``: OpenAI, ``{"error": {"message", "type", "param", "code"}}``; also some routes
  without it (:data:`UNVERSIONED`)
* everything else: llama-server, ``{"error": {"code", "message", "type"}}``

Bodies never contain absolute paths, tracebacks or the text of foreign exceptions.
"""

from __future__ import annotations

import difflib
import re
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from pyinfer.errors import ContextLengthError, PyinferError, RequestError, internal_error

Dialect = Literal["ollama", "openai", "llama"]

#: Bounds of the seconds after which a refused client may come again.
MIN_RETRY_AFTER, MAX_RETRY_AFTER = 1, 60

#: Codes of failures that pass by themselves.
_PASSING = frozenset({"queue_full", "insufficient_memory", "unavailable", "engine_lost"})

#: Routes of OpenAI's dialect for clients whose base address has no ``/v1``.
UNVERSIONED = frozenset({"/chat/completions", "/models", "/embeddings"})

# Longest path that a message repeats.
_MAX_SHOWN = 200

#: Where a dialect's clients expect another status than the one of the class.
_STATUS: dict[tuple[Dialect, str], int] = {
    ("openai", "queue_full"): 429,
    ("llama", "queue_full"): 429,
}

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    501: "not_supported_error",
    503: "unavailable_error",
}
_LLAMA_TYPES = _OPENAI_TYPES | {429: "unavailable_error"}

_ABSOLUTE_PATH = re.compile(r"""(?<![\w.:/~-])(?:/[^\s/'"`,;:()<>]+)+/([^\s/'"`,;:()<>]+)""")


# Parts of pydantic's places that are no fields: where the value came from, types of a union.
_NO_FIELD = re.compile(
    r"body|query|path|header|str|int|float|bool|[A-Z]\w*|(?:list|dict|literal|constrained)\b.*",
    re.DOTALL,
)


class RouteNotFoundError(PyinferError):
    """Nothing is served under the path."""

    code = "not_found"
    http_status = 404


class MethodNotAllowedError(PyinferError):
    """The path is served, but not by this method."""

    code = "method_not_allowed"
    http_status = 405


def dialect_of(path: str) -> Dialect:
    """The dialect of a path.

    Examples
    --------
    >>> dialect_of("/api/chat"), dialect_of("/v1/models"), dialect_of("/v1/health")
    ('ollama', 'openai', 'llama')
    """
    if path == "/" or path == "/api" or path.startswith("/api/"):
        return "ollama"
    if (
        path in UNVERSIONED
        or path.startswith("/models/")
        or ((path == "/v1" or path.startswith("/v1/")) and path != "/v1/health")
    ):
        return "openai"
    return "llama"


def status_of(error: PyinferError, dialect: Dialect) -> int:
    """The HTTP status of an error."""
    return _STATUS.get((dialect, error.code), error.http_status)


def public_text(error: PyinferError) -> str:
    """Message and hint without the folders of absolute paths.

    Examples
    --------
    >>> public_text(PyinferError("no tensor 'a' in /home/me/models/m.gguf"))
    "no tensor 'a' in m.gguf"
    """
    if isinstance(error, RouteNotFoundError | MethodNotAllowedError):
        return str(error)  # its paths are those of the server's own routes
    return _ABSOLUTE_PATH.sub(r"\1", str(error))


def error_body(error: PyinferError, dialect: Dialect) -> dict[str, Any]:
    """The JSON body of an error; the same object ends a stream that fails."""
    text = public_text(error)
    if dialect == "ollama":
        return {"error": text}
    status = status_of(error, dialect)
    kinds = _OPENAI_TYPES if dialect == "openai" else _LLAMA_TYPES
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    body: dict[str, Any]
    if dialect == "openai":
        param = getattr(error, "param", "") or None
        body = {"message": text, "type": kind, "param": param, "code": error.code}
    else:
        body = {"code": status, "message": text, "type": kind}
    if isinstance(error, ContextLengthError) and error.context:
        body |= {"n_prompt_tokens": error.prompt_tokens, "n_ctx": error.context}
        if dialect == "llama":
            body["type"] = "exceed_context_size_error"
            tokens = f"{'at least ' * error.at_least}{error.prompt_tokens}"
            body["message"] = (
                f"request ({tokens} tokens) exceeds the available context size "
                f"({error.context} tokens), try increasing it"
            )
    return {"error": body}


def error_headers(error: PyinferError) -> dict[str, str]:
    """Headers that belong to an error."""
    headers = {}
    if error.code in _PASSING:
        seconds = min(max(error.retry_after, MIN_RETRY_AFTER), MAX_RETRY_AFTER)
        headers["Retry-After"] = str(seconds)
    if error.code == "unauthorized":
        headers["WWW-Authenticate"] = "Bearer"
    return headers


def error_response(error: PyinferError, path: str) -> Response:
    """The complete answer to a request for ``path`` that failed before it was answered."""
    dialect = dialect_of(path)
    return JSONResponse(
        error_body(error, dialect), status_of(error, dialect), headers=error_headers(error)
    )


def install_error_handlers(app: FastAPI) -> None:
    """Render every exception that a route raises."""

    async def known(request: Request, error: Exception) -> Response:
        assert isinstance(error, PyinferError)
        service = getattr(request.app.state, "service", None)
        if error.code in _PASSING and not error.retry_after and service is not None:
            error.retry_after = service.retry_after()
        return error_response(error, request.url.path)

    async def routing(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        response = error_response(_of_routing(error, request), request.url.path)
        response.headers.update(error.headers or {})
        return response

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return error_response(invalid_value(error.errors()[0]), request.url.path)

    app.add_exception_handler(PyinferError, known)
    app.add_exception_handler(HTTPException, routing)
    app.add_exception_handler(RequestValidationError, validation)


def invalid_value(detail: Any) -> RequestError:
    """A RequestError from one finding of pydantic; values of the client are not repeated."""
    place = [part for part in detail["loc"] if not _NO_FIELD.fullmatch(str(part))]
    param = ".".join(str(part) for part in place)
    text = str(detail["msg"])
    text = text[:1].lower() + text[1:]
    error = RequestError(
        f'invalid value of "{param}": {text}' if param else f"invalid body: {text}"
    )
    error.param = param
    return error


def _of_routing(error: HTTPException, request: Request) -> PyinferError:
    path, status = request.scope["path"], error.status_code
    if status == 404:
        shown = path if len(path) <= _MAX_SHOWN else path[: _MAX_SHOWN - 1] + "…"
        near = difflib.get_close_matches(shown, _routes(request.app), 1, 0.5)
        hint = f"the nearest route is {near[0]}" if near else "docs/serving.md lists the routes"
        return RouteNotFoundError(f"nothing is served under {shown}", hint=hint)
    if status == 405:
        allowed = (error.headers or {}).get("allow") or (error.headers or {}).get("Allow", "")
        hint = f"it answers to {allowed}" if allowed else ""
        return MethodNotAllowedError(f"{path} does not answer to {request.method}", hint=hint)
    return RequestError("bad request") if status < 500 else internal_error()


def _routes(app: FastAPI) -> list[str]:
    """Paths of the documented routes that have no variable part."""
    return [path for path in app.openapi()["paths"] if "{" not in path]
