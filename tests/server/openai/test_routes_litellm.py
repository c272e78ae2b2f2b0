"""A round trip with ``litellm``, through its providers for OpenAI's API and for Ollama's."""

from __future__ import annotations

import gc
import importlib.util
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ..running import RunningServer
from .asked import CITY, QUESTION, TOO_LONG, WEATHER

httpx2 = pytest.importorskip("httpx2")

# Whatever the client or what it imports deprecates is not ours to mend.
pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("litellm") is None,
        reason="needs the package litellm (extra [clients])",
    ),
    pytest.mark.filterwarnings("ignore"),
]

Complete = Callable[..., Any]


@pytest.fixture(scope="module")
def litellm() -> Iterator[Any]:
    """The package, which finds nothing but this machine: no price list, no reports."""
    with pytest.MonkeyPatch.context() as patch:
        look_up = socket.getaddrinfo

        def only_here(host: Any, *more: Any, **options: Any) -> Any:
            assert host in ("127.0.0.1", b"127.0.0.1"), f"litellm asks for {host}"
            return look_up(host, *more, **options)

        patch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        patch.setenv("LITELLM_TELEMETRY", "False")
        patch.setattr(socket, "getaddrinfo", only_here)
        package = importlib.import_module("litellm")
        yield package
        # Clients and event loops that it leaves open must not be found in the tests that follow.
        package.in_memory_llm_clients_cache.flush_cache()
        gc.collect()


@pytest.fixture(params=["openai", "ollama_chat"])
def complete(request: pytest.FixtureRequest, litellm: Any, server: RunningServer) -> Complete:
    """``litellm.completion`` at the server, through either provider."""
    base = server.url + ("/v1" if request.param == "openai" else "")

    def complete(model: str = "demo", **more: Any) -> Any:
        given = {"messages": QUESTION, "temperature": 0, "timeout": 300} | more
        # Tools of MCP servers are looked for first, which needs litellm's own proxy.
        given |= {"api_base": base, "api_key": "any", "_skip_mcp_handler": True}
        return litellm.completion(model=f"{request.param}/{model}", **given)

    return complete


def test_an_answer_and_its_stream(complete: Complete) -> None:
    answer = complete()
    (choice,) = answer.choices
    assert "Beijing" in choice.message.content
    assert choice.message.reasoning_content.strip()
    assert choice.finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    chunks = list(complete(stream=True))
    assert len(chunks) > 3
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == choice.message.content
    reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    assert reasoning == choice.message.reasoning_content
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_limits_and_stop_strings(complete: Complete) -> None:
    short = complete(max_tokens=5)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 5
    assert "people" not in complete(stop=["people"]).choices[0].message.content


def test_json_schema(complete: Complete) -> None:
    wanted = {"name": "city", "schema": CITY, "strict": True}
    answer = complete(response_format={"type": "json_schema", "json_schema": wanted})
    value = json.loads(answer.choices[0].message.content)
    assert value["city"] in ("Beijing", "Paris")
    assert isinstance(value["big"], bool)


def test_tools(complete: Complete, request: pytest.FixtureRequest) -> None:
    asked = complete(tools=[WEATHER], tool_choice="required").choices[0]
    if asked.message.tool_calls:
        (call,) = asked.message.tool_calls
        assert call.function.name == "get_weather"
        assert set(json.loads(call.function.arguments)) == {"city"}
        assert asked.finish_reason == "tool_calls"
    else:
        # Ollama's API cannot demand a call.
        assert "ollama_chat" in request.node.name
    call = {"name": "get_weather", "arguments": '{"city": "Beijing"}'}
    messages = [
        *QUESTION,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    after = complete(messages=messages, tools=[WEATHER], max_tokens=20)
    assert after.usage.completion_tokens > 0


def test_errors(complete: Complete, litellm: Any) -> None:
    with pytest.raises(litellm.NotFoundError, match="'nope' not found"):
        complete("nope")
    with pytest.raises(litellm.BadRequestError, match="top_p"):
        complete(top_p=7.0)


def test_a_prompt_that_is_too_long_starts_its_fallbacks(
    litellm: Any, server: RunningServer
) -> None:
    """The router goes to a model with a larger context only if it knows the error."""
    base = {"api_base": server.url + "/v1", "api_key": "any"}
    long = [{"role": "user", "content": "big " * 10_000}]
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(model="openai/demo", messages=long, _skip_mcp_handler=True, **base)
    known = litellm.litellm_core_utils.exception_mapping_utils.ExceptionCheckers
    for path, body in TOO_LONG.items():
        text = httpx2.post(server.url + path, json=body, timeout=300).text
        assert known.is_error_str_context_window_exceeded(text), path


@pytest.mark.parametrize(("provider", "path"), [("openai", "/v1"), ("ollama", "")])
def test_embeddings(litellm: Any, server: RunningServer, provider: str, path: str) -> None:
    def embed(texts: list[str]) -> Any:
        return litellm.embedding(
            model=f"{provider}/demo", input=texts, api_base=server.url + path, api_key="any"
        )

    both = embed(["hello", "What is 12 + 30?"])
    one, two = (np.array(item["embedding"], np.float32) for item in both.data)
    assert one.shape == two.shape
    assert np.linalg.norm(two) == pytest.approx(1, abs=1e-5)
    np.testing.assert_array_equal(one, np.array(embed(["hello"]).data[0]["embedding"], np.float32))
    assert both.usage.prompt_tokens > 2
