"""What is counted and how it is shown, from records and counters that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families

from pyinfer.model_info import ModelInfo
from pyinfer.server.metrics import Metrics, load_header
from pyinfer.serving.state import (
    EngineStats,
    ModelStats,
    RequestRecord,
    RunningModel,
    ServiceStats,
)

from ..engine.fake_model import config

GiB = 1 << 30


class Scene:
    """A service that says what it is told to."""

    def __init__(self) -> None:
        self.engine = EngineStats(kv_blocks=10, kv_free=4)
        self.models = [ModelStats("demo", self.engine, 5 * GiB, 64, 2, "avx2", 3)]
        self.loaded: list[RunningModel] = []
        self.metrics = Metrics(self.stats, lambda: self.loaded)

    def stats(self) -> ServiceStats:
        return ServiceStats(self.models, 2, 4)

    def engine_says(self, **counters: int) -> None:
        self.engine = replace(self.engine, **counters)
        self.models = [replace(self.models[0], engine=self.engine)]

    def values(self) -> dict[tuple[str, str], float]:
        """Value by name and labels other than model and engine."""
        text, _ = self.metrics.text()
        found = {}
        for family in text_string_to_metric_families(text.decode()):
            for sample in family.samples:
                labels = [v for k, v in sample.labels.items() if k not in ("model_name", "engine")]
                found[sample.name, ",".join(labels)] = sample.value
        return found


def record(reason: str = "stop", **more: Any) -> RequestRecord:
    values: dict[str, Any] = {"prompt_tokens": 10, "cached_tokens": 4, "completion_tokens": 5}
    return RequestRecord("id", "demo", reason, **(values | more))


def test_reasons_of_ended_requests() -> None:
    scene = Scene()
    for reason in ("stop", "tool_calls", "length", "abort", "error", "error"):
        scene.metrics.finished(record(reason, phase="prefill"))
    values = scene.values()
    counts = {
        label: n for (name, label), n in values.items() if name == "vllm:request_success_total"
    }
    assert counts == {"stop": 2, "length": 1, "abort": 1, "error": 2}
    cancelled = {
        label: n for (name, label), n in values.items() if name == "pyinfer:cancelled_total"
    }
    assert cancelled == {"queued": 0, "prefill": 1, "decode": 0}


def test_tokens_seconds_and_histograms() -> None:
    scene = Scene()
    second = 1_000_000_000
    scene.metrics.finished(
        record(
            prompt_ns=2 * second,
            decode_ns=4 * second,
            first_token_ns=3 * second,
            total_ns=7 * second,
            gaps_ns=[(second, 2), (second // 5, 1), (1, 0)],
            truncated_messages=2,
            loops=1,
        )
    )
    scene.metrics.finished(record(completion_tokens=0, prompt_tokens=0, total_ns=1))
    values = scene.values()
    assert values["vllm:prompt_tokens_total", ""] == 10
    assert values["llamacpp:prompt_tokens_total", ""] == 6
    assert values["llamacpp:prompt_tokens_seconds", ""] == 3
    assert values["llamacpp:tokens_predicted_total", ""] == 5
    assert values["llamacpp:predicted_tokens_seconds", ""] == 1.25
    assert values["vllm:e2e_request_latency_seconds_count", ""] == 2
    assert values["vllm:time_to_first_token_seconds_sum", ""] == 3
    assert values["vllm:time_to_first_token_seconds_bucket", "2.5"] == 0
    assert values["vllm:time_to_first_token_seconds_bucket", "5.0"] == 1
    assert values["vllm:inter_token_latency_seconds_count", ""] == 3
    assert values["vllm:inter_token_latency_seconds_sum", ""] == pytest.approx(1.2)
    assert values["vllm:inter_token_latency_seconds_bucket", "0.2"] == 1
    assert values["vllm:inter_token_latency_seconds_bucket", "+Inf"] == 3
    assert values["pyinfer:truncations_total", ""] == 1
    assert values["pyinfer:loop_guard_total", ""] == 1


def test_counters_of_engines_survive_a_reload() -> None:
    scene = Scene()
    scene.engine_says(generated_tokens=7, steps=3)
    assert scene.values()["vllm:generation_tokens_total", ""] == 7
    scene.engine_says(generated_tokens=9, steps=4)
    scene.metrics.finished(record())  # a look of its own, so that a reload loses nothing
    scene.engine_says(generated_tokens=2, steps=1)
    values = scene.values()
    assert values["vllm:generation_tokens_total", ""] == 11
    assert values["llamacpp:n_decode_total", ""] == 5
    kept, scene.models = scene.models, []
    assert scene.values()["vllm:generation_tokens_total", ""] == 11
    scene.models = kept
    assert scene.values()["vllm:generation_tokens_total", ""] == 13


def test_gauges() -> None:
    scene = Scene()
    values = scene.values()
    assert values["vllm:kv_cache_usage_perc", ""] == 0.6
    assert values["vllm:num_requests_waiting", ""] == 3
    assert values["vllm:cache_config_info", "64,10,10"] == 1
    assert values["llamacpp:requests_processing", ""] == 2
    assert values["llamacpp:requests_deferred", ""] == 4
    assert values["pyinfer:rss_bytes", "demo"] == 5 * GiB
    assert values["pyinfer:rss_bytes", "http"] > 1 << 20
    assert values["pyinfer:isa_info", "avx2"] == 1
    scene.models = []
    assert scene.values()["vllm:num_requests_running", ""] == 0


def test_weights_are_those_in_memory(tmp_path: Path) -> None:
    scene = Scene()
    info = ModelInfo("demo", config(), 99, 2, "avx2", 1000, 1234, 1, 1, ())
    loading = RunningModel("other", tmp_path, None, 0, None, 0, 0, 0.5)
    scene.loaded = [loading, RunningModel("demo", tmp_path, info, 5, None, 99, 0, 1.0)]
    assert scene.values()["pyinfer:weights_bytes", ""] == 1234


def test_steps_by_their_tokens() -> None:
    scene = Scene()
    scene.metrics.stepped([1, 9, 9])
    values = scene.values()
    assert values["vllm:iteration_tokens_total_count", ""] == 3
    assert values["vllm:iteration_tokens_total_sum", ""] == 19
    assert values["vllm:iteration_tokens_total_bucket", "8.0"] == 1


def test_families_can_be_left_out() -> None:
    metrics = Metrics(Scene().stats, list, ("llamacpp",))
    text = metrics.text()[0].decode()
    assert "llamacpp:n_decode_total" in text
    assert "vllm:" not in text
    assert "pyinfer:" not in text


def test_nothing_about_the_counting_itself() -> None:
    scene = Scene()
    scene.metrics.finished(record())
    text, content_type = scene.metrics.text()
    assert content_type.startswith("text/plain; version=0.0.4")
    assert b"_created" not in text


def test_load_headers() -> None:
    load = Scene().metrics.load()
    assert load == {
        "kv_cache_usage_perc": 0.6,
        "num_requests_waiting": 4,
        "num_requests_running": 2,
    }
    assert load_header(load, "text") == (
        "TEXT named_metrics.kv_cache_usage_perc=0.6, named_metrics.num_requests_waiting=4, "
        "named_metrics.num_requests_running=2"
    )
    assert load_header({"a": 1}, "JSON") == 'JSON {"named_metrics": {"a": 1}}'
    assert load_header(load, "xml") == ""
