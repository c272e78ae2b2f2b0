"""The facts that ``pyinfer --version -v`` prints."""

from __future__ import annotations

import platform

import numpy as np
import pytest

from pyinfer.diagnose.build import build_facts
from pyinfer.errors import UsageError


def test_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_ISA", "scalar")
    facts = build_facts()
    assert facts["kernels"].startswith("scalar (PYINFER_ISA=scalar; available: ")
    assert facts["kernels"].endswith("scalar)")
    assert int(facts["threads"].split()[0]) >= 1
    assert platform.python_version() in facts["python"]
    assert f"numpy {np.__version__}" in facts["packages"]
    assert all("\n" not in value for value in facts.values())


def test_unknown_level(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFER_ISA", "sse9")
    with pytest.raises(UsageError, match="sse9"):
        build_facts()
