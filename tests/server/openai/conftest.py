"""The official package as a client of the module's server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..running import RunningServer


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Iterator[Any]:
    openai = pytest.importorskip("openai", reason="needs the extra [clients]")
    with openai.OpenAI(
        base_url=server.url + "/v1", api_key="any", timeout=300, max_retries=0
    ) as api:
        yield api
