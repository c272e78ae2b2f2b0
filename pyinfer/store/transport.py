"""HTTP as this package needs it: bounded, with deadlines, and no credential for strangers.

Redirects are followed here and not by the library: at most five, never from https to http, never
from a public host to a private one, and the token goes to the endpoint's own origin only.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from pyinfer.errors import PyinferError, RegistryError, RegistryTimeout, UsageError

MAX_REDIRECTS = 5
MAX_RETRY_AFTER = 60.0
_REDIRECTS = (301, 302, 303, 307, 308)
_LOCAL_NAMES = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa")


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """Deadlines and patience.

    Attributes
    ----------
    connect_seconds, stall_seconds : float
        Until a connection stands; without a single byte.
    min_rate, rate_seconds : float
        Slower than so many bytes per second over so many seconds counts as stalled.
    attempts : int
        Failures in a row, without a byte of progress in between, until the pull gives up.
    backoff_seconds : float
        Before the second attempt; doubles each time up to ``max_backoff_seconds``.
    """

    connect_seconds: float = 10.0
    stall_seconds: float = 30.0
    min_rate: float = 1024.0
    rate_seconds: float = 60.0
    attempts: int = 6
    backoff_seconds: float = 0.5
    max_backoff_seconds: float = 15.0


class TransientError(Exception):
    """A failure that may be gone at the next attempt.

    Attributes
    ----------
    error : PyinferError
        What to raise when there is no next attempt.
    retry_after : float
        Seconds that the server asked to wait; 0 if it did not.
    """

    def __init__(self, error: PyinferError, retry_after: float = 0.0) -> None:
        super().__init__(str(error))
        self.error = error
        self.retry_after = retry_after


class Transport:
    """Requests to one endpoint and to where it redirects. A context manager; for one thread.

    Parameters
    ----------
    endpoint : str
        ``http://`` or ``https://`` address without a path at its end.
    headers : mapping
        Sent with every request; ``authorization`` only to the endpoint itself.
    settings : NetworkSettings
    """

    def __init__(
        self, endpoint: str, headers: Mapping[str, str], settings: NetworkSettings
    ) -> None:
        import httpx2

        self.endpoint = endpoint.rstrip("/")
        self.settings = settings
        self._http = httpx2
        self._base = _split(self.endpoint)
        self._headers = {key.lower(): value for key, value in headers.items()}
        self._token = self._headers.pop("authorization", "")
        self._guard = not is_private_host(self._base.hostname) and not urllib.request.getproxies()
        timeout = httpx2.Timeout(
            settings.stall_seconds, connect=settings.connect_seconds, pool=settings.stall_seconds
        )
        self._client = httpx2.Client(timeout=timeout, follow_redirects=False)

    def __enter__(self) -> Transport:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Iterator[Response]:
        """Send a GET request and yield the response, whose body has not been read.

        Raises
        ------
        TransientError
            Connection, time or server trouble, here or while the body is read in the block.
        RegistryError
            Redirects that are not followed.
        """
        try:
            for _ in range(MAX_REDIRECTS + 1):
                request = self._client.build_request("GET", url, headers=self._for(url, headers))
                response = self._client.send(request, stream=True)
                try:
                    self._check_peer(response, url)
                    if response.status_code not in _REDIRECTS:
                        yield Response(response, url, self.settings)
                        return
                    url = self._next(url, response.headers.get("location"))
                finally:
                    response.close()
        except self._http.TimeoutException:
            raise TransientError(
                RegistryTimeout(f"{self._host(url)} did not answer in time", hint=_AGAIN)
            ) from None
        except (self._http.TransportError, self._http.StreamError) as error:
            reason = str(error) or type(error).__name__
            raise TransientError(
                RegistryError(f"the connection to {self._host(url)} failed: {reason}", hint=_AGAIN)
            ) from None
        except (self._http.InvalidURL, UnicodeError):
            raise RegistryError(f"{self.endpoint} redirects to an invalid address") from None
        raise RegistryError(f"more than {MAX_REDIRECTS} redirects from {self.endpoint}")

    def get_json(self, url: str, max_bytes: int) -> Any:
        """The JSON value at ``url``; also raises RegistryError for other answers."""
        with self.get(url, {"accept": "application/json"}) as response:
            response.check_status((200,))
            data = bytearray()
            for piece in response.pieces():
                data += piece
                if len(data) > max_bytes:
                    raise RegistryError(f"{self._host(url)}: answer above {max_bytes} bytes")
        try:
            return json.loads(data)
        except (ValueError, RecursionError):
            raise TransientError(
                RegistryError(f"{self._host(url)} did not answer with JSON", hint=_ENDPOINT)
            ) from None

    def _for(self, url: str, headers: Mapping[str, str] | None) -> dict[str, str]:
        merged = {**self._headers, "accept-encoding": "identity", **(headers or {})}
        target = _split(url)
        own = _origin(target) == _origin(self._base)
        # Nobody on the way may read the token, except on this machine.
        safe = target.scheme == "https" or is_private_host(target.hostname)
        if self._token and own and safe:
            merged["authorization"] = self._token
        return merged

    def _next(self, url: str, location: str | None) -> str:
        target = urljoin(url, location or "")
        parts = _split(target)
        if not location or parts.scheme not in ("http", "https") or not parts.hostname:
            raise RegistryError(f"{self._host(url)} redirects to an invalid address")
        if _split(url).scheme == "https" and parts.scheme != "https":
            raise RegistryError(f"{self._host(url)} redirects from https to http; not followed")
        if not is_private_host(self._base.hostname) and is_private_host(parts.hostname):
            raise RegistryError(f"{self._host(url)} redirects to a private address; not followed")
        return target

    def _check_peer(self, response: Any, url: str) -> None:
        """A public name may lead to a private address only through the name service."""
        stream = response.extensions.get("network_stream")
        address = stream.get_extra_info("server_addr") if self._guard and stream else None
        if address and is_private_host(str(address[0])):
            raise RegistryError(f"{self._host(url)} has a private address; not followed")

    @staticmethod
    def _host(url: str) -> str:
        return _split(url).netloc.rpartition("@")[2][:100]


class Response:
    """A response whose body is read piece by piece.

    Attributes
    ----------
    status : int
    headers : mapping
        Names in lower case.
    """

    def __init__(self, response: Any, url: str, settings: NetworkSettings) -> None:
        self._response = response
        self._settings = settings
        self.host = _split(url).netloc.rpartition("@")[2]
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers

    def check_status(self, expected: tuple[int, ...], *, foreign: bool = False) -> None:
        """Raise unless the status is one of ``expected``.

        Parameters
        ----------
        expected : tuple of int
        foreign : bool
            This is not the hub itself: a refusal then means a link that has expired.
        """
        status = self.status
        if status in expected:
            return
        if status in (401, 403) and not foreign:
            raise RegistryError(
                f"{self.host} refuses access (HTTP {status})",
                hint="for a private or gated model set HF_TOKEN, or run `hf auth login`; "
                "gated models also need their terms accepted on their page",
            )
        if status in (404, 410) and not foreign:
            raise RegistryError(f"{self.host} has no such model, revision or file (HTTP {status})")
        if status == 429:
            error = RegistryError(f"{self.host} asks to slow down (HTTP 429)", hint="try later")
        else:
            error = RegistryError(f"{self.host} answered HTTP {status}", hint=_AGAIN)
        if status in (408, 416, 425, 429) or status >= 500 or foreign:
            raise TransientError(error, self._retry_after())
        raise error

    def _retry_after(self) -> float:
        try:
            seconds = float(self.headers.get("retry-after", "0"))
        except ValueError:
            return 0.0
        return min(seconds, MAX_RETRY_AFTER) if seconds > 0 else 0.0  # also for NaN

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes; raises TransientError when it comes too slowly."""
        if self.headers.get("content-encoding", "identity") not in ("", "identity"):
            raise TransientError(RegistryError(f"{self.host} sent a compressed body"))
        settings = self._settings
        start, count = time.monotonic(), 0
        for piece in self._response.iter_raw():
            yield piece
            count += len(piece)
            passed = time.monotonic() - start
            if passed >= settings.rate_seconds:
                if count < settings.min_rate * passed:
                    raise TransientError(
                        RegistryTimeout(f"{self.host} sends too slowly", hint=_AGAIN)
                    )
                start, count = time.monotonic(), 0


def is_private_host(host: str | None) -> bool:
    """Whether a host is this machine or in a private network, as far as its name tells."""
    if not host:
        return True
    name = host.strip("[]").rstrip(".").lower().partition("%")[0]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        # Browsers also read 0x7f000001 and 2130706433 as addresses.
        odd = name.replace(".", "").isdigit() or name.startswith("0x")
        return odd or name.endswith(_LOCAL_NAMES) or "." not in name
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


def check_endpoint(endpoint: str) -> str:
    """Return an endpoint without a slash at its end.

    Raises
    ------
    UsageError
        It is no http or https address.
    """
    parts = _split(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"HF_ENDPOINT: {endpoint[:200]!r} is no http or https address")
    return endpoint.rstrip("/")


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return urlsplit("")
    return parts


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


_AGAIN = "run the command again: it continues where it stopped"
_ENDPOINT = "is HF_ENDPOINT right?"
