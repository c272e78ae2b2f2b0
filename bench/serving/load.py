"""Speed of servers under concurrent streams.

    python -m bench.serving.load pyinfer=http://127.0.0.1:11434 llama=http://127.0.0.1:8080 \
        --streams 1,4,16,64 --tokens 128 --long 8000 --out docs/runs/serving.json

Every server is asked the same through ``/v1/completions``, one after the other within each number
of streams. With ``--long`` a prompt of about that many words arrives while the streams run; gaps
between tokens during it are reported apart, and how long ``/health`` takes to answer beside all of
it. Prints one line per run; ``--out`` adds all of it to a file, from which ``bench.report`` makes
its table. Servers are started by hand; ``llama-server`` needs ``-np`` for the streams.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from .client import Server

HEALTH_SECONDS = 0.1  # between two questions for it

WORDS = ("three", "larger", "city", "letters", "number", "is", "and", "which", "of", "count")


@dataclass(slots=True)
class Stream:
    """Arrival of one stream's tokens: seconds since the start of the run."""

    started: float
    arrivals: list[float] = field(default_factory=list)
    tokens: int = 0
    prompt_tokens: int = 0


@dataclass(slots=True)
class Result:
    """One server under one number of streams; times in seconds."""

    server: str
    model: str
    streams: int
    tokens: int
    tokens_per_second: float
    first_token_median: float
    first_token_worst: float
    gap_p50: float
    gap_p99: float
    gap_worst: float
    health_worst: float
    long_prompt: dict[str, float] | None = None


def prompt(words: int, seed: int) -> str:
    """Text of so many words, different for each seed."""
    draw = random.Random(seed)
    return f"{seed} " + " ".join(draw.choice(WORDS) for _ in range(words))


