"""Long texts wait for each other, short ones for none of them."""

from __future__ import annotations

import asyncio
import threading

from pyinfer.serving.text_threads import LONG_CHARS, TextThreads, characters


def test_short_texts_do_not_wait_behind_long_ones() -> None:
    async def work() -> None:
        threads = TextThreads()
        go, running = threading.Event(), []

        def slow(number: int) -> None:
            running.append(number)
            assert go.wait(60)

        long = [{"role": "user", "content": "a" * (LONG_CHARS + 1)}]
        waiting = [asyncio.create_task(threads.run(long, slow, n)) for n in range(8)]
        try:
            for text in ("short", "a" * LONG_CHARS):
                assert await threads.run(text, len, text) == len(text)
            assert running in ([], [0])  # one of the long ones at a time
        finally:
            go.set()
        await asyncio.gather(*waiting)
        assert running == list(range(8))
        threads.close()

    asyncio.run(work())


def test_characters_are_counted_everywhere() -> None:
    value = {"a": ["xy", {"b": "z", "c": 5}], "d": None, "e": ("uvw",)}
    assert characters(value, 100) == 6
    assert 3 <= characters(["abc"] * 1000, 2) < 3000
