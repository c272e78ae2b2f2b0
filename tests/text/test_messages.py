"""Chat messages: what is accepted, what is simplified, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from pyinfer.errors import RequestError
from pyinfer.text.messages import normalize_messages


def one(**message: Any) -> dict[str, Any]:
    return normalize_messages([message])[0]


def test_text_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"text": "b"}, "c"]
    assert one(role="user", content=parts)["content"] == "a\nb\nc"


def test_developer_is_system() -> None:
    assert one(role="developer", content="x") == {"role": "system", "content": "x"}


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("<think>\nhm\n</think>\n\nyes", "\n\nyes"),
        ("hm</think>yes", "yes"),
        ("a</think>b</think>c", "c"),
        (" <think>cut off", ""),
        ("plain <think> text", "plain <think> text"),
    ],
)
def test_reasoning_of_earlier_answers_is_dropped(content: str, kept: str) -> None:
    assert one(role="assistant", content=content)["content"] == kept
    assert one(role="user", content=content)["content"] == content


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "thinking"])
def test_reasoning_fields_are_dropped(field: str) -> None:
    message = {"role": "assistant", "content": "x", field: "because"}
    assert one(**message) == {"role": "assistant", "content": "x"}
    with pytest.raises(RequestError, match=field):
        one(role="assistant", content="x", **{field: 3})


def test_tool_calls() -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": {"city": "Köln"}}}
    message = one(role="assistant", content="", tool_calls=[call])
    assert message["content"] is None
    assert message["tool_calls"] == [
        {"type": "function", "id": "1", "function": {"name": "f", "arguments": '{"city": "Köln"}'}}
    ]
    assert one(role="assistant", content="", tool_calls=None)["content"] == ""


def test_input_is_not_changed() -> None:
    message = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]}
    normalize_messages([message])
    assert message == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "f"}}],
    }


@pytest.mark.parametrize(
    "messages",
    [
        "hello",
        {"role": "user"},
        None,
        3,
        ["hello"],
        [{"content": "x"}],
        [{"role": "robot", "content": "x"}],
        [{"role": ["user"], "content": "x"}],
        [{"role": "user"}],
        [{"role": "user", "content": 3}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
        [{"role": "user", "content": [3]}],
        [{"role": "user", "content": [{"type": "text"}]}],
        [{"role": "user", "content": "\ud800"}],
        [{"role": "user", "content": "x", "name": 3}],
        [{"role": "user", "content": "x", "tool_calls": [{"function": {"name": "f"}}]}],
        [{"role": "assistant", "content": None, "tool_calls": {"function": {}}}],
        [{"role": "assistant", "content": None, "tool_calls": [3]}],
        [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": 3}}]}],
        [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {1j}}}]}],
        [
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "f", "arguments": float("nan")}}],
            }
        ],
    ],
)
def test_refused(messages: Any) -> None:
    with pytest.raises(RequestError) as caught:
        normalize_messages(messages)
    assert "messages" in str(caught.value)
