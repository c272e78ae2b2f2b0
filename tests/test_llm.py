"""LLM on a model that says what a script tells it, and on random and trained real ones."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyinfer
from pyinfer import LLM, SamplingParams
from pyinfer.config import GenerationDefaults
from pyinfer.engine.sampler import Sampler
from pyinfer.errors import ContextLengthError, EngineError, NumericError, RequestError
from pyinfer.loading import DEMO_FOLDER
from pyinfer.model_info import ModelInfo
from pyinfer.text.tokenizer import Tokenizer

from .checkpoints import random_config, write_folder
from .engine.fake_model import FakeModel, Flag, config, wait_for_cancel
from .engine.sampling_oracle import Row, make_row
from .vocabulary import BOS_ID, EOS_ID, N_TOKENS

GREEDY = SamplingParams(temperature=0, max_tokens=200)


class Scripted:
    """Says ``answer`` after a prompt, token by token, then an end token."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.answer: list[int] = []
        self.prompts: list[list[int]] = []
        self.model = FakeModel(n_blocks=40)
        self.model.config = config(N_TOKENS + 3)
        self.model.n_valid = N_TOKENS
        self.model.row_of = self.row

    def say(self, text: str) -> None:
        self.answer = self.tokenizer.encode(text)
        self.prompts.clear()

    def row(self, prefix: np.ndarray) -> Row:
        """The prompt is what was there when the first row of an answer was asked for."""
        tokens = prefix.tolist()
        if not self.prompts or tokens[: len(self.prompts[-1])] != self.prompts[-1]:
            self.prompts.append(tokens)
        place = len(tokens) - len(self.prompts[-1])
        wanted = self.answer[place] if place < len(self.answer) else EOS_ID
        logits = np.zeros(N_TOKENS + 3, np.float32)
        logits[wanted] = 30.0
        return make_row(logits, N_TOKENS, 8)


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model")
    write_folder(path, random_config(vocab=N_TOKENS + 3), with_tokenizer=True)
    return path


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> Tokenizer:
    return Tokenizer.from_folder(tokenizer_folder)


def make_llm(model: FakeModel, tokenizer: Tokenizer | None, context: int = 1000) -> LLM:
    info = ModelInfo("fake", model.config, context, 1, "none", 1000, 5, 6, ())
    defaults = GenerationDefaults(bos_token_id=BOS_ID, eos_token_ids=(EOS_ID,))
    return LLM(model, tokenizer, defaults, info, Flag())


@pytest.fixture
def script(tokenizer: Tokenizer) -> Scripted:
    return Scripted(tokenizer)


@pytest.fixture
def llm(script: Scripted) -> Iterator[LLM]:
    with make_llm(script.model, script.tokenizer) as llm:
        yield llm
    assert script.model.closed


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


def test_the_stream_adds_up_to_the_answer(script: Scripted, llm: LLM) -> None:
    script.say("thin</thin king</think> the answer: wörld 🙂🙂")
    whole = llm.chat("hi", params=GREEDY)
    with llm.stream_chat("hi", params=GREEDY) as stream:
        chunks = list(stream)
        result = stream.result()
    assert "".join(c.text for c in chunks if c.kind == "reasoning") == whole.reasoning
    assert "".join(c.text for c in chunks if c.kind == "content") == whole.text
    assert all(c.text for c in chunks)
    assert len(chunks) > 5
    assert (result.text, result.token_ids) == (whole.text, whole.token_ids)
    assert stream.result() == result
    assert list(stream) == []


