"""The main loops of the hot kernels do not grow: instructions per multiplication, without timing.

Counted in the disassembly, because the usual simulators do not know AVX-512. A loop that a compiler
stops unrolling, whose registers it spills, or to which a change adds work, shows up here. The loop
with the most multiplications counts; for gemv that is the one with the most tokens at a time.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import pyinfer._kernels

from .disassembly import Disassembly

LIBRARY = next(Path(pyinfer._kernels.__path__[0]).glob("matrix_kernels.*.so"))
MULTIPLICATION = "vpdpbusd|vpmaddubsw|vfn?m(add|sub)"
ROOM = 1.15  # for other versions of the compiler

# Instructions per multiplication, by gcc 12 with -O3.
COUNTED = {
    "gemm_q4_0_avx2": 3.57,
    "gemm_q4_0_avx2vnni": 3.00,
    "gemm_q4_0_avx2vnni_evex": 3.00,
    "gemm_q4_0_avx512vnni": 2.41,
    "gemm_q8_0_avx2": 3.57,
    "gemm_q8_0_avx2vnni": 3.00,
    "gemm_q8_0_avx2vnni_evex": 3.00,
    "gemm_q8_0_avx512vnni": 2.24,
    "gemm_f16_avx2": 2.50,
    "gemm_f16_avx512vnni": 1.97,
    "gemv_q4_0_avx2": 4.50,
    "gemv_q4_0_avx2vnni": 3.39,
    "gemv_q4_0_avx2vnni_evex": 3.33,
    "gemv_q4_0_avx512vnni": 2.91,
    "gemv_q8_0_avx2": 6.19,
    "gemv_q8_0_avx2vnni": 2.88,
    "gemv_q8_0_avx2vnni_evex": 2.88,
    "gemv_q8_0_avx512vnni": 2.79,
    "gemv_f16_avx2": 3.00,
    "gemv_f16_avx512vnni": 2.12,
}


@pytest.fixture(scope="module")
def disassembly() -> Disassembly:
    return Disassembly(LIBRARY)


def cost(disassembly: Disassembly, symbol: str) -> float:
    """Instructions per multiplication of the loop with most of them; the leanest of several."""
    loops = [(loop.count(MULTIPLICATION), len(loop)) for loop in disassembly.loops(symbol)]
    most = max(multiplications for multiplications, _ in loops)
    assert most > 0, loops
    return min(length for multiplications, length in loops if multiplications == most) / most


@pytest.mark.parametrize("name", COUNTED)
def test_main_loop(disassembly: Disassembly, name: str) -> None:
    symbol = f"pi_{name}"
    if symbol not in disassembly.symbols:
        pytest.skip(f"this compiler does not build {symbol}")
    found = cost(disassembly, symbol)
    assert found <= COUNTED[name] * ROOM, f"{found:.2f} per multiplication"


def test_counting_sees_a_loop_with_more_work(disassembly: Disassembly) -> None:
    # One needs sign tricks and sums for each dot product, the other is plain multiply-add.
    lean = cost(disassembly, "pi_gemm_f16_avx2")
    assert cost(disassembly, "pi_gemv_q8_0_avx2") > 2 * lean
