"""Requests through the whole service on the embedded model, in its own process."""

from __future__ import annotations

import asyncio
import math
import random
from dataclasses import replace
from unittest.mock import ANY

import numpy as np
import pytest

import pyinfer
from pyinfer import SamplingParams
from pyinfer.errors import (
    ContextLengthError,
    EngineError,
    InvalidNameError,
    ModelNotFoundError,
    QueueFullError,
    RequestError,
    UnavailableError,
)
from pyinfer.requests.answer import Chunk, Finished, Progress
from pyinfer.requests.spec import GenerateSpec
from pyinfer.serving import running_answer
from pyinfer.serving.cache_scope import CACHE_SCOPE
from pyinfer.serving.service import Service
from pyinfer.serving.state import RequestRecord

from .services import (
    GREEDY,
    QUESTION,
    ask,
    assert_nothing_left,
    complete,
    endless,
    first_piece,
    idle,
    run,
    running_service,
    tokens_of,
    until,
)


def test_the_library_gives_the_same_answer() -> None:
    with pyinfer.load() as llm:
        expected = llm.chat(QUESTION, params=GREEDY)
        vectors = [llm.tokenizer.encode(text, add_special=True) for text in ("a b", "12 + 30")]

    async def work() -> None:
        async with running_service() as service:
            records: list[RequestRecord] = []
            service.on_finish(records.append)
            async with await service.generate(ask(progress=True)) as answer:
                events = [event async for event in answer]
            finished = events[-1]
            assert isinstance(finished, Finished)
            assert finished.reason == "stop"
            found = finished.generation
            assert found.token_ids == expected.token_ids
            assert (found.text, found.reasoning) == (expected.text, expected.reasoning)
            for kind, text in (("reasoning", found.reasoning), ("content", found.text)):
                pieces = [e for e in events if isinstance(e, Chunk) and e.kind == kind]
                assert "".join(piece.text for piece in pieces) == text
            assert any(isinstance(e, Progress) and e.done == e.total for e in events)
            assert answer.load_ns > 0
            record = records[0]
            assert (record.model, record.reason, record.phase) == ("demo", "stop", "decode")
            assert record.completion_tokens == len(found.token_ids)
            assert 0 < record.first_token_ns <= record.total_ns
            once = await service.embed("demo", ["a b", "12 + 30"])
            again = await service.embed("", vectors, dimensions=10)
            assert once.prompt_tokens == again.prompt_tokens == sum(map(len, vectors))
            np.testing.assert_allclose((once.vectors**2).sum(axis=1), 1, rtol=1e-6)
            short = once.vectors[:, :10]
            short = short / np.sqrt((short**2).sum(axis=1, keepdims=True))
            np.testing.assert_allclose(again.vectors, short, rtol=1e-5, atol=1e-7)
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)


def test_same_tokens_alone_and_among_others() -> None:
    long = "Please add these numbers: " + " ".join(str(n) for n in range(120))
    params = SamplingParams(temperature=0.9, seed=11, max_tokens=80, ignore_eos=True)
    wanted = [ask(text, params=params) for text in ("What is 2 + 3?", long)]
    others = [
        GenerateSpec(
            prompt="x y z " * (3 * n + 1),
            params=SamplingParams(temperature=1.0, seed=n, max_tokens=60 + n, ignore_eos=True),
        )
        for n in range(15)
    ]

    async def work() -> None:
        async with running_service(parallel=16) as service:
            uncached = [
                await tokens_of(service, ask(s.messages[0]["content"], params=params,
                                             reuse_prefix=False))
                for s in wanted
                if s.messages is not None
            ]  # fmt: skip
            for spec, expected in zip(wanted, uncached, strict=True):
                assert len(expected) == 80
                assert await tokens_of(service, spec) == expected
                assert await tokens_of(service, spec) == expected
                found, *_ = await asyncio.gather(
                    *(tokens_of(service, each) for each in (spec, *others))
                )
                assert found == expected
            engine = service.stats().models[0].engine
            assert engine.prefix_hits > 0
            # A step of another size: the prompt is cut elsewhere.
            choices = await complete(service, ask(long, params=params, n=3))
            assert choices[0].generation.token_ids == uncached[1]
            assert len({tuple(c.generation.token_ids) for c in choices}) == 3
            assert [choice.index for choice in choices] == [0, 1, 2]

    run(work)


