"""Ask a server everything for minutes, leave often in the middle, see whether it stays as it was.

    python -m tools.soak --minutes 30

Starts ``pyinfer serve`` on a free port (or takes ``--url`` and ``--pid``). Prints one JSON object:
requests by kind and outcome; how many clients left in the middle; how many answers of those that
stayed were compared with what the server says when it is alone, and how many differed (were
disturbed); memory, open files and threads of every process over time; slots and cache blocks that
are still held when nothing runs any more. Exit status 1 if an answer was wrong or disturbed, a
request failed for no reason, something is still held, or memory, files or threads grew after the
warm-up.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.serving.client import RefusedError, Server

QUESTION, ANSWER = "Which is larger, 9.11 or 9.9?", "9.9 is larger than 9.11."
MESSAGES = [{"role": "user", "content": QUESTION}]
BASELINE_SHARE = 0.3  # of the time: caches and pools fill
MEMORY_GROWTH = 16 * 2**20  # bytes that may come after that
SETTLE_SECONDS = 30.0
# So many of each kind at once before the baseline is taken: pools start their threads when needed.
WARM_UP_BURST = 32
# Kind -> (path, body, what must be in the answer). All answers repeat exactly but the last three.
CHAT = {"messages": MESSAGES}
GREEDY = {"prompt": QUESTION, "temperature": 0}
REQUESTS: dict[str, tuple[str, Any, str]] = {
    "ollama chat": (
        "/api/chat", {**CHAT, "model": "demo", "options": {"temperature": 0}}, ANSWER
    ),
    "ollama generate": (
        "/api/generate",
        {"model": "demo", "prompt": QUESTION, "stream": False, "options": {"temperature": 0}},
        ANSWER,
    ),
    "ollama embed": ("/api/embed", {"model": "demo", "input": [QUESTION, "12"]}, "embeddings"),
    "openai chat": ("/v1/chat/completions", {**CHAT, "temperature": 0}, ANSWER),
    "openai stream": ("/v1/chat/completions", {**CHAT, "temperature": 0, "stream": True}, ANSWER),
    "openai long": (
        "/v1/completions",
        {**GREEDY, "max_tokens": 600, "ignore_eos": True, "stream": True, "n": 2},
        "",
    ),
    "openai sampled": ("/v1/chat/completions", {**CHAT, "temperature": 1, "seed": 4, "n": 3}, ""),
    "llama completion": ("/completion", {**GREEDY, "n_predict": 40}, ""),
    "llama stream": (
        "/completion", {**GREEDY, "n_predict": 400, "stream": True, "ignore_eos": True}, ""
    ),
    "llama tokenize": ("/tokenize", {"content": QUESTION}, "tokens"),
    "ollama tags": ("/api/tags", None, "demo"),
    "metrics": ("/metrics", None, "vllm:num_requests_running"),
    "slots": ("/slots", None, "id"),
}  # fmt: skip
CHANGING = {"ollama tags", "metrics", "slots"}


@dataclass(slots=True)
class Soak:
    """What happened so far."""

    server: Server
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    expected: dict[str, Any] = field(default_factory=dict)
    compared: int = 0
    disturbed: int = 0
    left: int = 0
    samples: list[dict[str, Any]] = field(default_factory=list)

    async def one(self, kind: str, leave: float | None) -> None:
        """One request; with ``leave`` the connection is closed after so many seconds."""
        path, body, part = REQUESTS[kind]
        try:
            async with asyncio.timeout(leave):
                text = b"\n".join([line async for line in self.server.lines(path, body)]).decode()
        except TimeoutError:
            self.outcomes[f"{kind}: left"] += 1
            self.left += 1
        except RefusedError as error:
            self.outcomes[f"{kind}: {error.status}"] += 1
            if error.status not in (429, 503):
                self.faults.append(f"{kind}: {error}")
        except (OSError, asyncio.IncompleteReadError) as error:
            self.outcomes[f"{kind}: lost"] += 1
            self.faults.append(f"{kind}: {type(error).__name__}")
        else:
            self.outcomes[f"{kind}: ok"] += 1
            self.judge(kind, text if kind in CHANGING else told(text), part)

    def judge(self, kind: str, answer: Any, part: str) -> None:
        """Compare an answer with the first of its kind, which came while nothing else ran."""
        if part not in str(answer):
            self.faults.append(f"{kind}: wrong answer {str(answer)[-200:]!r}")
        elif kind not in CHANGING:
            self.compared += kind in self.expected
            if answer != self.expected.setdefault(kind, answer):
                self.disturbed += 1
                self.faults.append(f"{kind}: disturbed: {str(answer)[-200:]!r}")

    async def warm_up(self) -> None:
        """Learn every answer, then fill all pools of threads."""
        for kind in REQUESTS:
            await self.one(kind, None)
        for kind in REQUESTS:
            await asyncio.gather(*(self.one(kind, None) for _ in range(WARM_UP_BURST)))

    async def worker(self, end: float, share: float, draw: random.Random) -> None:
        """Requests one after the other until the time is over."""
        while time.monotonic() < end:
            leave = draw.uniform(0.0, 0.4) if draw.random() < share else None
            await self.one(draw.choice(list(REQUESTS)), leave)

    async def watch(self, pid: int, every: float) -> None:
        """Note memory, files and threads of the processes until cancelled."""
        start = time.monotonic()
        while True:
            self.samples.append({"seconds": round(time.monotonic() - start, 1),
                                 "processes": processes(pid)})  # fmt: skip
            await asyncio.sleep(every)


def told(text: str) -> Any:
    """What an answer says, by choice, whether it came whole, as lines or as events."""
    said: dict[int, str] = {}
    for line in text.splitlines():
        data = line.removeprefix("data:").strip()
        if not data.startswith("{"):
            continue
        value = json.loads(data)
        if "error" in value:
            return data
        for name in ("embeddings", "tokens"):
            if value.get(name) and "content" not in value:
                return {name: value[name]}
        for choice in value.get("choices", [value]):
            index = choice.get("index", 0)
            message = choice.get("delta") or choice.get("message") or choice
            words = [message.get(name) or "" for name in _TEXTS]
            said[index] = said.get(index, "") + "".join(words)
    return said


# Fields that hold text in one of the dialects.
_TEXTS = ("thinking", "reasoning_content", "content", "text", "response")


def processes(pid: int) -> dict[str, dict[str, int]]:
    """Memory, files and threads of a process and those that it has started."""
    found = {}
    for each in [pid, *children(pid)]:
        with contextlib.suppress(OSError):  # it has just ended
            status = Path(f"/proc/{each}/status").read_text()
            numbers = dict(re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE))
            files = sum(1 for _ in Path(f"/proc/{each}/fd").iterdir())
            memory = int(numbers.get("VmRSS", 0)) * 1024
            found[str(each)] = {"rss": memory, "files": files, "threads": int(numbers["Threads"])}
    return found


def children(pid: int) -> list[int]:
    """Processes below a process."""
    found = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text().split():
            found += [int(child), *children(int(child))]
    return found


async def held(server: Server) -> dict[str, float]:
    """What is still running, waiting or held in the cache, once it has settled."""
    names = {"running": "num_requests_running", "waiting": "num_requests_waiting",
             "cache": "kv_cache_usage_perc"}  # fmt: skip
    end = time.monotonic() + SETTLE_SECONDS
    while True:
        text = await server.text("/metrics")
        found = {
            key: sum(float(n) for n in re.findall(rf"^vllm:{name}\{{[^}}]*\}} (\S+)", text, re.M))
            for key, name in names.items()
        }
        slots = await server.json("/slots")
        found["slots"] = float(sum(bool(slot.get("is_processing")) for slot in slots))
        if not any(found.values()) or time.monotonic() > end:
            return found
        await asyncio.sleep(0.2)


def growth(samples: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What each process that lived on has more at the end than after the start."""
    first = samples[int(len(samples) * BASELINE_SHARE)]["processes"]
    last = samples[-1]["processes"]
    return {pid: {key: last[pid][key] - first[pid][key] for key in last[pid]}
            for pid in last if pid in first}  # fmt: skip


