"""Which lines of the readers the files of a campaign reach.

    python -m tools.fuzz_gguf.coverage DIR/corpus

Prints, for each module, how many of the lines inside functions were executed, and the numbers of
those that were not. Without ``atheris``: the interpreter's own tracing.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from tools.fuzz_gguf.modules import MODULES
from tools.fuzz_gguf.target import Target


def executable(path: Path) -> set[int]:
    """Lines inside functions that hold code."""
    found: set[int] = set()
    module = compile(path.read_text("utf-8"), str(path), "exec")
    waiting: list[tuple[CodeType, bool]] = [(module, False)]
    while waiting:
        code, inside = waiting.pop()
        if inside:
            found |= {line for *_, line in code.co_lines() if line} - {code.co_firstlineno}
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                # Classes run when they are imported, and functions begin inside them.
                is_function = bool(constant.co_flags & 2)
                waiting.append((constant, is_function))
    return found


def main() -> None:
    """Run all files and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    paths = {str(Path(*name.split(".")).with_suffix(".py").resolve()): name for name in MODULES}
    reached: dict[str, set[int]] = defaultdict(set)

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        lines = reached[frame.f_code.co_filename]
        if event == "call" and frame.f_code.co_filename not in paths:
            return None
        lines.add(frame.f_lineno)
        return trace

    target = Target()
    sys.settrace(trace)
    for path in sorted(options.folder.glob("*")):
        target.check(path.read_bytes())
    sys.settrace(None)
    total = hit = 0
    for path_name, name in paths.items():
        lines = executable(Path(path_name))
        missed = sorted(lines - reached[path_name])
        total, hit = total + len(lines), hit + len(lines) - len(missed)
        print(f"{name}: {len(lines) - len(missed)} of {len(lines)}; not {missed}")
    print(f"all: {hit} of {total} lines ({hit / total:.1%}), {target.counts['files']} files")


if __name__ == "__main__":
    main()
