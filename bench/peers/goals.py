"""The goals of speed, line by line: what is measured for each, and whether it is reached.

Every line is data: which checkpoint, which tests on which engines, which checks on the figures. The
runs are made by :mod:`bench.peers.run_goals`; the report prints what :func:`verdicts` says.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.kernel_rate import SLOT_BOUND
from bench.peers.compare import limit_rates, ratios, shares
from bench.shapes import SHAPES

# No engine can pass the limit, so a stated ratio to a peer is capped by this share of it.
SHARE_OF_LIMIT = 0.93
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One check: what was wanted and what came out, both as numbers of ``unit``."""

    what: str
    goal: float
    reached: float
    unit: str = "%"
    at_most: bool = False

    @property
    def held(self) -> bool:
        """Whether the goal is reached."""
        return self.reached <= self.goal if self.at_most else self.reached >= self.goal


Check = Callable[[dict[str, Any]], Iterable[Verdict]]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table.

    Attributes
    ----------
    name, what : str
        Key of the saved run; words for people.
    model, peer_model : str
        Names of checkpoints below the folder of models; the peer's if it reads another file.
    tests : tuple of str
        Measures of a comparison; empty for the lines that are measured otherwise.
    checks : tuple of Check
    peers : tuple of str
        ``llama.cpp`` through its Python binding, and names of binaries.
    program : str
        ``compare``, ``startup``, ``overhead`` or ``tests``.
    """

    name: str
    what: str
    model: str
    tests: tuple[str, ...]
    checks: tuple[Check, ...]
    peers: tuple[str, ...] = ()
    peer_model: str = ""
    threads: int = 2
    rounds: int = 3
    isa: str = ""
    kernel: bool = False
    program: str = "compare"


def share(test: str, goal: float) -> Check:
    """Share of the limit of the same round: reading or multiplying."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        yield Verdict(f"{test}: share of the limit", goal, statistics.median(shares(run, test)))

    return check


def ratio(test: str, peer: str, goal: float) -> Check:
    """Our rate over a peer's, or what the limit leaves of that."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        if peer not in run["tests"][test]["rates"]:
            return
        theirs = run["tests"][test]["rates"][peer]
        tops = limit_rates(run, test)
        room = statistics.median(
            SHARE_OF_LIMIT * top / rate for top, rate in zip(tops, theirs, strict=True)
        )
        reached = statistics.median(ratios(run, test, peer))
        yield Verdict(f"{test}: times {peer}", min(goal, room), reached, "x")

    return check


def matrix_share(test: str, shape: str, kind: str, goal: float) -> Check:
    """Multiplications of the layers' matrices alone, over a multiply peak of the same round."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        figures = run["tests"][test]
        per_token = 2 * SHAPES[shape].body_macs
        found = [
            rate * per_token / limit[kind]
            for rate, limit in zip(figures["rates"]["pyinfer"], figures["limits"], strict=True)
        ]
        what = {"int8": "int8 dot products", "f32": "f32 multiply-adds"}[kind]
        yield Verdict(f"{test}: share of the peak of {what}", goal, statistics.median(found))

    return check


def kernel_share(goal: float) -> Check:
    """The GEMM kernel alone over the bound that counting its multiply slots gives."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        info = run["engines"]["pyinfer"]["info"]
        bound = SLOT_BOUND.get(info["isa"], {}).get(bool(info["work"]["body_int8"]), 1.0)
        found = statistics.median(
            k["ops"] / k["peak"] / bound for pair in run["kernel"] for k in pair
        )
        yield Verdict(f"kernel alone: share of its bound, {bound:.0%} of the peak", goal, found)

    return check


def model_over_kernel(test: str, shape: str, goal: float) -> Check:
    """Rate of the whole model's matrices over that of the bare kernel before and after it."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        rates = run["tests"][test]["rates"]["pyinfer"]
        found = [
            rate * 2 * SHAPES[shape].body_macs / statistics.mean(k["ops"] for k in pair)
            for rate, pair in zip(rates, run["kernel"], strict=True)
        ]
        yield Verdict(f"{test}: whole model over the kernel", goal, statistics.median(found))

    return check


def rate_over(test: str, base: str, goal: float, unit: str = "%") -> Check:
    """Our rate in one test over ours in another, round by round."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        ours = [run["tests"][name]["rates"]["pyinfer"] for name in (test, base)]
        found = statistics.median(a / b for a, b in zip(*ours, strict=True))
        yield Verdict(f"{test} over {base}", goal, found, unit)

    return check


def first_token(goal: float, key: str = "pyinfer") -> Check:
    """Seconds from load to the first token, the best of the runs being what is possible."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        if key not in run["starts"]:
            return
        found = statistics.median(start["first_token"] for start in run["starts"][key])
        yield Verdict(f"{key}: load to first token", goal, found, "s", at_most=True)

    return check


def ahead_of(peer: str) -> Check:
    """First token no later than the peer's."""

    def check(run: dict[str, Any]) -> Iterable[Verdict]:
        if peer not in run["starts"]:
            return
        times = {
            name: statistics.median(start["first_token"] for start in run["starts"][name])
            for name in ("pyinfer", peer)
        }
        yield Verdict(f"load to first token: times faster than {peer}", 1.0,
                      times[peer] / times["pyinfer"], "x")  # fmt: skip

    return check


def peak_memory(run: dict[str, Any]) -> Iterable[Verdict]:
    """Peak of the process over file, cache and 200 MB."""
    allowed = run["file_bytes"] + run["kv_bytes"] + 200 * MEGABYTE
    peak = statistics.median(start["peak"] for start in run["starts"]["pyinfer"])
    yield Verdict("peak memory", allowed / MEGABYTE, peak / MEGABYTE, "MB", at_most=True)


