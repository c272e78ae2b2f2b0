"""``/api/chat`` with Ollama's own client and as bytes."""

from __future__ import annotations

import http.client
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from ..running import RunningServer

if TYPE_CHECKING:
    import httpx2
    import ollama

GREEDY = {"temperature": 0, "num_predict": 400}
QUESTION = [{"role": "user", "content": "What is 12 + 30?"}]
DURATIONS = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds numbers",
        "parameters": {
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        },
    },
}


def test_the_first_call_of_a_newcomer(server: RunningServer) -> None:
    body = '{"model": "demo", "messages": [{"role": "user", "content": "is beijing a big city?"}]}'
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
    # As curl -d sends it.
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "curl/8.5.0"}
    connection.request("POST", "/api/chat", body, headers)
    response = connection.getresponse()
    assert response.status == 200
    assert response.getheader("Content-Type") == "application/x-ndjson"
    assert response.getheader("X-Accel-Buffering") == "no"
    lines = response.read().splitlines()
    connection.close()
    *pieces, last = [json.loads(line) for line in lines]
    assert len(pieces) > 3
    for piece in pieces:
        assert piece["model"] == "demo"
        assert piece["done"] is False
        assert piece["message"]["role"] == "assistant"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", piece["created_at"])
    assert all(piece["message"]["content"] or piece["message"]["thinking"] for piece in pieces)
    assert (last["done"], last["done_reason"]) == (True, "stop")
    for name in (*DURATIONS, "prompt_eval_count", "eval_count"):
        assert isinstance(last[name], int), name
        assert last[name] > 0, name


def test_an_answer_and_its_stream(official: ollama.Client) -> None:
    whole = official.chat("demo", QUESTION, options=GREEDY)
    assert whole.done_reason == "stop"
    assert "42" in (whole.message.content or "")
    assert whole.message.thinking
    parts = list(official.chat("demo", QUESTION, options=GREEDY, stream=True))
    assert "".join(part.message.content or "" for part in parts) == whole.message.content
    assert "".join(part.message.thinking or "" for part in parts) == whole.message.thinking
    assert parts[-1].eval_count == whole.eval_count
    assert parts[-1].prompt_eval_count == whole.prompt_eval_count


def test_thinking(official: ollama.Client) -> None:
    for level in (True, "low", "high"):
        answer = official.chat("demo", QUESTION, options=GREEDY, think=level)  # type: ignore[arg-type]
        assert answer.message.thinking
    answer = official.chat("demo", QUESTION, options=GREEDY, think=False)
    assert not answer.message.thinking
    assert answer.message.content


def test_a_schema_holds_after_the_reasoning(official: ollama.Client) -> None:
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
        "additionalProperties": False,
    }
    answer = official.chat("demo", QUESTION, format=schema, options=GREEDY)
    assert list(json.loads(answer.message.content or "")) == ["answer"]
    assert answer.message.thinking
    answer = official.chat("demo", QUESTION, format="json", think=False, options=GREEDY)
    if answer.done_reason == "stop":
        assert isinstance(json.loads(answer.message.content or ""), dict)


def test_a_conversation_with_a_tool(official: ollama.Client) -> None:
    messages: list[dict[str, Any]] = [
        *QUESTION,
        {
            "role": "assistant",
            "content": "",
            "thinking": "I call add.",
            "tool_calls": [{"function": {"name": "add", "arguments": {"a": 12, "b": 30}}}],
        },
        {"role": "tool", "tool_name": "add", "content": "42"},
    ]
    answer = official.chat("demo", messages, tools=[TOOL], options={**GREEDY, "num_predict": 30})
    assert answer.done
    assert answer.message.role == "assistant"


def test_options(client: httpx2.Client) -> None:
    body = {"model": "demo", "messages": QUESTION, "stream": False}

    def ask(**options: Any) -> Any:
        return client.post("/api/chat", json={**body, "options": options}).json()

    short = ask(temperature=0, num_predict=3)
    assert (short["done_reason"], short["eval_count"]) == ("length", 3)
    whole = ask(temperature=0)["message"]["content"]
    stop = whole[3:7]
    stopped = ask(temperature=0, stop=[stop])
    assert stopped["message"]["content"] == whole[: whole.index(stop)]
    assert ask(seed=7, num_predict=40)["message"] == ask(seed=7, num_predict=40)["message"]
    assert ask(temperature=0, num_predict=2, some_future_option=[1])["eval_count"] == 2


def test_the_prefix_is_counted(client: httpx2.Client) -> None:
    text = "Tell me about the number seven. " * 20
    body = {
        "model": "demo",
        "stream": False,
        "options": {"num_predict": 1},
        "messages": [{"role": "user", "content": text}],
    }
    first, second = (client.post("/api/chat", json=body).json() for _ in range(2))
    assert first["prompt_eval_count"] == second["prompt_eval_count"] > 64
    assert second["prompt_cached_count"] >= 64


