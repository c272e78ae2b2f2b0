"""Runs every line of the table of goals and prints goal and figure.

    python -m bench.peers.run_goals --models /data/bench --out docs/runs \\
        --peer-python /opt/peer/bin/python --binary "ik=/opt/ik/llama-bench -rtr 1" \\
        --binary llama-bench-avx2=/opt/llama.cpp-avx2/llama-bench

Every line is one process of at most two minutes and is saved when it ends, so a run that was
stopped goes on where it was: lines whose file exists are shown, not repeated (``--again`` does).
``--only`` names lines. ``--through`` is a command that runs the measurements on a quiet machine.
Checkpoints come from ``bench.peers.checkpoints``; a line whose file is missing is left out.
"""

from __future__ import annotations

import argparse
import json
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.peers.binaries import Binary
from bench.peers.compare import Comparison, median_and_spread, run
from bench.peers.goals import LINES, Line, verdicts, written
from bench.peers.load_time import touch_memory
from bench.peers.measure import Measure

ROOT = Path(__file__).resolve().parents[2]
STARTS = 3
CONTEXT = 512
TOUCHED_BYTES = 3_000_000_000  # more than any of the engines takes
EQUALITY_TESTS = ("tests/kernels", "tests/model/test_equality.py", "tests/model/test_golden.py")


def measure_line(line: Line, args: argparse.Namespace) -> dict[str, Any]:
    """Measure one line in this process."""
    if line.program == "startup":
        return _startup(line, args)
    if line.program == "overhead":
        return {"overhead": _ask(["bench.peers.overhead", "--model", args.models / line.model])}
    if line.program == "tests":
        return _tests()
    return run(
        Comparison(
            model=str(args.models / line.model),
            peer_model=str(args.models / line.peer_model) if line.peer_model else "",
            tests=[Measure.parse(test) for test in line.tests],
            threads=line.threads,
            rounds=args.rounds or line.rounds,
            peer_python=args.peer_python if "llama.cpp" in line.peers else "",
            binaries=[binary for binary in args.binary if binary.name in line.peers],
            isa=line.isa,
            kernel=line.kernel,
        )
    )


def _startup(line: Line, args: argparse.Namespace) -> dict[str, Any]:
    model = args.models / line.model
    with TemporaryDirectory() as folder:
        words = ["bench.peers.startup", "pyinfer", "--model", model, "--context", CONTEXT]
        cached = [*words, "--packed-cache", folder]
        _ask(cached)  # writes the cache
        starts: dict[str, list[Any]] = {"pyinfer": [], "packed cache": []}
        for _ in range(STARTS):
            touch_memory(TOUCHED_BYTES)
            starts["pyinfer"].append(_ask(words))
            touch_memory(TOUCHED_BYTES)
            starts["packed cache"].append(_ask(cached))
            if args.peer_python:
                touch_memory(TOUCHED_BYTES)
                words_of_peer = ["bench.peers.startup", "llama.cpp", *words[2:]]
                found = _ask(words_of_peer, args.peer_python)
                starts.setdefault("llama.cpp", []).append(found)
    return {
        "starts": starts,
        "file_bytes": model.stat().st_size,
        "kv_bytes": CONTEXT * 28 * 1024,  # 28 layers, 2 kv heads of 128, f16
    }


def _ask(words: list[Any], python: str = sys.executable) -> Any:
    """Run a module in a process of its own and read the JSON that it prints."""
    command = [python, "-m", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return json.loads(done.stdout)


def _tests() -> dict[str, Any]:
    command = [sys.executable, "-m", "pytest", "-q", *EQUALITY_TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return {"status": done.returncode, "summary": done.stdout.strip().splitlines()[-1]}


def show_line(line: Line, result: dict[str, Any]) -> None:
    """Print figures and verdicts."""
    print(f"{line.name}: {line.what}")
    for test, figures in result.get("tests", {}).items():
        rates = ", ".join(f"{k} {median_and_spread(v)}" for k, v in figures["rates"].items())
        limits = {
            kind: statistics.median(limit[kind] for limit in figures["limits"]) / 1e9
            for kind in ("read", "int8", "f32")
        }
        values = ", ".join(f"{kind} {value:.0f}" for kind, value in limits.items())
        print(f"    {test}: {rates} tok/s [{values} G/s]")
    for verdict in verdicts(line, result):
        sign = "<=" if verdict.at_most else ">="
        goal, reached = written(verdict.goal, verdict.unit), written(verdict.reached, verdict.unit)
        print(f"  {'ok  ' if verdict.held else 'MISS'} {verdict.what}: {reached} ({sign} {goal})")


def _child(line: Line, args: argparse.Namespace) -> None:
    """Measure a line in a process of its own, through the wrapper command if there is one."""
    words = [sys.executable, "-m", "bench.peers.run_goals", "--line", line.name]
    words += ["--models", str(args.models), "--out", str(args.out)]
    words += ["--peer-python", args.peer_python, "--rounds", str(args.rounds)]
    for binary in args.binary:
        words += ["--binary", f"{binary.name}={shlex.join(binary.command)}"]
    through = shlex.split(args.through) if line.program != "tests" else []
    started = time.monotonic()
    status = subprocess.run([*through, *words], cwd=ROOT, check=False).returncode
    print(f"({line.name}: {time.monotonic() - started:.0f} s, status {status})", flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, help="folder with the checkpoints")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "runs")
    parser.add_argument("--peer-python", default="", help="interpreter with llama-cpp-python")
    parser.add_argument("--binary", type=Binary.parse, action="append", default=[])
    parser.add_argument("--rounds", type=int, default=0, help="instead of each line's own number")
    parser.add_argument("--only", default="", help="lines to run, with commas")
    parser.add_argument("--again", action="store_true", help="measure lines that are saved already")
    parser.add_argument("--through", default="", help="command that runs each measurement")
    parser.add_argument("--line", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.models, args.out = args.models.resolve(), args.out.resolve()
    args.out.mkdir(parents=True, exist_ok=True)
    for line in LINES:
        saved = args.out / f"goal-{line.name}.json"
        if args.line == line.name:
            saved.write_text(json.dumps(measure_line(line, args), indent=1) + "\n")
        elif not args.line and (not args.only or line.name in args.only.split(",")):
            if line.model and not (args.models / line.model).exists():
                print(f"{line.name}: no {line.model}, left out")
                continue
            if args.again or not saved.exists():
                _child(line, args)
            if saved.exists():
                show_line(line, json.loads(saved.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
