"""One server for all tests of Ollama's API, with a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from ..running import RunningServer, running_server

if TYPE_CHECKING:
    import httpx2
    import ollama

pytest.importorskip("fastapi")


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A process that serves the embedded model as ``demo``."""
    store = tmp_path_factory.mktemp("store")
    with running_server(environment={"PYINFER_MODELS": str(store)}) as running:
        yield running


@pytest.fixture(scope="package")
def client(server: RunningServer) -> Iterator[httpx2.Client]:
    """An HTTP client with the server's address as its base."""
    httpx = pytest.importorskip("httpx2")
    with httpx.Client(base_url=server.url, timeout=300) as client:
        yield client


@pytest.fixture(scope="package")
def official(server: RunningServer) -> Iterator[ollama.Client]:
    """Ollama's own client."""
    package = pytest.importorskip("ollama", reason="needs the extra [clients]")
    with package.Client(host=server.url) as client:
        yield client


@pytest.fixture
def gguf_file(tmp_path: Path) -> Path:
    """A random model with a tokenizer in one file."""
    from ...checkpoints import random_config, write_gguf
    from ...vocabulary import N_TOKENS

    path = tmp_path / "model.gguf"
    write_gguf(path, random_config(vocab=N_TOKENS))
    return path