def overheads(run: dict[str, Any]) -> Iterable[Verdict]:
    """Python and pool per decode step, and the embedded model through the whole library."""
    found = run["overhead"]
    python = (found["token"] - found["program"]) / found["token"]
    yield Verdict("Python, engine and sampler: share of a step", 0.01, python, at_most=True)
    pool = found["empty"] / found["token"]
    yield Verdict("barriers and dispatch: share of a step", 0.01, pool, at_most=True)
    best = max(found["embedded"], found["embedded_one_thread"])
    yield Verdict("embedded model, one stream", 2000, best, "tok/s")


def tests_pass(run: dict[str, Any]) -> Iterable[Verdict]:
    """The equality tests."""
    yield Verdict(f"equality tests ({run['summary']})", 1.0, float(run["status"] == 0))


LLAMA, IK, AVX2 = "llama.cpp", "ik", "llama-bench-avx2"
Q4, Q8, BF16 = "random-1.5b-q4_0.gguf", "random-1.5b-q8_0.gguf", "random-1.5b-bf16.gguf"
Q4_K_M, Q4_7B = "random-1.5b-q4_k_m.gguf", "random-7b-q4_0.gguf"

LINES: tuple[Line, ...] = (
    Line("decode-q4_0", "decode, 2 threads, q4_0", Q4, ("tg128",),
         (share("tg128", 0.93), ratio("tg128", LLAMA, 2.0), ratio("tg128", IK, 1.5)),
         (LLAMA, IK)),
    Line("decode-q8_0", "decode, 2 threads, q8_0", Q8, ("tg64",), (share("tg64", 0.93),), (LLAMA,)),
    Line("decode-bf16", "decode, 2 threads, bf16", BF16, ("tg32",), (share("tg32", 0.93),),
         (LLAMA,)),
    Line("decode-q4_k_m", "decode, 2 threads, Q4_K_M", Q4_K_M, ("tg64",), (share("tg64", 0.93),),
         (LLAMA,)),
    Line("decode-1-thread", "decode, 1 thread, q4_0", Q4, ("tg64",), (share("tg64", 0.90),),
         (LLAMA,), threads=1),
    Line("prompt-q4_0", "prompt, q4_0", Q4, ("pp512",),
         (kernel_share(0.92), model_over_kernel("pp512", "1.5b", 0.88),
          ratio("pp512", LLAMA, 3.5), ratio("pp512", IK, 2.4)),
         (LLAMA, IK), rounds=5, kernel=True),
    Line("prompt-q8_0", "prompt, q8_0", Q8, ("pp512",), (ratio("pp512", LLAMA, 3.0),), (LLAMA,),
         kernel=True),
    Line("prompt-q4_k_m", "prompt, Q4_K_M", Q4_K_M, ("pp512",), (ratio("pp512", LLAMA, 3.0),),
         (LLAMA,)),
    Line("prompt-bf16", "prompt, bf16", BF16, ("pp512",),
         (matrix_share("pp512", "1.5b", "f32", 0.65), ratio("pp512", LLAMA, 1.4)),
         (LLAMA,), kernel=True),
    Line("prompt-short", "short prompts, q4_0", Q4, ("pp512", "pp32", "pp128"),
         (rate_over("pp32", "pp512", 0.8), rate_over("pp128", "pp512", 0.8)), rounds=5),
    Line("decode-4096", "decode at depth 4,096, q4_0", Q4, ("tg32@4096",),
         (share("tg32@4096", 0.88), ratio("tg32@4096", LLAMA, 2.0)), (LLAMA,)),
    Line("decode-16384", "decode at depth 16,384, q4_0", Q4, ("tg16@16384",),
         (share("tg16@16384", 0.88), ratio("tg16@16384", LLAMA, 2.0)), (LLAMA,)),
    Line("batch", "sequences in one decode step, q4_0", Q4, ("tg32", "tg32x2", "tg32x4", "tg32x8"),
         (rate_over("tg32x8", "tg32", 5.0, "x"),), rounds=2),
    Line("decode-7b", "decode, 7B, q4_0", Q4_7B, ("tg32",),
         (share("tg32", 0.93), ratio("tg32", LLAMA, 2.0)), (LLAMA,), rounds=2),
    Line("prompt-7b", "prompt, 7B, q4_0", Q4_7B, ("pp512",),
         (kernel_share(0.92), model_over_kernel("pp512", "7b", 0.88)), kernel=True),
    Line("decode-avx2", "decode, capped to AVX2, q4_0", Q4, ("tg64",), (share("tg64", 0.90),),
         (AVX2,), isa="avx2"),
    Line("prompt-avx2", "prompt, capped to AVX2, q4_0", Q4, ("pp512",),
         (ratio("pp512", AVX2, 1.5),), (AVX2,), isa="avx2", kernel=True),
    Line("load", "load, page cache warm, q4_0", Q4, (),
         (first_token(1.0), first_token(0.25, "packed cache"), ahead_of(LLAMA), peak_memory),
         (LLAMA,), program="startup"),
    Line("overhead", "overheads, 2 threads", Q4, (), (overheads,), program="overhead"),
    Line("bits", "bits", "", (), (tests_pass,), program="tests"),
)  # fmt: skip


def verdicts(line: Line, run: dict[str, Any]) -> list[Verdict]:
    """Every check of a line."""
    return [verdict for check in line.checks for verdict in check(run)]


def written(value: float, unit: str) -> str:
    """A figure with its unit, for people."""
    if unit == "%":
        return f"{value:.1%}"
    digits = {"MB": 0, "tok/s": 0}.get(unit, 2)
    return f"{value:,.{digits}f} {unit}" if unit != "x" else f"{value:.2f}x"
