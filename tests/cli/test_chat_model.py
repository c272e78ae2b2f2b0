"""A chat's model in this process."""

from __future__ import annotations

from pyinfer import LLM
from pyinfer.cli.chat_model import LocalModel

from ..scripted import Scripted


def test_what_a_chat_asks(llm: LLM, script: Scripted) -> None:
    model = LocalModel(llm)
    assert model.name == "fake"
    assert model.facts() == ["model: fake"]
    assert set(model.parameters()) == {"temperature", "top_p", "top_k"}
