"""Rotary embedding: NEOX pairs, the contract's roundings."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer._kernels.kernels import Kernels

from . import contract
from .bits import assert_same_bits


@pytest.mark.parametrize("scale", [1.0, 0.08838834764831845])
@pytest.mark.parametrize("half", [1, 4, 8, 12, 16, 40, 64])
def test_rotation(kernels: Kernels, rng: np.random.Generator, half: int, scale: float) -> None:
    x = rng.standard_normal(2 * half, dtype=np.float32)
    angle = rng.uniform(0, 100, half)
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    a, b = x[:half], x[half:]
    found = kernels.rope(x, cos, sin, scale)
    factor = np.float32(scale)
    first = contract.fma(a, cos, -contract.flushed(b * sin)) * factor
    second = contract.fma(b, cos, contract.flushed(a * sin)) * factor
    assert_same_bits(found, np.concatenate([first, second]))
    turned = (a + 1j * b).astype(np.complex128) * np.exp(1j * angle) * scale
    expected = np.concatenate([turned.real, turned.imag])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
