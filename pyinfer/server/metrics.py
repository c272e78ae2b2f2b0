"""``/metrics``: what the service counts, under the names of vLLM, llama.cpp and our own.

What belongs to requests is counted when one ends, in the types of ``prometheus_client``. What is
true now (``gauges.py``) is read from the service when it is asked for. Engines count from zero when
a model is loaded again, so it is what they have added since the last look that is counted here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from pyinfer.server.gauges import LABELS, Gauges, cache_usage
from pyinfer.server.http.settings import METRIC_FAMILIES
from pyinfer.serving.state import RequestRecord, RunningModel, ServiceStats

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

_HISTOGRAMS: dict[str, tuple[str, tuple[float, ...]]] = {
    "vllm:time_to_first_token_seconds": ("Arrival to first token.", _FIRST_TOKEN),
    "vllm:inter_token_latency_seconds": ("Between two tokens.", _GAP),
    "vllm:e2e_request_latency_seconds": ("Whole requests.", _REQUEST),
    "vllm:request_queue_time_seconds": ("Waiting.", _REQUEST),
    "vllm:request_prefill_time_seconds": ("Prompts.", _REQUEST),
    "vllm:request_decode_time_seconds": ("Generation.", _REQUEST),
    "vllm:request_prompt_tokens": ("Prompt tokens.", _TOKENS),
    "vllm:request_generation_tokens": ("Generated.", _TOKENS),
    "vllm:iteration_tokens_total": ("Tokens of one step.", _STEP),
}
#: Name without ``_total`` -> text and labels.
_COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "vllm:generation_tokens": ("Generated tokens.", LABELS),
    "vllm:prefix_cache_queries": ("Prompt tokens looked up in the prefix cache.", LABELS),
    "vllm:prefix_cache_hits": ("Prompt tokens found there.", LABELS),
    "vllm:num_preemptions": ("Sequences put back to make room.", LABELS),
    "vllm:prompt_tokens": ("Prompt tokens.", LABELS),
    "vllm:request_success": ("Ended requests.", (*LABELS, "finished_reason")),
    "llamacpp:prompt_tokens": ("Number of prompt tokens processed.", ()),
    "llamacpp:prompt_seconds": ("Prompt process time.", ()),
    "llamacpp:tokens_predicted": ("Number of generation tokens processed.", ()),
    "llamacpp:tokens_predicted_seconds": ("Predict process time.", ()),
    "llamacpp:n_decode": ("Steps of the engines.", ()),
    "pyinfer:loop_guard": ("Answers cut off in a loop.", ()),
    "pyinfer:truncations": ("Requests whose messages were cut.", ()),
    "pyinfer:cancelled": ("Requests whose client left.", ("phase",)),
}
_RATES = {
    "llamacpp:prompt_tokens_seconds": "Average prompt throughput in tokens/s.",
    "llamacpp:predicted_tokens_seconds": "Average generation throughput in tokens/s.",
}
#: Part of a request -> tokens, seconds, rate.
_LLAMA_NAMES = {
    "prompt": (
        "llamacpp:prompt_tokens",
        "llamacpp:prompt_seconds",
        "llamacpp:prompt_tokens_seconds",
    ),
    "decode": (
        "llamacpp:tokens_predicted",
        "llamacpp:tokens_predicted_seconds",
        "llamacpp:predicted_tokens_seconds",
    ),
}
#: Counter of an engine -> where it is added, per model.
_OF_ENGINE = {
    "generated_tokens": "vllm:generation_tokens",
    "prefix_queries": "vllm:prefix_cache_queries",
    "prefix_hits": "vllm:prefix_cache_hits",
    "preemptions": "vllm:num_preemptions",
}
#: Reason of a record -> the word of vLLM.
_REASONS = {"stop": "stop", "tool_calls": "stop", "length": "length", "abort": "abort"}


class Metrics:
    """Counts, and shows what it has counted.

    Parameters
    ----------
    stats, running : callable
        What the service says now.
    families : tuple of str
        Which names are shown: ``vllm``, ``llamacpp``, ``pyinfer``.
    default_model : str
        Named where no model is loaded.
    """

    def __init__(
        self,
        stats: Callable[[], ServiceStats],
        running: Callable[[], list[RunningModel]],
        families: tuple[str, ...] = METRIC_FAMILIES,
        default_model: str = "demo",
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._stats = stats
        self._default = default_model
        self._engines: dict[str, dict[str, int]] = {}
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(Gauges(stats, running, families, default_model))

        def place(name: str) -> CollectorRegistry | None:
            return self._registry if name.partition(":")[0] in families else None

        self._histograms = {
            name: Histogram(name, text, LABELS, buckets=bounds, registry=place(name))
            for name, (text, bounds) in _HISTOGRAMS.items()
        }
        self._counters = {
            name: Counter(name, text, labels, registry=place(name))
            for name, (text, labels) in _COUNTERS.items()
        }
        self._rates = {
            name: Gauge(name, text, registry=place(name)) for name, text in _RATES.items()
        }
        for phase in ("queued", "prefill", "decode"):
            self._counters["pyinfer:cancelled"].labels(phase)
        self._seconds = {"prompt": 0.0, "decode": 0.0}
        self._tokens = {"prompt": 0, "decode": 0}

    # ---- counting ------------------------------------------------------------------------------

    def finished(self, record: RequestRecord) -> None:
        """Count an ended request."""
        self._follow_engines()
        reason = _REASONS.get(record.reason, "error")
        self._counters["vllm:request_success"].labels(record.model, "0", reason).inc()
        if record.reason == "abort":
            self._counters["pyinfer:cancelled"].labels(record.phase).inc()
        self._counters["pyinfer:truncations"].inc(record.truncated_messages > 0)
        self._counters["pyinfer:loop_guard"].inc(record.loops)
        self._observe("e2e_request_latency_seconds", record, record.total_ns / 1e9)
        self._observe("request_queue_time_seconds", record, record.queue_ns / 1e9)
        if record.prompt_tokens:
            self._observe("request_prompt_tokens", record, record.prompt_tokens)
            self._counters["vllm:prompt_tokens"].labels(record.model, "0").inc(record.prompt_tokens)
        if record.completion_tokens:
            self._answered(record)

    def _answered(self, record: RequestRecord) -> None:
        """Count what belongs to requests with an answer."""
        self._observe("request_generation_tokens", record, record.completion_tokens)
        self._observe("time_to_first_token_seconds", record, record.first_token_ns / 1e9)
        self._observe("request_prefill_time_seconds", record, record.prompt_ns / 1e9)
        self._observe("request_decode_time_seconds", record, record.decode_ns / 1e9)
        for gap_ns, tokens in record.gaps_ns:
            for _ in range(tokens):
                self._observe("inter_token_latency_seconds", record, gap_ns / 1e9 / tokens)
        evaluated = record.prompt_tokens - record.cached_tokens
        for part, tokens, ns in (
            ("prompt", evaluated, record.prompt_ns),
            ("decode", record.completion_tokens, record.decode_ns),
        ):
            self._tokens[part] += tokens
            self._seconds[part] += ns / 1e9
            total, seconds, rate = _LLAMA_NAMES[part]
            self._counters[total].inc(tokens)
            self._counters[seconds].inc(ns / 1e9)
            if self._seconds[part]:
                self._rates[rate].set(self._tokens[part] / self._seconds[part])

    def _observe(self, name: str, record: RequestRecord, value: float) -> None:
        self._histograms[f"vllm:{name}"].labels(record.model, "0").observe(value)

    def _follow_engines(self) -> None:
        """Add what the engines did since the last look; one that counts less began anew."""
        present = {model.name: model for model in self._stats().models}
        for gone in self._engines.keys() - present.keys():
            del self._engines[gone]
        for name, model in present.items():
            now = {key: getattr(model.engine, key) for key in (*_OF_ENGINE, "steps")}
            last = self._engines.get(name, {})
            if any(now[key] < last.get(key, 0) for key in now):
                last = {}
            for key, counter in _OF_ENGINE.items():
                self._counters[counter].labels(name, "0").inc(now[key] - last.get(key, 0))
            self._counters["llamacpp:n_decode"].inc(now["steps"] - last.get("steps", 0))
            self._engines[name] = now

    def stepped(self, tokens: list[int]) -> None:
        """Count steps of an engine by the tokens that each worked on."""
        names = [model.name for model in self._stats().models]
        model = names[0] if len(names) == 1 else self._default
        histogram = self._histograms["vllm:iteration_tokens_total"].labels(model, "0")
        for count in tokens:
            histogram.observe(count)

    # ---- showing -------------------------------------------------------------------------------

    def text(self) -> tuple[bytes, str]:
        """Everything in Prometheus' text form, and its content type.

        Always this form: in OpenMetrics' the package would turn the colons of the names, which
        dashboards ask for, into underscores.
        """
        self._follow_engines()
        return generate_latest(self._registry), CONTENT_TYPE_PLAIN_0_0_4

    def load(self) -> dict[str, float]:
        """The three gauges that schedulers look at."""
        stats = self._stats()
        return {
            "kv_cache_usage_perc": max((cache_usage(model) for model in stats.models), default=0.0),
            "num_requests_waiting": stats.waiting,
            "num_requests_running": stats.running,
        }


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
