"""Packed integers against readings of the same bits as one long Python integer."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyinfer.checkpoint.quantized.words import (
    PLANES,
    awq,
    dense,
    float4,
    float8_table,
    padded,
    planes,
    scale8_table,
)


@given(bits=st.integers(2, 8), count=st.integers(1, 100), data=st.data())
@settings(max_examples=150)
def test_a_dense_row_is_one_long_number(bits: int, count: int, data: st.DataObject) -> None:
    size = 4 * math.ceil(count * bits / 32)
    rows = [data.draw(st.binary(min_size=size, max_size=size)) for _ in range(2)]
    words = np.frombuffer(b"".join(rows), "<i4").reshape(2, -1)
    mask = (1 << bits) - 1
    expected = [[int.from_bytes(row, "little") >> (bits * k) & mask for k in range(count)]
                for row in rows]  # fmt: skip
    assert dense(words, bits, count).tolist() == expected


@given(bits=st.integers(2, 8), count=st.integers(1, 100), data=st.data())
@settings(max_examples=100)
def test_padded_words_hold_whole_values(bits: int, count: int, data: st.DataObject) -> None:
    per_word = 32 // bits
    n_words = math.ceil(count / per_word)
    row = data.draw(st.lists(st.integers(0, 2**32 - 1), min_size=n_words, max_size=n_words))
    expected = [row[k // per_word] >> (bits * (k % per_word)) & (2**bits - 1) for k in range(count)]
    assert padded(np.array([row], np.uint32), bits, count)[0].tolist() == expected


def test_awq_words_have_their_own_order() -> None:
    word = sum(value << (4 * k) for k, value in enumerate([0, 2, 4, 6, 1, 3, 5, 7]))
    assert awq(np.array([[word, 0]], np.uint32))[0].tolist() == [*range(8), *[0] * 8]


@pytest.mark.parametrize("bits", PLANES)
def test_planes_are_put_together(bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 1 << bits, 64)
    words = b""
    for group in values.reshape(2, 32).tolist():
        shift = 0
        for width in PLANES[bits]:
            part = [value >> shift & ((1 << width) - 1) for value in group]
            number = sum(value << (width * k) for k, value in enumerate(part))
            words += number.to_bytes(4 * width, "little")
            shift += width
    packed = np.frombuffer(words, "<i4").reshape(1, -1)
    assert packed.shape[1] == 2 * bits
    assert planes(packed, bits, 64)[0].tolist() == values.tolist()


def test_small_floats() -> None:
    halves = float4(np.array([[0x10, 0x32, 0x54, 0x76, 0x98, 0xFE]], np.uint8))[0] / 2
    assert halves.tolist() == [0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -4, -6]
    table = float8_table()
    assert [float(table[code]) for code in (0x00, 0x01, 0x08, 0x38, 0x7E, 0xFE, 0x80)] == [
        0.0, 2.0**-9, 2.0**-6, 1.0, 448.0, -448.0, 0.0,
    ]  # fmt: skip
    assert np.isnan(table[[0x7F, 0xFF]]).all()
    assert scale8_table()[[0, 126, 127, 254]].tolist() == [2.0**-127, 0.5, 1.0, 2.0**127]
    assert np.isnan(scale8_table()[255])
