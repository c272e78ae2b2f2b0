"""Options of requests, without a server."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from pyinfer.engine.params import MAX_TOKENS, SamplingParams
from pyinfer.errors import RequestError

pytest.importorskip("fastapi")

from pyinfer.server.ollama.bodies import ChatBody, CreateBody
from pyinfer.server.ollama.options import (
    read_answer_options,
    read_format,
    read_keep_alive,
    read_options,
    read_think,
)


def test_all_options() -> None:
    options = read_options(
        {
            "temperature": 1,
            "top_k": 7.0,
            "top_p": 0.5,
            "min_p": 0.1,
            "typical_p": 0.9,
            "repeat_penalty": 1.2,
            "repeat_last_n": -1,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "seed": 42,
            "num_predict": 12,
            "num_ctx": 512,
            "stop": ["a", ""],
            "num_keep": 4,
            "num_thread": 2,
            "use_mmap": True,
            "num_gpu": None,
        }
    )
    assert options.context == 512
    assert options.params == SamplingParams(
        temperature=1,
        top_k=7,
        top_p=0.5,
        min_p=0.1,
        typical_p=0.9,
        repetition_penalty=1.2,
        repeat_last_n=-1,
        presence_penalty=0.5,
        frequency_penalty=-0.5,
        seed=42,
        max_tokens=12,
        stop=["a"],
    )
    assert read_options(None).params == SamplingParams()
    assert read_options({"num_predict": -1}).params.max_tokens == MAX_TOKENS


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("num_ctx", "8", "integer"),
        ("num_ctx", 8.5, "integer"),
        ("seed", True, "integer"),
        ("temperature", "hot", "float32"),
        ("top_p", False, "float32"),
        ("use_mmap", 1, "boolean"),
        ("stop", "x", "array"),
        ("stop", {"a": 1}, "array"),
    ],
)
def test_wrong_types_are_named(name: str, value: Any, kind: str) -> None:
    with pytest.raises(RequestError) as caught:
        read_options({name: value})
    assert caught.value.message == f'option "{name}" must be of type {kind}'
    assert caught.value.param == name


def test_ranges_name_the_option_of_the_client() -> None:
    with pytest.raises(RequestError, match=r"^repeat_penalty must be between 0 and 100, not -1$"):
        read_options({"repeat_penalty": -1})
    with pytest.raises(RequestError, match="array of strings"):
        read_options({"stop": [1]})


def test_unknown_options_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "pyinfer.server"):
        assert read_options({"novelty": 1, "x" * 100: 2}).params == SamplingParams()
    assert "2 unknown options are ignored: 'novelty, xxx" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING, "pyinfer.server"):
        read_options({f"o{number}": 1 for number in range(10_000)})
    (line,) = caplog.messages  # however many there are
    assert len(line) < 500


def test_log_probabilities() -> None:
    assert read_answer_options(ChatBody(logprobs=True)).params.logprobs == 0
    assert read_answer_options(ChatBody(logprobs=True, top_logprobs=20)).params.logprobs == 20
    assert read_answer_options(ChatBody(top_logprobs=3)).params.logprobs is None
    with pytest.raises(RequestError, match="between 0 and 20"):
        read_answer_options(ChatBody(top_logprobs=-1))


def test_thinking() -> None:
    assert [read_think(v) for v in (None, True, False, "low", "max")] == [
        None, True, False, True, True,
    ]  # fmt: skip
    with pytest.raises(RequestError, match='"max", "high", "medium", "low", true, or false'):
        read_think("true")


def test_formats() -> None:
    assert read_format(None) is None
    assert read_format("") is None
    grammar = read_format("json")
    assert grammar is not None
    assert grammar.kind == "json_object"
    grammar = read_format({"type": "object"})
    assert grammar is not None
    assert (grammar.kind, grammar.source) == ("json_schema", '{"type": "object"}')
    with pytest.raises(RequestError, match='invalid format: "yaml"'):
        read_format("yaml")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("", None), (0, 0), ("0", 0), (1.5, 1.5), ("5m", 300), ("-1m", -1), (-9, -1)],
)
def test_keep_alive(value: Any, seconds: float | None) -> None:
    assert read_keep_alive(value) == seconds


def test_older_names_of_fields() -> None:
    assert ChatBody.model_validate({"name": "a"}).model == "a"
    assert CreateBody.model_validate({"model": "a", "from": "b"}).source == "b"
