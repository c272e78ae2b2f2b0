"""Time and memory from a path to the first token, beside llama.cpp, each load in a fresh process.

    python -m bench.peers.load_time --model FILE --threads 2 --rounds 5 --json OUT

Every way of loading evaluates the same four token ids and takes one token. Imports are not counted.
``packed`` maps a packed file that was written before; ``tokens`` are loads without the tokenizer.
Runs are interleaved; the page cache is warm unless ``--cold`` drops the model from it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_OURS = """
import sys, time
import numpy, pyinfer, pyinfer.loading
params = pyinfer.SamplingParams(max_tokens=1, temperature=0)
start = time.perf_counter()
llm = pyinfer.load(sys.argv[1], threads=int(sys.argv[2]), ctx_size=4096, dtype={dtype!r},
                   packed_cache={cache!r}, tokenizer={tokenizer!r})
loaded = time.perf_counter()
llm.generate(token_ids=[5, 6, 7, 8], params=params)
first = time.perf_counter()
"""
_LLAMA = """
import sys, time
import llama_cpp
start = time.perf_counter()
llm = llama_cpp.Llama(sys.argv[1], n_ctx=4096, n_threads=int(sys.argv[2]),
                      n_threads_batch=int(sys.argv[2]), verbose=False)
loaded = time.perf_counter()
llm.eval([5, 6, 7, 8])
llm.sample(temp=0)
first = time.perf_counter()
"""
_END = """
import json
peak = next(l for l in open("/proc/self/status") if l.startswith("VmHWM:"))
print(json.dumps({"load_s": loaded - start, "first_token_s": first - start,
                  "peak_bytes": int(peak.split()[1]) * 1024}))
"""


def model_files(path: Path) -> list[Path]:
    """The files whose bytes are read."""
    return sorted(path.glob("*.safetensors")) if path.is_dir() else [path]


def drop_from_page_cache(path: Path) -> None:
    """Ask the system to forget what it holds of the model."""
    for file in model_files(path):
        fd = os.open(file, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def touch_memory(nbytes: int) -> None:
    """Use and free memory in another process: a virtual machine then has it at hand.

    Pages that the host must find first cost seconds per gigabyte, whoever asks for them.
    """
    code = f"import numpy; numpy.ones({nbytes}, numpy.uint8)"
    subprocess.run([sys.executable, "-c", code], check=True)


def ways(arguments: argparse.Namespace, folder: str) -> dict[str, tuple[str, str]]:
    """Name -> interpreter and program."""
    programs = {}
    for name, cache, tokenizer in (
        ("pyinfer", False, True),
        ("pyinfer tokens", False, False),
        ("pyinfer packed tokens", folder, False),
        ("pyinfer packed", folder, True),
    ):
        code = _OURS.format(dtype=arguments.dtype, cache=cache, tokenizer=tokenizer)
        programs[name] = (sys.executable, code + _END)
    if arguments.peer_python and not Path(arguments.model).is_dir():
        programs["llama.cpp"] = (arguments.peer_python, _LLAMA + _END)
    return programs


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run all rounds and collect every single figure."""
    path = Path(arguments.model)
    runs: dict[str, list[dict[str, float]]] = {}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        programs = ways(arguments, folder)
        for number in range(arguments.rounds + 1):
            for name, (python, code) in programs.items():
                if arguments.cold:
                    drop_from_page_cache(path)
                if arguments.touch:
                    touch_memory(int(arguments.touch * 1e9))
                command = [python, "-c", code, arguments.model, str(arguments.threads)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                if number:  # the first round writes the packed file and fills the page cache
                    runs.setdefault(name, []).append(json.loads(done.stdout))
    return {
        "model": path.name,
        "dtype": arguments.dtype,
        "file_bytes": sum(file.stat().st_size for file in model_files(path)),
        "threads": arguments.threads,
        "cold": arguments.cold,
        "touched_gb": arguments.touch,
        "runs": runs,
    }


def show(result: dict[str, Any]) -> None:
    """Print medians."""
    size = result["file_bytes"]
    print(f"{result['model']} ({size / 1e9:.2f} GB), {result['threads']} threads")
    for name, runs in result["runs"].items():
        first = [one["first_token_s"] for one in runs]
        peak = statistics.median(one["peak_bytes"] for one in runs)
        print(
            f"{name:24} first token {statistics.median(first):.3f} s "
            f"({min(first):.3f}-{max(first):.3f}), peak {peak / 1e6:.0f} MB"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--dtype", help="format of a folder's weights")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cold", action="store_true", help="drop the model from the page cache")
    parser.add_argument(
        "--touch", type=float, default=0, metavar="GB", help="before each run, for virtual machines"
    )
    parser.add_argument("--folder", help="where the packed file may lie; default: for temporary")
    parser.add_argument("--peer-python", help="interpreter that has llama-cpp-python")
    parser.add_argument("--json", type=Path, help="save every figure")
    arguments = parser.parse_args()
    result = run(arguments)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")
    show(result)


if __name__ == "__main__":
    main()