def test_random_cancels_leave_nothing_and_disturb_nobody() -> None:
    rng = random.Random(5)
    params = SamplingParams(temperature=0.8, seed=3, max_tokens=400, ignore_eos=True)
    steady = GenerateSpec(prompt="A story: ", params=params)

    async def one(service: Service, number: int) -> None:
        await asyncio.sleep(rng.random() * 0.3)
        prompt = f"{number} " * rng.choice((1, 30, 400))
        spec = GenerateSpec(
            prompt=prompt, n=rng.choice((1, 1, 3)), params=SamplingParams(seed=number)
        )
        started = asyncio.create_task(service.generate(spec))
        try:
            async with asyncio.timeout(rng.random() * 0.1):
                async with await started as answer:
                    async for _ in answer:
                        pass
        except TimeoutError:
            pass

    async def work() -> None:
        async with running_service(parallel=8) as service:
            expected = await tokens_of(service, steady)
            results = await asyncio.gather(
                *(tokens_of(service, steady) for _ in range(2)),
                *(one(service, number) for number in range(60)),
            )
            assert results[:2] == [expected, expected]
            await until(lambda: idle(service) and not service.stats().running)
            assert_nothing_left(service)
            assert await tokens_of(service, steady) == expected

    run(work)


def test_wrong_requests_are_refused_before_they_wait() -> None:
    cases = [
        (ask(model="no-such-model"), ModelNotFoundError, ""),
        (ask(model="../../etc/passwd"), InvalidNameError, ""),
        (GenerateSpec(), RequestError, "messages"),
        (GenerateSpec(prompt="a", messages=QUESTION), RequestError, "messages"),
        (GenerateSpec(prompt=""), RequestError, "prompt"),
        (GenerateSpec(prompt=[1, 99_999]), RequestError, "prompt"),
        (GenerateSpec(prompt=[True]), RequestError, "prompt"),
        (GenerateSpec(messages=[]), RequestError, "messages"),
        (ask(n=0), RequestError, "n"),
        (ask(n=17), RequestError, "n"),
        (ask(context=0), RequestError, "num_ctx"),
        (ask(context=5), ContextLengthError, ""),
        (GenerateSpec(prompt="word " * 3000), ContextLengthError, ""),
        (ask(tool_choice="required"), RequestError, "tool_choice"),
    ]

    async def work() -> None:
        async with running_service(parallel=1, max_queue=0) as service:
            for spec, kind, param in cases:
                with pytest.raises(kind) as caught:
                    await service.generate(spec)
                assert not param or caught.value.param == param  # type: ignore[union-attr]
            with pytest.raises(ContextLengthError) as long:
                await service.generate(GenerateSpec(prompt="word " * 3000))
            assert long.value.context == 2048
            assert long.value.prompt_tokens > 2048
            for inputs in ([], [""] * 2049, [[]], ["word " * 3000]):
                with pytest.raises(RequestError) as wrong:
                    await service.embed("", inputs)
                assert wrong.value.param == "input"
            cut = await service.embed("", ["word " * 3000], truncate=True)
            assert cut.prompt_tokens == 2048
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)


def test_names_that_clients_make_up_are_in_no_record() -> None:
    async def work() -> None:
        async with running_service() as service:
            records: list[RequestRecord] = []
            service.on_finish(records.append)
            with pytest.raises(ModelNotFoundError):
                await service.generate(ask("hi", model="made-up"))
            with pytest.raises(ModelNotFoundError):
                await service.embed("made-up", ["hi"])
            assert [(record.model, record.error) for record in records] == [
                ("", "model_not_found"), ("", "model_not_found"),
            ]  # fmt: skip

    run(work)


