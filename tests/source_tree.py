"""The source files of the checkout, for the tests of its structure."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = (".ci", "bench", "cmake", "csrc", "docs", "pyinfer", "tests", "tools")


def files(*suffixes: str, under: str = "") -> list[Path]:
    """All files of the tree with one of the suffixes, below one folder or everywhere."""
    folders = [under] if under else FOLDERS
    found = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    return sorted(
        path
        for path in found
        if path.suffix in suffixes
        and not {"__pycache__", "work"} & set(path.relative_to(ROOT).parts)
    )


def name(path: Path) -> str:
    """The path as the rules and messages write it."""
    return path.relative_to(ROOT).as_posix()


def text(path: Path) -> str:
    """Content of a source file."""
    return path.read_text(encoding="utf-8")
