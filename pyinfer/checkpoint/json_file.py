"""JSON files of a checkpoint folder: bounded in size and depth, and strict."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from pyinfer.checkpoint.limits import MAX_JSON_DEPTH
from pyinfer.checkpoint.source_file import SourceFile
from pyinfer.errors import ModelFormatError

# A string (an unterminated one runs to the end) or one bracket. The possessive repeats keep the
# scan linear: nothing is tried twice.
_TOKENS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def read_json_object(path: Path, max_bytes: int) -> dict[str, Any]:
    """Read a file that must hold one JSON object.

    Parameters
    ----------
    path : Path
        The file. It must be a regular one.
    max_bytes : int
        Size limit.

    Raises
    ------
    ModelFormatError
        Too large, not UTF-8, not JSON, nested deeper than the limit, a key twice in one object,
        NaN or Infinity, or not an object.
    ModelNotFoundError, StoreIOError
        As :class:`~pyinfer.checkpoint.source_file.SourceFile`.
    """
    file = SourceFile(path)
    try:
        if file.size > max_bytes:
            raise ModelFormatError(f"{file.name}: {file.size} bytes, expected at most {max_bytes}")
        data = file.read(0, file.size)
    finally:
        file.close()
    return parse_json_object(bytes(data), file.name)


def parse_json_object(data: bytes, name: str) -> dict[str, Any]:
    """Parse one JSON object; errors as :func:`read_json_object`, with ``name`` in the message."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFormatError(f"{name}: byte {error.start} is not UTF-8") from error
    _check_depth(text, name)

    def refuse_constant(constant: str) -> NoReturn:
        raise ModelFormatError(f"{name}: {constant} is not allowed in JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            seen: set[str] = set()
            for key, _ in pairs:
                if key in seen:
                    raise ModelFormatError(f"{name}: key {key[:80]!r} appears twice")
                seen.add(key)
        return result

    try:
        value = json.loads(text, parse_constant=refuse_constant, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ModelFormatError(
            f"{name}: not valid JSON at line {error.lineno} column {error.colno}: {error.msg}"
        ) from error
    except ValueError as error:
        # An integer with more digits than the interpreter converts.
        raise ModelFormatError(f"{name}: a number has too many digits") from error
    if not isinstance(value, dict):
        raise ModelFormatError(f"{name}: expected a JSON object, found {type(value).__name__}")
    return value


def _check_depth(text: str, name: str) -> None:
    """Refuse deep nesting before the recursive parser sees it."""
    depth = 0
    for match in _TOKENS.finditer(text):
        first = text[match.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise ModelFormatError(f"{name}: nested deeper than {MAX_JSON_DEPTH} levels")
        elif first in "]}":
            depth -= 1
