"""A small client of a running server, by Ollama's API; needs nothing but the standard library."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pyinfer.errors import (
    EngineError,
    ModelNotFoundError,
    PyinferError,
    QueueFullError,
    RequestError,
    UsageError,
)

DEFAULT_PORT = 11434
#: A server on this machine answers at once, or is not there.
PROBE_SECONDS = 1.0
MAX_ANSWER_BYTES = 64 << 20
MAX_LINE_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}"


def server_address(environment: Mapping[str, str] | None = None) -> Address:
    """The address in ``PYINFER_HOST``, else ``OLLAMA_HOST``, else the usual one of this machine.

    Raises
    ------
    UsageError
        The variable holds no address.

    Examples
    --------
    >>> str(server_address({"OLLAMA_HOST": "0.0.0.0:8080"})), str(server_address({}))
    ('http://127.0.0.1:8080', 'http://127.0.0.1:11434')
    """
    environment = os.environ if environment is None else environment
    for variable in ("PYINFER_HOST", "OLLAMA_HOST"):
        text = environment.get(variable, "").strip()
        if text:
            break
    else:
        return Address("127.0.0.1", DEFAULT_PORT)
    if text.count(":") > 1 and "[" not in text:
        text = f"[{text}]"  # an IPv6 address alone
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        tls = parts.scheme == "https"
        usual = {"http": 80, "https": 443}.get(parts.scheme, DEFAULT_PORT)
        host, port = parts.hostname or "", parts.port or usual
    except ValueError:
        raise UsageError(f"{variable}: {text[:60]!r} is no address") from None
    if host in ("", "0.0.0.0", "::"):  # where a server listens on every interface
        host = "127.0.0.1"
    return Address(host, port, tls)


class ServerClient:
    """Talks to one server. Connections are opened per request, so it may be used at any time.

    Parameters
    ----------
    address : Address
    """

    def __init__(self, address: Address) -> None:
        self.address = address

    def is_there(self) -> bool:
        """Whether something that speaks Ollama's API answers."""
        try:
            version = self._answer("GET", "/api/version", None, PROBE_SECONDS)
        except PyinferError:
            return False
        return isinstance(version.get("version"), str)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request and return the object that is answered.

        Raises
        ------
        ModelNotFoundError, RequestError, QueueFullError, EngineError
            The server says so, or is gone.
        """
        return self._answer(method, path, body, None)

    def stream(self, path: str, body: Mapping[str, Any]) -> LineStream:
        """Send a request whose answer is a stream of lines; errors as :meth:`call`."""
        connection, response = self._send("POST", path, body, None)
        return LineStream(self, connection, response)

    def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None, timeout: float | None
    ) -> dict[str, Any]:
        connection, response = self._send(method, path, body, timeout)
        try:
            data = response.read(MAX_ANSWER_BYTES)
        except (OSError, http.client.HTTPException) as error:
            raise self.gone(error) from None
        finally:
            connection.close()
        return self.parse(data) if data.strip() else {}

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, timeout: float | None
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        kind = http.client.HTTPSConnection if self.address.tls else http.client.HTTPConnection
        connection = kind(self.address.host, self.address.port, timeout=timeout)
        headers = {"Content-Type": "application/json"}
        key = os.environ.get("PYINFER_API_KEY")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            if response.status < 400:
                return connection, response
            text = response.read(MAX_ANSWER_BYTES)
        except (OSError, ValueError, http.client.HTTPException) as error:
            connection.close()
            raise self.gone(error) from None
        except BaseException:
            connection.close()
            raise
        connection.close()
        raise self._refused(response.status, text)

    def parse(self, data: bytes) -> dict[str, Any]:
        """An object that the server sent; an error in it is raised."""
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise EngineError(f"{self.address} sent something that is no JSON object")
        if isinstance(value.get("error"), str):
            raise EngineError(value["error"])
        return value

    def _refused(self, status: int, data: bytes) -> PyinferError:
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            value = None
        text = value.get("error") if isinstance(value, dict) else None
        if not isinstance(text, str):
            text = f"{self.address} answers with status {status}"
        if status == 404:
            return ModelNotFoundError(text)
        if status in (429, 503):
            return QueueFullError(text)
        return RequestError(text) if status < 500 else EngineError(text)

    def gone(self, error: Exception) -> EngineError:
        """The error for a connection that cannot be made or has ended."""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it is gone"
        return EngineError(f"the server at {self.address}: {reason}")


class LineStream:
    """The lines of an answer. :meth:`close` may be called from a signal handler."""

    def __init__(
        self,
        client: ServerClient,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
    ) -> None:
        self._client = client
        self._connection = connection
        self._response = response
        self._socket: socket.socket | None = connection.sock
        self.closed = False

    def __iter__(self) -> Iterator[dict[str, Any]]:
        try:
            while not self.closed:
                line = self._response.readline(MAX_LINE_BYTES)
                if not line or self.closed:
                    return
                if line.strip():
                    yield self._client.parse(line)
        except (OSError, ValueError, http.client.HTTPException) as error:
            if not self.closed:
                raise self._client.gone(error) from None
        finally:
            self._connection.close()

    def close(self) -> None:
        """End the connection: the server stops the answer, the iteration ends."""
        self.closed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it has ended already
                self._socket.shutdown(socket.SHUT_RDWR)
