"""Models created, copied and removed with Ollama's own client."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx2
    import ollama


def test_a_created_model_keeps_its_settings(official: ollama.Client) -> None:
    lines = [
        line.status
        for line in official.create(
            "Short",
            from_="demo",
            system="Be brief.",
            parameters={"num_predict": 3, "temperature": 0, "stop": ["zzz"]},
            messages=[{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}],
            license="MIT",
            stream=True,
        )
    ]
    assert lines[0] == "converting model"
    assert lines[-2:] == ["writing manifest", "success"]
    shown = official.show("short")
    assert shown.license == "MIT"
    assert "num_predict                    3" in (shown.parameters or "")
    assert 'SYSTEM "Be brief."' in (shown.modelfile or "")
    assert shown.details is not None
    assert shown.details.parent_model == "demo"
    assert "Short:latest" in [model.model for model in official.list().models]
    answer = official.chat("SHORT", [{"role": "user", "content": "What is 2 + 3?"}])
    assert (answer.eval_count, answer.done_reason) == (3, "length")
    longer = official.chat(
        "short", [{"role": "user", "content": "What is 2 + 3?"}], options={"num_predict": 5}
    )
    assert longer.eval_count == 5
    # The request's own system message replaces that of the file, and both use the same weights.
    plain = official.chat("demo", [{"role": "user", "content": "What is 2 + 3?"}],
                          options={"num_predict": 1})  # fmt: skip
    assert (answer.prompt_eval_count or 0) > (plain.prompt_eval_count or 0)
    official.copy("short", "other:x")
    official.delete("short")
    assert official.show("other:x").license == "MIT"
    assert official.delete("other:x").status == "success"


def test_quantized_and_copied(official: ollama.Client) -> None:
    lines = list(official.create("q", from_="demo", quantize="q8_0", stream=True))
    assert "quantizing BF16 model to Q8_0" in [line.status for line in lines]
    assert any(line.total and line.completed == line.total for line in lines)
    details = official.show("q").details
    assert details is not None
    assert (details.format, details.quantization_level) == ("gguf", "Q8_0")
    official.copy("demo", "demo2")
    assert official.show("demo2").details == official.show("demo2:latest").details
    for name in ("q", "demo2"):
        official.delete(name)


def test_from_an_uploaded_file(official: ollama.Client, gguf_file: Path) -> None:
    digest = official.create_blob(gguf_file)
    assert official.create_blob(gguf_file) == digest  # a second time
    answer = official.create("up", files={"model.gguf": digest}, template="{{ .Prompt }}")
    assert answer.status == "success"
    assert official.show("up").template.startswith("{%")  # type: ignore[union-attr]
    official.delete("up")


def test_a_modelfile(client: httpx2.Client) -> None:
    text = "FROM demo\nPARAMETER num_predict 2\n"
    body = {"name": "mf", "modelfile": text, "stream": False}
    assert client.post("/api/create", json=body).json() == {"status": "success"}
    answer = client.post("/api/generate", json={"model": "mf", "prompt": "a", "stream": False})
    assert answer.json()["eval_count"] == 2
    assert client.request("DELETE", "/api/delete", json={"name": "mf"}).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "neither 'from' or 'files'"),
        ({"from": "nope"}, 404, "model 'nope' not found"),
        ({"from": "demo", "quantize": "q17"}, 400, "q17"),
        ({"from": "demo", "adapters": {"a": "b"}}, 400, "LoRA"),
        ({"from": "demo", "template": "{{ .Frob }}"}, 400, "cannot be translated"),
        ({"from": "demo", "parameters": {"top_k": "x"}}, 400, 'option "top_k"'),
        ({"from": "demo", "messages": [{"role": "x"}]}, 400, "messages"),
        ({"files": {"m.gguf": "sha256:" + "0" * 64}}, 400, "upload it first"),
        ({"files": {"../m.gguf": "sha256:" + "0" * 64}}, 400, "not the name"),
    ],
)
def test_errors(client: httpx2.Client, body: dict[str, Any], status: int, text: str) -> None:
    response = client.post("/api/create", json={"model": "bad", "stream": False, **body})
    assert (response.status_code, list(response.json())) == (status, ["error"])
    assert text in response.json()["error"]


def test_an_error_in_the_middle_is_the_last_line(client: httpx2.Client) -> None:
    response = client.post("/api/create", json={"model": "bad", "from": "demo", "quantize": "x"})
    assert response.status_code == 200
    assert "error" in response.json()


def test_copies_and_removals_of_what_is_not_there(client: httpx2.Client) -> None:
    body = {"source": "nope", "destination": "x"}
    assert client.post("/api/copy", json=body).status_code == 404
    answer = client.request("DELETE", "/api/delete", json={"model": "nope"})
    assert (answer.status_code, answer.json()["error"]) == (404, "model 'nope' not found")
    answer = client.request("DELETE", "/api/delete", json={"model": "demo"})
    assert (answer.status_code, "own store" in answer.json()["error"]) == (400, True)
