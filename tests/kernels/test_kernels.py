"""The Python access to kernels: levels, facts, refused arguments."""

from __future__ import annotations

from collections.abc import Callable

import gguf
import numpy as np
import pytest

from pyinfer._kernels.kernels import (
    FILE_FORMATS,
    FORMATS,
    ISAS,
    Kernels,
    aligned_empty,
    available_isas,
    format_info,
)


def test_the_first_level_that_runs_is_taken_and_scalar_is_the_last() -> None:
    isas = available_isas()
    assert isas[-1] == ISAS[-1] == "scalar"
    assert list(isas) == [isa for isa in ISAS if isa in isas]
    assert Kernels().isa == isas[0]
    assert tuple(Kernels(isa).isa for isa in isas) == isas


@pytest.mark.parametrize("isa", ["sse9", "", "AVX2"])
def test_unknown_level_is_refused(isa: str) -> None:
    with pytest.raises(ValueError, match="instruction set"):
        Kernels(isa)


def test_format_facts() -> None:
    """Of file blocks as the gguf package has them, and of panels that follow from each other."""
    for name in FILE_FORMATS:
        info = format_info(name)
        kind = gguf.GGMLQuantizationType[name.upper()]
        assert info[:3] == (name, *gguf.GGML_QUANT_SIZES[kind])
        assert info.ggml_type == kind
        assert info.quantized == (name not in ("f32", "f16", "bf16"))
        assert (info.group_bytes > 0) == (name in FORMATS) == (info.panel == name)
        assert info.panel in FORMATS
        # Without padding: 16 rows of a group are as many bytes as in the file, a scale a bit wider.
        packed = 16 * 128 // info.block_inputs * info.block_bytes
        assert info.group_bytes in (0, packed, packed + 16)
    assert format_info("q5_0") == ("q5_0", 32, 22, 0, True, "q8_0", 6)
    with pytest.raises(ValueError, match="q4_7"):
        format_info("q4_7")


def test_aligned_empty() -> None:
    for count in (1, 63, 64, 1000):
        array = aligned_empty((3, count), np.float32)
        assert array.shape == (3, count)
        assert array.ctypes.data % 64 == 0


def f32(*shape: int) -> np.ndarray:
    """Zeros of a shape."""
    return np.zeros(shape, dtype=np.float32)


def u8(*shape: int) -> np.ndarray:
    """Aligned zero bytes of a shape."""
    array = aligned_empty(shape)
    array.fill(0)
    return array


REFUSED: list[Callable[[Kernels], object]] = [
    lambda k: k.pack("q4_0", u8(16, 73), 128),
    lambda k: k.pack("q4_0", u8(16, 72), 127),
    lambda k: k.pack("f32", u8(0, 512), 128),
    lambda k: k.unpack("q4_0", u8(1, 1152), 17, 128),
    lambda k: k.unpack("q4_0", u8(1, 1152), 16, 256),
    lambda k: k.quantize("q8_0", f32(2, 33)),
    lambda k: k.quantize("f32", f32(0, 8)),
    lambda k: k.dequantize("q8_0", u8(2, 33)),
    lambda k: k.act_a8(f32(1, 100)),
    lambda k: k.embed("f32", u8(1, 8192), 16),
    lambda k: k.gemv("f32", u8(1, 8192), f32(9, 128)),
    lambda k: k.gemv("f32", u8(1, 8192), f32(1, 256)),
    lambda k: k.gemv("f32", u8(3, 8192), f32(1, 128), 2),
    lambda k: k.gemv("f32", u8(2, 8193)[:1, 1:].copy(), f32(1, 256)),
    lambda k: k.gemv("q4_0", u8(1, 1152), u8(1, 1, 191)),
    lambda k: k.gemv("f32", u8(1, 8192), f32(2, 128), out=f32(1, 16)),
    lambda k: k.gemv("f32", u8(8193)[1:].reshape(1, 8192), f32(1, 128)),
    lambda k: k.gemm("f32", u8(1, 8192), f32(7, 128)),
    lambda k: k.gemm("f32", u8(1, 8192), f32(8, 128), 1),
    lambda k: k.gemm("f32", u8(1, 8192), f32(8, 128), 0, 2),
    lambda k: k.gemm("f32", u8(1, 8192), f32(8, 128), accumulate=True),
    lambda k: k.gemm("q4_0", u8(1, 1152), u8(1, 1, 4, 192)),
    lambda k: k.pack("q4_k", u8(16, 72), 128),
    lambda k: k.pack("q5_0", u8(16, 88), 128),
    lambda k: k.gemv("q4_k", u8(1, 1152), u8(1, 1, 192)),
    lambda k: k.gemm("q4_k", u8(1, 2304), u8(1, 2, 8, 192), 1),
    lambda k: k.gemm("q4_k", u8(1, 2304), u8(1, 2, 8, 192), 0, 1),
    lambda k: k.rmsnorm(f32(24), f32(24), 1e-6),
    lambda k: k.rmsnorm(f32(32), f32(16), 1e-6),
    lambda k: k.rope(f32(7), f32(4), f32(4)),
    lambda k: k.swiglu(f32(3), f32(4)),
    lambda k: k.kv_append(u8(1, 100), 0, 0, f32(8), f32(8)),
    lambda k: k.kv_append(u8(1, 4096), 0, 64, f32(8), f32(8)),
    lambda k: k.kv_append(u8(1, 4096), 1, 0, f32(8), f32(8)),
    lambda k: k.kv_append(u8(1, 4096), 0, 0, f32(8), f32(8), "q8"),
    lambda k: k.attn(f32(1, 8), np.ones(1, np.int32), u8(1, 4096), np.zeros(1, np.int32), 0, 65),
    lambda k: k.attn(f32(1, 8), np.ones(1, np.int32), u8(1, 4096), np.ones(1, np.int32), 0, 9),
    lambda k: k.attn(f32(1, 8), np.ones(1, np.int32), u8(1, 4096), np.zeros(1, np.int32), 1, 9),
    lambda k: k.attn_merge(f32(2), f32(2, 16), f32(1, 16), 8),
    lambda k: k.head_stats(f32(1025)),
    lambda k: k.head_select(f32(4), 0.0, 0),
]


@pytest.mark.parametrize("call", REFUSED)
def test_wrong_shapes_are_refused(call: Callable[[Kernels], object]) -> None:
    with pytest.raises(ValueError):
        call(Kernels("scalar"))


def test_wrong_dtype_is_refused() -> None:
    with pytest.raises(ValueError):
        Kernels("scalar").quantize("q8_0", np.zeros((1, 32)))


def test_the_callers_floating_point_mode_survives(kernels: Kernels) -> None:
    tiny = np.array([1e-40], dtype=np.float32)
    kernels.swiglu(tiny, tiny)
    assert (tiny * np.float32(1))[0] == np.float32(1e-40)
