"""Listing folders that other processes change at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def children(folder: Path) -> list[Path]:
    """What is in a folder, sorted; nothing if it cannot be listed or has just been removed."""
    try:
        return sorted(Path(entry) for entry in os.scandir(folder))
    except OSError:
        return []


def paths_at(folder: Path, depth: int) -> Iterator[Path]:
    """Everything exactly ``depth`` levels below a folder, sorted by its parts.

    ``Path.glob`` raises if a folder disappears while it looks; here it is passed over.
    """
    for path in children(folder):
        if depth == 1:
            yield path
        elif path.is_dir():
            yield from paths_at(path, depth - 1)


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file (links are followed) at any depth; links to folders are not entered."""
    for path in children(folder):
        if path.is_file():
            yield path
        elif not path.is_symlink():
            yield from files_below(path)
