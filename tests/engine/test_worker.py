"""The engine's thread: nothing hangs, nothing is lost, cancelling works at every moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pyinfer.config import GenerationDefaults
from pyinfer.engine.engine import Engine
from pyinfer.engine.messages import End, Event, Failed, Request, Tokens
from pyinfer.engine.worker import EngineWorker, RequestHandle
from pyinfer.errors import ContextLengthError, EngineError, QueueFullError, RequestError

from .fake_model import EOS, FakeModel, Flag, make_request, reference_answer, wait_for_cancel

DEFAULTS = GenerationDefaults(temperature=0.8, top_p=0.95, eos_token_ids=(EOS,))


def start(model: FakeModel, **options: Any) -> EngineWorker:
    flag = Flag()
    return EngineWorker(Engine(model, DEFAULTS, cancel=flag, **options), flag)


@pytest.fixture
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture
def worker(model: FakeModel) -> Iterator[EngineWorker]:
    worker = start(model)
    yield worker
    worker.close()
    assert not worker.alive


def read(handle: RequestHandle) -> tuple[list[int], Event]:
    tokens: list[int] = []
    while True:
        event = handle.next()
        if isinstance(event, Tokens):
            tokens += event.ids
        elif isinstance(event, End | Failed):
            return tokens, event


def submit(worker: EngineWorker, tokens: list[int], **options: Any) -> tuple[Request, Any]:
    request = make_request(worker.new_id(), tokens, **options)
    return request, worker.submit(request)


def test_many_threads_get_their_own_answers(worker: EngineWorker) -> None:
    failures: list[str] = []

    def client(number: int) -> None:
        for turn in range(5):
            prompt = [number, turn] * (number * 10 + 1)
            request, handle = submit(worker, prompt, max_tokens=20, seed=turn)
            tokens, _ = read(handle)
            want = reference_answer(prompt, request.params.filled(DEFAULTS), 9999)
            if tokens != want:
                failures.append(f"{number} {turn}: {tokens} is not {want}")

    threads = [threading.Thread(target=client, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert worker.open_requests == 0


def test_cancelling_interrupts_a_running_step(model: FakeModel, worker: EngineWorker) -> None:
    inside = threading.Event()
    wait = wait_for_cancel()

    def blocked(spans: Any, flag: Any) -> None:
        inside.set()
        wait(spans, flag)

    model.before_step = blocked
    _, handle = submit(worker, [1, 2, 3])
    assert inside.wait(20)
    handle.cancel()
    tokens, end = read(handle)
    assert isinstance(end, End)
    assert (tokens, end.reason) == ([], "cancelled")
    model.before_step = None
    assert isinstance(read(submit(worker, [1], max_tokens=2)[1])[1], End)


def test_cancelling_one_prompt_lets_the_others_repeat_the_step(
    model: FakeModel, worker: EngineWorker
) -> None:
    ready, inside = threading.Event(), threading.Event()
    wait = wait_for_cancel()

    def blocked(spans: Any, flag: Any) -> None:
        assert ready.wait(20)
        if any(span.tokens[0] == 40 for span in spans):
            inside.set()
            wait(spans, flag)

    model.before_step = blocked
    good, good_handle = submit(worker, [2] * 30, max_tokens=10)
    _, bad_handle = submit(worker, [40] * 30)
    ready.set()
    assert inside.wait(20)
    bad_handle.cancel()
    assert isinstance(read(bad_handle)[1], End)
    want = reference_answer([2] * 30, good.params.filled(DEFAULTS), 9999)
    assert read(good_handle)[0] == want


def test_cancelling_at_any_moment_ends_the_request(worker: EngineWorker) -> None:
    """The message may arrive before, between or inside steps; 300 different moments."""
    for delay in range(300):
        _, handle = submit(worker, [delay % 50] * 100, ignore_eos=True)
        for _ in range(delay * 20):
            pass
        handle.cancel()
        handle.cancel()
        end = read(handle)[1]
        assert isinstance(end, End)
        assert end.reason == "cancelled"
    worker.cancel(12345)
    assert worker.open_requests == 0


def test_an_error_of_the_model_reaches_everybody_and_the_engine_goes_on(
    model: FakeModel, worker: EngineWorker
) -> None:
    both = threading.Event()

    def broken(spans: Any, flag: Any) -> None:
        assert both.wait(20)
        raise MemoryError("no room")

    model.before_step = broken
    handles = [submit(worker, [i] * 20)[1] for i in range(1, 4)]
    both.set()
    for handle in handles:
        event = read(handle)[1]
        assert isinstance(event, Failed)
        assert isinstance(event.error, EngineError)
        assert "MemoryError: no room" in str(event.error)
    model.before_step = None
    request, handle = submit(worker, [5] * 100, max_tokens=5)
    assert read(handle)[0] == reference_answer([5] * 100, request.params.filled(DEFAULTS), 9999)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_the_end_of_the_thread_reaches_everybody(model: FakeModel) -> None:
    worker = start(model)
    ready = threading.Event()

    def killed(spans: Any, flag: Any) -> None:
        assert ready.wait(20)
        raise KeyboardInterrupt

    model.before_step = killed
    handles = [submit(worker, [i])[1] for i in range(3)]
    ready.set()
    for handle in handles:
        assert isinstance(read(handle)[1], Failed)
    worker._thread.join(20)
    with pytest.raises(EngineError, match=r"failed: KeyboardInterrupt\. "):
        submit(worker, [1])
    worker.close()


def test_closing_interrupts_the_step_and_fails_what_is_open(model: FakeModel) -> None:
    worker = start(model)
    model.before_step = wait_for_cancel()
    handles = [submit(worker, [i] * 20)[1] for i in range(3)]
    worker.close()
    worker.close()
    for handle in handles:
        event = read(handle)[1]
        assert isinstance(event, Failed)
        assert "closed" in str(event.error)
    with pytest.raises(EngineError, match="closed"):
        submit(worker, [1])


def test_bad_requests_are_refused_at_once(worker: EngineWorker) -> None:
    with pytest.raises(RequestError):
        submit(worker, [])
    with pytest.raises(ContextLengthError):
        submit(worker, [1] * 5000)
    assert worker.open_requests == 0


def test_the_queue_has_an_end(
    model: FakeModel, worker: EngineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyinfer.engine.worker.MAX_OPEN_REQUESTS", 3)
    model.before_step = wait_for_cancel()
    handles = [submit(worker, [i])[1] for i in range(3)]
    with pytest.raises(QueueFullError):
        submit(worker, [1])
    for handle in handles:
        handle.cancel()
    for handle in handles:
        assert isinstance(read(handle)[1], End)


def test_a_listener_that_fails_is_dropped_and_its_request_cancelled(worker: EngineWorker) -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("nobody here")

    request = make_request(worker.new_id(), [1, 2], ignore_eos=True)
    worker.submit(request, broken)
    assert isinstance(read(submit(worker, [3], max_tokens=3)[1])[1], End)
    deadline = time.monotonic() + 20
    while worker.open_requests or worker._engine.has_work:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_thread_sleeps_when_idle(worker: EngineWorker) -> None:
    read(submit(worker, [1], max_tokens=2)[1])
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.1


def test_a_keyboard_interrupt_reaches_a_waiting_reader(
    model: FakeModel, worker: EngineWorker
) -> None:
    model.before_step = wait_for_cancel()
    _, handle = submit(worker, [1])
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        read(handle)
    handle.cancel()
    assert isinstance(read(handle)[1], End)
    timer.join()


def _child(worker: EngineWorker, queue: Any) -> None:
    try:
        submit(worker, [1])
    except EngineError as error:
        queue.put(str(error))
    else:
        queue.put("it ran")
    os._exit(0)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_raises_at_once(worker: EngineWorker) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()
    process = context.Process(target=_child, args=(worker, queue))
    process.start()
    assert "fork" in queue.get()
    process.join(20)


def test_a_request_that_cannot_be_taken_in_fails_alone(
    worker: EngineWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = worker.engine._sequence

    def sometimes(request: Request) -> Any:
        if request.tokens[0] == 13:
            raise MemoryError("no room")
        return make(request)

    monkeypatch.setattr(worker.engine, "_sequence", sometimes)
    good, good_handle = submit(worker, [2] * 30, max_tokens=10)
    _, bad_handle = submit(worker, [13] * 30)
    event = read(bad_handle)[1]
    assert isinstance(event, Failed)
    assert "MemoryError" in str(event.error)
    want = reference_answer([2] * 30, good.params.filled(DEFAULTS), 9999)
    assert read(good_handle)[0] == want


@pytest.mark.parametrize("place", ["add", "remove", "plan"])
def test_a_failure_inside_the_scheduler_fails_everybody_and_the_engine_goes_on(
    model: FakeModel, worker: EngineWorker, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    scheduler = worker.engine.scheduler
    inside, broken = threading.Event(), threading.Event()
    wait = wait_for_cancel()
    real = getattr(scheduler, place)

    def blocked(spans: Any, flag: Any) -> None:
        inside.set()
        wait(spans, flag)

    def fails(*arguments: Any) -> Any:
        if inside.is_set() and not broken.is_set():
            broken.set()
            raise MemoryError("no room")
        return real(*arguments)

    monkeypatch.setattr(scheduler, place, fails)
    model.before_step = blocked
    first = submit(worker, [1] * 90)[1]
    assert inside.wait(20)
    handles = [first, submit(worker, [2] * 90)[1]]
    first.cancel()
    ends = [read(handle)[1] for handle in handles]
    assert broken.is_set()
    assert any(isinstance(end, Failed) and "no room" in str(end.error) for end in ends)
    model.before_step = None
    request, handle = submit(worker, [5] * 100, max_tokens=5)
    assert read(handle)[0] == reference_answer([5] * 100, request.params.filled(DEFAULTS), 9999)
    assert scheduler.pool.free + scheduler.prefix.evictable() == model.n_blocks


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_fails_every_waiting_and_later_call(model: FakeModel) -> None:
    """Also when its last words do not get out."""
    ready = threading.Event()

    def full() -> None:
        if ready.wait(20):
            raise MemoryError("no room")

    flag = Flag()
    worker = EngineWorker(Engine(model, DEFAULTS, cancel=flag), flag, full)

    def deaf(event: Event) -> None:
        raise MemoryError("no room either")

    reader = submit(worker, [1], ignore_eos=True)[1]
    silent = worker.submit(make_request(worker.new_id(), [2], ignore_eos=True), deaf)
    ready.set()
    for handle in (reader, silent):
        event = read(handle)[1]
        assert isinstance(event, Failed)
        assert isinstance(event.error, EngineError)
    worker._thread.join(20)
    with pytest.raises(EngineError, match="MemoryError: no room"):
        submit(worker, [1])
    worker.close()