async def soak(server: Server, pid: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run the workers and report."""
    run = Soak(server)
    await run.warm_up()
    watcher = asyncio.create_task(run.watch(pid, options.every))
    end = time.monotonic() + options.minutes * 60
    draws = [random.Random(f"{options.seed}-{n}") for n in range(options.workers)]
    await asyncio.gather(*(run.worker(end, options.disconnects, draw) for draw in draws))
    left = await held(server)
    run.samples.append({"seconds": -1, "processes": processes(pid)})
    watcher.cancel()
    grown = growth(run.samples)
    return {
        "minutes": options.minutes,
        "requests": sum(run.outcomes.values()),
        "outcomes": dict(sorted(run.outcomes.items())),
        "disconnects": run.left,
        "compared_with_alone": run.compared,
        "disturbed": run.disturbed,
        "faults": len(run.faults),
        "first_faults": run.faults[:10],
        "held_at_the_end": left,
        "growth": grown,
        "samples": run.samples[:: max(1, len(run.samples) // 20)],
        "good": not run.faults and not any(left.values()) and all(
            each["rss"] < MEMORY_GROWTH and each["files"] <= 0 and each["threads"] <= 0
            for each in grown.values()),
    }  # fmt: skip


@contextlib.contextmanager
def started() -> Any:
    """A server of our own on a free port."""
    command = [sys.executable, "-m", "pyinfer", "serve", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(r"listening on (http://\S+)", line):
                break
        else:
            sys.exit("the server did not start")
        # Its log goes on; somebody has to read it.
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=subprocess.DEVNULL)
        yield found[1], process.pid
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        drain.wait(10)
    finally:
        process.kill()


def main() -> int:
    """Read the command line, soak, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=8, help="requests at once")
    parser.add_argument("--disconnects", type=float, default=0.3, help="share that leaves early")
    parser.add_argument("--every", type=float, default=5.0, help="seconds between samples")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--url", help="of a running server")
    parser.add_argument("--pid", type=int, help="its HTTP process")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        url, pid = options.url, options.pid
        if url is None:
            url, pid = stack.enter_context(started())
        report = asyncio.run(soak(Server(url), pid, options))
    print(json.dumps(report, indent=1))
    return 0 if report["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