def test_a_full_queue_refuses_and_a_queued_request_can_leave() -> None:
    async def work() -> None:
        async with running_service(parallel=1, max_queue=1, queue_timeout=200) as service:
            async with await service.generate(endless()) as running:
                await first_piece(running)
                queued = asyncio.create_task(service.generate(ask()))
                await until(lambda: service.stats().models[0].waiting)
                assert not service.ready
                with pytest.raises(QueueFullError) as full:
                    await service.generate(ask())
                assert full.value.retry_after == service.retry_after() >= 1
                service._admission._mean_seconds = 7.0
                with pytest.raises(QueueFullError) as full:
                    await service.generate(ask())
                assert full.value.retry_after == service.retry_after() == 14
                queued.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await queued
                assert service.ready
                second = asyncio.create_task(complete(service, ask()))
                await until(lambda: service.stats().models[0].waiting)
            assert (await second)[0].reason == "stop"
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)


def test_waiting_ends_after_the_time_limit() -> None:
    async def work() -> None:
        async with running_service(parallel=1, queue_timeout=0.05) as service:
            async with await service.generate(endless()) as running:
                await first_piece(running)
                with pytest.raises(QueueFullError, match=r"0\.05 s"):
                    await service.generate(ask())
            assert service.stats().waiting == 0

    run(work)


def test_drain_finishes_short_answers() -> None:
    async def work() -> None:
        async with running_service(parallel=4) as service:
            await service.load("")
            short = asyncio.create_task(complete(service, ask()))
            await until(lambda: service.stats().running)
            await service.drain(60)
            assert (await short)[0].reason == "stop"
            with pytest.raises(UnavailableError):
                await service.generate(ask())
            with pytest.raises(UnavailableError):
                await service.embed("", ["a"])
            assert not service.ready

    run(work)


def test_drain_ends_long_answers_with_an_error() -> None:
    async def work() -> None:
        async with (
            running_service(parallel=1) as service,
            await service.generate(endless()) as long,
        ):
            await first_piece(long)
            queued = asyncio.create_task(service.generate(ask()))
            await until(lambda: service.stats().models[0].waiting)
            await service.drain(0.01)
            with pytest.raises(UnavailableError):
                async for _ in long:
                    pass
            with pytest.raises((UnavailableError, EngineError)):
                await queued

    run(work)


def test_deadline_ends_an_answer_like_a_limit() -> None:
    async def work() -> None:
        async with running_service() as service:
            finished = await complete(service, endless(deadline_seconds=0.01))
            assert finished[0].reason == "length"
            assert finished[0].generation.cause == "deadline"

    run(work)


def test_what_one_scope_sent_is_nothing_to_another() -> None:
    async def work() -> None:
        async with running_service() as service:

            async def cached(scope: str) -> tuple[int, int]:
                CACHE_SCOPE.set(scope)
                prompt = "a long beginning that others may have sent too " * 10
                answer = (await complete(service, ask(prompt=prompt)))[0]
                vectors = await service.embed("", [prompt])
                assert vectors.prompt_tokens
                return answer.generation.usage.cached_tokens, records[-1].cached_tokens

            records: list[RequestRecord] = []
            service.on_finish(records.append)
            for scope in ("alice", "bob", ""):
                first = await asyncio.create_task(cached(scope))
                again = await asyncio.create_task(cached(scope))
                assert first[0] == 0
                assert first[1] > 0  # the embedding after the answer
                assert again[0] > 0

    run(work)


@pytest.mark.parametrize("logprobs", [None, 5])
def test_a_slow_reader_makes_his_answer_wait(
    monkeypatch: pytest.MonkeyPatch, logprobs: int | None
) -> None:
    monkeypatch.setattr(running_answer, "MOST_BEHIND", 40)
    spec = endless(n=2)
    spec = replace(spec, params=replace(spec.params, logprobs=logprobs, max_tokens=1500))

    async def work() -> None:
        async with running_service(parallel=4) as service:
            expected = await complete(service, spec)
            async with await service.generate(spec) as answer:
                await until(lambda: answer._resting)
                # Others go on, with so many steps that the answer would be complete by now.
                for _ in range(30):
                    await complete(service, ask())
                assert answer.record.completion_tokens < 1000
                assert await answer.finish() == [
                    replace(end, generation=replace(end.generation, timings=ANY, usage=ANY,
                                                    logprobs=None))
                    for end in expected
                ]  # fmt: skip
                assert not answer._resting
            async with await service.generate(spec) as answer:
                await until(lambda: answer._resting)
            await until(lambda: not service.stats().running)
            await until(lambda: idle(service))
            assert_nothing_left(service)

    run(work)


