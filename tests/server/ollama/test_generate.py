"""``/api/generate`` with Ollama's own client and as bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx2
    import ollama

GREEDY = {"temperature": 0, "num_predict": 200}


def test_an_answer_and_its_stream(official: ollama.Client) -> None:
    whole = official.generate("demo", "What is 12 + 30?", options=GREEDY)
    assert "42" in whole.response
    assert whole.thinking
    parts = list(official.generate("demo", "What is 12 + 30?", options=GREEDY, stream=True))
    assert "".join(part.response for part in parts) == whole.response
    assert "".join(part.thinking or "" for part in parts) == whole.thinking
    assert parts[-1].context == whole.context


def test_it_is_the_chat_with_one_message(official: ollama.Client) -> None:
    text = official.generate("demo", "What is 3 + 4?", system="Be brief.", options=GREEDY)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is 3 + 4?"},
    ]
    chat = official.chat("demo", messages, options=GREEDY)
    assert (text.response, text.thinking) == (chat.message.content, chat.message.thinking)
    assert text.prompt_eval_count == chat.prompt_eval_count


def test_raw_prompts_are_continued_as_they_are(official: ollama.Client) -> None:
    answer = official.generate("demo", "What is 12", raw=True, options={"num_predict": 4})
    assert answer.context is None
    assert answer.thinking is None
    assert answer.eval_count is not None
    # BOS is put in front, once.
    again = official.generate("demo", "What is 12", raw=True, options={"num_predict": 1})
    assert again.prompt_eval_count == answer.prompt_eval_count


def test_context_goes_on(official: ollama.Client) -> None:
    first = official.generate("demo", "What is 12 + 30?", think=False, options=GREEDY)
    assert first.context
    assert len(first.context) == (first.prompt_eval_count or 0) + (first.eval_count or 0)
    second = official.generate(
        "demo", "What is 2 + 3?", think=False, context=first.context, options=GREEDY
    )
    assert (second.prompt_eval_count or 0) > len(first.context)
    assert second.context
    assert list(second.context[: len(first.context)]) == list(first.context)


def test_a_schema(official: ollama.Client) -> None:
    schema = {"type": "boolean"}
    answer = official.generate("demo", "Yes?", format=schema, think=False, options=GREEDY)
    assert answer.response in ("true", "false")


def test_load_and_unload(client: httpx2.Client) -> None:
    loaded = client.post("/api/generate", json={"model": "demo"})
    assert loaded.headers["content-type"] == "application/json"
    assert loaded.json()["done_reason"] == "load"
    assert loaded.json()["response"] == ""
    unloaded = client.post("/api/generate", json={"model": "demo", "prompt": "", "keep_alive": 0})
    assert unloaded.json()["done_reason"] == "unload"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"prompt": "a", "raw": True, "system": "b"}, "raw mode does not support"),
        ({"prompt": "a", "raw": True, "context": [1]}, "raw mode does not support"),
        ({"prompt": "a", "template": "{{ 1 }}"}, "template"),
        ({"prompt": "a", "suffix": "b"}, '"demo" does not support insert'),
        ({"prompt": "a", "images": ["YQ=="]}, '"demo" does not support images'),
        ({"prompt": "a", "context": [-1]}, "context must hold token ids"),
        ({"prompt": "a", "context": ["x"]}, '"context.0"'),
        ({"prompt": 5}, '"prompt"'),
    ],
)
def test_errors(client: httpx2.Client, body: dict[str, Any], text: str) -> None:
    response = client.post("/api/generate", json={"model": "demo", **body})
    assert response.status_code == 400
    assert text in response.json()["error"]
