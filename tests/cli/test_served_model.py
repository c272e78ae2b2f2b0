"""A chat's model behind a server."""

from __future__ import annotations

from typing import Any

import pytest

from pyinfer.cli.served_model import ServedModel, ServedStream
from pyinfer.cli.server_client import Address, ServerClient
from pyinfer.errors import EngineError

SHOWN = {
    "parameters": 'temperature                    0.5\nstop "a"\nstop "b"',
    "template": "{{ 1 }}",
    "details": {"family": "qwen2", "parameter_size": "1.8B", "families": ["qwen2"]},
}


class Lines(list[dict[str, Any]]):
    """Lines of an answer."""

    closed = False

    def close(self) -> None:
        self.closed = True


def test_what_a_chat_shows() -> None:
    model = ServedModel(ServerClient(Address("box", 1)), "m", SHOWN, {}, None)
    assert model.facts() == [
        "model: m",
        "server: http://box:1",
        "family: qwen2",
        "parameter size: 1.8B",
    ]
    assert model.parameters() == {"temperature": "0.5", "stop": ["a", "b"]}
    assert model.template([]) == "{{ 1 }}"
    model.close()


def test_an_answer_that_is_stopped() -> None:
    lines = Lines([{"message": {"content": "4"}}, {"message": {"content": "2"}}])
    with ServedStream(lines, None) as stream:  # type: ignore[arg-type]
        assert next(iter(stream)).text == "4"
        stream.cancel()
        assert lines.closed
        result = stream.result()
    assert (result.text, result.finish_reason, result.seed) == ("42", "cancelled", -1)


def test_an_answer_that_breaks_off() -> None:
    stream = ServedStream(Lines([{"message": {"content": "4"}}]), 5)  # type: ignore[arg-type]
    with pytest.raises(EngineError, match="early"):
        stream.result()
