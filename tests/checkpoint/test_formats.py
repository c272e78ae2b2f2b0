"""Block sizes against the ``gguf`` package."""

from __future__ import annotations

import gguf
import pytest

from pyinfer.checkpoint.formats import FLOATS, GGML_TYPES, RUNS, TensorInfo


def test_ggml_types_equal_the_package() -> None:
    theirs = {int(kind): (kind.name.lower(), *size) for kind, size in gguf.GGML_QUANT_SIZES.items()}
    assert theirs == GGML_TYPES


def test_formats_that_run() -> None:
    table = {name: (block, size) for name, block, size in GGML_TYPES.values()}
    assert {name: table[name] for name in RUNS} == RUNS
    assert set(FLOATS) == {name for name, (block, _) in RUNS.items() if block == 1}


@pytest.mark.parametrize("dtype", RUNS)
def test_sizes(dtype: str) -> None:
    qtype = gguf.GGMLQuantizationType[dtype.upper()]
    info = TensorInfo("t", dtype, (3, 512))
    assert info.row_bytes == gguf.quants.quant_shape_to_byte_shape((512,), qtype)[0]
    assert (info.rows, info.cols, info.n_bytes) == (3, 512, 3 * info.row_bytes)
    flat = TensorInfo("t", dtype, (512,))
    assert (flat.rows, flat.cols, flat.n_bytes) == (1, 512, info.row_bytes)
