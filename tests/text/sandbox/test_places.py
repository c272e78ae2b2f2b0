"""Places are handed on in order and never lost, whoever gives up when."""

from __future__ import annotations

import asyncio
import random
import threading

import pytest

from pyinfer.errors import QueueFullError
from pyinfer.text.sandbox.places import Places


def test_first_come_first_served() -> None:
    places = Places(1, 3)
    first, *waiting = [places.ask() for _ in range(4)]
    assert [ticket.done() for ticket in (first, *waiting)] == [True, False, False, False]
    assert places.full
    with pytest.raises(QueueFullError):
        places.ask()
    places.leave(first)
    assert [ticket.done() for ticket in waiting] == [True, False, False]
    assert not places.full


def test_who_stops_waiting_makes_room() -> None:
    places = Places(1, 2)
    first, second, third = (places.ask() for _ in range(3))
    places.leave(second)
    assert not places.full
    places.leave(first)
    assert third.done()
    places.leave(third)
    assert places.ask().done()


def test_a_place_given_while_its_owner_leaves_is_not_lost() -> None:
    async def work() -> None:
        places = Places(1, 1)
        first = places.ask()
        second = places.ask()
        waiting = asyncio.ensure_future(asyncio.wrap_future(second))
        await asyncio.sleep(0)
        places.leave(first)  # gives it to the second, whose task is cancelled before it knows
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        places.leave(second)
        assert places.ask().done()

    asyncio.run(work())


def test_many_threads() -> None:
    places = Places(3, 1000)
    inside = 0
    most = 0
    lock = threading.Lock()

    def visit(seed: int) -> None:
        nonlocal inside, most
        dice = random.Random(seed)
        for _ in range(200):
            ticket = places.ask()
            if dice.random() < 0.3:
                places.leave(ticket)
                continue
            ticket.result(60)
            with lock:
                inside += 1
                most = max(most, inside)
            with lock:
                inside -= 1
            places.leave(ticket)

    threads = [threading.Thread(target=visit, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert most <= 3
    assert all(places.ask().done() for _ in range(3))
    assert not places.ask().done()
