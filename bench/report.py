"""Writes the generated blocks of docs/PERFORMANCE.md and README.md from saved runs.

    python -m bench.report

Inputs: ``docs/runs/*.json`` of ``bench.peers.compare --out`` and of ``pytest bench
--benchmark-json``, and the accuracy figures of the embedded model. Nothing is typed by hand.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.peers.compare import median_and_spread, shares

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "docs" / "runs"
ACCURACY = ROOT / "pyinfer" / "demo" / "accuracy.json"


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def load_runs() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the comparisons and the benchmark files, by file name."""
    comparisons, benchmarks = [], []
    for path in sorted(RUNS.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        (benchmarks if "benchmarks" in data else comparisons).append(data)
    return comparisons, benchmarks


def end_to_end(runs: list[dict[str, Any]]) -> str:
    """Tokens per second of each run beside its limits and peers."""
    blocks = []
    for run in runs:
        ours = run["engines"]["pyinfer"]
        read, int8, f32 = (
            statistics.median(limit[kind] for limit in run["limits"])
            for kind in ("read", "int8", "f32")
        )
        peers = [name for name in run["engines"] if name != "pyinfer"]
        rows = []
        for test, values in ours["tokens_per_second"].items():
            row = [test, median_and_spread(values)]
            row.append(f"{statistics.median(shares(run, test)):.0%}")
            for peer in peers:
                theirs = run["engines"][peer]["tokens_per_second"][test]
                ratio = [a / b for a, b in zip(values, theirs, strict=True)]
                row += [median_and_spread(theirs), median_and_spread(ratio)]
            rows.append(row)
        columns = ["test", "pyinfer tok/s", "share of the limit"]
        columns += [text for peer in peers for text in (f"{peer} tok/s", "ratio")]
        blocks.append(
            f"**{run['model']}**, {run['threads']} threads, {ours['info']['isa']}, "
            f"{ours['info']['cpu']}; limits of the run: read {read / 1e9:.1f} GB/s, "
            f"int8 {int8 / 1e9:.0f} Gop/s, f32 {f32 / 1e9:.0f} GFLOP/s. "
            f"Median (lowest to highest) of {len(run['limits'])} interleaved rounds.\n\n"
            + table(columns, rows)
        )
    return "\n\n".join(blocks)


def kernels(runs: list[dict[str, Any]]) -> str:
    """Rates of the single kernels."""
    rows = []
    for run in runs:
        for bench in run["benchmarks"]:
            facts = bench["extra_info"]
            if "Gop/s" in facts:
                rate, speed = facts["GB/s"], facts["Gop/s"]
                rows.append([bench["group"] or "", bench["name"], f"{rate:.1f}", f"{speed:.0f}"])
    return table(["group", "benchmark", "GB/s", "Gop/s"], rows) if rows else ""


def formats(accuracy: dict[str, Any]) -> str:
    """Exact answers of the embedded model per weight format."""
    rows = []
    for name, categories in accuracy["formats"].items():
        right, of = categories["all"]["right"], categories["all"]["of"]
        rows.append([name, f"{right} / {of}", f"{right / of:.1%}"])
    return table(["format", "right", "share"], rows)


def fill(text: str, block: str, content: str) -> str:
    """Replace what stands between the markers of a block."""
    pattern = rf"(<!-- generated: {block} -->\n).*?(<!-- end generated -->)"
    return re.sub(pattern, lambda m: m[1] + content + "\n" + m[2], text, flags=re.DOTALL)


def main() -> None:
    """Rewrite the blocks of both documents."""
    comparisons, benchmarks = load_runs()
    blocks = {"end-to-end": end_to_end(comparisons), "kernels": kernels(benchmarks)}
    blocks["speed"] = blocks["end-to-end"]
    if ACCURACY.exists():
        blocks["formats"] = formats(json.loads(ACCURACY.read_text(encoding="utf-8")))
    for path in (ROOT / "docs" / "PERFORMANCE.md", ROOT / "README.md"):
        text = path.read_text(encoding="utf-8")
        for block, content in blocks.items():
            if content:
                text = fill(text, block, content)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
