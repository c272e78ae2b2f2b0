"""Answers while they are generated: chunks, cancelling, Ctrl-C, asyncio."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import threading
from typing import Any

import pytest

from pyinfer import LLM, SamplingParams
from pyinfer.errors import EngineError, RequestError

from ..engine.fake_model import wait_for_cancel
from ..scripted import GREEDY, Scripted, make_llm


def test_the_stream_adds_up_to_the_answer(script: Scripted, llm: LLM) -> None:
    script.say("thin</thin king</think> the answer: wörld 🙂🙂")
    whole = llm.chat("hi", params=GREEDY)
    with llm.stream_chat("hi", params=GREEDY) as stream:
        chunks = list(stream)
        result = stream.result()
    assert "".join(c.text for c in chunks if c.kind == "reasoning") == whole.reasoning
    assert "".join(c.text for c in chunks if c.kind == "content") == whole.text
    assert all(c.text for c in chunks)
    assert {c.kind for c in chunks} == {"reasoning", "content"}
    shown = [i for c in chunks if c.kind != "tool_call" for i in c.token_ids]
    tag = script.tokenizer.added_tokens["</think>"]
    assert shown == [i for i in result.token_ids[:-1] if i != tag]
    assert (result.text, result.token_ids) == (whole.text, whole.token_ids)
    assert stream.result() == result
    assert list(stream) == []


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


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_engine_thread_ends_streams_that_its_last_words_do_not_reach(
    script: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = make_llm(script.model, script.tokenizer)

    def silent(events: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(llm._worker, "_deliver_all", silent)

    async def work() -> None:
        stream = await llm.astream("x")
        async with asyncio.timeout(60):
            with pytest.raises(EngineError, match="MemoryError"):
                async for _ in stream:
                    pass
        with pytest.raises(EngineError, match="MemoryError"):
            await llm.agenerate("x")

    asyncio.run(work())
    with pytest.raises(EngineError, match="MemoryError"):
        llm.logits([1])
    llm.close()
