"""Engines side by side on one file: interleaved rounds, medians, ratios, shares of the limit.

    python -m bench.peers.compare --model FILE --threads 2 --rounds 5 --out runs/q4_0.json

The engines run in processes of their own and take turns (A B A B), so drift of a shared machine
hits both alike. ``--peer-python`` names the interpreter that has llama-cpp-python (extra
``[peers]``); by default this one.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MACS_PER_TOKEN = {"1.5b": 1.31e9, "7b": 6.53e9}  # body, without the head


@dataclass
class Process:
    """One engine behind pipes."""

    name: str
    command: list[str]
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._child = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.load = self._read()["ready"]

    def ask(self, command: str) -> dict[str, Any]:
        """Send a command and wait for the answer."""
        assert self._child.stdin
        self._child.stdin.write(command + "\n")
        self._child.stdin.flush()
        return self._read()

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


def start(name: str, python: str, arguments: argparse.Namespace) -> Process:
    """Start an engine process."""
    context = max(arguments.prompt, arguments.depth + arguments.decode) + 64
    return Process(
        name,
        [
            *(python, "-m", "bench.peers.engines", name),
            *("--model", arguments.model, "--threads", str(arguments.threads)),
            *("--context", str(context)),
        ],
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds and collect every single figure."""
    tests = {
        f"pp{arguments.prompt}": (f"prompt {arguments.prompt}", arguments.prompt),
        f"tg{arguments.decode}@{arguments.depth}": (
            f"decode {arguments.decode} {arguments.depth}",
            arguments.decode,
        ),
    }
    ours = start("pyinfer", sys.executable, arguments)
    engines = [ours]
    if not arguments.alone:
        engines.append(start("llama_cpp", arguments.peer_python, arguments))
    limits = []
    for engine in engines:
        engine.ask("prompt 32")  # page in, wake up
    for _ in range(arguments.rounds):
        limits.append(ours.ask("limits"))
        for test, (command, tokens) in tests.items():
            for engine in engines:
                rate = tokens / engine.ask(command)["seconds"]
                engine.seconds.setdefault(test, []).append(rate)
    result = {
        "model": Path(arguments.model).name,
        "shape": arguments.shape,
        "threads": arguments.threads,
        "limits": limits,
        "engines": {
            e.name: {"info": e.ask("info"), "load_seconds": e.load, "tokens_per_second": e.seconds}
            for e in engines
        },
    }
    for engine in engines:
        engine.close()
    return result


def median_and_spread(values: list[float]) -> str:
    """Median with the range."""
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def shares(result: dict[str, Any], test: str) -> list[float]:
    """Share of the limit of its own round that each run of ours reached.

    Decode is measured against reading the weights, prompts against the multiplier that the format
    uses: 8-bit dot products for quantized weights, f32 multiply-adds for float weights.
    """
    ours = result["engines"]["pyinfer"]
    info, rates = ours["info"], ours["tokens_per_second"][test]
    if test.startswith("tg"):
        return [
            rate * info["bytes_per_token"] / limit["read"]
            for rate, limit in zip(rates, result["limits"], strict=True)
        ]
    kind = "int8" if info["quantized"] else "f32"
    operations = 2 * MACS_PER_TOKEN[result["shape"]]
    return [
        rate * operations / limit[kind] for rate, limit in zip(rates, result["limits"], strict=True)
    ]


def show(result: dict[str, Any]) -> None:
    """Print the table of one run."""
    read = statistics.median(limit["read"] for limit in result["limits"])
    int8 = statistics.median(limit["int8"] for limit in result["limits"])
    ours = result["engines"]["pyinfer"]
    print(f"model {result['model']}, {result['threads']} threads, {ours['info']['isa']}")
    print(f"limits: read {read / 1e9:.1f} GB/s, int8 {int8 / 1e9:.0f} Gop/s")
    for test, values in ours["tokens_per_second"].items():
        share = statistics.median(shares(result, test))
        line = f"{test:12} pyinfer {median_and_spread(values)}  share {share:.1%}"
        for name, engine in result["engines"].items():
            if name == "pyinfer":
                continue
            theirs = engine["tokens_per_second"][test]
            ratios = [a / b for a, b in zip(values, theirs, strict=True)]
            line += f"  {name} {median_and_spread(theirs)}  ratio {median_and_spread(ratios)}"
        print(line)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--shape", choices=sorted(MACS_PER_TOKEN), default="1.5b")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--decode", type=int, default=32)
    parser.add_argument("--depth", type=int, default=0)
    parser.add_argument("--alone", action="store_true", help="without a peer")
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--out", type=Path, help="save every figure as JSON")
    arguments = parser.parse_args()
    result = run(arguments)
    if arguments.out:
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    show(result)


if __name__ == "__main__":
    main()
