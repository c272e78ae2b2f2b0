"""A tag that is one token counts as that token alone, whatever its type and wherever it is read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyinfer.engine.params import SamplingParams
from pyinfer.text.budget import ReasoningWatch
from pyinfer.text.detokenizer import Detokenizer
from pyinfer.text.grammar import Grammar
from pyinfer.text.grammar_check import check_grammar
from pyinfer.text.hooks import RequestHooks, Rules, build_hooks
from pyinfer.text.reasoning import ReasoningParser, opens_reasoning
from pyinfer.text.stop import StopMatcher
from pyinfer.text.tags import (
    ALL_TAGS,
    CALL_BEGIN,
    CALL_END,
    CALL_SEP,
    CALL_TAGS,
    CALLS_BEGIN,
    CALLS_END,
    CLOSE_TAG,
    OPEN_TAG,
    TAG_BEGIN,
    TAG_END,
    Tag,
)
from pyinfer.text.tokenizer import Tokenizer
from pyinfer.text.tool_grammar import tool_grammar
from pyinfer.text.tool_parser import ToolCallParser, ToolText
from pyinfer.text.tool_prompt import Form, Tool

from .conftest import gguf_metadata, mini_json

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5
TYPES = pytest.mark.parametrize("kind", [NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED])


def with_tags(kind: int, *more: str) -> Tokenizer:
    """The mini vocabulary with the tags of reasoning, and more, as tokens of one type."""
    root = mini_json()
    metadata = gguf_metadata(root, None, "qwen2")
    tokens, types = metadata["tokenizer.ggml.tokens"], metadata["tokenizer.ggml.token_type"]
    for tag in (OPEN_TAG, CLOSE_TAG, *more):
        if tag not in tokens:
            tokens.append(tag)
            types.append(kind)
        types[tokens.index(tag)] = kind
    return Tokenizer.from_gguf(metadata)


def without_tags() -> Tokenizer:
    """The mini vocabulary in which tags take several tokens."""
    root = mini_json()
    root["added_tokens"] = [e for e in root["added_tokens"] if e["content"] not in ALL_TAGS]
    first = root["added_tokens"][0]["id"]
    for place, entry in enumerate(root["added_tokens"]):
        entry["id"] = first + place
    return Tokenizer.from_gguf(gguf_metadata(root, None, "qwen2"))


def spelled(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, parse_special=False)


def split(tokenizer: Tokenizer, tokens: list[int], inside: bool = True) -> tuple[str, str]:
    """Reasoning and content of an answer."""
    detokenizer = Detokenizer(tokenizer)
    parser = ReasoningParser(inside, tokenizer.tags)
    pieces = [piece for token in tokens for piece in detokenizer.pieces(token)]
    parts = [part for piece in pieces for part in parser.push(piece)] + parser.finish()
    found = {"reasoning": "", "content": ""}
    for kind, text in parts:
        assert text
        found[kind] += text
    return found["reasoning"], found["content"]


@TYPES
def test_a_token_closes_and_opens_whatever_its_type(kind: int) -> None:
    tokenizer = with_tags(kind)
    assert tokenizer.encode("a</think>b") == [
        *tokenizer.encode("a"),
        tokenizer.tags[CLOSE_TAG],
        *tokenizer.encode("b"),
    ]
    tokens = tokenizer.encode("a</think>\n\nb")
    assert split(tokenizer, tokens) == ("a", "b")
    tokens = tokenizer.encode(" \n<think>a</think>\n\nb")
    assert split(tokenizer, tokens, inside=False) == ("a", "b")


@TYPES
def test_the_same_characters_of_ordinary_tokens_are_text(kind: int) -> None:
    tokenizer = with_tags(kind)
    tokens = spelled(tokenizer, "a</think>b") + tokenizer.encode("</think>c")
    assert split(tokenizer, tokens) == ("a</think>b", "c")
    tokens = spelled(tokenizer, "<think>a")
    assert split(tokenizer, tokens, inside=False) == ("", "<think>a")


def test_without_a_token_the_text_decides() -> None:
    tokenizer = without_tags()
    assert not tokenizer.tags
    assert split(tokenizer, tokenizer.encode("a</think>\n\nb")) == ("a", "b")
    assert split(tokenizer, tokenizer.encode("<think>a</think>b"), inside=False) == ("a", "b")


@TYPES
def test_later_tags_and_tags_behind_half_a_character_are_text(kind: int) -> None:
    tokenizer = with_tags(kind)
    half = spelled(tokenizer, "ß")[:1]
    tokens = [*half, *tokenizer.encode("</think>x</think>y<think>")]
    assert split(tokenizer, tokens) == ("�", "x</think>y<think>")
    assert split(tokenizer, tokenizer.encode("<think>a"), inside=True) == ("<think>a", "")


@TYPES
def test_prompts_that_end_with_the_opening_token(kind: int) -> None:
    tokenizer = with_tags(kind)
    assert opens_reasoning(tokenizer, tokenizer.encode("a<think>\n"))
    assert not opens_reasoning(tokenizer, tokenizer.encode("a<think>\nb"))
    assert not opens_reasoning(tokenizer, spelled(tokenizer, "a<think>\n"))
    assert not opens_reasoning(tokenizer, [])
    none = without_tags()
    assert opens_reasoning(none, none.encode("a<think>\n"))


@TYPES
def test_the_budget_forces_the_token(kind: int) -> None:
    tokenizer = with_tags(kind)
    tokens = spelled(tokenizer, "a</think>b")
    watch = ReasoningWatch(tokenizer, True, len(tokens) + 1)
    for token in tokens:
        assert watch.push(Detokenizer(tokenizer).decode(token)) is None
        assert watch.inside
    forced = watch.push((["c"], False))
    assert forced is not None
    assert forced.count(tokenizer.tags[CLOSE_TAG]) == 1
    assert split(tokenizer, forced) == ("\n", "")
    assert not watch.inside


@TYPES
def test_a_grammar_begins_behind_the_token(kind: int) -> None:
    pytest.importorskip("llguidance", reason="grammars need the extra [server]")
    tokenizer = with_tags(kind)
    rules = Rules(grammar=Grammar("choice", '["yes"]'), starts_in_reasoning=True)
    hooks = build_hooks(rules, SamplingParams(), tokenizer)
    assert isinstance(hooks, RequestHooks)
    out = np.zeros(-(-tokenizer.n_tokens // 32), np.uint32)
    for token in spelled(tokenizer, "a</think>"):
        assert hooks.on_token(token) is None
        assert not hooks.mask(out)
    assert hooks.on_token(tokenizer.tags[CLOSE_TAG]) == tokenizer.encode("\n\n")
    assert hooks.mask(out)


@TYPES
def test_tags_within_stop_strings_keep_what_they_are(kind: int) -> None:
    tokenizer = with_tags(kind)
    hook = RequestHooks(tokenizer, ["</think>\n"])
    tokens = tokenizer.encode("a</think>\n")
    assert [hook.on_token(token) for token in tokens] == [None] * (len(tokens) - 1) + ["stop"]
    matcher = StopMatcher(["</think>!", "k>?", "xyz"])
    out = [*matcher.feed("ax"), *matcher.feed(Tag(CLOSE_TAG)), *matcher.feed("xb")]
    out += matcher.flush()
    assert "".join(out) == "ax</think>xb"
    assert [piece for piece in out if isinstance(piece, Tag)] == [CLOSE_TAG]
    matcher = StopMatcher(["k>?"])
    assert ["".join(matcher.feed(p)) for p in (Tag(CLOSE_TAG), "?")] == ["", "</thin"]
    assert matcher.stopped


JSON_CALL = '{"name": "add", "arguments": {"a": 1}}'
TOOL_TAGS = (TAG_BEGIN, TAG_END, CALLS_BEGIN, CALL_BEGIN, CALL_SEP, CALL_END, CALLS_END)


def calls(tokenizer: Tokenizer, tokens: list[int]) -> tuple[str, list[tuple[str, str]]]:
    detokenizer = Detokenizer(tokenizer)
    parser = ToolCallParser(["add"], tokens=tokenizer.tags)
    events = [
        event
        for token in tokens
        for piece in detokenizer.pieces(token)
        for event in parser.push(piece)
    ] + parser.finish()
    text = "".join(event.text for event in events if isinstance(event, ToolText))
    return text, [(call.name, call.arguments) for call in parser.calls]


@TYPES
@pytest.mark.parametrize(
    "answer",
    [
        f"Yes.{TAG_BEGIN}\n{JSON_CALL}\n{TAG_END}",
        f"Yes.{CALLS_BEGIN}{CALL_BEGIN}function{CALL_SEP}add\n```json\n"
        f'{{"a": 1}}\n```{CALL_END}{CALLS_END}',
    ],
)
def test_tool_tags(kind: int, answer: str) -> None:
    tokenizer = with_tags(kind, *TOOL_TAGS)
    text, found = calls(tokenizer, tokenizer.encode(answer))
    assert (text, len(found)) == ("Yes.", 1)
    assert found[0][0] == "add"
    assert calls(tokenizer, spelled(tokenizer, answer)) == (answer, [])
    none = without_tags()
    assert calls(none, none.encode(answer)) == ("Yes.", found)
    # What is no call comes out as it was, tags included.
    for other in (f"{TAG_BEGIN}well{TAG_END}", f"{CALLS_BEGIN}{CALL_BEGIN}no", f"a{TAG_END}b"):
        assert calls(tokenizer, tokenizer.encode(other)) == (other, [])


def test_a_tag_inside_an_argument_is_text() -> None:
    tokenizer = with_tags(CONTROL, *TOOL_TAGS)
    answer = f'{TAG_BEGIN}{{"name": "add", "arguments": {{"a": "{CALL_END}é"}}}}{TAG_END}'
    text, found = calls(tokenizer, tokenizer.encode(answer))
    assert text == ""
    (call,) = found
    assert CALL_END in call[1]


def test_stops_behind_calls_are_tokens_too() -> None:
    tokenizer = with_tags(CONTROL, *TOOL_TAGS)
    rules = Rules(extra_stops=(TAG_END, "<tool_response>"))
    hook = build_hooks(rules, SamplingParams(), tokenizer)
    assert hook is not None
    assert {hook.on_token(token) for token in spelled(tokenizer, f"a{TAG_END}b")} == {None}
    assert hook.on_token(tokenizer.tags[TAG_END]) == "stop"
    text = spelled(tokenizer, "<tool_response>")
    assert [hook.on_token(token) for token in text][-1] == "stop"


def test_tags_that_only_the_vocabulary_of_a_folder_lists(
    write_folder: Callable[..., Path],
) -> None:
    root: dict[str, Any] = mini_json()
    vocab = root["model"]["vocab"]
    root["added_tokens"] = [e for e in root["added_tokens"] if e["content"] not in ALL_TAGS]
    for tag in (OPEN_TAG, CLOSE_TAG):
        vocab[tag] = len(vocab)
    for place, entry in enumerate(root["added_tokens"]):
        entry["id"] = len(vocab) + place
    tokenizer = Tokenizer.from_folder(write_folder(root=root))
    assert split(tokenizer, tokenizer.encode("a</think>b")) == ("a", "b")


@pytest.mark.parametrize("form", ["tags", "markers"])
@pytest.mark.parametrize("single", [True, False])
def test_enforced_calls_name_the_tokens(form: Form, single: bool) -> None:
    pytest.importorskip("llguidance", reason="grammars need the extra [server]")
    tokenizer = with_tags(CONTROL, *TOOL_TAGS) if single else without_tags()
    tool = Tool("add", "", {"type": "object", "properties": {"a": {"type": "integer"}}})
    grammar = tool_grammar([tool], form, False, CALL_TAGS & tokenizer.tags.keys())
    check_grammar(grammar, tokenizer)
    hooks = build_hooks(Rules(grammar=grammar), SamplingParams(), tokenizer)
    assert isinstance(hooks, RequestHooks)
    answer = (
        f'{TAG_BEGIN}\n{{"name": "add", "arguments": {{"a": 1}}}}\n{TAG_END}'
        if form == "tags"
        else f'{CALLS_BEGIN}{CALL_BEGIN}function{CALL_SEP}add\n```json\n{{"a": 1}}\n```'
        f"{CALL_END}{CALLS_END}"
    )
    out = np.zeros(-(-tokenizer.n_tokens // 32), np.uint32)
    for token in tokenizer.encode(answer):
        assert hooks.mask(out)
        assert out[token // 32] >> (token % 32) & 1, tokenizer.token_text(token)
        assert hooks.on_token(token) is None
    assert calls(tokenizer, tokenizer.encode(answer))[1][0][0] == "add"
