"""Writes measured lines as llama-bench does: a Markdown table, CSV, JSON or JSON lines.

Field names and units are those of llama-bench (``tools/llama-bench`` of llama.cpp), so that what
reads its files reads these. Added are ``n_parallel`` (sequences side by side), ``isa``,
``limit_ts`` (tokens per second that the machine allowed, measured in the same run), ``share`` of
it, and the limits themselves.
"""

from __future__ import annotations

import csv
import io
import json
import statistics
from collections.abc import Iterator
from typing import Any

from pyinfer.diagnose.bench import BenchResult, spread

FORMATS = ("md", "csv", "json", "jsonl")

# Column, width, right-aligned; the first column grows with the model's name.
_COLUMNS = (
    ("model", 24, False),
    ("size", 10, True),
    ("params", 10, True),
    ("backend", 14, False),
    ("threads", 7, True),
    ("seqs", 4, True),
    ("test", 15, True),
    ("t/s", 16, True),
    ("limit t/s", 9, True),
    ("share", 6, True),
)


def fields(result: BenchResult, version: str) -> dict[str, Any]:
    """One line as an object; times in nanoseconds, rates in tokens per second.

    ``version`` of the package stands where llama-bench names its commit.
    """
    test, model = result.test, result.model
    rates = result.rates
    return {
        "build_commit": version,
        "build_number": 0,
        "cpu_info": model.cpu,
        "gpu_info": "",
        "backends": "CPU",
        "model_filename": model.filename,
        "model_type": model.kind,
        "model_size": model.n_bytes,
        "model_n_params": model.n_parameters,
        "n_batch": model.step_tokens,
        "n_ubatch": model.step_tokens,
        "n_threads": test.threads,
        "type_k": model.kv_format,
        "type_v": model.kv_format,
        "n_gpu_layers": 0,
        "n_prompt": test.prompt,
        "n_gen": test.generate,
        "n_depth": test.depth,
        "n_parallel": test.sequences,
        "test_time": result.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "avg_ns": round(statistics.mean(result.nanoseconds)),
        "stddev_ns": round(spread(result.nanoseconds)),
        "avg_ts": statistics.mean(rates),
        "stddev_ts": spread(rates),
        "isa": model.isa,
        "limit_ts": result.limit_rate,
        "share": result.share,
    }


def samples(result: BenchResult) -> dict[str, Any]:
    """What only the JSON forms have: every repetition, and the limits before each."""
    return {
        "samples_ns": list(result.nanoseconds),
        "samples_ts": result.rates,
        "limits": [
            {"read": limit.read, "int8": limit.int8, "f32": limit.f32} for limit in result.limits
        ],
    }


class BenchWriter:
    """Turns results into text, piece by piece, so that a line shows as soon as it is measured.

    Parameters
    ----------
    form : str
        One of ``FORMATS``.
    version : str
        Of the package.
    """

    def __init__(self, form: str, version: str) -> None:
        self._form = form
        self._version = version
        self._lines = 0

    def line(self, result: BenchResult) -> str:
        """Text of one result, with what must stand before it."""
        self._lines += 1
        first = self._lines == 1
        if self._form == "md":
            return ("".join(_head()) if first else "") + _row(_cells(result))
        values = fields(result, self._version)
        if self._form == "csv":
            return _csv(values, header=first)
        indent = 2 if self._form == "json" else None
        entry = json.dumps(values | samples(result), indent=indent)
        if self._form == "jsonl":
            return entry + "\n"
        return ("[\n" if first else ",\n") + "\n".join("  " + x for x in entry.splitlines())

    def end(self) -> str:
        """What stands after the last result."""
        if self._form == "json":
            return "\n]\n" if self._lines else "[]\n"
        return ""


def _csv(values: dict[str, Any], header: bool) -> str:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    if header:
        out.write(",".join(values) + "\n")
    writer.writerow(values.values())
    return out.getvalue()


def _head() -> Iterator[str]:
    yield _row([name for name, _, _ in _COLUMNS])
    rules = ["-" * (width - right) + ":" * right for _, width, right in _COLUMNS]
    yield _row(rules)


def _row(cells: list[str]) -> str:
    padded = [
        cell.rjust(width) if right else cell.ljust(width)
        for cell, (_, width, right) in zip(cells, _COLUMNS, strict=True)
    ]
    return "| " + " | ".join(padded) + " |\n"


def _cells(result: BenchResult) -> list[str]:
    test, model = result.test, result.model
    return [
        model.kind,
        _binary(model.n_bytes),
        _count(model.n_parameters),
        f"CPU {model.isa}",
        str(test.threads),
        str(test.sequences),
        test.name,
        f"{statistics.mean(result.rates):.2f} ± {spread(result.rates):.2f}",
        f"{result.limit_rate:.2f}",
        f"{result.share:.1%}",
    ]


def _binary(n_bytes: int) -> str:
    gib = n_bytes / (1 << 30)
    return f"{gib:.2f} GiB" if gib >= 1 else f"{n_bytes / (1 << 20):.2f} MiB"


def _count(n: int) -> str:
    return f"{n / 1e9:.2f} B" if n >= 1e8 else f"{n / 1e6:.2f} M"
