"""LLM on a model that says what a script tells it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pyinfer import LLM, SamplingParams
from pyinfer.errors import ContextLengthError, EngineError, NumericError, RequestError

from .scripted import GREEDY, Scripted, make_llm
from .vocabulary import BOS_ID, EOS_ID, N_TOKENS


def test_reasoning_and_answer_are_told_apart(script: Scripted, llm: LLM) -> None:
    script.say("thinking hard\n</think>\n\nhello wörld 🙂")
    out = llm.chat("hi", params=GREEDY)
    assert (out.reasoning, out.text) == ("thinking hard\n", "hello wörld 🙂")
    assert out.token_ids == [*script.answer, EOS_ID]
    assert (out.finish_reason, out.cause, out.stop) == ("stop", "eos", None)
    reasoning = len(script.tokenizer.encode("thinking hard\n</think>"))
    assert out.usage.reasoning_tokens == reasoning
    assert out.usage.completion_tokens == len(script.answer) + 1
    assert out.usage.prompt_tokens == len(script.prompts[0])
    assert out.usage.total_tokens == out.usage.prompt_tokens + out.usage.completion_tokens
    times = out.timings
    assert min(times.prompt_ns, times.decode_ns, times.total_ns) > 0
    assert times.load_ns == 5
    assert times.decode_bytes_per_second == times.decode_per_second * 1000
    assert times.prompt_per_second > 0


def test_a_missing_closing_tag_makes_everything_reasoning(script: Scripted, llm: LLM) -> None:
    script.say("and so on")
    out = llm.chat("hi", params=GREEDY)
    assert (out.reasoning, out.text, out.finish_reason) == ("and so on", "", "stop")


def test_a_raw_prompt_begins_outside_unless_it_ends_with_the_tag(
    script: Scripted, llm: LLM
) -> None:
    script.say("a</think>b")
    assert llm.generate("hello", params=GREEDY).text == "a</think>b"
    script.prompts.clear()
    inside = llm.generate("hello<think>\n", params=GREEDY)
    assert (inside.reasoning, inside.text) == ("a", "b")
    ids = script.tokenizer.encode("hello<think>\n")
    assert llm.generate(token_ids=ids, params=GREEDY).reasoning == "a"
    script.say("<think>a</think>b")
    out = llm.generate("hello", params=GREEDY)
    assert (out.reasoning, out.text) == ("a", "b")


def test_thinking_can_be_turned_off(script: Scripted, llm: LLM) -> None:
    script.say("b")
    out = llm.chat("hi", params=GREEDY, think=False)
    assert (out.reasoning, out.text) == ("", "b")
    prompt = script.tokenizer.decode(script.prompts[0])
    assert prompt.endswith("<think>\n\n</think>\n\n")
    assert llm.apply_chat_template("hi", think=False) == prompt


def test_bos_stands_once_in_front(script: Scripted, llm: LLM) -> None:
    bos = script.tokenizer.token_text(BOS_ID)
    for call in (
        lambda: llm.generate("hello", params=GREEDY),
        lambda: llm.generate(bos + "hello", params=GREEDY),
        lambda: llm.chat("hello", params=GREEDY),
        lambda: llm.chat([{"role": "user", "content": "hello"}], params=GREEDY),
    ):
        script.prompts.clear()
        call()
        assert script.prompts[0][0] == BOS_ID
        assert script.prompts[0].count(BOS_ID) == 1
    script.prompts.clear()
    llm.generate(token_ids=[5, 6], params=GREEDY)
    assert script.prompts[0] == [5, 6]


@pytest.mark.parametrize(
    ("stops", "text", "stop"),
    [
        (["STOP"], "one two ", "STOP"),
        (["never", "wo ST"], "one t", "wo ST"),
        (["🙂"], "one two STOP ", "🙂"),
        (["absent"], "one two STOP 🙂 end", None),
        (["ending"], "one two STOP 🙂 end", None),
        (["one"], "", "one"),
    ],
)
def test_stop_strings_end_the_answer_exactly(
    script: Scripted, llm: LLM, stops: list[str], text: str, stop: str | None
) -> None:
    script.say("one two STOP 🙂 end")
    params = SamplingParams(temperature=0, stop=stops)
    with llm.stream("hello", params=params) as stream:
        streamed = "".join(chunk.text for chunk in stream)
    out = llm.generate("hello", params=params)
    assert streamed == out.text == text
    assert (out.finish_reason, out.stop) == ("stop", stop)
    assert out.cause == ("eos" if stop is None else "hook")
    if stop is not None:  # the engine stopped at the token that completed the stop string
        assert stop in script.tokenizer.decode(out.token_ids)
        assert stop not in script.tokenizer.decode(out.token_ids[:-1])


def test_stop_tokens_are_not_part_of_the_text(script: Scripted, llm: LLM) -> None:
    script.say("abc")
    (b,) = script.tokenizer.encode("b")
    out = llm.generate("hello", params=SamplingParams(temperature=0, stop_token_ids=[b]))
    assert (out.text, out.cause, out.token_ids[-1]) == ("a", "token", b)


def test_an_answer_cut_inside_a_character_shows_it(script: Scripted, llm: LLM) -> None:
    script.say("🙂")
    assert len(script.answer) > 1
    out = llm.generate("hello", params=SamplingParams(temperature=0, max_tokens=1))
    assert (out.text, out.finish_reason) == ("\ufffd", "length")


def test_a_second_turn_reuses_the_first_and_drops_its_reasoning(script: Scripted, llm: LLM) -> None:
    script.say("let me think</think>fine")
    long = "hello the world " * 30
    messages = [{"role": "user", "content": long}]
    first = llm.chat(messages, params=GREEDY)
    full_answer = "<think>" + first.reasoning + "</think>" + first.text
    messages += [
        {"role": "assistant", "content": full_answer},
        {"role": "user", "content": "and?"},
    ]
    second = llm.chat(messages, params=GREEDY)
    prompt = script.tokenizer.decode(script.prompts[-1])
    assert "let me think" not in prompt
    pairs = zip(script.prompts[0], script.prompts[-1], strict=False)
    shared = next(i for i, (a, b) in enumerate(pairs) if a != b)
    assert second.usage.cached_tokens == shared > 64
    assert shared % 64 > 4  # it ends inside a block
    assert second.timings.prompt_tokens == second.usage.prompt_tokens - second.usage.cached_tokens


def test_prompt_progress_is_reported(script: Scripted, llm: LLM) -> None:
    seen: list[tuple[int, int, int]] = []
    llm.generate(token_ids=[7] * 300, params=GREEDY, progress=lambda *numbers: seen.append(numbers))
    assert [done for done, _, _ in seen] == [128, 256, 300]
    assert {(total, cached) for _, total, cached in seen} == {(300, 0)}


def test_log_probabilities(script: Scripted, llm: LLM) -> None:
    script.say("ab")
    out = llm.generate("x", params=SamplingParams(temperature=0, logprobs=3))
    assert out.logprobs is not None
    assert len(out.logprobs) == len(out.token_ids) == 3
    assert [entry[1][0][0] for entry in out.logprobs if entry] == out.token_ids
    assert llm.generate("x", params=GREEDY).logprobs is None


BAD_CALLS: list[tuple[str, Callable[[LLM], Any]]] = [
    ("empty", lambda m: m.generate("")),
    ("empty", lambda m: m.generate(token_ids=[])),
    ("either", lambda m: m.generate()),
    ("either", lambda m: m.generate("a", token_ids=[1])),
    ("integers", lambda m: m.generate(token_ids=[1.5])),
    ("integers", lambda m: m.generate(token_ids=[[1], [2]])),
    ("integers", lambda m: m.generate(token_ids=[[1], [2, 3]])),
    ("integers", lambda m: m.generate(token_ids="abc")),
    ("token id", lambda m: m.generate(token_ids=[-1])),
    ("token id", lambda m: m.generate(token_ids=[1 << 40])),
    ("token id", lambda m: m.generate(token_ids=[N_TOKENS + 3])),
    ("logit_bias", lambda m: m.generate("a", params=SamplingParams(logit_bias={5000: 1.0}))),
    ("messages|message", lambda m: m.chat([{"role": "nobody", "content": "a"}])),
    ("empty", lambda m: m.logits([])),
    ("string", lambda m: m.generate(b"a")),
]


@pytest.mark.parametrize(("words", "call"), BAD_CALLS)
def test_bad_calls_are_request_errors(words: str, call: Callable[[LLM], Any], llm: LLM) -> None:
    with pytest.raises(RequestError, match=words):
        call(llm)


def test_a_prompt_longer_than_the_context_is_an_error_and_a_long_answer_is_reported(
    script: Scripted, llm: LLM
) -> None:
    with pytest.raises(ContextLengthError, match=r"1001 tokens .* length is 1000 "):
        llm.generate(token_ids=[1] * 1001)
    script.say("a" * 500)
    out = llm.generate(token_ids=[1] * 900, params=SamplingParams(temperature=0))
    assert (len(out.token_ids), out.finish_reason, out.cause) == (100, "length", "context")


def test_not_finite_logits_are_a_numeric_error(script: Scripted, llm: LLM) -> None:
    script.model.spoil = lambda span: True
    for call in (lambda: llm.generate("a"), lambda: llm.logits([1, 2])):
        with pytest.raises(NumericError):
            call()
    script.model.spoil = lambda span: False
    llm.generate("a", params=GREEDY)


def test_logits_have_a_row_per_token_and_a_column_per_id(script: Scripted, llm: LLM) -> None:
    script.say("abc")
    logits = llm.logits([3] * 130)
    assert (logits.shape, logits.dtype) == ((130, N_TOKENS + 3), np.float32)
    assert logits[0].argmax() == script.answer[0]


def test_without_a_tokenizer_only_token_ids_work(script: Scripted) -> None:
    with make_llm(script.model, None) as llm:
        script.answer = [9, 8]
        out = llm.generate(token_ids=[1, 2], params=GREEDY)
        assert (out.token_ids, out.text) == ([9, 8, EOS_ID], "")
        with llm.stream(token_ids=[1, 2], params=GREEDY) as stream:
            assert [(c.text, c.token_ids) for c in stream] == [("", [9]), ("", [8])]
        for call in (
            lambda: llm.generate("a"),
            lambda: llm.chat("a"),
            lambda: llm.tokenizer,
            lambda: llm.apply_chat_template("a"),
            lambda: llm.generate(token_ids=[1], params=SamplingParams(stop=["a"])),
        ):
            with pytest.raises(RequestError, match="no tokenizer"):
                call()


def test_a_closed_model_says_so(script: Scripted) -> None:
    llm = make_llm(script.model, script.tokenizer)
    llm.close()
    llm.close()
    with pytest.raises(EngineError, match="closed"):
        llm.generate("a")


def test_logits_that_find_no_memory_leave_nothing_behind(
    script: Scripted, llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any, **options: Any) -> Any:
        raise MemoryError

    waiting = threading.Event()

    def before_step(spans: Any, flag: Any) -> None:
        waiting.wait(60)

    script.model.before_step = before_step  # a request that was submitted would not end by itself
    with monkeypatch.context() as patch:
        patch.setattr("pyinfer.llm.np.empty", full)
        with pytest.raises(MemoryError):
            llm.logits([1, 2, 3])
    assert llm._worker.open_requests == 0
    waiting.set()
