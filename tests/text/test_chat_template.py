"""Chat templates: the published R1 format, thinking on and off, safe content."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import jinja2.sandbox
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pyinfer.errors import ModelUnsupportedError, RequestError
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.messages import normalize_messages
from pyinfer.text.tokenizer import Tokenizer

R1_SOURCE = (Path(__file__).parent / "golden" / "r1_chat_template.jinja").read_text("utf-8")
# The first published form opens the assistant's turn only.
R1_FIRST_FORM = R1_SOURCE.replace("<｜Assistant｜><think>\\n'}}", "<｜Assistant｜>'}}")
# Of DeepSeek-R1-0528-Qwen3-8B.
R1_0528 = (Path(__file__).parent / "golden" / "r1_0528_qwen3_chat_template.jinja").read_text(
    "utf-8"
)
BOS, USER, ASSISTANT = "<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"
END = "<｜end▁of▁sentence｜>"
EMPTY = "<think>\n\n</think>\n\n"
CHATML = (
    "{{ bos_token }}{% for m in messages %}<|im|>{{ m.role }}\n{{ m.content }}\n"
    "{% for c in m.tool_calls %}{{ c.function.name }} {{ c.function.arguments }}{% endfor %}"
    "{% endfor %}"
    "{% if tools %}{{ tools | tojson }}{% endif %}"
    "{% if add_generation_prompt %}<|im|>assistant\n{% endif %}"
)
REASONING_CHATML = CHATML + "{# </think> #}"


def user(text: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


@pytest.fixture(scope="module")
def r1_template(mini: Tokenizer) -> ChatTemplate:
    template = ChatTemplate(mini)
    assert template.built_in
    return template


@functools.cache
def compiled(source: str) -> jinja2.Template:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def jinja_render(source: str, messages: list[dict[str, Any]], add: bool) -> str:
    return compiled(source).render(
        messages=messages, add_generation_prompt=add, bos_token=BOS, eos_token=END
    )


plain = st.text("ab \n<é", max_size=6)
calls = st.lists(
    st.fixed_dictionaries({"name": plain, "arguments": plain}).map(
        lambda f: {"type": "function", "function": f}
    ),
    min_size=1,
    max_size=3,
)
message = st.one_of(
    st.builds(lambda r, c: {"role": r, "content": c}, st.sampled_from(["system", "user"]), plain),
    st.builds(lambda c: {"role": "assistant", "content": c}, plain),
    st.builds(lambda c: {"role": "assistant", "content": f"reason</think>{c}"}, plain),
    st.builds(lambda c: {"role": "assistant", "content": None, "tool_calls": c}, calls),
    st.builds(lambda c: {"role": "tool", "content": c}, plain),
)


@given(messages=st.lists(message, max_size=6), add=st.booleans(), first_form=st.booleans())
def test_built_in_format_equals_the_template(
    mini: Tokenizer, messages: list[dict[str, Any]], add: bool, first_form: bool
) -> None:
    source = R1_FIRST_FORM if first_form else R1_SOURCE
    template = ChatTemplate(mini, source)
    assert template.built_in
    # What differs on purpose, such as dropped reasoning, is in test_messages.py.
    expected = jinja_render(source, normalize_messages(messages), add)
    if add and not expected.endswith("<think>\n"):
        expected += "<think>\n"
    assert template.render(messages, add) == expected


@given(messages=st.lists(message, max_size=5), add=st.booleans())
def test_the_template_of_r1_0528_runs_as_it_is(
    mini: Tokenizer, messages: list[dict[str, Any]], add: bool
) -> None:
    template = ChatTemplate(mini, R1_0528)
    assert not template.built_in
    assert template.reasons
    normal = normalize_messages(messages)
    for one in normal:
        # The template fails for None; and a leading line break of an answer is dropped.
        one["content"] = (one["content"] or "").lstrip("\n" if one["role"] == "assistant" else "")
    expected = jinja_render(R1_0528, normal, add)
    if add and not expected.endswith("<think>\n"):
        expected += "\n" if expected.endswith("<think>") else "<think>\n"
    assert template.render(messages, add) == expected


@pytest.mark.parametrize("content", [None, ""])
def test_tools_and_history_of_r1_0528(mini: Tokenizer, content: str | None) -> None:
    function = {"name": "weather", "arguments": '{"city": "Köln"}'}
    call = {"type": "function", "function": function}
    messages = [
        {"role": "system", "content": "Be brief."},
        *user("Weather?"),
        {"role": "assistant", "content": content, "tool_calls": [call, call]},
        {"role": "tool", "content": "12 C"},
        {"role": "tool", "content": "13 C"},
    ]
    template = ChatTemplate(mini, R1_0528)
    written = (
        "<｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n```json\n"
        '{"city": "Köln"}\n```<｜tool▁call▁end｜>'
    )
    text = (
        f"{BOS}Be brief.{USER}Weather?{ASSISTANT}<｜tool▁calls▁begin｜>{written}\n{written}"
        f"<｜tool▁calls▁end｜>{END}<｜tool▁outputs▁begin｜><｜tool▁output▁begin｜>12 C"
        "<｜tool▁output▁end｜>\n<｜tool▁output▁begin｜>13 C<｜tool▁output▁end｜>"
        "<｜tool▁outputs▁end｜>"
    )
    for _ in range(2):  # the second time without trying None first
        assert template.render(messages) == text + "<think>\n"
    messages += [{"role": "assistant", "content": "<think>so</think>12 and 13"}, *user("Sure?")]
    assert template.render(messages) == f"{text}12 and 13{END}{USER}Sure?{ASSISTANT}<think>\n"


def test_a_refusal_is_told_as_it_came_first(mini: Tokenizer) -> None:
    source = "{{ raise_exception(messages[0].content is none) }}"
    call = {"type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [{"role": "assistant", "content": None, "tool_calls": [call]}]
    with pytest.raises(RequestError, match="True"):
        ChatTemplate(mini, source).render(messages)


def test_published_conversations(test_data: Path, r1: Tokenizer, r1_gguf: Tokenizer) -> None:
    rows = json.loads((test_data / "templates" / "r1-distill-golden.json").read_text("utf-8"))
    assert len(rows) == 9
    for tokenizer in (r1, r1_gguf):
        template = ChatTemplate(tokenizer, R1_SOURCE)
        for row in rows:
            prompt = template.prompt(row["messages"], row["add_generation_prompt"])
            assert prompt.text == row["text"], row["name"]
            assert prompt.token_ids == row["ids"], row["name"]
            assert prompt.starts_in_reasoning == row["text"].endswith("<think>\n")


def test_other_published_templates(test_data: Path, mini: Tokenizer) -> None:
    messages = [{"role": "system", "content": "S"}, *user("hi")]
    for name in ("Qwen-Qwen2.5-7B-Instruct.jinja", "llama-cpp-deepseek-r1.jinja"):
        source = (test_data / "templates" / name).read_text("utf-8")
        template = ChatTemplate(mini, source)
        assert not template.built_in
        assert template.render(messages) == jinja_render(source, messages, True)


def test_qwen_template_gets_tool_arguments_as_object(test_data: Path, mini: Tokenizer) -> None:
    source = (test_data / "templates" / "Qwen-Qwen2.5-7B-Instruct.jinja").read_text("utf-8")
    function = {"name": "f", "arguments": '{"city": "Köln"}'}
    messages = [
        *user("x"),
        {"role": "assistant", "content": "", "tool_calls": [{"function": function}]},
    ]
    text = ChatTemplate(mini, source).render(messages)
    assert '{"name": "f", "arguments": {"city": "Köln"}}' in text


@pytest.mark.parametrize(
    ("source", "opened"),
    [
        (R1_SOURCE, ""),
        (R1_FIRST_FORM, ""),
        (REASONING_CHATML, ""),
        (REASONING_CHATML, "{{ '<think>\\n' }}"),
        (REASONING_CHATML, "<think>"),
    ],
    ids=["r1", "r1-first-form", "other", "other-opened", "other-half-opened"],
)
def test_thinking(mini: Tokenizer, source: str, opened: str) -> None:
    template = ChatTemplate(mini, source + opened)
    for think in (None, True):
        prompt = template.prompt(user("q"), think=think)
        assert prompt.text.endswith("<think>\n")
        assert prompt.text.count("<think>") == 1
        assert prompt.starts_in_reasoning
    prompt = template.prompt(user("q"), think=False)
    assert prompt.text.endswith(EMPTY)
    assert prompt.text.count("<think>") == 1
    assert not prompt.starts_in_reasoning
    closed = template.prompt(user("q"), add_generation_prompt=False, think=False)
    assert closed.text.count("<think>") == (1 if opened else 0)
    assert not closed.starts_in_reasoning


def test_template_that_closes_the_reasoning_itself(mini: Tokenizer) -> None:
    source = CHATML + "{% if not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}"
    text = ChatTemplate(mini, source).render(user("q"), think=False)
    assert text.count("<think>") == 1


def test_model_that_does_not_reason(mini: Tokenizer) -> None:
    template = ChatTemplate(mini, CHATML)
    for think in (None, False):
        assert "think" not in template.render(user("q"), think=think)
    with pytest.raises(RequestError, match="does not support thinking"):
        template.render(user("q"), think=True)


def test_no_template(write_folder: Any) -> None:
    tokenizer = Tokenizer.from_folder(write_folder(config={}))
    with pytest.raises(ModelUnsupportedError, match="no chat template"):
        ChatTemplate(tokenizer)


def test_bos_exactly_once(mini: Tokenizer, r1_template: ChatTemplate) -> None:
    for messages in ([], user("q"), user(BOS), [{"role": "system", "content": BOS}, *user("q")]):
        ids = r1_template.prompt(messages).token_ids
        assert ids[0] == mini.bos_id
        assert ids.count(mini.bos_id or 0) == 1
    twice = ChatTemplate(mini, "{{ bos_token }}" + CHATML)
    assert twice.prompt(user("q")).token_ids.count(mini.bos_id or 0) == 1


def conversations(content: str) -> dict[str, list[dict[str, Any]]]:
    function = {"name": content, "arguments": content}
    call = {"role": "assistant", "content": None, "tool_calls": [{"function": function}]}
    return {
        "system": [{"role": "system", "content": content}, *user("q")],
        "developer": [{"role": "developer", "content": content}, *user("q")],
        "user": user(content),
        "parts": user([{"type": "text", "text": content}]),
        "assistant": [*user("q"), {"role": "assistant", "content": content}, *user("r")],
        "tool": [*user("q"), {"role": "tool", "content": content}, *user("r")],
        "call": [*user("q"), call, {"role": "tool", "content": "x"}],
    }


@pytest.mark.parametrize("source", [R1_SOURCE, REASONING_CHATML], ids=["built-in", "sandboxed"])
@pytest.mark.parametrize("role", conversations(""))
def test_content_never_becomes_control_ids(mini: Tokenizer, source: str, role: str) -> None:
    template = ChatTemplate(mini, source)
    positions = ["{}", "{} b", "a {}", "a{}b", "{}{}"]
    if source != R1_SOURCE:
        positions = ["a {} b"]  # one process per rendering
    neutral = [
        i for i in template.prompt(conversations("x")[role]).token_ids if i in mini.control_ids
    ]
    for token in mini.added_tokens:
        if role == "assistant" and "think>" in token:
            continue  # reasoning of earlier answers is left out, see test_messages.py
        for position in positions:
            content = position.format(token, token)
            prompt = template.prompt(conversations(content)[role])
            assert content in prompt.text
            found = [i for i in prompt.token_ids if i in mini.control_ids]
            assert found == neutral, (token, position)
            assert mini.decode(prompt.token_ids) == prompt.text


@pytest.mark.parametrize("cut", [1, 3, 6])
@pytest.mark.parametrize(("before", "after"), [("", ""), ("a ", " b")])
def test_tokens_split_over_borders(mini: Tokenizer, cut: int, before: str, after: str) -> None:
    """One half in one message, the other in the next one or in the template itself."""
    head, tail = "<think>"[:cut], "<think>"[cut:]
    cases = {
        "{{ messages[0].content }}{{ messages[1].content }}": (before + head, tail + after),
        before + head + "{{ messages[1].content }}": ("", tail + after),
        "{{ messages[0].content }}" + tail + after: (before + head, ""),
        before + "<{{ messages[0].content }}>" + after: ("think", ""),
    }
    for source, contents in cases.items():
        prompt = ChatTemplate(mini, source).prompt([m for c in contents for m in user(c)])
        assert prompt.text == before + "<think>" + after
        assert mini.control_ids.isdisjoint(prompt.token_ids)
        assert mini.decode(prompt.token_ids) == prompt.text


@given(
    contents=st.lists(
        st.lists(st.sampled_from(["<", "think", ">", "<think>", END, "a", " ", "｜", "User"])).map(
            "".join
        ),
        min_size=1,
        max_size=4,
    )
)
def test_random_content_never_becomes_control_ids(mini: Tokenizer, contents: list[str]) -> None:
    template = ChatTemplate(mini)
    ids = template.prompt([m for text in contents for m in user(text)]).token_ids
    expected = [mini.bos_id, *[mini.added_tokens[USER]] * len(contents)]
    expected += [mini.added_tokens[ASSISTANT], mini.added_tokens["<think>"]]
    assert [i for i in ids if i in mini.control_ids] == expected
    assert mini.decode(ids) == template.render([m for text in contents for m in user(text)])


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_ordinary_content_is_encoded_as_the_whole_text(mini: Tokenizer, text: str) -> None:
    assume(not any(token in text for token in mini.added_tokens))
    prompt = ChatTemplate(mini).prompt(user(text))
    assert prompt.token_ids == mini.encode(prompt.text)


def test_template_variables(mini: Tokenizer) -> None:
    template = ChatTemplate(mini, "{{ 'on' if extra else 'off' }}")
    assert template.render([], variables={"extra": True}) == "on"
    assert template.render([], variables={"extra": False}) == "off"
    for bad in ({"extra": 1}, {"messages": True}, {"bos_token": True}, {"a b": True}):
        with pytest.raises(RequestError, match="chat template option"):
            template.render([], variables=bad)  # type: ignore[arg-type]
        with pytest.raises(RequestError, match="chat template option"):
            ChatTemplate(mini).render([], variables=bad)  # type: ignore[arg-type]


def test_tools_reach_the_template(mini: Tokenizer) -> None:
    tools = [{"type": "function", "function": {"name": "f", "description": "<think>"}}]
    prompt = ChatTemplate(mini, CHATML).prompt(user("q"), tools=tools)
    assert json.dumps(tools) in prompt.text
    assert mini.added_tokens["<think>"] not in prompt.token_ids
    with pytest.raises(RequestError, match="tools"):
        ChatTemplate(mini, CHATML).prompt(user("q"), tools=[{"f": object()}])
