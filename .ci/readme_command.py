"""Print the shell command that the README gives under a heading.

Usage: ``python .ci/readme_command.py HEADING``. The README is the only place where the commands are
written; continuous integration runs what it says.
"""

from __future__ import annotations

import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def command(heading: str) -> str:
    """Text of the first ``sh`` block below the heading, before the next heading."""
    lines = iter(README.read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.startswith("##") and line.lstrip("# ") == heading:
            break
    block: list[str] | None = None
    for line in lines:
        if block is None and line.startswith("#"):
            break
        if block is None and line == "```sh":
            block = []
        elif block is not None and line == "```":
            return "\n".join(block)
        elif block is not None:
            block.append(line)
    raise SystemExit(f"README.md has no sh block under the heading {heading!r}")


if __name__ == "__main__":
    print(command(sys.argv[1]))
