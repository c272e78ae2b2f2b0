"""Settings of flags and variables."""

from __future__ import annotations

import pytest

from pyinfer.errors import UsageError
from pyinfer.serving.settings import ServerSettings, read_switches


def test_defaults() -> None:
    settings = ServerSettings.from_environment({})
    assert (settings.max_queue, settings.max_models, settings.keep_alive) == (512, 3, 300.0)


def test_own_variables_win_and_flags_win_over_both() -> None:
    environment = {
        "OLLAMA_NUM_PARALLEL": "2",
        "PYINFER_NUM_PARALLEL": "3",
        "OLLAMA_KEEP_ALIVE": "1h30m",
        "OLLAMA_MAX_LOADED_MODELS": "0",
        "OLLAMA_KV_CACHE_TYPE": "q8_0",
        "OLLAMA_CONTEXT_LENGTH": "4096",
    }
    settings = ServerSettings.from_environment(environment, keep_alive=None, ctx_size=512)
    assert settings.parallel == 3
    assert settings.keep_alive == 5400.0
    assert settings.max_models == 3
    assert (settings.load.kv_type, settings.load.ctx_size) == ("q8_0", 512)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OLLAMA_NUM_PARALLEL", "many"),
        ("OLLAMA_NUM_PARALLEL", "65"),
        ("OLLAMA_MAX_QUEUE", "-1"),
        ("OLLAMA_KEEP_ALIVE", "5 parsecs"),
        ("PYINFER_KV_CACHE_TYPE", "q4_0"),
    ],
)
def test_wrong_values(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        ServerSettings.from_environment({name: value})


def test_unknown_flags() -> None:
    with pytest.raises(UsageError, match="colour"):
        ServerSettings.from_environment({}, colour="red")


def test_switches_for_templates() -> None:
    assert read_switches('{"enable_thinking": false, "brief": true}') == {
        "enable_thinking": False,
        "brief": True,
    }
    for wrong in ("", "[]", '{"a": 1}', '{"a b": true}', "{" * 9999, '{"enable_thinking": "no"}'):
        with pytest.raises(UsageError, match="chat-template-kwargs"):
            read_switches(wrong)
