"""Folders that other libraries have written, beside logits of what those libraries make of them.

``python -m tools.make_quantized`` wrote them and says how; each expected row is computed by
transformers in float32 from the library's own dequantization.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer.checkpoint.checkpoint import open_checkpoint
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model

FOLDER = Path(__file__).parents[2] / "golden" / "quantized"
NAMES = sorted(path.name for path in FOLDER.iterdir() if path.is_dir())


def logits(name: str, dtype: str | None) -> tuple[np.ndarray, np.ndarray]:
    """What we compute and what is expected, float32 (T, V)."""
    expected = np.load(FOLDER / name / "expected.npz")
    loaded = load_model(FOLDER / name, LoadOptions(dtype=dtype, threads=2, ctx_size=64))
    found = loaded.model.logits(expected["tokens"], np.zeros(1, np.int32))
    return found, expected["logits"]


@pytest.mark.parametrize("name", NAMES)
def test_values_are_those_of_the_library(name: str) -> None:
    found, expected = logits(name, "f32")
    assert np.abs(found - expected).max() <= 2e-4 * np.ptp(expected)


@pytest.mark.parametrize("name", NAMES)
def test_the_default_keeps_the_direction(name: str) -> None:
    found, expected = logits(name, None)
    for a, b in zip(found.astype(np.float64), expected.astype(np.float64), strict=True):
        assert a @ b >= 0.999 * np.linalg.norm(a) * np.linalg.norm(b)


@pytest.mark.parametrize("name", NAMES)
def test_slices_of_rows_are_the_rows(name: str) -> None:
    with open_checkpoint(FOLDER / name) as checkpoint:
        assert checkpoint.held
        for tensor in checkpoint.held:
            info = checkpoint.tensors[tensor]
            whole = bytearray(info.n_bytes)
            checkpoint.read_rows(tensor, 0, info.rows, memoryview(whole))
            parts = bytearray()
            for first in range(0, info.rows, 7):
                part = bytearray(min(7, info.rows - first) * info.row_bytes)
                checkpoint.read_rows(tensor, first, len(part) // info.row_bytes, memoryview(part))
                parts += part
            assert parts == whole, tensor
