"""Requests to engine requests: precedence of values, prompts, what is cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pyinfer import SamplingParams
from pyinfer.config import GenerationDefaults
from pyinfer.engine.limits import EngineLimits
from pyinfer.errors import ContextLengthError, RequestError
from pyinfer.loading import read_tokenizer
from pyinfer.model_info import ModelInfo
from pyinfer.requests.prepare import prepare, sampling_params
from pyinfer.requests.preset import Preset
from pyinfer.requests.prompts import build_prompt
from pyinfer.requests.spec import GenerateSpec, ServedModel
from pyinfer.serving.embeddings import embedding_requests
from pyinfer.store.details import read_details
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.text.chat_template import ChatTemplate
from pyinfer.text.tags import OPEN_TAG
from pyinfer.text.tokenizer import Tokenizer

LIMITS = EngineLimits(512, 512, 2048)


@pytest.fixture(scope="module")
def served() -> ServedModel:
    """The embedded model without its weights."""
    tokenizer, _ = read_tokenizer(DEMO_FOLDER)
    assert tokenizer is not None
    config = read_details(DEMO_FOLDER).config
    return ServedModel(
        name="demo",
        path=Path("demo"),
        info=ModelInfo("demo", config, 2048, 1, "none", 1, 1, 1, 1, ()),
        tokenizer=tokenizer,
        template=ChatTemplate(tokenizer),
        defaults=GenerationDefaults(),
        preset=Preset(),
        digest="",
        context=2048,
        created=0,
    )


def test_precedence(served: ServedModel) -> None:
    stated = GenerationDefaults(
        temperature=0.4, top_p=0.7, repetition_penalty=1.3, stated=("temperature", "top_p")
    )
    preset = Preset(SamplingParams(temperature=0.3, min_p=0.2, stop=("END",), max_tokens=9))
    served = replace(served, defaults=stated, preset=preset)
    fallback = {"temperature": 0.8, "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repeat_last_n": 32}
    spec = GenerateSpec(prompt="a", params=SamplingParams(temperature=0.1), fallback=fallback)
    found = sampling_params(served, spec)
    assert found.temperature == 0.1  # the request
    assert (found.min_p, found.stop, found.max_tokens) == (0.2, ("END",), 9)  # the model's file
    assert found.top_p == 0.7  # generation_config.json
    assert (found.top_k, found.repeat_last_n) == (40, 32)  # the dialect
    assert found.typical_p == 1.0
    assert found.seed is not None
    silent = replace(spec, params=SamplingParams(stop=("x",)))
    assert sampling_params(served, silent).temperature == 0.3
    assert sampling_params(served, silent).stop == ("x",)


def test_models_that_reason_have_recommended_values(served: ServedModel) -> None:
    fallback = {"temperature": 1.0, "top_p": 1.0, "top_k": 40}
    spec = GenerateSpec(prompt="a", fallback=fallback)
    found = sampling_params(served, spec)
    assert (found.temperature, found.top_p, found.top_k) == (0.6, 0.95, 0)
    found = sampling_params(replace(served, template=None), spec)
    assert (found.temperature, found.top_p, found.top_k) == (1.0, 1.0, 40)


def test_one_bos_at_most(served: ServedModel) -> None:
    tokenizer = served.tokenizer
    bos = tokenizer.token_text(tokenizer.bos_id)
    for text in ("hello", bos + "hello", bos + bos + "hello"):
        ids = build_prompt(served, GenerateSpec(prompt=text), 2048).token_ids
        assert ids[0] == tokenizer.bos_id
        assert tokenizer.bos_id not in ids[1:]
    chat = build_prompt(served, GenerateSpec(messages=[{"role": "user", "content": "x"}]), 2048)
    assert chat.token_ids.count(tokenizer.bos_id) == 1
    assert chat.starts_in_reasoning


def test_messages_are_dropped_only_on_request(served: ServedModel) -> None:
    messages = [{"role": "system", "content": "Be short."}]
    for number in range(20):
        messages.append({"role": "user", "content": f"question {number} " + "word " * 20})
        messages.append({"role": "assistant", "content": f"answer {number}"})
    messages.append({"role": "user", "content": "the last question"})
    whole = build_prompt(served, GenerateSpec(messages=messages), 200)
    assert (whole.truncated_messages, whole.truncated_tokens) == (0, 0)
    cut = build_prompt(served, GenerateSpec(messages=messages, truncate=True), 200)
    assert len(cut.token_ids) <= 150
    assert cut.truncated_tokens == len(whole.token_ids) - len(cut.token_ids)
    assert "Be short." in cut.text
    assert "the last question" in cut.text
    kept = messages[:1] + messages[1 + cut.truncated_messages :]
    assert cut.text == build_prompt(served, GenerateSpec(messages=kept), 200).text
    one_more = messages[:1] + messages[cut.truncated_messages :]
    longer = build_prompt(served, GenerateSpec(messages=one_more), 200)
    assert len(longer.token_ids) > 150
    fits = build_prompt(served, GenerateSpec(messages=messages, truncate=True), 100_000)
    assert fits == whole


def test_raw_prompts_lose_their_beginning(served: ServedModel) -> None:
    ids = served.tokenizer.encode("one two three " * 100, add_special=True)
    cut = build_prompt(served, GenerateSpec(prompt=ids, truncate=True), 100)
    assert len(cut.token_ids) == 75
    assert cut.token_ids == ids[:1] + ids[-74:]
    assert cut.truncated_tokens == len(ids) - 75


def test_raw_texts_lose_their_beginning(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "one two three " * 100
    ids = served.tokenizer.encode(text, add_special=True)
    for room in (75, len(ids) - 1, len(ids), len(ids) + 1):
        spec = GenerateSpec(prompt=text, truncate=True, params=SamplingParams(max_tokens=1))
        cut = build_prompt(served, spec, room + 1)
        dropped = max(0, len(ids) - room)
        assert cut.token_ids == ids[:1] + ids[1 + dropped :]
        assert cut.truncated_tokens == dropped
    with pytest.raises(RequestError, match="empty"):
        build_prompt(served, GenerateSpec(prompt="", truncate=True), 100)


@pytest.mark.parametrize("content", ["plain words ", "words </think> words "])
def test_long_prompts_are_refused_before_they_are_tokenized(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("the text was tokenized")

    monkeypatch.setattr(Tokenizer, "_run", refuse)
    text = content * (1 << 17)
    user = {"role": "user", "content": text}
    for spec in (
        GenerateSpec(prompt=text),
        GenerateSpec(messages=[user]),
        GenerateSpec(messages=[user, {"role": "assistant", "content": "I"}],
                     continue_final_message=True),
        GenerateSpec(messages=[user, user], truncate=True),
    ):  # fmt: skip
        with pytest.raises(ContextLengthError, match="at least") as caught:
            prepare(served, spec, LIMITS)
        assert caught.value.context == 2048
        assert caught.value.prompt_tokens > 10_000
    with pytest.raises(ContextLengthError, match="at least"):
        embedding_requests(served, [text], LIMITS, truncate=False, context=None)


def test_long_messages_are_dropped_as_short_ones_are(served: ServedModel) -> None:
    long = {"role": "user", "content": "words of no use " * (1 << 17)}
    last = {"role": "user", "content": "the last question"}
    cut = build_prompt(served, GenerateSpec(messages=[long, long, last], truncate=True), 200)
    assert cut.token_ids == build_prompt(served, GenerateSpec(messages=[last]), 200).token_ids
    assert cut.truncated_messages == 2
    assert cut.truncated_tokens > 10_000


def test_long_inputs_are_embedded_up_to_the_context(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "words, many words " * (1 << 16)
    run, read = Tokenizer._run, []

    def counting(self: Tokenizer, backend: Any, text: str, offsets: bool = False) -> Any:
        read.append(len(text))
        return run(self, backend, text, offsets)

    monkeypatch.setattr(Tokenizer, "_run", counting)
    (request,) = embedding_requests(served, [text], LIMITS, truncate=True, context=100)
    assert sum(read) < 50_000
    ids = served.tokenizer.encode(text[:1000], add_special=True)
    assert request.tokens.tolist() == ids[:100]


def test_continuing_an_answer(served: ServedModel) -> None:
    user = {"role": "user", "content": "Hi"}

    def prompt(**answer: str) -> tuple[str, bool]:
        messages = [user, {"role": "assistant", **answer}]
        found = build_prompt(
            served, GenerateSpec(messages=messages, continue_final_message=True), 2048
        )
        return found.text.partition("<｜Assistant｜>")[2], found.starts_in_reasoning

    assert prompt(content="Hello ") == ("Hello ", False)
    assert prompt(content="Hello", reasoning_content="greet") == (
        "<think>\ngreet\n</think>\n\nHello",
        False,
    )
    assert prompt(content="", reasoning_content="gre") == ("<think>\ngre", True)
    assert prompt(content="<think>\ngre") == ("<think>\ngre", True)
    assert prompt(content="<think>\ngreet\n</think>\n\nHel") == (
        "<think>\ngreet\n</think>\n\nHel",
        False,
    )
    assert prompt(content="<think>\n") == ("<think>\n", True)
    assert prompt(content="<think>") == ("<think>\n", True)
    assert prompt(content="<think>\ngreet\n</think>") == ("<think>\ngreet\n</think>\n\n", False)
    assert prompt(content="", thinking="gre") == ("<think>\ngre", True)
    control = served.tokenizer.added_tokens[OPEN_TAG]
    messages = [user, {"role": "assistant", "content": f"it says {OPEN_TAG}"}]
    spec = GenerateSpec(messages=messages, continue_final_message=True)
    assert control not in build_prompt(served, spec, 2048).token_ids


CALL = {"type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("last", "end"),
    [
        ({"role": "assistant", "content": "Hel"}, "<｜Assistant｜>Hel"),
        ({"role": "assistant", "content": [{"type": "text", "text": "Hel"}]}, "<｜Assistant｜>Hel"),
        ({"role": "assistant", "content": "", "thinking": "Hm"}, "<｜Assistant｜><think>\nHm"),
        # Nothing to go on with: the turn is opened.
        ({"role": "assistant", "content": ""}, "<｜User｜>Hi<｜Assistant｜><think>\n"),
        ({"role": "assistant", "content": None}, "<｜User｜>Hi<｜Assistant｜><think>\n"),
        ({"role": "user", "content": "Ho"}, "<｜User｜>Ho<｜Assistant｜><think>\n"),
        ({"role": "assistant", "content": "", "tool_calls": [CALL]}, "<think>\n"),
    ],
)
def test_an_answer_that_was_begun_goes_on_by_itself(
    served: ServedModel, last: dict[str, Any], end: str
) -> None:
    messages = [{"role": "user", "content": "Hi"}, last]
    spec = GenerateSpec(messages=messages, continue_final_message=None)
    assert build_prompt(served, spec, 2048).text.endswith(end)
    if last.get("content") and last["role"] == "assistant":
        closed = GenerateSpec(messages=messages, continue_final_message=False)
        assert build_prompt(served, closed, 2048).text.endswith("<｜Assistant｜><think>\n")


def test_no_reasoning_budget_is_no_reasoning(served: ServedModel) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    spec = GenerateSpec(messages=messages, reasoning_budget=0, n=2)
    prepared = prepare(served, spec, LIMITS)
    assert prepared.prompt.text.endswith("</think>\n\n")
    assert not prepared.prompt.starts_in_reasoning
    assert [request.choice for request in prepared.requests] == [0, 1]


def test_context_of_the_request_and_of_the_model_file(served: ServedModel) -> None:
    served = replace(served, preset=Preset(context=300))
    assert prepare(served, GenerateSpec(prompt="a"), LIMITS).requests[0].context == 300
    spec = GenerateSpec(prompt="a", context=9999)
    assert prepare(served, spec, LIMITS).requests[0].context == 2048
