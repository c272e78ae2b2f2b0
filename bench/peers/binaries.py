"""Programs with llama-bench's command line and JSON output, given by path.

Every figure is one run of the program, which loads the model, warms up and measures once.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import dataclass
from typing import Any

from bench.peers.measure import Measure


@dataclass(frozen=True, slots=True)
class Binary:
    """``NAME=PATH`` with flags of its own: ``ik=/opt/ik/llama-bench -rtr 1``."""

    name: str
    command: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Binary:
        """Read the written form; ValueError if it is none."""
        name, equals, command = text.partition("=")
        words = shlex.split(command)
        if not equals or not name or not words:
            raise ValueError(f"{text!r} is not NAME=PATH [flags]")
        return cls(name, tuple(words))


class BinaryEngine:
    """Asks a binary for one figure after the other."""

    def __init__(self, binary: Binary, model: str, threads: int) -> None:
        self.name, self.load = binary.name, None
        self._command = [*binary.command, "-m", model, "-t", str(threads), "-r", "1", "-o", "json"]
        shown = subprocess.run(
            [binary.command[0], "--help"], capture_output=True, text=True, check=False
        )
        self._help = shown.stdout + shown.stderr
        self._last: dict[str, Any] = {}

    def seconds(self, measure: Measure) -> float | None:
        """Seconds for one figure; None for what this program cannot measure."""
        words = self._words(measure)
        if words is None:
            return None
        done = subprocess.run([*self._command, *words], capture_output=True, text=True, check=False)
        text = done.stdout
        try:
            lines = json.loads(text[text.index("[\n") : text.rindex("]") + 1])
        except ValueError:
            raise SystemExit(f"{self.name}: {done.stderr[-500:]}") from None
        self._last = lines[-1]
        return float(self._last["samples_ns"][0]) / 1e9

    def info(self) -> dict[str, Any]:
        """What runs, as its own output says."""
        known = ("build_commit", "build_number", "cpu_info", "model_type")
        return {"engine": self.name, "flags": self._command[1:-8]} | {
            key: self._last[key] for key in known if key in self._last
        }

    def close(self) -> None:
        """Nothing is left running."""

    def _words(self, measure: Measure) -> list[str] | None:
        if measure.sequences > 1:
            return None
        if measure.kind == "pp":
            words = ["-p", str(measure.n), "-n", "0"]
        else:
            words = ["-p", "0", "-n", str(measure.n)]
        if not measure.depth:
            return words
        if "--n-depth" in self._help:
            return [*words, "-d", str(measure.depth)]
        if "-gp <pp,tg>" in self._help and measure.kind == "tg":
            return ["-p", "0", "-n", "0", "-gp", f"{measure.depth},{measure.n}"]
        return None
