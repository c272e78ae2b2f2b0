"""``/api/tags`` and ``/api/ps`` with Ollama's own client."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2
    import ollama


def test_models_on_this_machine(official: ollama.Client, client: httpx2.Client) -> None:
    models = {model.model: model for model in official.list().models}
    demo = models["demo:latest"]
    assert demo.details is not None
    assert (demo.details.family, demo.details.format) == ("qwen2", "safetensors")
    assert demo.details.parameter_size == "3.4M"
    assert demo.details.quantization_level == "BF16"
    assert demo.size is not None
    assert demo.size > 6_000_000
    assert len(demo.digest or "") == 64
    assert isinstance(demo.modified_at, datetime)
    entry = client.get("/api/tags").json()["models"][-1]
    assert {"completion", "embedding", "tools", "thinking"} == set(entry["capabilities"])


def test_loaded_models(official: ollama.Client, client: httpx2.Client) -> None:
    official.generate("demo", keep_alive="10m")
    (model,) = official.ps().models
    assert (model.model, model.size_vram) == ("demo:latest", 0)
    assert (model.size or 0) > 1_000_000
    assert (model.context_length or 0) >= 512
    assert isinstance(model.expires_at, datetime)
    left = (model.expires_at - datetime.now(UTC)).total_seconds()
    assert 0 < left <= 600
    official.generate("demo", keep_alive=-1)
    assert client.get("/api/ps").json()["models"][0]["expires_at"].startswith("9999")
    official.generate("demo", keep_alive=0)
    end = time.monotonic() + 60
    while official.ps().models:
        assert time.monotonic() < end
        time.sleep(0.05)
