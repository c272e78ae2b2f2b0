"""Embeddings with Ollama's own client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    import httpx2
    import ollama


def test_vectors_of_length_one(official: ollama.Client) -> None:
    texts = ["What is 12 + 30?", "hello"]
    answer = official.embed("demo", texts)
    vectors = np.array(answer.embeddings)
    assert vectors.shape[0] == 2
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (answer.total_duration or 0) > 0
    assert (answer.load_duration or 0) > 0
    assert (answer.prompt_eval_count or 0) > 2
    one = official.embed("demo", texts[1])
    np.testing.assert_array_equal(np.array(one.embeddings)[0], vectors[1])
    old = official.embeddings("demo", texts[1])
    np.testing.assert_array_equal(np.array(old.embedding), vectors[1])


def test_dimensions(official: ollama.Client) -> None:
    vector = np.array(official.embed("demo", "hello", dimensions=16).embeddings)
    assert vector.shape == (1, 16)
    np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-5)


def test_nothing_to_embed(client: httpx2.Client) -> None:
    for value in ("", [], [""]):
        answer = client.post("/api/embed", json={"model": "demo", "input": value})
        assert (answer.status_code, answer.json()["embeddings"]) == (200, [])
    old = client.post("/api/embeddings", json={"model": "demo", "prompt": ""})
    assert old.json() == {"embedding": []}


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"model": "demo"}, 400, "input"),
        ({"model": "demo", "input": 5}, 400, "input"),
        ({"model": "demo", "input": "a", "dimensions": 0}, 400, "dimensions"),
        ({"model": "nope", "input": "a"}, 404, "model 'nope' not found"),
        (
            {"model": "demo", "input": "a b c d e f g h i j", "truncate": False,
             "options": {"num_ctx": 4}}, 400, "4",
        ),
    ],
)  # fmt: skip
def test_errors(client: httpx2.Client, body: dict[str, object], status: int, text: str) -> None:
    response = client.post("/api/embed", json=body)
    assert response.status_code == status
    assert text in response.json()["error"]
