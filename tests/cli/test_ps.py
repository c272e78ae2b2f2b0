"""The table of loaded models."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pyinfer.cli.main import main
from pyinfer.cli.ps import until_text
from pyinfer.cli.server_client import ServerClient


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the server says has loaded."""
    found: dict[str, Any] = {"models": []}

    def call(client: ServerClient, method: str, path: str, body: object = None) -> Any:
        assert (method, path, body) == ("GET", "/api/ps", None)
        return found

    monkeypatch.setattr(ServerClient, "call", call)
    return found


def test_a_table_of_models(answers: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    soon = (datetime.now(UTC) + timedelta(minutes=4, seconds=30)).isoformat()
    answers["models"] = [
        {"name": "demo:latest", "digest": "sha256:0123456789abcdef", "size": 1_100_000_000,
         "context_length": 4096, "expires_at": soon},
        {"name": "b"},
    ]  # fmt: skip
    assert main(["ps"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
    assert first.split() == [
        "demo:latest", "0123456789ab", "1.1", "GB", "100%", "CPU", "4096", "4", "minutes", "from",
        "now",
    ]  # fmt: skip
    assert second.split()[0] == "b"


def test_nothing_loaded_and_json(
    answers: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ps"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1
    answers["models"] = [{"name": "demo"}]
    assert main(["ps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"name": "demo"}]


@pytest.mark.parametrize("text", ["", "soon", "2026-99-99"])
def test_times_that_are_none(text: str) -> None:
    assert until_text(text, datetime.now(UTC)) == ""
