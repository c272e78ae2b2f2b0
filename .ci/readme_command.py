"""Print the shell command that the README gives under a heading.

Usage: ``python .ci/readme_command.py HEADING``. The README is the only place where the commands are
written; continuous integration runs what it says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"


def command(heading: str) -> str:
    """Text of the first ``sh`` block below the heading, before the next heading."""
    pattern = rf"^##+ {re.escape(heading)}\n((?:(?!^#).*\n)*?)```sh\n(.*?)^```$"
    found = re.search(pattern, README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no sh block under the heading {heading!r}")
    return found[2].strip()


if __name__ == "__main__":
    print(command(sys.argv[1]))
