"""One server per test module, on the embedded model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .running import RunningServer, running_server

httpx2 = pytest.importorskip("httpx2")
pytest.importorskip("fastapi")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """A real process that serves the embedded model as ``demo`` on a free port."""
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: RunningServer) -> Iterator[httpx2.Client]:
    """An HTTP client with the server's address as its base."""
    with httpx2.Client(base_url=server.url, timeout=300) as client:
        yield client