def test_only_complete_answers_keep_their_logprobs() -> None:
    async def work() -> None:
        async with running_service() as service:
            params = replace(GREEDY, logprobs=2)
            for stream in (True, False):
                answer = (await complete(service, ask(params=params, stream=stream)))[0]
                kept = answer.generation.logprobs
                assert kept is None if stream else kept is not None

    run(work)


def test_the_time_of_a_request_ends_its_answer_like_a_limit() -> None:
    async def work() -> None:
        async with running_service(request_timeout=0.01) as service:
            for spec in (endless(), endless(deadline_seconds=1000)):
                finished = await complete(service, spec)
                assert finished[0].reason == "length"
                assert finished[0].generation.cause == "deadline"
            finished = await complete(service, replace(ask(), wall_seconds=1000))
            assert finished[0].reason == "stop"
        async with running_service(request_timeout=-1) as service:
            assert (await complete(service, ask()))[0].reason == "stop"

    run(work)


@pytest.mark.parametrize("seconds", [0, -1, math.nan, math.inf, 1e300, 10**400])
@pytest.mark.parametrize("name", ["deadline_seconds", "wall_seconds"])
def test_times_that_no_clock_holds_are_refused(name: str, seconds: float) -> None:
    with pytest.raises(RequestError, match=name):
        ask(**{name: seconds}).check()


def test_loops_are_cut_off_and_tool_calls_recorded() -> None:
    params = SamplingParams(
        temperature=0, ignore_eos=True, max_tokens=400, logit_bias={40: 100.0}, seed=1
    )
    clock = {
        "type": "function",
        "function": {
            "name": "clock",
            "parameters": {"type": "object", "additionalProperties": False},
        },
    }

    async def work() -> None:
        async with running_service(loop_guard=True) as service:
            records: list[RequestRecord] = []
            service.on_finish(records.append)
            (looping,) = await complete(service, GenerateSpec(prompt="Count", params=params))
            generation = looping.generation
            assert (looping.reason, generation.cause) == ("length", "loop")
            assert len(generation.token_ids) == 8 * 16
            (ordinary,) = await complete(service, ask())
            assert ordinary.reason == "stop"
            more = SamplingParams(temperature=0, max_tokens=300)
            called = ask(tools=[clock], tool_choice="required", think=False, params=more)
            (call,) = await complete(service, called)
            assert call.reason == "tool_calls"
            assert [record.loops for record in records] == [1, 0, 0]
            assert [record.reason for record in records] == ["length", "stop", "tool_calls"]
            assert all(0 < record.model_ns <= record.total_ns for record in records)

    run(work)


def test_a_low_temperature_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with running_service() as service:
            for temperature in (0.3, 0.29, 0.0):
                params = SamplingParams(temperature=temperature, max_tokens=1, seed=1)
                await complete(service, ask(params=params))

    run(work)
    warnings = [r.getMessage() for r in caplog.records if "repeat itself" in r.getMessage()]
    assert [text.split(";")[0] for text in warnings] == [
        "demo at temperature 0.29 may repeat itself"
    ]


def test_switches_of_the_server_hold_where_a_request_sets_none() -> None:
    async def work() -> None:
        switches = {"enable_thinking": False, "brief": True}
        async with running_service(template_variables=switches) as service:
            (quiet,) = await complete(service, ask())
            assert not quiet.generation.reasoning
            (aloud,) = await complete(service, ask(think=True))
            assert aloud.generation.reasoning
            spec = service._with_settings(ask(template_variables={"brief": False}))
            assert (spec.think, dict(spec.template_variables)) == (False, {"brief": False})

    run(work)