@pytest.mark.parametrize(
    ("stops", "text", "stop"),
    [
        (["STOP"], "one two ", "STOP"),
        (["never", "wo ST"], "one t", "wo ST"),
        (["🙂"], "one two STOP ", "🙂"),
        (["absent"], "one two STOP 🙂 end", None),
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
    with pytest.raises(ContextLengthError, match="1001 tokens and the context 1000"):
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
            assert [(c.text, c.token_id) for c in stream] == [("", 9), ("", 8)]
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


def test_close_ends_a_running_stream_with_an_error(script: Scripted) -> None:
    llm = make_llm(script.model, script.tokenizer)
    script.model.before_step = wait_for_cancel()
    stream = llm.stream("a")
    llm.close()
    with pytest.raises(EngineError, match="closed"):
        list(stream)
    with pytest.raises(RuntimeError):
        stream.result()


def wait_until_idle(llm: LLM) -> None:
    for _ in range(20_000):
        if not llm._worker.open_requests:
            return
        threading.Event().wait(0.001)
    raise AssertionError("a request is still running")


def test_a_stream_that_is_left_or_lost_is_cancelled(script: Scripted, llm: LLM) -> None:
    script.say("a" * 900)
    endless = SamplingParams(temperature=0)
    with llm.stream("x", params=endless) as stream:
        next(stream)
    out = stream.result()
    assert out.finish_reason in ("cancelled", "length")
    next(llm.stream("x", params=endless))
    wait_until_idle(llm)


def test_a_model_without_other_references_lives_as_long_as_its_streams(script: Scripted) -> None:
    script.say("abc")
    stream = make_llm(script.model, script.tokenizer).stream("x", params=GREEDY)
    gc.collect()
    assert stream.result().text == "abc"
    del stream
    gc.collect()
    assert script.model.closed


def test_ctrl_c_ends_the_generation_and_keeps_what_there_is(script: Scripted, llm: LLM) -> None:
    script.say("abc" * 100)
    stream = llm.stream("x", params=SamplingParams(temperature=0))
    next(stream)
    script.model.before_step = wait_for_cancel()
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        for _ in stream:
            pass
    out = stream.result()
    assert out.finish_reason == "cancelled"
    assert out.text
    assert ("abc" * 100).startswith(out.text)
    timer.join()


def test_asyncio_twins_give_the_same_answers(script: Scripted, llm: LLM) -> None:
    script.say("why</think>because")

    async def main() -> None:
        alone = llm.chat("hi", params=GREEDY)
        both = await asyncio.gather(*(llm.achat("hi", params=GREEDY) for _ in range(4)))
        assert {(b.reasoning, b.text) for b in both} == {(alone.reasoning, alone.text)}
        raw = await llm.agenerate("hello", params=GREEDY)
        assert raw.text == "why</think>because"
        async with await llm.astream_chat("hi", params=GREEDY) as stream:
            text = "".join([chunk.text async for chunk in stream])
            assert text == "whybecause"
            assert (await stream.result()).text == "because"
        with pytest.raises(RequestError):
            await llm.agenerate("")

    asyncio.run(main())


def test_cancelling_a_task_ends_its_generation(script: Scripted, llm: LLM) -> None:
    script.model.before_step = wait_for_cancel()

    async def main() -> None:
        task = asyncio.create_task(llm.agenerate("hello"))
        while not llm._worker.open_requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    wait_until_idle(llm)


def test_a_closed_event_loop_leaves_no_request_behind(script: Scripted, llm: LLM) -> None:
    script.say("a" * 900)

    async def main() -> Any:
        stream = await llm.astream("hello", params=SamplingParams(temperature=0))
        await stream.__anext__()
        return stream

    stream = asyncio.run(main())
    wait_until_idle(llm)
    del stream


def test_importing_the_package_is_light_and_load_stays_a_function() -> None:
    code = (
        "import sys, pyinfer\n"
        "assert 'numpy' not in sys.modules, 'numpy was imported'\n"
        "from pyinfer.load.names import hf_name\n"
        "assert callable(pyinfer.load) and pyinfer.load.__name__ == 'load'\n"
        "assert pyinfer.LLM.__name__ == 'LLM'\n"
        "assert set(pyinfer.__all__) <= set(dir(pyinfer))\n"
        "[getattr(pyinfer, name) for name in pyinfer.__all__]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    with pytest.raises(AttributeError):
        _ = pyinfer.nothing  # type: ignore[attr-defined]


def test_a_random_checkpoint_runs_alone_batched_and_again_with_equal_tokens(
    tokenizer_folder: Path,
) -> None:
    progress: list[tuple[int, int]] = []
    params = [SamplingParams(seed=i, max_tokens=40, temperature=1.0) for i in range(6)]
    prompts = [[(7 * i + k) % 250 for k in range(20 + 60 * i)] for i in range(6)]
    with pyinfer.load(
        tokenizer_folder,
        dtype="f32",
        ctx_size=1024,
        progress=lambda done, total: progress.append((done, total)),
    ) as llm:
        assert llm.info.context == 1024
        assert progress[-1][0] == progress[-1][1] > 0
        alone = [
            llm.generate(token_ids=prompt, params=p).token_ids
            for prompt, p in zip(prompts, params, strict=True)
        ]
        results: dict[int, list[int]] = {}

        def client(i: int) -> None:
            results[i] = llm.generate(token_ids=prompts[i], params=params[i]).token_ids

        threads = [threading.Thread(target=client, args=(i,)) for i in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [results[i] for i in range(6)] == alone
        assert max(max(tokens) for tokens in alone) < N_TOKENS
        for cut in (63, 64, 70, 100, 150):  # continues from cached blocks, the last one copied
            prompt = [*prompts[5][:cut], 3, 4, 5]
            cached = llm.generate(token_ids=prompt, params=params[5])
            assert cached.usage.cached_tokens == cut
            with pyinfer.load(tokenizer_folder, dtype="f32", ctx_size=1024) as fresh:
                again = fresh.generate(token_ids=prompt, params=params[5])
            assert again.usage.cached_tokens == 0
            assert cached.token_ids == again.token_ids
        logits = llm.logits(prompts[3])
        assert logits.shape == (len(prompts[3]), N_TOKENS + 3)
        greedy = llm.generate(
            token_ids=prompts[3], params=SamplingParams(temperature=0, max_tokens=1)
        )
        assert greedy.token_ids == [int(logits[-1, :N_TOKENS].argmax())]


@pytest.mark.parametrize("request_values", [{"top_p": 0.9}, {"top_k": 5, "min_p": 0.02}, {}])
def test_sampled_tokens_follow_from_the_logits(
    tokenizer_folder: Path, request_values: dict[str, Any]
) -> None:
    """The kernels' candidates and normaliser lead to the tokens that the full rows lead to."""
    params = SamplingParams(
        seed=4, max_tokens=60, temperature=1.3, repetition_penalty=1.1, **request_values
    )
    prompt = list(range(40))
    with pyinfer.load(tokenizer_folder, ctx_size=512) as llm:
        tokens = llm.generate(token_ids=prompt, params=params).token_ids
        sampler = Sampler(params.filled(llm.defaults), N_TOKENS, eos_ids=llm.defaults.eos_token_ids)
        rows = llm.logits(prompt + tokens)
    sampler.start(prompt)
    for i, token in enumerate(tokens, len(prompt)):
        assert sampler.choose(make_row(rows[i - 1], N_TOKENS, N_TOKENS), i) == token
        sampler.accept(token)


def test_a_folder_whose_tokenizer_is_too_large_is_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, random_config(vocab=N_TOKENS + 3), with_tokenizer=True)
    write_folder(tmp_path, random_config(vocab=128))
    for name in ("generation_config.json",):
        (tmp_path / name).unlink()
    with pytest.raises(pyinfer.ModelFormatError, match="tokenizer"):
        pyinfer.load(tmp_path)


def test_a_folder_without_a_tokenizer_loads_for_token_ids(tmp_path: Path) -> None:
    write_folder(tmp_path, random_config())
    with pyinfer.load(tmp_path) as llm:
        assert len(llm.generate(token_ids=[1, 2], params=GREEDY).token_ids) == 200
        with pytest.raises(RequestError, match="no tokenizer"):
            llm.chat("hello")


@pytest.mark.skipif(
    not (DEMO_FOLDER / "model.safetensors").exists(), reason="the embedded model is not built"
)
def test_the_embedded_model_answers() -> None:
    with pyinfer.load() as llm:
        out = llm.chat("Which is larger, 9.11 or 9.9?", params=SamplingParams(temperature=0))
        assert "9.9" in out.text
        assert out.reasoning
        assert out.finish_reason == "stop"
        rendered = llm.apply_chat_template("Which is larger, 9.11 or 9.9?")
        again = llm.generate(
            token_ids=llm.tokenizer.encode(rendered), params=SamplingParams(temperature=0)
        )
        assert again.token_ids == out.token_ids
