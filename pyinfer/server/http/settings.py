"""Settings of the HTTP side: who may call, what is shown. Handlers find them as ``app.state.http``.

What concerns models and scheduling is in ``serving/settings.py``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfer.errors import UsageError
from pyinfer.serving.settings import Variables, read_variables, words
from pyinfer.store.text_encoding import decode_text

DEFAULT_PORT = 11434
MAX_PORT = 65_535
DEFAULT_BODY_MEMORY = 256 * 2**20
#: One body of the largest size must fit a client's half.
MIN_BODY_MEMORY = 32 * 2**20

METRIC_FAMILIES = ("vllm", "llamacpp", "pyinfer")

#: Among the origins: pages and applications of this machine may not call either.
NO_ORIGINS = "none"

_ORIGIN = re.compile(r"\*|null|[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/?#@]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How the server talks to its clients.

    Attributes
    ----------
    host : str
        The address that it listens on.
    port : int
        0 takes a free one.
    api_keys : tuple of str
        If any, requests need one of them.
    hosts : tuple of str
        Names besides the address and localhost that requests may use in their Host header.
    origins : tuple of str
        Web origins besides the own one that may call, like ``https://chat.example`` or
        ``https://*.example``; ``*`` is every one. On a loopback address those of local pages and
        desktop applications may, too, unless ``none`` is among them.
    allow_unauthenticated : bool
        Listen on a public address without keys.
    metrics : tuple of str
        Families of metrics that are shown: ``vllm``, ``llamacpp``, ``pyinfer``.
    body_memory : int
        Most bytes of large request bodies in memory at once; half of it for one address.
    share_prefix_cache : bool
        Requests with different keys find what others computed; by default each key has its own.
    slots : bool
        Show ``/slots``.
    reasoning_field : str
        ``reasoning_content``, or ``both`` for ``reasoning`` as well (OpenAI dialect).
    reasoning_format : str
        For chat completions that do not say: ``none`` leaves the reasoning in the content.
    ollama_version : str
        The version of Ollama that ``/api/version`` names: clients look there for what is spoken.
    """

    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    api_keys: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    allow_unauthenticated: bool = False
    metrics: tuple[str, ...] = METRIC_FAMILIES
    body_memory: int = DEFAULT_BODY_MEMORY
    share_prefix_cache: bool = False
    slots: bool = True
    reasoning_field: str = "reasoning_content"
    reasoning_format: str = "auto"
    ollama_version: str = "0.12.11"

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str] | None = None, **flags: Any
    ) -> HttpSettings:
        """Settings of ``OLLAMA_*`` and ``PYINFER_*`` variables; flags that are not None win.

        Raises
        ------
        UsageError
            A variable has a wrong value.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        return cls(**read_variables(_VARIABLES, environment) | given)

    @property
    def named_origins(self) -> tuple[str, ...]:
        """The origins that were named."""
        return tuple(origin for origin in self.origins if origin.lower() != NO_ORIGINS)

    @property
    def local_origins(self) -> bool:
        """Whether pages and desktop applications of this machine may call."""
        return is_loopback(self.host) and len(self.named_origins) == len(self.origins)

    def check(self) -> None:
        """Refuse settings that cannot be meant.

        Raises
        ------
        UsageError
            A public address without a key, or a malformed value.
        """
        if not (is_loopback(self.host) or self.api_keys or self.allow_unauthenticated):
            raise UsageError(
                f"{self.host} can be reached from other machines, and no API key is set",
                hint="give --api-key or --api-key-file, or --allow-unauthenticated to let "
                "everybody in",
            )
        if not 0 <= self.port <= MAX_PORT:
            raise UsageError(f"port must be between 0 and {MAX_PORT}, not {self.port}")
        if not re.fullmatch(r"\d+\.\d+\.\d+[-.+\w]{0,40}", self.ollama_version, re.ASCII):
            raise UsageError(f"ollama_version {self.ollama_version[:20]!r} is not like 0.12.11")
        if self.body_memory < MIN_BODY_MEMORY:
            raise UsageError(f"body_memory must be at least {MIN_BODY_MEMORY >> 20} MiB")
        for origin in self.named_origins:
            if not _ORIGIN.fullmatch(origin):
                raise UsageError(
                    f"{origin!r} is no web origin", hint="write it like https://chat.example"
                )
        for key in self.api_keys:
            if not key or not key.isascii() or not key.isprintable() or " " in key:
                raise UsageError("an API key must be printable ASCII without spaces")
        for family in self.metrics:
            if family not in METRIC_FAMILIES:
                raise UsageError(
                    f"there are no metrics {family!r}", hint=f"known: {', '.join(METRIC_FAMILIES)}"
                )


def is_loopback(host: str) -> bool:
    """The address can be reached from this machine only.

    Examples
    --------
    >>> [is_loopback(host) for host in ("127.0.0.1", "::1", "localhost", "0.0.0.0", "nas")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def read_keys(given: Iterable[str], file: str | None) -> tuple[str, ...]:
    """Keys of the command line (separated by commas) and of a file (one per line).

    Raises
    ------
    UsageError
        The file cannot be read, or holds no key.
    """
    keys = [key.strip() for text in given for key in text.split(",")]
    if file is not None:
        try:
            lines = decode_text(Path(file).read_bytes()).splitlines()
        except (OSError, ValueError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) else "it is neither UTF-8 nor UTF-16"
            )
            raise UsageError(f"cannot read the API keys in {file}: {reason}") from None
        found = [line.strip() for line in lines if line.strip()]
        if not found:
            raise UsageError(f"{file} holds no API key")
        keys += found
    if any(not key for key in keys):
        raise UsageError("an API key is empty")
    return tuple(dict.fromkeys(keys))


def _host(text: str) -> tuple[str, int]:
    """``[scheme://]host[:port]``; an IPv6 address with a port stands in brackets."""
    text = text.partition("://")[2] or text
    text = text.rstrip("/")
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":") if bracket else ""
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    else:
        host, port = text, ""
    return host or "127.0.0.1", int(port) if port else DEFAULT_PORT


_VARIABLES: Variables = {
    "HOST": (("host", "port"), _host),
    "ORIGINS": (("origins",), words),
    "OLLAMA_VERSION": (("ollama_version",), lambda text: (text,)),
}
