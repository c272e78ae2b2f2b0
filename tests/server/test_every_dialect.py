"""One request in every dialect: what is said in one must hold in all."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from .openai.asked import TOO_LONG

httpx2 = pytest.importorskip("httpx2")

SEEDS = range(5)
QUESTION = [{"role": "user", "content": "What is 12 + 30?"}]
PROMPT = "A person as JSON: "
# As pydantic writes it: no word about further properties, numbers without bounds.
SCHEMA: dict[str, Any] = {
    "$defs": {
        "Home": {
            "properties": {"zip": {"title": "Zip", "type": "integer"}},
            "required": ["zip"],
            "title": "Home",
            "type": "object",
        }
    },
    "properties": {
        "answer": {"title": "Answer", "type": "integer"},
        "share": {"title": "Share", "type": "number"},
        "home": {"$ref": "#/$defs/Home"},
        "nick": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
    },
    "required": ["answer", "share", "home"],
    "title": "Answer",
    "type": "object",
}
CLOSED = SCHEMA | {"additionalProperties": False}
FORMAT = {"type": "json_schema", "json_schema": {"name": "answer", "schema": SCHEMA}}
TOOL = {"type": "function", "function": {"name": "answer", "parameters": SCHEMA}}
NAMED = {"type": "function", "function": {"name": "answer"}}


def content(body: Any) -> str:
    return body["choices"][0]["message"]["content"]


def arguments(body: Any) -> str:
    return body["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]


# Route, body, where the text is. The seed is added.
SCHEMAS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "response_format": (
        "/v1/chat/completions",
        {"messages": QUESTION, "response_format": FORMAT, "max_tokens": 400},
        content,
    ),
    "structured_outputs": (
        "/v1/chat/completions",
        {"messages": QUESTION, "structured_outputs": {"json": SCHEMA}, "max_tokens": 400},
        content,
    ),
    "text completion": (
        "/v1/completions",
        {"prompt": PROMPT, "response_format": FORMAT, "max_tokens": 400},
        lambda body: body["choices"][0]["text"],
    ),
    "tools, required": (
        "/v1/chat/completions",
        {
            "messages": QUESTION,
            "tools": [TOOL],
            "tool_choice": "required",
            "parallel_tool_calls": False,
            "max_tokens": 400,
        },
        arguments,
    ),
    "tool, named": (
        "/v1/chat/completions",
        {"messages": QUESTION, "tools": [TOOL], "tool_choice": NAMED, "max_tokens": 400},
        arguments,
    ),
    "/api/chat": (
        "/api/chat",
        {"messages": QUESTION, "format": SCHEMA, "stream": False},
        lambda body: body["message"]["content"],
    ),
    "/api/generate": (
        "/api/generate",
        {"prompt": "What is 12 + 30?", "format": SCHEMA, "stream": False},
        lambda body: body["response"],
    ),
    "/completion": (
        "/completion",
        {"prompt": PROMPT, "json_schema": SCHEMA, "n_predict": 400},
        lambda body: body["content"],
    ),
}


@pytest.mark.parametrize("way", SCHEMAS)
def test_a_schema_without_a_word_about_further_properties(client: httpx2.Client, way: str) -> None:
    path, body, text_of = SCHEMAS[way]
    for seed in SEEDS:
        given = {"options": {"seed": seed, "num_predict": 400}} if "/api/" in path else {
            "seed": seed
        }  # fmt: skip
        answer = client.post(path, json=body | given).raise_for_status().json()
        jsonschema.validate(json.loads(text_of(answer)), CLOSED)


SIX = ["\nclass", "\ndef", "\n#", "\nif", "\nprint", "42"]


@pytest.mark.parametrize(
    ("path", "body", "text_of"),
    [
        (
            "/v1/chat/completions",
            {"messages": QUESTION, "stop": SIX, "max_completion_tokens": -1},
            content,
        ),
        (
            "/v1/completions",
            {"prompt": "12 + 30 = 42 = ", "stop": SIX, "max_tokens": -1},
            lambda body: body["choices"][0]["text"],
        ),
        (
            "/api/chat",
            {
                "messages": QUESTION,
                "stream": False,
                "options": {"stop": SIX, "num_predict": -2, "temperature": 0},
            },
            lambda body: body["message"]["content"],
        ),
        (
            "/completion",
            {"prompt": "12 + 30 = 42 = ", "stop": SIX, "n_predict": -1},
            lambda body: body["content"],
        ),
    ],
)
def test_six_stop_strings_and_no_limit(
    client: httpx2.Client, path: str, body: dict[str, Any], text_of: Any
) -> None:
    sampled = {} if "options" in body else {"temperature": 0}
    answer = client.post(path, json=body | sampled).raise_for_status().json()
    assert not any(stop in text_of(answer) for stop in SIX)


CHATS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "/v1/chat/completions": (
        {"messages": QUESTION, "temperature": 0},
        lambda stop: {"stop": stop},
        lambda body: (
            body["choices"][0]["message"].get("reasoning_content"),
            content(body),
        ),
    ),
    "/api/chat": (
        {"messages": QUESTION, "stream": False},
        lambda stop: {"options": {"temperature": 0, "stop": stop}},
        lambda body: (body["message"].get("thinking"), body["message"]["content"]),
    ),
    "/api/generate": (
        {"prompt": QUESTION[0]["content"], "stream": False},
        lambda stop: {"options": {"temperature": 0, "stop": stop}},
        lambda body: (body.get("thinking"), body["response"]),
    ),
}


@pytest.mark.parametrize("path", CHATS)
def test_stop_strings_act_on_the_content(client: httpx2.Client, path: str) -> None:
    body, stops, parts_of = CHATS[path]

    def ask(*stop: str) -> tuple[str, str]:
        return parts_of(client.post(path, json=body | stops(list(stop))).raise_for_status().json())

    reasoning, text = ask()
    assert "42" in reasoning
    assert "42" in text
    assert ask("\n\n") == (reasoning, text)  # what lm-eval sends
    assert ask("42") == (reasoning, text.partition("42")[0])


BEGUN = [*QUESTION, {"role": "assistant", "content": "12 + 30 = 4"}]


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/api/chat"])
def test_an_answer_that_was_begun_is_continued(client: httpx2.Client, path: str) -> None:
    body, stops, parts_of = CHATS[path]

    def ask(answer: dict[str, Any], **more: Any) -> tuple[str | None, str]:
        messages = [*QUESTION, {"role": "assistant", **answer}]
        given = body | stops([]) | {"messages": messages} | more
        return parts_of(client.post(path, json=given).raise_for_status().json())

    assert ask({"content": "12 + 30 = 4"}) == (None, "2.")
    assert ask({"content": "<think>\n12 + 30 = 42\n</think>\n\n12 + 30 = 4"}) == (None, "2.")
    # A reasoning that was begun as the model would: the rest is what it would say.
    whole, answer = parts_of(client.post(path, json=body).json())
    begun = whole[: whole.index(" ", 1)]
    rest = (whole.removeprefix(begun), answer)
    assert ask({"content": f"<think>\n{begun}"}) == rest
    assert ask({"content": "", "thinking": begun}) == rest
    if path == "/api/chat":
        return
    fresh = ask({"content": "12 + 30 = 4"}, continue_final_message=False)
    assert fresh[0]
    unsplit = ask({"content": f"<think>\n{begun}"}, reasoning_format="none")
    assert unsplit[1].startswith(rest[0])  # no second tag
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}},
              "required": ["answer"]}  # fmt: skip
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    _, end = ask({"content": '{"answer": 4'}, response_format=wanted)
    assert json.loads('{"answer": 4' + end)
    wrong = {"messages": BEGUN, "response_format": wanted}
    assert client.post(path, json=wrong).status_code == 400


def test_a_template_shows_what_is_continued(client: httpx2.Client) -> None:
    for path, more, end in (
        ("/apply-template", {}, "12 + 30 = 4"),
        ("/apply-template", {"continue_final_message": False}, "<think>\n"),
        ("/apply-template", {"add_generation_prompt": True}, "<think>\n"),
    ):
        answer = client.post(path, json={"messages": BEGUN} | more).raise_for_status().json()
        assert answer["prompt"].endswith(end)


def test_stop_strings_act_on_the_content_where_it_is_not_split(client: httpx2.Client) -> None:
    asked = {"messages": QUESTION, "temperature": 0, "reasoning_format": "none"}
    whole = content(client.post("/v1/chat/completions", json=asked).json())
    cut = content(client.post("/v1/chat/completions", json=asked | {"stop": ["42"]}).json())
    reasoning, tag, text = whole.partition("</think>")
    assert "42" in reasoning
    assert cut == reasoning + tag + text.partition("42")[0]


def test_stop_strings_of_raw_prompts_act_everywhere(client: httpx2.Client) -> None:
    asked = {"prompt": "12 + 30 = <think>\nWell, 12 + 30 = ", "temperature": 0, "max_tokens": 9}
    text = client.post("/v1/completions", json=asked).json()["choices"][0]["text"]
    stop = text[1:3]
    cut = client.post("/v1/completions", json=asked | {"stop": stop}).json()["choices"][0]["text"]
    assert cut == text.partition(stop)[0]


NO_REASONING: dict[str, dict[str, Any]] = {
    "enable_thinking": {"enable_thinking": False},
    "think": {"think": False},
    "reasoning": {"reasoning": {"effort": "none"}},
    "reasoning_effort": {"reasoning_effort": "none"},
    "chat_template_kwargs": {"chat_template_kwargs": {"enable_thinking": False}},
    "thinking": {"thinking": {"type": "disabled"}},
}


@pytest.mark.parametrize("field", NO_REASONING)
def test_reasoning_is_turned_off_in_every_spelling(client: httpx2.Client, field: str) -> None:
    asked = {"messages": QUESTION, "temperature": 0, "max_tokens": 60}
    answer = client.post("/v1/chat/completions", json=asked | NO_REASONING[field]).json()
    assert "reasoning_content" not in answer["choices"][0]["message"]
    assert content(answer)


@pytest.mark.parametrize(
    "fields",
    [
        {"guided_regex": "[a-c]{3}"},
        {"regex": "[a-c]{3}"},
        {"guided_choice": ["aaa", "abc"]},
        {"guided_grammar": 'root ::= [a-c] [a-c] "c"'},
        {"ebnf": 'root ::= [a-c] [a-c] "c"'},
        {"structured_outputs": {"regex": "[a-c]{3}", "disable_fallback": True}},
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_formats_of_other_servers(client: httpx2.Client, path: str, fields: dict[str, Any]) -> None:
    asked = {"messages": QUESTION} if "chat" in path else {"prompt": "abc"}
    answer = client.post(path, json=asked | fields | {"seed": 1}).raise_for_status().json()
    choice = answer["choices"][0]
    text = choice["message"]["content"] if "chat" in path else choice["text"]
    assert set(text) <= set("abc")
    assert len(text) == 3


@pytest.mark.parametrize(
    ("path", "fields", "param"),
    [
        ("/v1/chat/completions", {"messages": QUESTION, "mirostat": 2}, "mirostat"),
        ("/v1/completions", {"prompt": "a", "bad_words": ["b"]}, "bad_words"),
        ("/api/chat", {"messages": QUESTION, "temperature": 0.5}, "temperature"),
        ("/api/generate", {"prompt": "a", "options": {"mirostat": 1}}, "options.mirostat"),
        ("/completion", {"prompt": "a", "guided_regex": "b"}, "guided_regex"),
    ],
)
def test_what_is_not_obeyed_is_refused(
    client: httpx2.Client, path: str, fields: dict[str, Any], param: str
) -> None:
    response = client.post(path, json=fields)
    assert response.status_code == 400
    assert f'\\"{param}\\" is not supported' in response.text


@pytest.mark.parametrize("path", TOO_LONG)
def test_a_prompt_that_is_too_long_is_known_for_it(client: httpx2.Client, path: str) -> None:
    """By the words that litellm, LangChain and agents look for."""
    response = client.post(path, json=TOO_LONG[path])
    assert response.status_code == 400
    error = response.json()["error"]
    message = error if isinstance(error, str) else error["message"]
    if path == "/completion":
        assert "exceeds the available context size" in message
        assert error["type"] == "exceed_context_size_error"
    else:
        for words in ("is too long", "exceeds the context window", "maximum context length is"):
            assert words in message
    if path.startswith("/v1/"):
        assert error["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "accept",
    [
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
        "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",  # Prometheus 2
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;"
        "version=1.0.0;escaping=allow-utf-8;q=0.4",  # Prometheus 3
        "text/plain;version=1.0.0;escaping=underscores",
        "*/*",
    ],
)
def test_metrics_have_their_names_whoever_asks(client: httpx2.Client, accept: str) -> None:
    client.post("/completion", json={"prompt": "a", "n_predict": 2}).raise_for_status()
    response = client.get("/metrics", headers={"accept": accept}).raise_for_status()
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    for name in (
        "vllm:num_requests_running{",
        "vllm:prompt_tokens_total{",
        "vllm:time_to_first_token_seconds_bucket{",
        "llamacpp:prompt_tokens_total ",
        "pyinfer:rss_bytes{",
    ):
        assert f"\n{name}" in response.text


def test_a_base_address_without_its_version(client: httpx2.Client) -> None:
    asked = {"messages": QUESTION, "max_tokens": 3}
    answer = client.post("/chat/completions", json=asked).raise_for_status().json()
    assert answer["object"] == "chat.completion"
    text = client.post("/completions", json={"prompt": "a", "n_predict": 2}).raise_for_status()
    assert text.json()["tokens_predicted"] == 2
    assert client.get("/models").json() == client.get("/v1/models").json()
    assert client.get("/models/demo").json()["id"] == client.get("/v1/models/demo").json()["id"]
    vectors = client.post("/embeddings", json={"input": "a"}).raise_for_status().json()
    assert vectors == client.post("/v1/embeddings", json={"input": "a"}).json()
    wrong = client.post("/chat/completions", json={"messages": []})
    assert wrong.status_code == 400
    assert wrong.json()["error"]["param"] == "messages"
    lost = client.post("/v1/chat/completion", json=asked)
    assert lost.status_code == 404
    assert lost.json()["error"]["message"] == (
        "nothing is served under /v1/chat/completion. the nearest route is /v1/chat/completions"
    )


def test_a_custom_tool_is_called_with_text(client: httpx2.Client) -> None:
    form = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "[a-c]{3}"}}
    tool = {"type": "custom", "custom": {"name": "write", "format": form}}
    asked = {
        "messages": QUESTION,
        "tools": [TOOL, tool],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "required", "tools": [tool]},
        },
        "parallel_tool_calls": False,
        "seed": 3,
    }
    answer = client.post("/v1/chat/completions", json=asked).raise_for_status().json()
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert (call["type"], call["custom"]["name"]) == ("custom", "write")
    assert len(call["custom"]["input"]) == 3
    deltas = [
        delta
        for chunk in events(client, "/v1/chat/completions", asked | {"stream": True})
        for choice in chunk["choices"]
        for delta in choice["delta"].get("tool_calls", ())
    ]
    assert [delta["index"] for delta in deltas] == [0, 0]
    assert (deltas[0]["type"], deltas[0]["custom"]) == ("custom", {"name": "write", "input": ""})
    assert deltas[1]["custom"] == {"input": call["custom"]["input"]}
    # And the round trip.
    history = [*QUESTION, answer["choices"][0]["message"],
               {"role": "tool", "tool_call_id": call["id"], "content": "done"}]  # fmt: skip
    again = asked | {"messages": history, "tool_choice": "none", "max_tokens": 5}
    client.post("/v1/chat/completions", json=again).raise_for_status()


def events(client: httpx2.Client, path: str, body: dict[str, Any]) -> list[Any]:
    """Objects of a stream."""
    lines = client.post(path, json=body).raise_for_status().text.splitlines()
    found = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(text) for text in found if text != "[DONE]"]
