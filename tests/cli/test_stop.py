"""Unloading a model of a running server."""

from __future__ import annotations

from typing import Any

import pytest

from pyinfer.cli.main import main
from pyinfer.cli.server_client import ServerClient
from pyinfer.errors import ModelNotFoundError


def test_the_server_is_asked_to_unload(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def call(client: ServerClient, *request: Any) -> dict[str, Any]:
        asked.append(request)
        return {}

    monkeypatch.setattr(ServerClient, "call", call)
    assert main(["stop", "demo"]) == 0
    body = {"model": "demo", "keep_alive": 0, "stream": False}
    assert asked == [("POST", "/api/generate", body)]


def test_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(client: ServerClient, *request: Any) -> dict[str, Any]:
        raise ModelNotFoundError("model 'x' not found")

    monkeypatch.setattr(ServerClient, "call", call)
    assert main(["stop", "x"]) == 5
    assert "model 'x' not found" in capsys.readouterr().err


def test_no_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PYINFER_HOST", "127.0.0.1:1")
    assert main(["stop", "x"]) not in (0, 1)
    assert "127.0.0.1:1" in capsys.readouterr().err
