"""Pulls that are killed, run side by side, or meet a full disk.

The tests run a few rounds. For more, from the folder of the checkout::

    python -m tests.store.torture --kills 50 --processes 16 --rounds 20
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from pathlib import Path

from pyinfer.errors import PyinferError
from pyinfer.store.local import Store
from pyinfer.store.pull import pull
from pyinfer.store.transport import NetworkSettings

from .hub_server import Hub

MODEL = "hf:org/repo:Q8_0"
# Patient with a busy machine, quick after faults.
QUICK = NetworkSettings(
    connect_seconds=60,
    stall_seconds=60,
    attempts=8,
    backoff_seconds=0.01,
    max_backoff_seconds=0.05,
)


@dataclass(slots=True)
class Tally:
    """What happened."""

    attempts: int = 0
    killed: int = 0
    sent: int = 0
    size: int = 0


def servant() -> ForkServerContext:
    """Processes that have the modules already, so that starting one costs little."""
    root = str(Path(__file__).parents[2])
    if root not in sys.path:
        sys.path.append(root)  # the processes look this module up by its name
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pyinfer.store.pull", "httpx2", "huggingface_hub.utils"])
    return context


def one_pull(endpoint: str, root: str, report: object = None) -> None:
    """Body of a process: pull, exit 0 if it went well."""
    os.environ |= {"HF_ENDPOINT": endpoint, "HF_TOKEN": "", "NO_PROXY": "*", "HF_HUB_OFFLINE": ""}
    try:
        pull(MODEL, store=Store(Path(root)), settings=QUICK)
    except PyinferError as error:
        print(error, file=sys.stderr)
        os._exit(1)
    os._exit(0)


def check_visible(store: Store, weights: bytes) -> None:
    """Fail if anything unverified can be seen."""
    if store.blobs.exists():
        for blob in store.blobs.iterdir():
            found = hashlib.sha256(blob.read_bytes()).hexdigest()
            assert blob.name == f"sha256-{found}", f"unverified: {blob.name}"
    for model in store.models():
        assert store.path_of(model).read_bytes() == weights


def kill_rounds(hub: Hub, root: Path, weights: bytes, rounds: int, seed: int = 0) -> Tally:
    """Kill pulls at random moments, ``rounds`` in all; after each kill nothing wrong is visible."""
    context, rng, tally = servant(), random.Random(seed), Tally(size=len(weights))
    hub.count_from_zero()
    store = Store(root)
    while tally.killed < rounds:
        process = context.Process(target=one_pull, args=(hub.endpoint, str(root)))
        process.start()
        tally.attempts += 1
        process.join(rng.uniform(0.0, 0.7))
        if process.is_alive():
            process.kill()
            tally.killed += 1
        process.join()
        check_visible(store, weights)
        if store.models():  # it was complete: begin anew
            store.remove(store.models()[0].name)
            shutil.rmtree(root / "partial", ignore_errors=True)
    process = context.Process(target=one_pull, args=(hub.endpoint, str(root)))
    process.start()
    process.join()
    assert process.exitcode == 0
    check_visible(store, weights)
    assert len(store.models()) == 1
    tally.sent = hub.sent
    return tally


def crowd(hub: Hub, root: Path, weights: bytes, processes: int) -> Tally:
    """Pull with many processes at once; all must succeed, the bytes come once."""
    context, store = servant(), Store(root)
    hub.count_from_zero()
    running = [
        context.Process(target=one_pull, args=(hub.endpoint, str(root))) for _ in range(processes)
    ]
    for process in running:
        process.start()
    for process in running:
        process.join()
    assert [process.exitcode for process in running] == [0] * processes
    check_visible(store, weights)
    assert len(store.models()) == 1
    return Tally(attempts=processes, sent=hub.sent, size=len(weights))


def main() -> None:
    """Run many rounds and print what happened."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    weights = random.Random(options.seed).randbytes(24 << 20)
    with Hub({"org/repo": {"m-Q8_0.gguf": weights}}) as hub, tempfile.TemporaryDirectory() as work:
        hub.rate = 32e6
        start = time.monotonic()
        tally = kill_rounds(hub, Path(work) / "kill", weights, options.kills, options.seed)
        print(
            f"{tally.killed} of {tally.attempts} pulls killed, {tally.sent / 1e6:.1f} MB sent, "
            f"file {tally.size / 1e6:.1f} MB, {time.monotonic() - start:.0f} s: nothing unverified "
            "was visible, the last pull completed"
        )
        hub.rate = 0
        worst = 0.0
        for number in range(options.rounds):
            tally = crowd(hub, Path(work) / f"crowd{number}", weights, options.processes)
            worst = max(worst, tally.sent / tally.size)
        print(
            f"{options.rounds} rounds of {options.processes} processes: all succeeded, "
            f"at most {worst:.2f} x the bytes"
        )


if __name__ == "__main__":
    main()