def test_cutting_only_on_request(client: httpx2.Client) -> None:
    messages = []
    for number in range(12):
        messages += [
            {"role": "user", "content": f"What is {number} + {number}?"},
            {"role": "assistant", "content": f"{number} + {number} = {2 * number}."},
        ]
    messages.append({"role": "user", "content": "What is 2 + 3?"})
    body = {
        "model": "demo",
        "messages": messages,
        "stream": False,
        "options": {"num_ctx": 96, "num_predict": 5},
    }
    refused = client.post("/api/chat", json=body)
    assert refused.status_code == 400
    assert "96" in refused.json()["error"]
    cut = client.post("/api/chat", json={**body, "truncate": True})
    assert cut.status_code == 200
    assert cut.json()["truncated_messages"] > 0
    assert cut.json()["truncated_tokens"] > 0
    assert cut.headers["Warning"].startswith("199 ")
    assert cut.json()["prompt_eval_count"] < 96


def test_log_probabilities(client: httpx2.Client) -> None:
    body = {
        "model": "demo",
        "messages": QUESTION,
        "stream": False,
        "logprobs": True,
        "top_logprobs": 2,
        "options": {"temperature": 0, "num_predict": 5},
    }
    answer = client.post("/api/chat", json=body).json()
    assert len(answer["logprobs"]) == 5
    text = b"".join(bytes(entry["bytes"]) for entry in answer["logprobs"])
    assert text.decode() == answer["message"]["thinking"]
    for entry in answer["logprobs"]:
        assert entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == 2
        assert entry["top_logprobs"][0]["logprob"] >= entry["top_logprobs"][1]["logprob"]


def test_load_and_unload(official: ollama.Client) -> None:
    assert official.chat("demo", []).done_reason == "load"
    assert [model.model for model in official.ps().models] == ["demo:latest"]
    assert official.chat("demo", [], keep_alive=0).done_reason == "unload"
    assert official.ps().models == []


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"model": "nope", "messages": QUESTION}, 404, "model 'nope' not found"),
        ({"model": "../demo", "messages": QUESTION}, 400, "is not the name of a model"),
        ({"messages": QUESTION, "options": {"num_ctx": "8"}}, 400,
         'option "num_ctx" must be of type integer'),
        ({"messages": QUESTION, "options": {"temperature": "hot"}}, 400,
         'option "temperature" must be of type float32'),
        ({"messages": QUESTION, "options": {"stop": "x"}}, 400,
         'option "stop" must be of type array'),
        ({"messages": QUESTION, "options": {"top_p": 2}}, 400, "top_p must be between 0 and 1"),
        ({"messages": QUESTION, "options": {"num_ctx": 0}}, 400, "at least 1 token"),
        ({"messages": QUESTION, "think": "deeply"}, 400, 'invalid think value: "deeply"'),
        ({"messages": QUESTION, "format": "xml"}, 400, 'invalid format: "xml"'),
        ({"messages": QUESTION, "format": {"type": 5}}, 400, "format"),
        ({"messages": QUESTION, "keep_alive": "soon"}, 400, "keep_alive must be"),
        ({"messages": QUESTION, "top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        ({"messages": [{"role": "robot", "content": "x"}]}, 400, "role must be one of"),
        ({"messages": [{"role": "user", "content": "x", "images": ["YQ=="]}]}, 400, "images"),
        ({"messages": "hi"}, 400, '"messages"'),
    ],
)  # fmt: skip
def test_errors(client: httpx2.Client, body: dict[str, Any], status: int, text: str) -> None:
    response = client.post("/api/chat", json={"model": "demo", **body})
    assert response.status_code == status
    assert list(response.json()) == ["error"]
    assert text in response.json()["error"]


def test_malformed_bodies(client: httpx2.Client) -> None:
    for body, text in ((b"", "missing request body"), (b"{", "not valid JSON"), (b"[]", "object")):
        response = client.post("/api/chat", content=body)
        assert response.status_code == 400
        assert text in response.json()["error"]
    assert client.get("/api/chat").status_code == 405


def test_errors_as_the_official_client_sees_them(official: ollama.Client) -> None:
    import ollama

    with pytest.raises(ollama.ResponseError) as caught:
        official.chat("nope", QUESTION)
    assert (caught.value.status_code, caught.value.error) == (404, "model 'nope' not found")
    with pytest.raises(ollama.ResponseError, match="top_k"):
        list(official.chat("demo", QUESTION, options={"top_k": -5}, stream=True))
