"""What is true of the service now, for ``/metrics``: read when it is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pyinfer.serving.state import ModelStats, RunningModel, ServiceStats

#: Labels of vLLM's metrics; there is one engine per model.
LABELS = ("model_name", "engine")


class Gauges(Collector):
    """Asks the service.

    Parameters
    ----------
    stats, running : callable
        What the service says now.
    families : tuple of str
        Which names are shown.
    default_model : str
        Named where no model is loaded.
    """

    def __init__(
        self,
        stats: Callable[[], ServiceStats],
        running: Callable[[], list[RunningModel]],
        families: tuple[str, ...],
        default_model: str,
    ) -> None:
        self._stats, self._running, self._default = stats, running, default_model
        shown = {"vllm": self._vllm, "llamacpp": self._llamacpp, "pyinfer": self._own}
        self._shown = [shown[family] for family in families]

    def collect(self) -> Iterator[Metric]:
        """All families; called by the registry."""
        stats = self._stats()
        for family in self._shown:
            yield from family(stats)

    def _vllm(self, stats: ServiceStats) -> Iterator[Metric]:
        gauges: dict[str, tuple[str, Callable[[ModelStats], float]]] = {
            "num_requests_running": ("Sequences in the batch.", lambda m: m.engine.running),
            "num_requests_waiting": ("Requests that wait.", lambda m: m.waiting + m.engine.waiting),
            "kv_cache_usage_perc": ("Used part of the cache, 0 to 1.", cache_usage),
        }
        for name, (text, value) in gauges.items():
            gauge = GaugeMetricFamily(f"vllm:{name}", text, labels=LABELS)
            for model in stats.models:
                gauge.add_metric([model.name, "0"], value(model))
            if not stats.models:
                gauge.add_metric([self._default, "0"], 0)
            yield gauge
        info = GaugeMetricFamily(
            "vllm:cache_config_info",
            "Geometry of the cache.",
            labels=(*LABELS, "block_size", "num_gpu_blocks", "num_cpu_blocks"),
        )
        for model in stats.models:
            blocks = str(model.engine.kv_blocks)
            info.add_metric([model.name, "0", str(model.block_size), blocks, blocks], 1)
        yield info

    def _llamacpp(self, stats: ServiceStats) -> Iterator[Metric]:
        for name, text, value in (
            ("requests_processing", "Number of requests processing.", stats.running),
            ("requests_deferred", "Number of requests deferred.", stats.waiting),
        ):
            yield GaugeMetricFamily(f"llamacpp:{name}", text, value=value)

    def _own(self, stats: ServiceStats) -> Iterator[Metric]:
        threads = GaugeMetricFamily("pyinfer:threads", "Worker threads.", labels=("model_name",))
        isa = GaugeMetricFamily(
            "pyinfer:isa_info", "Instruction set in use.", labels=("model_name", "level")
        )
        memory = GaugeMetricFamily(
            "pyinfer:rss_bytes", "Resident memory by process.", labels=("process",)
        )
        memory.add_metric(["http"], _own_memory())
        for model in stats.models:
            threads.add_metric([model.name], model.threads)
            isa.add_metric([model.name, model.isa], 1)
            memory.add_metric([model.name], model.memory)
        weights = GaugeMetricFamily(
            "pyinfer:weights_bytes", "Weights in memory.", labels=("model_name",)
        )
        for loaded in self._running():
            if loaded.info is not None:
                weights.add_metric([loaded.name], loaded.info.weights_bytes)
        yield from (threads, isa, memory, weights)


def cache_usage(model: ModelStats) -> float:
    """Used part of a model's cache, 0 to 1."""
    blocks = model.engine.kv_blocks
    return (blocks - model.engine.kv_free) / blocks if blocks else 0.0


def _own_memory() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  (no path object: hot)
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
