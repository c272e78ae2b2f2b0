"""Greedy text of the embedded model, token by token the same as with transformers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyinfer
from pyinfer.model.step import LOGITS_LAST, Span
from pyinfer.store.places import DEMO_FOLDER

from ..checkpoints import random_config, random_weights, write_folder
from ..model.steps import Ints, load, table, with_runtime
from .reference import reference_model

pytestmark = pytest.mark.oracle
torch = pytest.importorskip("torch", reason="the oracle tests need the extra [oracle]: torch")
pytest.importorskip("transformers", reason="the oracle tests need the extra [oracle]: transformers")

N_TOKENS = 128
QUESTIONS = (
    "What is 4321 + 987?",
    "Which is larger, 9.11 or 9.9?",
    "How many r's are in strawberry?",
    "What is the capital of France?",
    "Tell me a story.",
)


def _reference_greedy(model: Any, prompt: Ints) -> list[int]:
    """The likeliest continuation; an end token does not stop it."""
    out: list[int] = []
    cache = None
    ids = torch.from_numpy(prompt.astype(np.int64))[None]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        for _ in range(N_TOKENS):
            result = model(ids, past_key_values=cache, use_cache=True)
            cache = result.past_key_values
            out.append(int(result.logits[0, -1].argmax()))
            ids = torch.tensor([[out[-1]]])
    return out


def _our_greedy(path: Path, prompt: Ints) -> list[int]:
    model = with_runtime(load(path, "f32"), 2, context=512)
    blocks = table(model)
    out: list[int] = []
    start, tokens = 0, prompt
    for _ in range(N_TOKENS):
        row = model.step([Span(tokens, start, blocks, LOGITS_LAST)])[0]
        out.append(int(row.ids[0]))
        start += len(tokens)
        tokens = np.array(out[-1:], np.int32)
    return out


@pytest.fixture(scope="module")
def demo_reference() -> Any:
    """The embedded model in transformers."""
    if not (DEMO_FOLDER / "model.safetensors").exists():
        pytest.skip("the checkout has no embedded model: pyinfer/demo/model.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import Qwen2ForCausalLM

        return Qwen2ForCausalLM.from_pretrained(DEMO_FOLDER, dtype=torch.float32).eval()


@pytest.mark.parametrize("question", QUESTIONS)
def test_embedded_model(question: str, demo_reference: Any) -> None:
    with pyinfer.load(DEMO_FOLDER, dtype="f32") as llm:
        prompt = llm.apply_chat_template([{"role": "user", "content": question}])
        ids = llm.tokenizer.encode(prompt)
        params = pyinfer.SamplingParams(max_tokens=N_TOKENS, temperature=0.0)
        answer = list(llm.generate(token_ids=ids, params=params).token_ids)
    expected = _reference_greedy(demo_reference, np.array(ids, np.int32))
    assert _our_greedy(DEMO_FOLDER, np.array(ids, np.int32)) == expected
    # The engine stops at an end token; up to there it says the same.
    config = json.loads((DEMO_FOLDER / "generation_config.json").read_text())
    ends = np.atleast_1d(config["eos_token_id"])
    stop = next((i for i, token in enumerate(expected) if token in ends), N_TOKENS)
    assert [token for token in answer if token not in ends] == expected[:stop]


@pytest.mark.parametrize("seed", [1, 2])
def test_random_model(seed: int, tmp_path: Path) -> None:
    """The same on a net whose margins are whatever they are."""
    config = random_config(hidden=128, heads=4, kv_heads=2, head_dim=32, vocab=500)
    weights = random_weights(config, seed)
    write_folder(tmp_path, config, dtype="f32", weights=weights)
    prompt = np.arange(10, dtype=np.int32) * 31 % 500
    expected = _reference_greedy(reference_model(config, weights), prompt)
    assert _our_greedy(tmp_path, prompt) == expected
    assert len(set(expected)) > 5
