"""Every kernel test runs once per instruction set level that this machine has."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer._kernels.kernels import Kernels, available_isas


@pytest.fixture(scope="session")
def scalar() -> Kernels:
    """The scalar kernels: the specification that every other level repeats bit for bit."""
    return Kernels("scalar")


@pytest.fixture(scope="session", params=available_isas())
def kernels(request: pytest.FixtureRequest) -> Kernels:
    """The kernels of one level, scalar included."""
    return Kernels(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20)