async def run_stream(server: Server, body: dict[str, Any], zero: float) -> Stream:
    """Ask and note when tokens come."""
    stream = Stream(time.perf_counter() - zero)
    async for event in server.events("/v1/completions", body):
        if any(choice.get("text") for choice in event.get("choices", [])):
            stream.arrivals.append(time.perf_counter() - zero)
        usage = event.get("usage") or {}
        stream.tokens = usage.get("completion_tokens") or stream.tokens
        stream.prompt_tokens = usage.get("prompt_tokens") or stream.prompt_tokens
    stream.tokens = stream.tokens or len(stream.arrivals)
    return stream


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share lies (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def gaps(streams: Sequence[Stream], start: float, end: float) -> list[float]:
    """Times between neighbouring tokens that overlap a time."""
    return [
        after - before
        for stream in streams
        for before, after in zip(stream.arrivals, stream.arrivals[1:], strict=False)
        if after >= start and before <= end
    ]


def watch_health(url: str, times: list[float], stop: Event) -> None:
    """Ask for the health of a server all the time and note how long each answer takes.

    Runs in a thread of its own: the streams would hold up what shares their loop.
    """
    while not stop.wait(HEALTH_SECONDS):
        start = time.perf_counter()
        with urllib.request.urlopen(url + "/health", timeout=60) as answer:
            answer.read()
        times.append(time.perf_counter() - start)


async def measure(
    name: str, server: Server, seeds: Sequence[int], options: argparse.Namespace
) -> Result:
    """Run one stream for each seed at once."""
    body = {"model": options.model, "max_tokens": options.tokens, "temperature": 0, "stream": True,
            "ignore_eos": True, "stream_options": {"include_usage": True}}  # fmt: skip
    health: list[float] = []
    stop = Event()
    watch = Thread(target=watch_health, args=(server.url, health, stop), daemon=True)
    watch.start()
    zero = time.perf_counter()
    tasks = [
        asyncio.create_task(run_stream(server, {**body, "prompt": prompt(options.words, s)}, zero))
        for s in seeds
    ]
    long_stream = None
    if options.long:
        await asyncio.sleep(options.long_after)
        words = prompt(options.long, seeds[0] + 1)
        long_stream = await run_stream(server, {**body, "prompt": words, "max_tokens": 1}, zero)
    streams = await asyncio.gather(*tasks)
    stop.set()
    watch.join()
    end = max(stream.arrivals[-1] for stream in streams if stream.arrivals)
    firsts = [stream.arrivals[0] - stream.started for stream in streams if stream.arrivals]
    found = gaps(streams, 0, end)
    tokens = sum(stream.tokens for stream in streams)
    seconds = end - min(stream.started for stream in streams)
    result = Result(
        name, options.label, len(seeds), tokens, tokens / seconds,
        statistics.median(firsts), max(firsts), percentile(found, 0.5), percentile(found, 0.99),
        max(found, default=0.0), max(health, default=0.0))  # fmt: skip
    if long_stream is not None:
        done = long_stream.arrivals[0] if long_stream.arrivals else end
        beside = gaps(streams, long_stream.started, done)
        result.long_prompt = {
            "prompt_tokens": long_stream.prompt_tokens,
            "first_token": done - long_stream.started,
            "gaps_beside": len(beside),
            "gap_p50": percentile(beside, 0.5),
            "gap_p99": percentile(beside, 0.99),
            "gap_worst": max(beside, default=0.0),
        }
    return result


def line(result: Result) -> str:
    """A result for people."""
    text = (
        f"{result.server:>10} {result.streams:3d} streams {result.tokens_per_second:8.1f} tok/s"
        f"  first {result.first_token_median * 1e3:7.1f} ms"
        f" (worst {result.first_token_worst * 1e3:.1f})"
        f"  gap p50 {result.gap_p50 * 1e3:6.2f} p99 {result.gap_p99 * 1e3:7.2f} ms"
        f"  health {result.health_worst * 1e3:.1f} ms"
    )
    if result.long_prompt:
        found = result.long_prompt
        text += (
            f"  beside {found['prompt_tokens']:.0f} prompt tokens ({found['first_token']:.2f} s):"
            f" p50 {found['gap_p50'] * 1e3:.2f} p99 {found['gap_p99'] * 1e3:.2f} ms"
        )
    return text


async def measure_all(options: argparse.Namespace) -> list[Result]:
    """Warm every server, then all numbers of streams, servers in turns."""
    servers = {name: Server(url) for name, _, url in (t.partition("=") for t in options.servers)}
    warm = {"model": options.model, "prompt": "1 2 3", "max_tokens": 4, "stream": True}
    for server in servers.values():
        await run_stream(server, warm, time.perf_counter())
    results = []
    for count in options.streams:
        for _ in range(options.rounds):
            seeds = [random.randrange(10**6) for _ in range(count)]
            for name, server in servers.items():
                results.append(await measure(name, server, seeds, options))
                print(line(results[-1]), file=sys.stderr, flush=True)
    return results


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("servers", nargs="+", metavar="NAME=URL")
    parser.add_argument("--model", default="", help="name sent to every server")
    parser.add_argument(
        "--streams", type=lambda text: [int(n) for n in text.split(",")], default=[1, 4, 16, 64]
    )
    parser.add_argument("--tokens", type=int, default=128, help="of each answer")
    parser.add_argument("--words", type=int, default=24, help="of each prompt")
    parser.add_argument("--long", type=int, default=0, help="words of a prompt that comes later")
    parser.add_argument("--long-after", type=float, default=1.0, help="seconds before it comes")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--label", default="", help="name of the model in the table")
    parser.add_argument("--out", type=Path, help="file to which all results are added")
    options = parser.parse_args()
    results = [asdict(result) for result in asyncio.run(measure_all(options))]
    if options.out is not None:
        old = json.loads(options.out.read_text("utf-8"))["serving"] if options.out.exists() else []
        options.out.write_text(json.dumps({"serving": old + results}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
