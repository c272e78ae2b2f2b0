"""What a model's file says, between requests and the weights' files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import pyinfer
from pyinfer import SamplingParams
from pyinfer.config import GenerationDefaults
from pyinfer.errors import RequestError
from pyinfer.requests.preset import Preset, option_fields
from pyinfer.store.local import Store
from pyinfer.store.model_settings import ModelSettings
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.store.resolve import ResolvedModel

from ..store.stores import add_model

MESSAGES = ({"role": "user", "content": "a"}, {"role": "assistant", "content": "b"})


def preset(**settings: Any) -> Preset:
    return Preset.of(ResolvedModel("m", Path("m"), "path", ModelSettings(**settings)))


def test_options_become_fields_and_wrong_ones_are_left_out() -> None:
    options = {
        "temperature": 1,
        "repeat_penalty": 1.2,
        "top_k": 7.0,
        "stop": ["x", 3, ""],
        "num_predict": -1,
        "seed": 5,
        "min_p": "0.1",
        "typical_p": True,
        "top_p": float("inf"),
        "repeat_last_n": 10**400,
        "mirostat": 1,
    }
    assert option_fields(options) == {
        "temperature": 1.0,
        "repetition_penalty": 1.2,
        "top_k": 7,
        "stop": ["x"],
        "max_tokens": -1,
        "seed": 5,
    }


def test_a_request_wins_over_the_file_and_the_file_over_the_weights() -> None:
    made = preset(parameters={"temperature": 0.1, "min_p": 0.05, "stop": ["a"], "num_predict": 9})
    defaults = GenerationDefaults(temperature=0.7, top_p=0.8)
    merged = SamplingParams(temperature=0.5, stop="b").over(made.params).filled(defaults)
    assert (merged.temperature, merged.top_p, merged.min_p) == (0.5, 0.8, 0.05)
    assert (merged.stop, merged.max_tokens) == (("b",), 9)
    merged = SamplingParams(min_p=0, max_tokens=3).over(made.params).filled(defaults)
    assert (merged.temperature, merged.min_p, merged.max_tokens) == (0.1, 0, 3)
    assert merged.stop == ("a",)
    assert made.given() == {"temperature": 0.1, "min_p": 0.05, "max_tokens": 9, "stop": ("a",)}


@pytest.mark.parametrize(("context", "found"), [(512, 512), (0, None), (True, None), ("9", None)])
def test_context(context: Any, found: int | None) -> None:
    assert preset(parameters={"num_ctx": context}).context == found


def test_conversations_begin_with_what_the_file_says() -> None:
    made = preset(system="S", messages=MESSAGES)
    user = {"role": "user", "content": "hi"}
    system = {"role": "system", "content": "S"}
    assert made.conversation("hi") == [system, *MESSAGES, user]
    own = {"role": "system", "content": "mine"}
    assert made.conversation([own, user]) == [*MESSAGES, own, user]
    with pytest.raises(RequestError, match="must be a list"):
        made.conversation(3)  # type: ignore[arg-type]


def test_a_created_model_is_loaded_with_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYINFER_MODELS", str(tmp_path))
    files = {path.name: path.read_bytes() for path in DEMO_FOLDER.iterdir() if path.is_file()}
    settings = ModelSettings(
        system="Be brief.",
        template="{{ messages[0].content }}|{{ messages[1].content }}",
        parameters={"num_ctx": 128, "num_predict": 3, "temperature": 0, "seed": 7},
    )
    add_model(Store(), "mine", files, "folder", settings)
    with pyinfer.load("mine", threads=1) as llm:
        assert llm.info.context == 128
        assert llm.apply_chat_template("hi") == "Be brief.|hi"
        answer = llm.chat("hi")
        assert (answer.usage.completion_tokens, answer.seed) == (3, 7)
        assert llm.chat("hi", SamplingParams(max_tokens=2)).usage.completion_tokens == 2
