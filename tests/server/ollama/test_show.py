"""``/api/show`` with Ollama's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyinfer.store.places import DEMO_FOLDER
from pyinfer.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    import httpx2
    import ollama


def test_everything_that_the_files_say(official: ollama.Client, client: httpx2.Client) -> None:
    shown = official.show("demo")
    tokenizer = Tokenizer.from_folder(DEMO_FOLDER)
    assert shown.template == tokenizer.chat_template
    assert (shown.modelfile or "").startswith("# ")
    assert "FROM demo" in (shown.modelfile or "")
    assert "thinking" in (shown.capabilities or [])
    info = shown.modelinfo
    assert info is not None
    assert info["general.architecture"] == "qwen2"
    assert info["qwen2.block_count"] > 0
    assert info["tokenizer.ggml.tokens"] is None
    verbose = client.post("/api/show", json={"name": "demo", "verbose": True}).json()
    assert len(verbose["model_info"]["tokenizer.ggml.tokens"]) >= tokenizer.n_tokens
    names = {tensor["name"] for tensor in verbose["tensors"]}
    assert "model.embed_tokens.weight" in names


def test_no_such_model(official: ollama.Client) -> None:
    import ollama

    with pytest.raises(ollama.ResponseError, match="model 'nope' not found"):
        official.show("nope")
