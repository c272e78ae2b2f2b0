"""Engines side by side on one file: interleaved rounds, medians, ratios, shares of the limit.

    python -m bench.peers.compare --model FILE --tests pp512,tg32@4096 --out RUN.json \\
        --binary "llama-bench=/opt/llama.cpp/llama-bench" --binary "ik=/opt/ik/llama-bench -rtr 1"

Engines that stay loaded run in processes of their own; within a round every test is measured on all
engines in turn (A B A B), and the limits of the machine between the pieces of our own run, so drift
of a shared machine hurts all alike. ``--peer-python`` names an interpreter that has
llama-cpp-python (extra ``[peers]``). ``--isa`` caps pyinfer's instruction set, for binaries that
are built with less.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.peers.binaries import Binary, BinaryEngine
from bench.peers.measure import Measure
from pyinfer.diagnose.limits import Limits
from pyinfer.diagnose.roofline import Workload


@dataclass(frozen=True, slots=True)
class Comparison:
    """What to compare.

    Attributes
    ----------
    model : str
    peer_model : str
        The same weights in a file that the peers read; ``model`` itself if empty.
    tests : sequence of Measure
    threads, rounds : int
    peer_python : str
        Interpreter with llama-cpp-python; empty: without it.
    binaries : sequence of Binary
    isa : str
        Cap of pyinfer's instruction set, empty for none.
    kernel : bool
        Also measure pyinfer's bare GEMM kernel before and after each of its own figures.
    """

    model: str
    tests: Sequence[Measure]
    peer_model: str = ""
    threads: int = 2
    rounds: int = 3
    peer_python: str = ""
    binaries: Sequence[Binary] = ()
    isa: str = ""
    kernel: bool = False


class Process:
    """One engine of :mod:`bench.peers.engines` behind pipes."""

    def __init__(self, name: str, python: str, model: str, plan: Comparison) -> None:
        self.name = name
        context = max(measure.room for measure in plan.tests) + 64
        sequences = max(measure.sequences for measure in plan.tests)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        if name == "pyinfer" and plan.isa:
            environment["PYINFER_ISA"] = plan.isa
        if python != sys.executable:  # its packages are its own; bench is found from here
            environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
        self._child = subprocess.Popen(
            [
                *(python, "-m", "bench.peers.engines", name, "--model", model),
                *("--threads", str(plan.threads), "--context", str(context)),
                *("--sequences", str(sequences)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.load: float | None = self._read()["ready"]
        # Of the machine, and the seconds with every step at the median, during the last figure.
        self.limits: dict[str, float] | None = None
        self.steady: float | None = None

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and wait for the answer."""
        assert self._child.stdin
        self._child.stdin.write(command + "\n")
        self._child.stdin.flush()
        return self._read()

    def seconds(self, measure: Measure) -> float | None:
        """Seconds for one figure."""
        answer = self.ask(f"measure {measure}")
        self.limits, self.steady = answer.get("limits"), answer.get("steady")
        return None if answer["seconds"] is None else float(answer["seconds"])

    def info(self) -> dict[str, Any]:
        """What runs."""
        return self.ask("info")

    def close(self) -> None:
        """End the process."""
        assert self._child.stdin
        self._child.stdin.write("quit\n")
        self._child.stdin.close()
        self._child.wait(timeout=60)

    def _read(self) -> dict[str, Any]:
        assert self._child.stdout
        line = self._child.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with code {self._child.wait()}")
        return dict(json.loads(line))


def run(plan: Comparison) -> dict[str, Any]:
    """Run all rounds and collect every single figure."""
    peer_model = plan.peer_model or plan.model
    ours = Process("pyinfer", sys.executable, plan.model, plan)
    engines: list[Process | BinaryEngine] = [ours]
    if plan.peer_python:
        engines.append(Process("llama.cpp", plan.peer_python, peer_model, plan))
    engines += [BinaryEngine(binary, peer_model, plan.threads) for binary in plan.binaries]
    info = ours.info()
    tests: dict[str, dict[str, Any]] = {
        str(measure): {"limits": [], "steady": [], "rates": {engine.name: [] for engine in engines}}
        for measure in plan.tests
    }
    # First touch of a step's buffers takes as long as a third of the step.
    prompts = [measure.n for measure in plan.tests if measure.kind == "pp"]
    warm_up = Measure("pp", max(prompts, default=32))
    for engine in engines:
        if isinstance(engine, Process):
            engine.seconds(warm_up)  # page in, wake up
    kernel = []

    def bare_kernel() -> dict[str, Any]:
        return ours.ask(f"kernel {info['format']}")

    for _ in range(plan.rounds):
        for measure in plan.tests:
            figures = tests[str(measure)]
            for engine in engines:
                alone = [bare_kernel()] if plan.kernel and engine is ours else []
                seconds = engine.seconds(measure)
                if alone:
                    kernel.append([*alone, bare_kernel()])
                figures["rates"][engine.name].append(seconds and measure.tokens / seconds)
            figures["limits"].append(ours.limits)
            figures["steady"].append(ours.steady and measure.tokens / ours.steady)
    result = {
        "model": Path(plan.model).name,
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "threads": plan.threads,
        "isa": info["isa"],
        "format": info["format"],
        "cpu": info["cpu"],
        "tests": tests,
        "kernel": kernel,
        "engines": {e.name: {"info": e.info(), "load_seconds": e.load} for e in engines},
    }
    for figures in tests.values():
        for name in [n for n, rates in figures["rates"].items() if None in rates]:
            del figures["rates"][name]
    for engine in engines:
        engine.close()
    return result


