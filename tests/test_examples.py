"""The examples in the documentation of the public surface run."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from pyinfer.store.places import DEMO_FOLDER

WITHOUT_MODEL = (
    "pyinfer.errors",
    "pyinfer.engine.params",
    "pyinfer.model.cache",
    "pyinfer.store.names",
    "pyinfer.cli.quantities",
)
WITH_MODEL = ("pyinfer", "pyinfer.llm", "pyinfer.loading", "pyinfer.requests.streams")


@pytest.mark.parametrize("name", [*WITHOUT_MODEL, *WITH_MODEL])
def test_examples_run(name: str) -> None:
    if name in WITH_MODEL and not (DEMO_FOLDER / "model.safetensors").exists():
        pytest.skip("the embedded model is not built")
    result = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0
    assert result.failed == 0
