"""Settings of the HTTP side, from flags and variables."""

from __future__ import annotations

from typing import Any

import pytest

from pyinfer.errors import UsageError
from pyinfer.server.http.settings import HttpSettings


def test_flags_win_over_variables() -> None:
    environment = {"OLLAMA_ORIGINS": "http://a, https://b", "PYINFER_HOST": "::1"}
    settings = HttpSettings.from_environment(environment, port=80, origins=None)
    assert (settings.host, settings.port) == ("::1", 80)
    assert settings.origins == ("http://a", "https://b")
    assert HttpSettings.from_environment({}) == HttpSettings()


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("0.0.0.0", "0.0.0.0", 11434),
        ("0.0.0.0:8080", "0.0.0.0", 8080),
        (":8080", "127.0.0.1", 8080),
        ("http://127.0.0.1:1234/", "127.0.0.1", 1234),
        ("[::1]:99", "::1", 99),
        ("::1", "::1", 11434),
    ],
)
def test_host(text: str, host: str, port: int) -> None:
    settings = HttpSettings.from_environment({"OLLAMA_HOST": text})
    assert (settings.host, settings.port) == (host, port)


@pytest.mark.parametrize("text", ["a:b", "[::1]:x"])
def test_wrong_hosts(text: str) -> None:
    with pytest.raises(UsageError):
        HttpSettings.from_environment({"OLLAMA_HOST": text}).check()


@pytest.mark.parametrize("values", [{"port": 65_536}, {"ollama_version": "new"}])
def test_values_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        HttpSettings(**values).check()