def limit_rates(result: dict[str, Any], test: str) -> list[float]:
    """Tokens per second that the machine allowed in each round: reading weights and cache, or
    multiplying, whichever takes longer.
    """
    info = result["engines"]["pyinfer"]["info"]
    work, measure = Workload(**info["work"]), Measure.parse(test)
    rates = []
    for found in result["tests"][test]["limits"]:
        limits = Limits(**found)
        if measure.kind == "pp":
            chunk = max(1, info["step_tokens"] // measure.sequences)
            seconds = work.prompt_seconds(
                limits, measure.n, measure.depth, measure.sequences, chunk
            )
        else:
            seconds = work.decode_seconds(limits, measure.n, measure.depth, measure.sequences)
        rates.append(measure.tokens / seconds)
    return rates


def shares(result: dict[str, Any], test: str, engine: str = "pyinfer") -> list[float]:
    """Share of the limit of its own round that each run of an engine reached.

    Ours is the share of the median step, between samples of the limits, where the run has it; a
    peer's of the whole run.
    """
    figures = result["tests"][test]
    rates = figures["rates"][engine]
    if engine == "pyinfer":
        rates = figures.get("steady", rates)
    return [rate / top for rate, top in zip(rates, limit_rates(result, test), strict=True)]


def ratios(result: dict[str, Any], test: str, peer: str) -> list[float]:
    """Our rate over a peer's, round by round."""
    rates = result["tests"][test]["rates"]
    return [a / b for a, b in zip(rates["pyinfer"], rates[peer], strict=True)]


def median_and_spread(values: Sequence[float], digits: int = 2) -> str:
    """Median with the range."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{middle:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def show(result: dict[str, Any]) -> None:
    """Print the table of one run."""
    print(f"{result['model']}, {result['threads']} threads, {result['isa']}, {result['cpu']}")
    for test, figures in result["tests"].items():
        limits = {
            kind: statistics.median(limit[kind] for limit in figures["limits"]) / 1e9
            for kind in ("read", "int8", "f32")
        }
        share = statistics.median(shares(result, test))
        line = f"{test:12} pyinfer {median_and_spread(figures['rates']['pyinfer'])}"
        line += f"  {share:.1%} of {statistics.median(limit_rates(result, test)):.1f}"
        for peer, theirs in figures["rates"].items():
            if peer != "pyinfer":
                ratio = median_and_spread(ratios(result, test, peer))
                line += f"  {peer} {median_and_spread(theirs)} ratio {ratio}"
        print(line + f"  [read {limits['read']:.1f} GB/s, int8 {limits['int8']:.0f} Gop/s]")
    for around in result["kernel"]:
        for rate in around:
            print(f"kernel {rate['ops'] / 1e9:.0f} of {rate['peak'] / 1e9:.0f} Gop/s")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--peer-model", default="", help="the same weights for the peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tests", default="pp512,tg128", help="pp512,tg128@4096,tg32x8")
    parser.add_argument("--peer-python", default="", help="interpreter with llama-cpp-python")
    parser.add_argument(
        "--binary", type=Binary.parse, action="append", default=[], metavar="NAME=PATH [FLAGS]"
    )
    parser.add_argument("--isa", default="", help="cap pyinfer's instruction set")
    parser.add_argument("--kernel", action="store_true", help="measure the GEMM kernel, too")
    parser.add_argument("--out", type=Path, help="save every figure as JSON")
    args = parser.parse_args()
    plan = Comparison(
        model=args.model,
        tests=[Measure.parse(text) for text in args.tests.split(",")],
        peer_model=args.peer_model,
        threads=args.threads,
        rounds=args.rounds,
        peer_python=args.peer_python,
        binaries=args.binary,
        isa=args.isa,
        kernel=args.kernel,
    )
    result = run(plan)
    if args.out:
        args.out.write_text(json.dumps(result, indent=1) + "\n")
    show(result)


if __name__ == "__main__":
    main()
