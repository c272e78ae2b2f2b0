"""Writes the generated blocks of docs/PERFORMANCE.md and README.md, and the plots, from saved runs.

    python -m bench.report

Inputs: ``docs/runs/*.json`` of ``bench.peers.compare --out``, ``bench.peers.run_goals`` (files
``goal-<line>.json``) and ``pytest bench --benchmark-json``, and the figures of the embedded
model: accuracy and ``docs/runs/quality``; of servers: ``docs/runs/serving.json``. Nothing is typed
by hand.
"""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import plots
from bench.peers.compare import limit_rates, median_and_spread, ratios, shares
from bench.peers.goals import LINES, verdicts, written
from bench.peers.measure import Measure

ROOT = Path(__file__).resolve().parent.parent
RUNS = ROOT / "docs" / "runs"
REPEATS = RUNS / "repeats"  # further runs of a line: goal-NAME.json, goal-NAME.2.json and so on
PLOTS = ROOT / "docs" / "plots"
KV_TYPES = RUNS / "quality" / "kv-types.json"
SERVING = RUNS / "serving.json"
ACCURACY = ROOT / "pyinfer" / "demo" / "accuracy.json"
PLOTTED = "random-1.5b-"  # checkpoints of the shape that the plots show
README_RUNS = ("goal-prompt-q4_0", "goal-decode-q4_0", "goal-decode-4096")

Runs = Mapping[str, dict[str, Any]]


