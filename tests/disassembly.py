"""The machine code of the extension modules, as objdump shows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_HEAD = re.compile(r"([0-9a-f]+) <(.*)>:$")
_LINE = re.compile(r"\s*([0-9a-f]+):\t(.*)")
_TARGET = re.compile(r"(?:call|j[a-z]+)\s+([0-9a-f]+)\b")


def objdump(*arguments: str) -> str:
    """Output of objdump, or a skip where there is none."""
    program = shutil.which("objdump")
    if program is None:
        pytest.skip("no objdump here")
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True, slots=True)
class Loop:
    """The body of a loop that holds no other loop."""

    instructions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.instructions)

    def count(self, pattern: str) -> int:
        """How many instructions begin with the regular expression."""
        return sum(re.match(pattern, text) is not None for text in self.instructions)


class Disassembly:
    """All functions of a library."""

    def __init__(self, library: Path) -> None:
        self._lines: list[tuple[int, str]] = []
        self._starts: dict[str, int] = {}
        self._at: dict[int, int] = {}  # address -> line
        self._ends: dict[int, int] = {}  # line of a function's start -> line after its end
        start = 0
        for text in objdump("-d", "--no-show-raw-insn", str(library)).splitlines():
            if head := _HEAD.match(text):
                start = len(self._lines)
                self._starts[head[2]] = start
            elif line := _LINE.match(text):
                self._at[int(line[1], 16)] = len(self._lines)
                self._lines.append((int(line[1], 16), line[2].removeprefix("{vex} ")))
                self._ends[start] = len(self._lines)

    @property
    def symbols(self) -> Collection[str]:
        """Names of all functions."""
        return self._starts.keys()

    def _target(self, line: int) -> int | None:
        found = _TARGET.match(self._lines[line][1])
        return self._at.get(int(found[1], 16)) if found else None

    def _reached(self, symbol: str) -> set[int]:
        """Starts of a function and of all that it calls or jumps to."""
        found: set[int] = set()
        waiting = [self._starts[symbol]]
        while waiting:
            start = waiting.pop()
            if start not in found:
                found.add(start)
                targets = (self._target(i) for i in range(start, self._ends[start]))
                waiting += [t for t in targets if t in self._ends]
        return found

    def loops(self, symbol: str) -> Iterator[Loop]:
        """Innermost loops of a function and of those that it calls."""
        for start in self._reached(symbol):
            back = set()
            for i in range(start, self._ends[start]):
                target = self._target(i)
                if target is not None and start <= target <= i and self._lines[i][1][0] == "j":
                    back.add((target, i))
            for first, last in back:
                inside = any(first <= a and b <= last and (a, b) != (first, last) for a, b in back)
                if not inside:
                    yield Loop(tuple(text for _, text in self._lines[first : last + 1]))
