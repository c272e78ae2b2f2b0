"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from pyinfer import LLM
from pyinfer.text.tokenizer import Tokenizer

from .checkpoints import random_config, write_folder
from .scripted import Scripted, make_llm
from .vocabulary import N_TOKENS

# Timing-based tuning is off in tests: it never changes results, only start-up time.
os.environ.setdefault("PYINFER_TUNE", "off")

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile(
    "suite", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("suite")

# Models of the person who runs the tests stay out of them.
os.environ |= dict.fromkeys(("PYINFER_MODELS", "HF_HUB_CACHE", "OLLAMA_MODELS"), "/dev/null/none")

# A server of theirs, too: nothing listens on port 1.
os.environ["PYINFER_HOST"] = "127.0.0.1:1"

# A shell starts background jobs with SIGINT ignored, and children inherit that: the tests of Ctrl-C
# would then wait for an interrupt that never comes.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with real vocabulary, configs and vectors that the repository does not ship."""
    folder = os.environ.get("PYINFER_TEST_DATA")
    if not folder:
        pytest.skip("PYINFER_TEST_DATA does not name the folder with the published vectors")
    return Path(folder)


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random checkpoint with a small tokenizer and three padding rows."""
    path = tmp_path_factory.mktemp("model")
    write_folder(path, random_config(vocab=N_TOKENS + 3), with_tokenizer=True)
    return path


@pytest.fixture
def script(tokenizer_folder: Path) -> Scripted:
    """A model that says what it is told to."""
    return Scripted(Tokenizer.from_folder(tokenizer_folder))


@pytest.fixture
def llm(script: Scripted) -> Iterator[LLM]:
    """An LLM on ``script``; closed after the test, which must close the model."""
    with make_llm(script.model, script.tokenizer) as llm:
        yield llm
    assert script.model.closed