def table(header: list[str], rows: Iterable[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def load_runs(folder: Path = RUNS) -> tuple[Runs, Runs, Runs]:
    """Return comparisons, goal runs of all kinds and benchmark files, each by file name."""
    comparisons, goals, benchmarks = {}, {}, {}
    for path in sorted(folder.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(data, dict):
            continue
        if "benchmarks" in data:
            benchmarks[path.stem] = data
        if "tests" in data and "engines" in data:
            comparisons[path.stem] = data
        if path.stem.startswith("goal-"):
            goals[path.stem.removeprefix("goal-")] = data
    return comparisons, goals, benchmarks


def goal_table(goals: Runs, repeats: Runs | None = None) -> str:
    """Goal and figure of every line; of a repeated one every figure, and their median counts."""
    rows, repeats = [], repeats or {}
    for line in LINES:
        runs = [goals[line.name]] if line.name in goals else []
        runs += [run for name, run in sorted(repeats.items()) if name.split(".")[0] == line.name]
        for same in zip(*(verdicts(line, run) for run in runs), strict=True):
            reached = [written(verdict.reached, verdict.unit) for verdict in same]
            middle = statistics.median(verdict.reached for verdict in same)
            verdict = replace(same[0], reached=middle)
            sign = "<=" if verdict.at_most else ">="
            rows.append(
                [
                    line.what,
                    verdict.what,
                    f"{sign} {written(verdict.goal, verdict.unit)}",
                    ", ".join(reached),
                    "yes" if verdict.held else "**no**",
                ]
            )
    return table(["line", "figure", "goal", "reached", "held"], rows) if rows else ""


def end_to_end(runs: Runs) -> str:
    """Tokens per second of each run beside its limits and peers."""
    rows, cpus = [], set()
    for run in runs.values():
        cpus.add(run["cpu"])
        for test, figures in run["tests"].items():
            limits = {
                kind: statistics.median(limit[kind] for limit in figures["limits"]) / 1e9
                for kind in ("read", "int8", "f32")
            }
            peers = [
                f"{name} {median_and_spread(theirs, 1)}, ratio "
                f"{statistics.median(ratios(run, test, name)):.2f}"
                for name, theirs in figures["rates"].items()
                if name != "pyinfer"
            ]
            rows.append(
                [
                    run["model"],
                    str(run["threads"]),
                    run["isa"],
                    test,
                    median_and_spread(figures["rates"]["pyinfer"], 1),
                    f"{statistics.median(limit_rates(run, test)):.1f}",
                    f"{statistics.median(shares(run, test)):.0%}",
                    "; ".join(peers),
                    f"{limits['read']:.1f} / {limits['int8']:.0f} / {limits['f32']:.0f}",
                ]
            )
    if not rows:
        return ""
    columns = ["file", "threads", "level", "test", "pyinfer tok/s", "limit tok/s", "share"]
    columns += ["others tok/s", "read GB/s / int8 / f32 Gop/s"]
    return f"On {', '.join(sorted(cpus))}.\n\n" + table(columns, rows)


def kernels(runs: Runs) -> str:
    """Rates of the single kernels and ops."""
    rows = []
    for run in runs.values():
        for bench in run["benchmarks"]:
            facts = bench["extra_info"]
            if "Gop/s" in facts:
                rate, speed = f"{facts['GB/s']:.1f}", f"{facts['Gop/s']:.0f}"
                share = f"{facts['share']:.0%}" if "share" in facts else ""
                rows.append([bench["group"] or "", bench["name"], rate, speed, share])
    header = ["group", "benchmark", "GB/s", "Gop/s", "share of the limit"]
    return table(header, rows) if rows else ""


def formats(accuracy: dict[str, Any]) -> str:
    """Exact answers of the embedded model per weight format."""
    rows = []
    for name, categories in accuracy["formats"].items():
        right, of = categories["all"]["right"], categories["all"]["of"]
        rows.append([name, f"{right} / {of}", f"{right / of:.1%}"])
    return table(["format", "right", "share"], rows)


def _plain(runs: Runs) -> list[tuple[dict[str, Any], str, Measure]]:
    """Every test of the plotted shape that ran on the best instruction set of its machine."""
    return [
        (run, test, Measure.parse(test))
        for name, run in runs.items()
        for test in run["tests"]
        if run["model"].startswith(PLOTTED) and not name.endswith("avx2")
    ]


def _rooflines(runs: Runs, kind: str) -> dict[str, dict[str, float]]:
    """Share of the limit by format and engine."""
    found: dict[str, dict[str, float]] = {}
    for run, test, measure in _plain(runs):
        usual = measure.kind == kind and not measure.depth and measure.sequences == 1
        if not usual or run["threads"] == 1 or (kind == "pp" and measure.n != 512):
            continue
        for engine in run["tests"][test]["rates"]:
            group = found.setdefault(run["format"], {})
            group.setdefault(engine, statistics.median(shares(run, test, engine)))
    return found


def _curves(runs: Runs, axis: str) -> dict[str, list[tuple[float, float]]]:
    """Decode of q4_0 against ``depth``, ``sequences`` or ``threads``, the others being usual."""
    usual = {"depth": 0, "sequences": 1, "threads": 2}
    curves: dict[str, dict[float, float]] = {}
    for run, test, measure in _plain(runs):
        here = {"depth": measure.depth, "sequences": measure.sequences, "threads": run["threads"]}
        if run["format"] != "q4_0" or measure.kind != "tg":
            continue
        if any(here[name] != value for name, value in usual.items() if name != axis):
            continue
        for engine, rates in run["tests"][test]["rates"].items():
            curves.setdefault(engine, {}).setdefault(here[axis], statistics.median(rates))
        top = statistics.median(limit_rates(run, test))
        curves.setdefault("limit", {}).setdefault(here[axis], top)
    return {name: list(points.items()) for name, points in curves.items()}


def draw(runs: Runs, folder: Path = PLOTS) -> str:
    """Write the plots that the runs have figures for; return the lines that show them."""
    shown = []
    for kind, words in (("tg", "decode"), ("pp", "prompt of 512 tokens")):
        found = _rooflines(runs, kind)
        if found:
            plots.bars(folder / f"roofline-{kind}.svg", f"Share of the limit: {words}", found)
            shown.append((f"roofline-{kind}", f"Share of the limit per format: {words}"))
    for axis, label, log in (
        ("depth", "tokens in the cache", False),
        ("threads", "threads", False),
        ("sequences", "sequences in one step", True),
    ):
        curves = {k: v for k, v in _curves(runs, axis).items() if len(v) > 1}
        if curves:
            title = f"Decode, 1.5B, q4_0: tokens/s against {label}"
            plots.lines(folder / f"{axis}.svg", title, label, curves, log=log)
            shown.append((axis, title))
    return "\n\n".join(f"![{words}](plots/{name}.svg)" for name, words in shown)


def kv_types(measured: dict[str, Any]) -> str:
    """What the format of the cache does to the embedded model."""
    rows = []
    for name, row in measured["kv_types"].items():
        rows.append(
            [
                name,
                f"{row['right']} / {row['of']}",
                f"{row['same_answer']} / {row['of']}",
                f"{row['perplexity']:.4f}",
                f"{row['mean_kl']:.2e}",
                f"{row['max_kl']:.2e}",
                f"{row['same_best']:.3%}",
            ]
        )
    columns = ["cache", "right", "same answer", "perplexity", "mean KL", "largest KL", "same best"]
    return table(columns, rows)


def quality(run: dict[str, Any]) -> str:
    """Size and quality of the embedded model in every file type, the largest first."""
    rows = []
    for name, v in sorted(run["variants"].items(), key=lambda item: -item[1]["bytes"]):
        answers = v["answers"]
        rows.append(
            [name, f"{v['bytes'] / 1e6:.2f}", f"{v['bits_per_weight']:.2f}",
             f"{v['perplexity']:.3f}", f"{max(v['mean_kl'], 0.0):.5f}", f"{v['kl_99']:.4f}",
             f"{v['same_top']:.2%}", f"{answers['right']} / {answers['of']}"]
        )  # fmt: skip
    columns = ["type", "MB", "bits per weight", "perplexity", "mean divergence", "99 %"]
    return table([*columns, "same best token", "right answers"], rows)


def agreement(run: dict[str, Any]) -> str:
    """Perplexity and greedy answers beside llama.cpp on the same files."""
    rows = [
        [f["file"], f"{f['scored']:,}", f"{f['pyinfer']:.4f}", f"{f['llama_cpp']:.4f}", _apart(f),
         _apart(f["pyinfer_to_exact"]), _apart(f["llama_cpp_to_exact"]),
         f"{f['same_answers']} / {f['answers']}"]
        for f in run["agreement"]["files"]
    ]  # fmt: skip
    columns = ["file", "tokens", "pyinfer", "llama.cpp", "difference", "pyinfer to exact"]
    return table([*columns, "llama.cpp to exact", "same answers"], rows)


def _apart(figures: dict[str, Any]) -> str:
    """A relative difference with its standard error."""
    return f"{figures['difference']:+.3%} ± {figures['error']:.3%}"


def serving(results: list[dict[str, Any]]) -> str:
    """Servers under concurrent streams: medians over the rounds of each number of streams."""
    groups: dict[tuple[str, bool, int, str, int], list[dict[str, Any]]] = {}
    for result in results:
        each = result["tokens"] // result["streams"]
        kind = (result["model"], bool(result["long_prompt"]), each)
        groups.setdefault((*kind, result["server"], result["streams"]), []).append(result)
    rows = []
    for (model, long, each, server, streams), group in sorted(groups.items()):
        one = groups.get((model, long, each, server, 1))
        rate = _middle(group, "tokens_per_second")
        rows.append(
            [model, server, str(streams), f"{each:,}", f"{rate:,.1f}",
             f"{rate / _middle(one, 'tokens_per_second'):.2f}" if one else "",
             f"{_middle(group, 'first_token_median'):.3f}",
             f"{1e3 * _middle(group, 'gap_p50'):.1f} / {1e3 * _middle(group, 'gap_p99'):.1f}",
             f"{1e3 * _middle(group, 'health_worst'):.1f}",
             _beside([result["long_prompt"] for result in group]) if long else ""]
        )  # fmt: skip
    columns = ["model", "server", "streams", "tokens each", "tok/s", "times one", "first token s"]
    columns += ["gap p50 / p99 ms", "slowest /health ms"]
    return table([*columns, "beside a long prompt: gap p50 / p99 ms"], rows)


def _middle(results: list[dict[str, Any]], key: str) -> float:
    return statistics.median(float(result[key]) for result in results)


def _beside(prompts: list[dict[str, Any]]) -> str:
    """What the other streams felt while a long prompt was evaluated."""
    tokens, seconds = _middle(prompts, "prompt_tokens"), _middle(prompts, "first_token")
    gaps = f"{1e3 * _middle(prompts, 'gap_p50'):.1f} / {1e3 * _middle(prompts, 'gap_p99'):.1f}"
    return f"{tokens:,.0f} tokens in {seconds:.1f} s: {gaps}"


def fill(text: str, block: str, content: str) -> str:
    """Replace what stands between the markers of a block."""
    pattern = rf"(<!-- generated: {block} -->\n).*?(<!-- end generated -->)"
    return re.sub(pattern, lambda m: m[1] + content + "\n" + m[2], text, flags=re.DOTALL)


def main() -> None:
    """Rewrite the blocks of both documents and the plots."""
    comparisons, goals, benchmarks = load_runs()
    chosen = {name: comparisons[name] for name in README_RUNS if name in comparisons}
    blocks = {
        "goals": goal_table(goals, load_runs(REPEATS)[1]),
        "end-to-end": end_to_end(comparisons),
        "plots": draw(comparisons),
        "kernels": kernels(benchmarks),
        "speed": end_to_end(chosen or comparisons),
    }
    if ACCURACY.exists():
        blocks["formats"] = formats(json.loads(ACCURACY.read_text(encoding="utf-8")))
    if KV_TYPES.exists():
        blocks["kv-types"] = kv_types(json.loads(KV_TYPES.read_text(encoding="utf-8")))
    if SERVING.exists():
        blocks["serving"] = serving(json.loads(SERVING.read_text(encoding="utf-8"))["serving"])
    for block, path, write in (
        ("quality", RUNS / "quality" / "embedded.json", quality),
        ("agreement", RUNS / "quality" / "agreement.json", agreement),
    ):
        if path.exists():
            blocks[block] = write(json.loads(path.read_text(encoding="utf-8")))
    for path in (ROOT / "docs" / "PERFORMANCE.md", ROOT / "README.md"):
        text = path.read_text(encoding="utf-8")
        for block, content in blocks.items():
            if content:
                text = fill(text, block, content)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
