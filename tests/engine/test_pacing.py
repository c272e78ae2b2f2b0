"""Prompt chunks beside running answers, on a machine whose costs are a formula."""

from __future__ import annotations

import pytest

from pyinfer.engine.pacing import SMALLEST_CHUNK, Pacer


def cost(decoding: int, prompt: int, read: int, token: int) -> int:
    """Reading the weights takes ``read``; each token ``token``, hidden behind it at first."""
    return max(read, token * (decoding + prompt)) + token * (decoding + prompt) // 4


def test_without_running_answers_a_step_is_full() -> None:
    pacer = Pacer(512)
    assert pacer.chunk(0) == 512
    pacer.observe(0, 512, 10**9)
    assert pacer.chunk(0) == 512


def test_a_limit_of_time_shortens_long_steps() -> None:
    pacer = Pacer(512, longest_ns=10**9)
    assert pacer.chunk(0) == 512  # nothing is known yet
    pacer.observe(0, 512, 4 * 10**9)
    assert pacer.chunk(0) == 128
    for _ in range(50):
        pacer.observe(0, 128, 100 * 10**9)
    assert pacer.chunk(0) == 64


@pytest.mark.parametrize(
    ("read", "token"), [(60_000_000, 9_000_000), (60_000_000, 500_000), (300_000, 2_000)]
)
@pytest.mark.parametrize("decoding", [1, 4, 40])
@pytest.mark.parametrize("prompts", [1, 3])
def test_each_prompt_beside_answers_costs_about_a_step_without(
    read: int, token: int, decoding: int, prompts: int
) -> None:
    pacer = Pacer(512)
    pacer.observe(0, 100, cost(0, 100, read, token))
    for _ in range(20):
        pacer.observe(decoding, 0, cost(decoding, 0, read, token))
    alone = cost(decoding, 0, read, token)
    ratios, chunks = [], []
    for _ in range(100):
        chunk = pacer.chunk(decoding, prompts)
        chunks.append(chunk)
        spent = cost(decoding, chunk, read, token)
        pacer.observe(decoding, chunk, spent)
        ratios.append(spent / alone)
    assert min(chunks) >= SMALLEST_CHUNK
    late = [r for r, c in zip(ratios, chunks, strict=True) if c > SMALLEST_CHUNK][20:]
    assert all(ratio < 1 + 1.3 * prompts for ratio in late)
    if chunks[-1] > SMALLEST_CHUNK and chunks[-1] + decoding < 500:
        assert ratios[-1] > 1 + 0.5 * prompts  # and the room is used


def test_only_so_many_prompts_lengthen_a_step() -> None:
    pacer = Pacer(512)
    pacer.observe(0, 100, 100 * 10**6)
    pacer.observe(4, 0, 16 * 10**6)
    assert [pacer.chunk(4, prompts) for prompts in (1, 2, 8, 60)] == [16, 32, 128, 128]


def test_chunks_leave_room_for_the_answers() -> None:
    pacer = Pacer(16)
    assert pacer.chunk(12) == 4
    assert pacer.chunk(16) == 0


def test_the_rates_alone_and_shared_are_kept() -> None:
    pacer = Pacer(512)
    pacer.observe(0, 500, 1000)
    pacer.observe(3, 0, 700)
    pacer.observe(3, 8, 900)
    assert pacer.alone == [500, 1000]
    assert pacer.shared == [8, 900]
