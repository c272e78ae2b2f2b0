"""GPTQ and AWQ modules packed here by their published layouts, one value at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pyinfer.checkpoint.quantized.gptq import awq_matrix, gptq_matrix
from pyinfer.checkpoint.quantized.matrix import IntegerMatrix
from pyinfer.checkpoint.quantized.module import Module
from pyinfer.checkpoint.safetensors import read_header
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError, ModelUnsupportedError

from ...checkpoints import safetensors_bytes

ROWS, COLS = 64, 96
Ints = npt.NDArray[np.int64]


def stream(values: list[int], bits: int) -> list[int]:
    """Values as one long little-endian number, cut into words."""
    number = sum(value << (bits * k) for k, value in enumerate(values))
    words = -(-len(values) * bits // 32)
    return [number >> (32 * k) & 0xFFFFFFFF for k in range(words)]


def words_of(rows: list[list[int]]) -> npt.NDArray[np.int32]:
    return np.array(rows, np.uint32).view(np.int32)


def module(path: Path, tensors: dict[str, tuple[str, Any]]) -> Module:
    """Write the tensors of a module and open them."""
    file = path / "model.safetensors"
    file.write_bytes(safetensors_bytes([(f"m.{k}", kind, v) for k, (kind, v) in tensors.items()]))
    return Module("m", ROWS, COLS, read_header(SourceFile(file)))


def random_parts(bits: int, groups: int) -> tuple[Ints, Ints, npt.NDArray[np.float16]]:
    """Codes (rows, cols), zeros (rows, groups) and scales (rows, groups)."""
    rng = np.random.default_rng(bits)
    codes = rng.integers(0, 1 << bits, (ROWS, COLS))
    zeros = rng.integers(1, 1 << bits, (ROWS, groups))
    scales = rng.uniform(0.001, 0.02, (ROWS, groups)).astype(np.float16)
    return codes, zeros, scales


def expected(codes: Ints, zeros: Ints, scales: Any, group_of: Ints) -> npt.NDArray[np.float32]:
    return (codes - zeros[:, group_of]) * scales.astype(np.float32)[:, group_of]


def gptq_tensors(
    codes: Ints, zeros: Ints, scales: Any, group_of: Ints, bits: int, offset: int
) -> dict[str, tuple[str, Any]]:
    columns = [stream(row.tolist(), bits) for row in codes]
    return {
        "qweight": ("I32", np.ascontiguousarray(words_of(columns).T)),
        "qzeros": ("I32", words_of([stream((z - offset).tolist(), bits) for z in zeros.T])),
        "scales": ("F16", np.ascontiguousarray(scales.T)),
        "g_idx": ("I32", group_of.astype(np.int32)),
    }


def check(matrix: IntegerMatrix, values: npt.NDArray[np.float32], held: str) -> None:
    assert matrix.held == held
    assert matrix.values(0, ROWS).tobytes() == values.astype(np.float32).tobytes()
    assert matrix.values(16, 32).tobytes() == values[16:48].astype(np.float32).tobytes()
    if held == "q8_0":
        blocks = matrix.encoded(0, ROWS).view([("d", "<f2"), ("q", "i1", 32)]).reshape(ROWS, -1)
        found = blocks["q"].astype(np.float32) * blocks["d"].astype(np.float32)[..., None]
        assert np.array_equal(found.reshape(ROWS, COLS), values)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("layout", ["gptq", "gptq_v2"])
def test_gptq(tmp_path: Path, bits: int, layout: str) -> None:
    codes, zeros, scales = random_parts(bits, 3)
    group_of = np.arange(COLS) // 32
    made = gptq_tensors(codes, zeros, scales, group_of, bits, layout == "gptq")
    matrix = gptq_matrix(module(tmp_path, made), {"checkpoint_format": layout, "bits": 4})
    # Codes of 8 bits less any zero do not fit 8 bits.
    check(matrix, expected(codes, zeros, scales, group_of), "q8_0" if bits < 8 else "f16")


def test_gptq_in_activation_order(tmp_path: Path) -> None:
    codes, zeros, scales = random_parts(4, 3)
    group_of = np.random.default_rng(1).permutation(np.arange(COLS) // 32)
    made = gptq_tensors(codes, zeros, scales, group_of, 4, 1)
    matrix = gptq_matrix(module(tmp_path, made), {"desc_act": False})
    check(matrix, expected(codes, zeros, scales, group_of), "f16")


def test_gptq_with_a_short_last_group(tmp_path: Path) -> None:
    codes, zeros, scales = random_parts(4, 2)
    group_of = np.arange(COLS) // 64
    made = gptq_tensors(codes, zeros, scales, group_of, 4, 1)
    del made["g_idx"]
    matrix = gptq_matrix(module(tmp_path, made), {"group_size": 64})
    check(matrix, expected(codes, zeros, scales, group_of), "q8_0")


def awq_words(values: list[int]) -> list[int]:
    """Value k of a word is nibble 0, 4, 1, 5, 2, 6, 3, 7 of it."""
    order = (0, 4, 1, 5, 2, 6, 3, 7)
    return [
        sum(values[first + k] << (4 * order[k]) for k in range(8))
        for first in range(0, len(values), 8)
    ]


def test_awq_gemm(tmp_path: Path) -> None:
    codes, zeros, scales = random_parts(4, 3)
    made = {
        "qweight": ("I32", words_of([awq_words(column.tolist()) for column in codes.T])),
        "qzeros": ("I32", words_of([awq_words(column.tolist()) for column in zeros.T])),
        "scales": ("F16", np.ascontiguousarray(scales.T)),
    }
    matrix = awq_matrix(module(tmp_path, made), {"quant_method": "awq", "version": "gemm"})
    check(matrix, expected(codes, zeros, scales, np.arange(COLS) // 32), "q8_0")


def test_awq_gemv(tmp_path: Path) -> None:
    codes, zeros, scales = random_parts(4, 3)
    padded = np.zeros((ROWS, 8), np.float16)
    padded[:, :3] = scales
    made = {
        "qweight": ("I32", words_of([stream(row.tolist(), 4) for row in codes])),
        "qzeros": ("I32", words_of([stream([*row.tolist(), *[0] * 5], 4) for row in zeros])),
        "scales": ("F16", padded),
    }
    matrix = awq_matrix(module(tmp_path, made), {"version": "gemv", "group_size": 32})
    check(matrix, expected(codes, zeros, scales, np.arange(COLS) // 32), "q8_0")


@pytest.mark.parametrize("size", [10**12, 1 << 63, 10**30])
def test_groups_larger_than_a_row_are_one(tmp_path: Path, size: int) -> None:
    codes, zeros, scales = random_parts(4, 1)
    made = gptq_tensors(codes, zeros, scales, np.zeros(COLS, np.int64), 4, 1)
    del made["g_idx"]
    matrix = gptq_matrix(module(tmp_path, made), {"group_size": size})
    check(matrix, expected(codes, zeros, scales, np.zeros(COLS, np.int64)), "q8_0")


def test_layouts_that_are_not_known_are_named(tmp_path: Path) -> None:
    codes, zeros, scales = random_parts(4, 3)
    made = gptq_tensors(codes, zeros, scales, np.arange(COLS) // 32, 4, 1)
    opened = module(tmp_path, made)
    with pytest.raises(ModelUnsupportedError, match="'marlin'"):
        gptq_matrix(opened, {"checkpoint_format": "marlin"})
    with pytest.raises(ModelUnsupportedError, match="'gemv_fast'"):
        awq_matrix(opened, {"version": "gemv_fast"})


@pytest.mark.parametrize("name", ["qweight", "qzeros", "scales", "g_idx"])
def test_parts_that_do_not_fit_are_named(tmp_path: Path, name: str) -> None:
    codes, zeros, scales = random_parts(4, 3)
    made = gptq_tensors(codes, zeros, scales, np.arange(COLS) // 32, 4, 1)
    kind, values = made[name]
    changes = {"shape": (kind, values[..., 1:].copy()), "kind": ("F32", values.astype(np.float32))}
    if name == "g_idx":
        changes["range"] = (kind, values + 1)
    if name == "scales":
        del changes["kind"]  # any float type will do
        changes["nan"] = (kind, np.full_like(values, np.nan))
    for change in changes.values():
        opened = module(tmp_path, {**made, name: change})
        with pytest.raises(ModelFormatError, match=f"m.{name}"):
            gptq_matrix(opened, {})
    del made[name]
    if name != "g_idx":
        with pytest.raises(ModelFormatError, match=f"m.{name}"):
            gptq_matrix(module(tmp_path, made), {})
