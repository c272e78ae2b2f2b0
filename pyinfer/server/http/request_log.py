"""The outermost layer: request ids, one line of log per request, and what happens to bugs.

A line is one JSON object on standard error: time, level, event, request_id, client, method, path,
status, duration_ms, bytes, and for a generation what the service recorded of it (model, reason,
token counts, durations).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyinfer.errors import PyinferError, internal_error
from pyinfer.server.http.errors import error_response, public_text
from pyinfer.server.http.log_writer import LogWriter
from pyinfer.serving.state import RequestRecord

LOG = logging.getLogger("pyinfer.server")

#: Id of the request that the running task answers; empty outside of requests.
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")

#: How long the line of a request waits for the record of a generation that was broken off.
LATE_RECORD_SECONDS = 1.0
#: Records that nobody has asked for yet.
MAX_RECORDS = 1024

_LOGGERS = {
    "pyinfer": logging.INFO,
    "uvicorn.error": logging.WARNING,
    "asyncio": logging.WARNING,
    "py.warnings": logging.WARNING,
}

_ID = re.compile(r"[A-Za-z0-9._:+/=@-]{1,128}")


class RequestLog:
    """ASGI middleware; also takes the service's record of each ended generation."""

    def __init__(self, app: ASGIApp, records: Records) -> None:
        self._app = app
        self._records = records

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _ID.fullmatch(given) else f"req-{uuid.uuid4().hex}"
        scope.setdefault("state", {})["request_id"] = request_id
        entry = _Entry(scope, request_id)
        token = REQUEST_ID.set(request_id)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
                entry.status = message["status"]
            else:
                entry.bytes += len(message.get("body", b""))
                entry.complete = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except ClientDisconnect:
            pass  # while its body was coming: the line of the log says 499
        except Exception:
            LOG.exception("a request failed", extra={"facts": {"request_id": request_id}})
            if not entry.status:
                await error_response(internal_error(), scope["path"])(scope, receive, sending)
        finally:
            REQUEST_ID.reset(token)
            self._log(entry)

    def _log(self, entry: _Entry) -> None:
        entry.ended = time.perf_counter_ns()
        record = self._records.take(entry.request_id)
        if record is None and not entry.complete:
            # The client left; the engine tells of the end of the generation in a moment.
            asyncio.get_running_loop().call_later(LATE_RECORD_SECONDS, self._log_late, entry)
        else:
            entry.write(record)

    def _log_late(self, entry: _Entry) -> None:
        entry.write(self._records.take(entry.request_id))


class Records:
    """The latest records of ended generations, by request id."""

    def __init__(self) -> None:
        self._latest: OrderedDict[str, RequestRecord] = OrderedDict()

    def add(self, record: RequestRecord) -> None:
        """Keep a record until its request is logged."""
        if record.request_id:
            self._latest[record.request_id] = record
            while len(self._latest) > MAX_RECORDS:
                self._latest.popitem(last=False)

    def take(self, request_id: str) -> RequestRecord | None:
        """The record of a request, once."""
        return self._latest.pop(request_id, None)


class _Entry:
    """What is known of one request."""

    def __init__(self, scope: Scope, request_id: str) -> None:
        self.scope = scope
        self.request_id = request_id
        self.started = self.ended = time.perf_counter_ns()
        self.status = 0
        self.bytes = 0
        self.complete = False

    def write(self, record: RequestRecord | None) -> None:
        """Log one line."""
        client = self.scope.get("client")
        facts: dict[str, Any] = {
            "request_id": self.request_id,
            "client": client[0] if client else "",
            "method": self.scope["method"],
            "path": self.scope["path"],
            "status": self.status if self.complete or self.status >= 400 else 499,
            "duration_ms": round((self.ended - self.started) / 1e6, 3),
            "bytes": self.bytes,
        }
        if record is not None:
            facts |= {
                "model": record.model,
                "reason": record.reason,
                "prompt_tokens": record.prompt_tokens,
                "cached_tokens": record.cached_tokens,
                "completion_tokens": record.completion_tokens,
                "queue_ms": round(record.queue_ns / 1e6, 3),
                "prompt_ms": round(record.prompt_ns / 1e6, 3),
                "decode_ms": round(record.decode_ns / 1e6, 3),
            }
            if record.error:
                facts["error"] = record.error
            if record.reason in ("abort", "error"):
                facts["phase"] = record.phase
            if record.loops:
                facts["loops"] = record.loops
            if record.truncated_messages:
                facts["truncated_messages"] = record.truncated_messages
        LOG.info("request", extra={"facts": facts})


def log_refusal(
    client: tuple[str, int] | None, path: str, status: int, error: PyinferError
) -> None:
    """Log a request that was refused before the application saw it."""
    facts = {"client": client[0] if client else "", "path": path, "status": status}
    LOG.info("refused", extra={"facts": facts | {"reason": public_text(error)}})


class JsonLines(logging.Formatter):
    """Log records as one JSON object per line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        facts = getattr(record, "facts", None)
        if isinstance(facts, Mapping):
            line |= facts
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=True, default=str)


@contextlib.contextmanager
def logging_to_stderr() -> Iterator[None]:
    """Write what the server, uvicorn and asyncio log to standard error, as JSON lines.

    No part of the server waits for the reader of the log; see :class:`LogWriter`.
    ``PYINFER_LOG=debug`` shows everything.
    """
    handler = LogWriter()
    handler.setFormatter(JsonLines())
    debug = os.environ.get("PYINFER_LOG") == "debug"
    for name, level in _LOGGERS.items():
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.DEBUG if debug else level)
        logger.propagate = False
    logging.captureWarnings(True)
    hook, threading.excepthook = threading.excepthook, _thread_failed
    try:
        yield
    finally:
        threading.excepthook = hook
        logging.captureWarnings(False)
        handler.finish()


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is not None:
        name = failure.thread.name if failure.thread is not None else "a thread"
        LOG.error("%s failed", name, exc_info=failure.exc_value)
