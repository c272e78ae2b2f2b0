"""Log-probabilities of a prompt that is echoed, against those of the library."""

from __future__ import annotations

from typing import Any

import httpx2
import numpy as np
import pytest

import pyinfer


def test_logprobs_of_an_echoed_prompt(api: Any, client: httpx2.Client) -> None:
    text = "is beijing a bíg city?"
    fields: dict[str, Any] = {"model": "demo", "temperature": 0, "echo": True, "logprobs": 2}
    ids = client.post("/tokenize", json={"content": text, "add_special": True}).json()["tokens"]
    with pyinfer.load() as llm:
        logits = llm.logits(ids).astype(np.float64)
    logprobs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    expected = [logprobs[place, token] for place, token in enumerate(ids[1:])]
    for prompt in (text, ids):
        for max_tokens in (0, 5):
            whole = api.completions.create(prompt=prompt, max_tokens=max_tokens, n=2, **fields)
            assert whole.usage.completion_tokens == 2 * max_tokens
            for choice in whole.choices:
                found = choice.logprobs
                assert found.token_logprobs[0] is found.top_logprobs[0] is None
                assert found.token_logprobs[1 : len(ids)] == pytest.approx(expected, abs=1e-4)
                assert all(len(best) == 2 for best in found.top_logprobs[1:])
                assert len(found.tokens) == whole.usage.prompt_tokens + max_tokens
                spoken = found.tokens[1:] if prompt is text else found.tokens
                assert "".join(spoken).replace("\ufffd", "") == choice.text.replace("í", "")
                for token, place in zip(found.tokens[-3:], found.text_offset[-3:], strict=True):
                    assert choice.text[place:].startswith(token)
    stream = api.completions.create(prompt=text, max_tokens=5, stream=True, **fields)
    chunks = [chunk.choices[0] for chunk in stream]
    assert "".join(chunk.text for chunk in chunks).startswith(text)
    joined = [
        value for chunk in chunks if chunk.logprobs for value in chunk.logprobs.token_logprobs
    ]
    assert len(joined) == len(ids) + 5
    assert joined[1 : len(ids)] == pytest.approx(expected, abs=1e-4)
