"""Tool calls are read out of text however it is cut, and everything else comes out unchanged."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.text.tool_parser import (
    ToolArguments,
    ToolCall,
    ToolCallParser,
    ToolEvent,
    ToolStart,
    ToolText,
)

NAMES = ("get_weather", "add")


def read(
    pieces: list[str], *, parallel: bool = True, enforced: bool = False
) -> tuple[str, list[tuple[str, str]], list[ToolEvent]]:
    """Text, calls and events of an answer that comes in these pieces."""
    parser = ToolCallParser(NAMES, parallel=parallel, enforced=enforced)
    events = [event for piece in pieces for event in parser.push(piece)] + parser.finish()
    text = "".join(event.text for event in events if isinstance(event, ToolText))
    assert from_events(events) == parser.calls
    return text, [(call.name, call.arguments) for call in parser.calls], events


def from_events(events: list[ToolEvent]) -> list[ToolCall]:
    """Calls put together from the events, as a client does it."""
    started = [event for event in events if isinstance(event, ToolStart)]
    assert [event.call for event in started] == list(range(len(started)))
    return [
        ToolCall(
            start.id,
            start.name,
            "".join(
                e.text for e in events if isinstance(e, ToolArguments) and e.call == start.call
            ),
        )
        for start in started
    ]


def marked(name: str, arguments: str, fence: bool = True) -> str:
    body = f"\n```json\n{arguments}\n```" if fence else f" {arguments}"
    return f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}{body}<｜tool▁call▁end｜>"


ONE = marked("get_weather", '{"city": "Bei\\"}jing"}')
TWO = marked("add", '{"a": 1, "b": [2, {}]}')
WEATHER = ("get_weather", '{"city": "Bei\\"}jing"}')
ADD = ("add", '{"a": 1, "b": [2, {}]}')

CALLS = [
    (f"<｜tool▁calls▁begin｜>{ONE}<｜tool▁calls▁end｜>", "", [WEATHER]),
    (f"<｜tool▁calls▁begin｜>{ONE}\n{TWO}<｜tool▁calls▁end｜>", "", [WEATHER, ADD]),
    (f"Let me see.\n\n<｜tool▁calls▁begin｜>{TWO}<｜tool▁calls▁end｜>\n", "Let me see.", [ADD]),
    (f"{ONE}", "", [WEATHER]),
    (f"<｜tool▁calls▁begin｜>{TWO}<｜tool▁calls▁end｜><｜tool▁outputs▁begin｜>3", "", [ADD]),
    (f"<｜tool▁calls▁begin｜>{TWO}", "", [ADD]),
    ("<｜tool▁calls▁begin｜>" + TWO.replace("<｜tool▁call▁end｜>", ""), "", [ADD]),
    (f"<|tool_calls_begin|>{TWO.replace('▁', '_').replace('｜', '|')}", "", [ADD]),
    (f"<｜tool calls begin｜>{TWO.replace('▁', ' ')}<｜tool calls end｜>", "", [ADD]),
    (f"<｜tool\\_calls\\_begin｜>{TWO}", "", [ADD]),
    ("<｜tool▁calls▁begin｜>" + marked("add", ADD[1], fence=False), "", [ADD]),
    ('<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": [2, {}]}}\n</tool_call>', "", [ADD]),
    ('Yes: <tool_call>{"arguments": {}, "name": "add"}</tool_call>\n'
     '<tool_call>{"name": "add", "parameters": {"a": 1}}</tool_call>',
     "Yes:", [("add", "{}"), ("add", '{"a": 1}')]),
    ('{"name": "add", "arguments": {"a": 1}}', "", [("add", '{"a": 1}')]),
    ('```json\n{"name": "add", "arguments": "{\\"a\\": 1}"}\n```', "", [("add", '{"a": 1}')]),
    ('```\n[{"name": "add", "arguments": {}}, {"name": "add", "arguments": {}}]\n```\n', "",
     [("add", "{}"), ("add", "{}")]),
    ('{"tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {}}}]}', "",
     [("add", "{}")]),
    ('{"name": "add", "arguments": {}}\nThat is my call.', "That is my call.", [("add", "{}")]),
]  # fmt: skip

TEXTS = [
    "",
    " \n",
    "Beijing is a big city.\n",
    "a < b <| c <｜tool▁ca",
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁calls▁begin｜>well",
    "<｜tool▁calls▁begin｜>" + marked("unknown", "{}"),
    "<｜tool▁calls▁begin｜>" + marked("add", "{not json}") + "<｜tool▁calls▁end｜>",
    '<｜tool▁call▁begin｜>function<｜tool▁sep｜>add\n```json\n{"a": 1',
    "<tool_call>add(1)</tool_call>",
    '<tool_call>{"name": "unknown", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "add", "arguments": [1]}</tool_call> and on',
    '{"answer": 42}',
    '{"name": "add"}',
    '```json\n{"a": 1}\n```\nis JSON.',
    "```python\nprint()\n```",
    "```json",
    "[1] says {that}",
    "{ set } theory",
    '{"open": "',
    "<｜tool▁call▁begin｜>" + " " * 300 + "{",
]


@st.composite
def cut(draw: st.DrawFn, text: str) -> list[str]:
    """The text in pieces of random size."""
    pieces = []
    while text:
        size = draw(st.integers(1, 12))
        pieces.append(text[:size])
        text = text[size:]
    return pieces


@pytest.mark.parametrize(("answer", "text", "calls"), CALLS)
def test_reads_calls(answer: str, text: str, calls: list[tuple[str, str]]) -> None:
    for pieces in ([answer], list(answer)):
        found, made, events = read(pieces)
        assert (found, made) == (text, calls)
        ids = {event.id for event in events if isinstance(event, ToolStart)}
        assert len(ids) == len(calls)
        assert all(len(i) == len("call_") + 8 and i.startswith("call_") for i in ids)


@pytest.mark.parametrize("answer", TEXTS)
def test_passes_text_on_unchanged(answer: str) -> None:
    for pieces in ([answer], list(answer)):
        assert read(pieces)[:2] == (answer, [])


@given(st.data())
def test_cuts_do_not_matter(data: st.DataObject) -> None:
    answer = data.draw(st.sampled_from([case[0] for case in CALLS] + TEXTS))
    answer += data.draw(st.sampled_from(["", "\n", "more", "<｜tool▁call", "```"]))
    whole = read([answer])
    assert read(data.draw(cut(answer)))[:2] == whole[:2]
    assert all(isinstance(json.loads(arguments), dict) for _, arguments in whole[1])


@given(st.text(alphabet='<｜tol▁cals▁begin|>_{}[]"`jsn \n', max_size=60), st.data())
def test_random_text_is_never_lost(text: str, data: st.DataObject) -> None:
    assert read(data.draw(cut(text)))[:2] == (text, [])


@pytest.mark.parametrize("answer", [case[0] for case in CALLS if len(case[2]) == 2])
def test_at_most_one_call(answer: str) -> None:
    text, calls, _ = read([answer], parallel=False)
    assert len(calls) == 1
    assert text in ("", "Yes:")


def test_text_comes_at_once() -> None:
    parser = ToolCallParser(NAMES)
    assert parser.push("Hello") == [ToolText("Hello")]
    assert parser.push(" you") == [ToolText(" you")]


def test_enforced_arguments_come_as_they_are_written() -> None:
    parser = ToolCallParser(NAMES, enforced=True)
    head, tail = f"<｜tool▁calls▁begin｜>{TWO}<｜tool▁calls▁end｜>".split('"a"')
    (start,) = [e for e in parser.push(head) if isinstance(e, ToolStart)]
    assert (start.call, start.name) == (0, "add")
    assert parser.push('"a"') == [ToolArguments(0, '"a"')]
    assert parser.push(tail) == [ToolArguments(0, ': 1, "b": [2, {}]}')]
    assert parser.finish() == []
    assert [(c.name, c.arguments) for c in parser.calls] == [ADD]


def test_an_enforced_call_may_be_cut_off() -> None:
    answer = f"<｜tool▁calls▁begin｜>{TWO}".split("[2")[0]
    for pieces in ([answer], list(answer)):
        text, calls, _ = read(pieces, enforced=True)
        assert (text, calls) == ("", [("add", '{"a": 1, "b": ')])
