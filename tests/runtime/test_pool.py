"""Worker threads as the process sees them: idle, after a fork, and deaf to signals."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pyinfer._kernels.runtime import Runtime
from pyinfer.errors import EngineError, UsageError
from pyinfer.model.step import LOGITS_LAST, Span

from ..checkpoints import random_config, write_folder
from ..model.steps import load, random_tokens, run_chunks, table, with_runtime

IDLE_SECONDS = 0.5
IDLE_CPU_SECONDS = 0.05


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint."""
    path = tmp_path_factory.mktemp("pool")
    write_folder(path, random_config(layers=1), with_tokenizer=True)
    return path


@pytest.mark.parametrize("threads", [2, 5])
def test_idle_workers_use_no_cpu(folder: Path, threads: int) -> None:
    model = with_runtime(load(folder), threads)
    run_chunks(model, random_tokens(model, 20), [10, 1])
    time.sleep(0.05)  # the workers' spin window
    before = time.process_time()
    time.sleep(IDLE_SECONDS)
    assert time.process_time() - before < IDLE_CPU_SECONDS


def _threads() -> dict[str, int]:
    """Thread id -> mask of blocked signals."""
    masks = {}
    for task in Path("/proc/self/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("SigBlk:"):
                masks[task.name] = int(line.split()[1], 16)
    return masks


def test_workers_block_signals_and_end() -> None:
    before = _threads()
    runtime = Runtime(threads=4)
    workers = {name: mask for name, mask in _threads().items() if name not in before}
    assert len(workers) == 3
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGUSR1):
        assert all(mask >> (number - 1) & 1 for mask in workers.values()), number
    del runtime
    assert not workers.keys() & _threads().keys()


@pytest.mark.parametrize("threads", [0, -1, 1025, 10**6])
def test_number_of_threads(threads: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        Runtime(threads=threads)


def test_a_second_thread_is_refused(folder: Path) -> None:
    model = with_runtime(load(folder), 2)
    tokens = random_tokens(model, 1500)
    alone = model.step([Span(tokens, 0, table(model), LOGITS_LAST)])[0].full.copy()
    outcomes: list[str] = []

    def step(sequence: int) -> None:
        for _ in range(20):
            try:
                row = model.step([Span(tokens, 0, table(model, sequence), LOGITS_LAST)])[0]
                outcomes.append("good" if np.array_equal(row.full, alone) else "wrong")
            except EngineError as error:
                outcomes.append("refused" if "another thread" in str(error) else str(error))

    threads = [threading.Thread(target=step, args=(sequence,)) for sequence in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 40
    assert set(outcomes) == {"good", "refused"}


FORK = """
import os, sys, warnings
warnings.simplefilter("ignore")  # newer interpreters warn about fork() with threads
import numpy as np
import pyinfer
from pyinfer.errors import EngineError
from pyinfer.checkpoint.load_options import LoadOptions
from pyinfer.checkpoint.loader import load_model
from pyinfer.model.step import Span

model = load_model(sys.argv[1], LoadOptions(threads=3)).model
llm = pyinfer.load(sys.argv[1], threads=3)
params = pyinfer.SamplingParams(max_tokens=3)
blocks = np.zeros(1, np.int32)
span = Span(np.arange(5, dtype=np.int32), 0, blocks, 1)
model.step([span])
llm.generate(token_ids=[1, 2, 3], params=params)

def refused(call):
    try:
        call()
    except EngineError as error:
        return "fork" in str(error)
    return False

children = []
for _ in range(5):
    child = os.fork()
    if child == 0:
        good = refused(lambda: model.step([span]))
        good &= refused(lambda: llm.generate(token_ids=[1, 2, 3], params=params))
        model.close()
        llm.close()
        os._exit(0 if good else 1)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
model.step([span])
llm.generate(token_ids=[1, 2, 3], params=params)
llm.close()
sys.exit(0 if codes == [0] * 5 else f"children ended with {codes}")
"""


def test_fork_after_load_is_refused_and_never_hangs(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
