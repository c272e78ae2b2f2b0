"""Instructions of the matrix kernels of aarch64, counted under qemu's user-mode emulation.

    cmake -S . -B build/aarch64 -G Ninja -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake \\
        -DPYINFER_PYTHON=OFF -DPYINFER_TESTS=ON && cmake --build build/aarch64
    python tools/count_instructions.py gemv:q4_0:neondot:1 gemm:q4_0:neoni8mm:64

Each argument is op:format:level:tokens. ``tests/c/run_kernel.c`` runs under ``-singlestep -d
exec``, which writes a line per instruction, once with one call of the kernel and once with two; the
difference is one call, its overhead included. Printed per 16 rows x 32 inputs, and for gemm also
divided by the tiles of 8 tokens.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = Path("build/aarch64/tests/c/run_kernel")
EMULATOR = ("qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", "-cpu", "max")
TRACE = ("-singlestep", "-d", "exec,nochain", "-D", "/dev/stdout")
PANELS, GROUPS = 2, 12
TILE_TOKENS = 8


def traced(job: tuple[str, ...], calls: int) -> int:
    """Instructions of a run of the program."""
    command = [*EMULATOR, *TRACE, str(PROGRAM), *job, str(calls)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        count = sum(1 for _ in process.stdout)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return count


def per_block(op: str, fmt: str, level: str, tokens: str) -> float:
    """Instructions of one call per 16 rows x 32 inputs."""
    job = (op, fmt, level, str(PANELS), str(GROUPS), tokens)
    return (traced(job, 2) - traced(job, 1)) / (PANELS * GROUPS * 4)


def main() -> None:
    """Count what the arguments name."""
    for argument in sys.argv[1:]:
        op, fmt, level, tokens = argument.split(":")
        count = per_block(op, fmt, level, tokens)
        line = f"{argument:32} {count:9.1f}"
        if op == "gemm":
            line += f" {count / (int(tokens) / TILE_TOKENS):9.1f} per 8 tokens"
        print(line, flush=True)


if __name__ == "__main__":
    main()
