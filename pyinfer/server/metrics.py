"""``/metrics``: what the service counts, under the names of vLLM, llama.cpp and our own.

Gauges are read from the service when they are asked for. What belongs to requests is counted when
one ends. Engines count from zero when a model is loaded again, so their counters are added up here.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder

from pyinfer.server.http.settings import METRIC_FAMILIES
from pyinfer.serving.state import ModelStats, RequestRecord, RunningModel, ServiceStats

_LABELS = ("model_name", "engine")
_FIRST_TOKEN = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40,
    80, 160, 640, 2560,
)  # fmt: skip
_GAP = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80,
)  # fmt: skip
_REQUEST = (
    0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
)  # fmt: skip
_TOKENS = (
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000,
)  # fmt: skip
_STEP = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384)

#: Reason of a record -> the word of vLLM.
_REASONS = {"stop": "stop", "tool_calls": "stop", "length": "length", "abort": "abort"}


class Buckets:
    """A histogram with one label value per model."""

    def __init__(self, name: str, text: str, bounds: tuple[float, ...]) -> None:
        self.name, self.text, self._bounds = name, text, bounds
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}

    def observe(self, model: str, value: float, times: int = 1) -> None:
        """Count ``times`` values."""
        counts = self._counts.setdefault(model, [0] * (len(self._bounds) + 1))
        counts[bisect_left(self._bounds, value)] += times
        self._sums[model] = self._sums.get(model, 0.0) + value * times

    def family(self) -> Metric:
        """As it is shown."""
        family = HistogramMetricFamily(self.name, self.text, labels=_LABELS)
        for model, counts in self._counts.items():
            total, rows = 0, []
            for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
                total += count
                rows.append((_bound_text(bound), total))
            family.add_metric([model, "0"], rows, self._sums[model])
        return family


class Metrics:
    """Counts, and shows what it has counted.

    Parameters
    ----------
    stats, running : callable
        What the service says now.
    families : tuple of str
        Which names are shown: ``vllm``, ``llamacpp``, ``pyinfer``.
    """

    def __init__(
        self,
        stats: Callable[[], ServiceStats],
        running: Callable[[], list[RunningModel]],
        families: tuple[str, ...] = METRIC_FAMILIES,
        default_model: str = "demo",
    ) -> None:
        self._stats, self._running, self._families = stats, running, families
        self._default = default_model
        self._engine_totals: dict[str, dict[str, int]] = {}
        self._engine_last: dict[str, dict[str, int]] = {}
        self._reasons: dict[tuple[str, str], int] = {}
        self._cancelled = dict.fromkeys(("queued", "prefill", "decode"), 0)
        self._prompt_tokens: dict[str, int] = {}
        self._truncations = 0
        self._loops = 0
        self._seconds = {"prompt": 0.0, "decode": 0.0}
        self._tokens = {"prompt": 0, "decode": 0}
        vllm = "vllm:"
        self.first_token = Buckets(
            vllm + "time_to_first_token_seconds", "Arrival to first token.", _FIRST_TOKEN
        )
        self.gap = Buckets(vllm + "inter_token_latency_seconds", "Between two tokens.", _GAP)
        self.total = Buckets(vllm + "e2e_request_latency_seconds", "Whole requests.", _REQUEST)
        self.queue = Buckets(vllm + "request_queue_time_seconds", "Waiting.", _REQUEST)
        self.prefill = Buckets(vllm + "request_prefill_time_seconds", "Prompts.", _REQUEST)
        self.decode = Buckets(vllm + "request_decode_time_seconds", "Generation.", _REQUEST)
        self.prompt = Buckets(vllm + "request_prompt_tokens", "Prompt tokens.", _TOKENS)
        self.generation = Buckets(vllm + "request_generation_tokens", "Generated.", _TOKENS)
        self.step = Buckets(vllm + "iteration_tokens_total", "Tokens of one step.", _STEP)
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    # ---- counting ------------------------------------------------------------------------------

    def finished(self, record: RequestRecord) -> None:
        """Count an ended request."""
        self._follow_engines(self._stats())
        model = record.model
        reason = _REASONS.get(record.reason, "error")
        self._reasons[model, reason] = self._reasons.get((model, reason), 0) + 1
        if record.reason == "abort":
            self._cancelled[record.phase] += 1
        self._truncations += record.truncated_messages > 0
        self._loops += record.loops
        self.total.observe(model, record.total_ns / 1e9)
        self.queue.observe(model, record.queue_ns / 1e9)
        if record.prompt_tokens:
            self.prompt.observe(model, record.prompt_tokens)
            known = self._prompt_tokens.get(model, 0)
            self._prompt_tokens[model] = known + record.prompt_tokens
        if not record.completion_tokens:
            return
        self.generation.observe(model, record.completion_tokens)
        self.first_token.observe(model, record.first_token_ns / 1e9)
        self.prefill.observe(model, record.prompt_ns / 1e9)
        self.decode.observe(model, record.decode_ns / 1e9)
        for gap_ns, tokens in record.gaps_ns:
            if tokens:
                self.gap.observe(model, gap_ns / 1e9 / tokens, tokens)
        self._seconds["prompt"] += record.prompt_ns / 1e9
        self._seconds["decode"] += record.decode_ns / 1e9
        self._tokens["prompt"] += record.prompt_tokens - record.cached_tokens
        self._tokens["decode"] += record.completion_tokens

    def _follow_engines(self, stats: ServiceStats) -> None:
        """Add what the engines did since the last look; one that counts less began anew."""
        present = {model.name: model for model in stats.models}
        for gone in self._engine_last.keys() - present.keys():
            del self._engine_last[gone]
        for name, model in present.items():
            now = {key: getattr(model.engine, key) for key in _ENGINE_COUNTERS}
            last = self._engine_last.get(name, {})
            if any(now[key] < last.get(key, 0) for key in now):
                last = {}
            totals = self._engine_totals.setdefault(name, dict.fromkeys(_ENGINE_COUNTERS, 0))
            new = {key: now[key] - last.get(key, 0) for key in now}
            for key, count in new.items():
                totals[key] += count
            self._engine_last[name] = now

    def stepped(self, tokens: list[int]) -> None:
        """Count steps of an engine by the tokens that each worked on."""
        names = [model.name for model in self._stats().models]
        model = names[0] if len(names) == 1 else self._default
        for count in tokens:
            self.step.observe(model, count)

    # ---- showing -------------------------------------------------------------------------------

    def text(self, accept: str = "") -> tuple[bytes, str]:
        """Everything in Prometheus' text form, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def collect(self) -> Iterator[Metric]:
        """All families; called by the registry."""
        stats = self._stats()
        self._follow_engines(stats)
        shown: dict[str, Callable[[ServiceStats], Iterable[Metric]]] = {
            "vllm": self._vllm,
            "llamacpp": self._llamacpp,
            "pyinfer": self._own,
        }
        for name in self._families:
            yield from shown[name](stats)

    def load(self) -> dict[str, float]:
        """The three gauges that schedulers look at."""
        stats = self._stats()
        return {
            "kv_cache_usage_perc": max((_usage(model) for model in stats.models), default=0.0),
            "num_requests_waiting": stats.waiting,
            "num_requests_running": stats.running,
        }

    def _vllm(self, stats: ServiceStats) -> Iterator[Metric]:
        idle = not stats.models
        gauges: dict[str, tuple[str, Callable[[ModelStats], float]]] = {
            "num_requests_running": ("Sequences in the batch.", lambda m: m.engine.running),
            "num_requests_waiting": (
                "Requests that wait.",
                lambda m: m.waiting + m.engine.waiting,
            ),
            "kv_cache_usage_perc": ("Used part of the cache, 0 to 1.", _usage),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily("vllm:" + name, text, labels=_LABELS)
            for model in stats.models:
                gauge.add_metric([model.name, "0"], value(model))
            if idle:
                gauge.add_metric([self._default, "0"], 0)
            yield gauge
        yield _cache_info(stats)
        for name, key in _COUNTERS.items():
            counter = CounterMetricFamily("vllm:" + name, _COUNTER_TEXTS[name], labels=_LABELS)
            for model_name, totals in self._engine_totals.items():
                counter.add_metric([model_name, "0"], totals[key])
            yield counter
        prompts = CounterMetricFamily("vllm:prompt_tokens", "Prompt tokens.", labels=_LABELS)
        for model_name, count in self._prompt_tokens.items():
            prompts.add_metric([model_name, "0"], count)
        yield prompts
        ended = CounterMetricFamily(
            "vllm:request_success", "Ended requests.", labels=(*_LABELS, "finished_reason")
        )
        for (model_name, reason), count in self._reasons.items():
            ended.add_metric([model_name, "0", reason], count)
        yield ended
        for buckets in (
            self.first_token, self.gap, self.total, self.queue, self.prefill, self.decode,
            self.prompt, self.generation, self.step,
        ):  # fmt: skip
            yield buckets.family()

    def _llamacpp(self, stats: ServiceStats) -> Iterator[Metric]:
        prefix = "llamacpp:"
        seconds, tokens = self._seconds, self._tokens
        steps = sum(totals["steps"] for totals in self._engine_totals.values())
        for name, value in (
            ("prompt_tokens", tokens["prompt"]),
            ("prompt_seconds", seconds["prompt"]),
            ("tokens_predicted", tokens["decode"]),
            ("tokens_predicted_seconds", seconds["decode"]),
            ("n_decode", steps),
        ):
            yield CounterMetricFamily(prefix + name, _LLAMA_TEXTS[name], value=value)
        for name, rate in (
            ("prompt_tokens_seconds", _rate(tokens["prompt"], seconds["prompt"])),
            ("predicted_tokens_seconds", _rate(tokens["decode"], seconds["decode"])),
            ("requests_processing", stats.running),
            ("requests_deferred", stats.waiting),
        ):
            yield GaugeMetricFamily(prefix + name, _LLAMA_TEXTS[name], value=rate)

    def _own(self, stats: ServiceStats) -> Iterator[Metric]:
        prefix = "pyinfer:"
        threads = GaugeMetricFamily(prefix + "threads", "Worker threads.", labels=("model_name",))
        isa = GaugeMetricFamily(
            prefix + "isa_info", "Instruction set in use.", labels=("model_name", "level")
        )
        memory = GaugeMetricFamily(
            prefix + "rss_bytes", "Resident memory by process.", labels=("process",)
        )
        memory.add_metric(["http"], _own_memory())
        for model in stats.models:
            threads.add_metric([model.name], model.threads)
            isa.add_metric([model.name, model.isa], 1)
            memory.add_metric([model.name], model.memory)
        weights = GaugeMetricFamily(
            prefix + "weights_bytes", "Weights in memory.", labels=("model_name",)
        )
        for loaded in self._running():
            if loaded.info is not None:
                weights.add_metric([loaded.name], loaded.info.weights_bytes)
        yield from (threads, isa, memory, weights)
        yield CounterMetricFamily(
            prefix + "loop_guard", "Answers cut off in a loop.", value=self._loops
        )
        yield CounterMetricFamily(
            prefix + "truncations", "Requests whose messages were cut.", value=self._truncations
        )
        cancelled = CounterMetricFamily(
            prefix + "cancelled", "Requests whose client left.", labels=("phase",)
        )
        for phase, count in self._cancelled.items():
            cancelled.add_metric([phase], count)
        yield cancelled


_ENGINE_COUNTERS = (
    "prefix_queries", "prefix_hits", "preemptions", "steps", "generated_tokens",
)  # fmt: skip
#: Name without ``_total`` -> counter of the engine.
_COUNTERS = {
    "generation_tokens": "generated_tokens",
    "prefix_cache_queries": "prefix_queries",
    "prefix_cache_hits": "prefix_hits",
    "num_preemptions": "preemptions",
}
_COUNTER_TEXTS = {
    "generation_tokens": "Generated tokens.",
    "prefix_cache_queries": "Prompt tokens looked up in the prefix cache.",
    "prefix_cache_hits": "Prompt tokens found there.",
    "num_preemptions": "Sequences put back to make room.",
}
_LLAMA_TEXTS = {
    "prompt_tokens": "Number of prompt tokens processed.",
    "prompt_seconds": "Prompt process time.",
    "tokens_predicted": "Number of generation tokens processed.",
    "tokens_predicted_seconds": "Predict process time.",
    "n_decode": "Steps of the engines.",
    "prompt_tokens_seconds": "Average prompt throughput in tokens/s.",
    "predicted_tokens_seconds": "Average generation throughput in tokens/s.",
    "requests_processing": "Number of requests processing.",
    "requests_deferred": "Number of requests deferred.",
}


def _usage(model: ModelStats) -> float:
    blocks = model.engine.kv_blocks
    return (blocks - model.engine.kv_free) / blocks if blocks else 0.0


def _rate(tokens: int, seconds: float) -> float:
    return tokens / seconds if seconds else 0.0


def _cache_info(stats: ServiceStats) -> Metric:
    info = GaugeMetricFamily(
        "vllm:cache_config_info",
        "Geometry of the cache.",
        labels=(*_LABELS, "block_size", "num_gpu_blocks", "num_cpu_blocks"),
    )
    for model in stats.models:
        blocks = str(model.engine.kv_blocks)
        info.add_metric([model.name, "0", str(model.block_size), blocks, blocks], 1)
    return info


def _bound_text(bound: float) -> str:
    return "+Inf" if bound == float("inf") else repr(float(bound))


def _own_memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no path object: hot)
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def load_header(load: dict[str, Any], form: str) -> str:
    """Value of ``endpoint-load-metrics`` in the form that a request asked for, or nothing."""
    metrics = {name: float(value) for name, value in load.items()}
    if form.upper() == "JSON":
        pairs = ", ".join(f'"{name}": {value:g}' for name, value in metrics.items())
        return f'JSON {{"named_metrics": {{{pairs}}}}}'
    if form.upper() == "TEXT":
        return "TEXT " + ", ".join(
            f"named_metrics.{name}={value:g}" for name, value in metrics.items()
        )
    return ""
