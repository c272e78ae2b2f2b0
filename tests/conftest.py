"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Timing-based tuning is off in tests: it never changes results, only start-up time.
os.environ.setdefault("PYINFER_TUNE", "off")


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with real vocabulary, configs and vectors that the repository does not ship."""
    folder = os.environ.get("PYINFER_TEST_DATA")
    if not folder:
        pytest.skip("PYINFER_TEST_DATA does not name the folder with the published vectors")
    return Path(folder)
