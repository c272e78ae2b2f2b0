"""Logits against stored outputs of the reference implementation, without the reference."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import available_isas

from ..checkpoints import Weights, write_folder
from .golden_cases import CASES, Case, tokens_of, weights_of
from .mixed_gguf import write_mixed_gguf
from .steps import Floats, load, run_chunks, with_runtime

TOLERANCE = 2e-4  # of the range of the logits, in f32
COSINE = 0.999  # in formats with 8-bit activations or an f16 cache


def _expected(case: Case) -> Floats:
    with np.load(case.path) as stored:
        logits: Floats = stored["logits"]
    return logits


def _found(path: Path, case: Case, isa: str | None = None, dtype: str | None = None) -> Floats:
    model = with_runtime(load(path, dtype), 2, isa, context=64)
    return np.stack([row.full for row in run_chunks(model, tokens_of(case), [10, 9, 1])])


def _assert_close(found: Floats, expected: Floats) -> None:
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= TOLERANCE * np.ptp(expected)


@pytest.fixture(scope="module")
def weights() -> dict[str, Weights]:
    """Weights of every case, by name."""
    return {case.name: weights_of(case.config) for case in CASES}


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("case", [c for c in CASES if c.dtype == "f32"], ids=lambda c: c.name)
def test_f32(case: Case, isa: str, tmp_path: Path, weights: dict[str, Weights]) -> None:
    write_folder(tmp_path, case.config, dtype="f32", weights=weights[case.name])
    _assert_close(_found(tmp_path, case, isa, "f32"), _expected(case))


@pytest.mark.parametrize("name", ["gqa6", "qwen3-tied", "llama"])
def test_f32_gguf(name: str, tmp_path: Path, weights: dict[str, Weights]) -> None:
    case = next(c for c in CASES if c.name == name)
    path = tmp_path / "model.gguf"
    write_mixed_gguf(path, case.config, lambda _: "f32", weights=weights[case.name])
    _assert_close(_found(path, case), _expected(case))


@pytest.mark.parametrize("isa", available_isas())
@pytest.mark.parametrize("case", [c for c in CASES if c.dtype != "f32"], ids=lambda c: c.dtype)
def test_formats(case: Case, isa: str, tmp_path: Path, weights: dict[str, Weights]) -> None:
    write_folder(tmp_path, case.config, dtype="f32", weights=weights[case.name])
    found, expected = _found(tmp_path, case, isa, case.dtype), _expected(case)
    cosine = (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1)
    assert (cosine / np.linalg.norm(expected, axis=1)).min() >= COSINE


def test_cases_differ(weights: dict[str, Weights]) -> None:
    """A wrong file would be noticed: no two expectations agree within the tolerance."""
    same_shape = [_expected(case) for case in CASES if case.name == "wide"]
    for i, a in enumerate(same_shape):
        for b in same_shape[:i]:
            assert np.abs(a - b).max() > 0
    exact, q4 = same_shape[0], same_shape[-1]
    assert np.abs(exact - q4).max() > 10 * TOLERANCE * np.ptp(exact)


def test_stored_files_are_small() -> None:
    sizes = [case.path.stat().st_size for case in CASES]
    assert sum(sizes) < 300_000
