"""``pyinfer run`` as a client of a server."""

from __future__ import annotations

import os
import subprocess
import sys

from ..running import RunningServer


def run(server: RunningServer, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyinfer", "run", *words],
        env=os.environ | {"PYINFER_HOST": f"127.0.0.1:{server.port}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_one_answer(server: RunningServer) -> None:
    done = run(server, "demo", "What is 12 + 30?", "--verbose", "--hide-thinking")
    assert done.returncode == 0
    assert done.stdout.strip()
    assert "eval rate:" in done.stderr
    assert "instruction set" not in done.stderr  # it was not loaded here


def test_a_schema(server: RunningServer) -> None:
    schema = '{"type": "boolean"}'
    done = run(server, "demo", "Yes?", "--no-think", "--format", schema)
    assert (done.returncode, done.stdout.strip()) in ((0, "true"), (0, "false"))
