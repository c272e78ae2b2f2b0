"""Text from a file or from standard input, for commands that measure or cut text."""

from __future__ import annotations

import sys
from pathlib import Path

from pyinfer.cli.terminal import is_terminal
from pyinfer.errors import RequestError, UsageError

MAX_TEXT_BYTES = 256 << 20


def read_text(path: Path | None) -> str:
    """Return the text of a file; None or ``-`` reads standard input.

    One line end at the end is left out, since most tools write one.

    Raises
    ------
    UsageError
        The file cannot be read, or nobody pipes anything in.
    RequestError
        Too long, or not UTF-8.
    """
    if path is None or str(path) == "-":
        if sys.stdin is None or is_terminal(sys.stdin):
            raise UsageError("no text given", hint="name a file with -f, or pipe the text in")
        name, data = "standard input", sys.stdin.buffer.read(MAX_TEXT_BYTES + 1)
    else:
        name = path.name
        try:
            with path.open("rb") as file:
                data = file.read(MAX_TEXT_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise UsageError(f"{str(path)!r} cannot be read: {reason}") from None
    if len(data) > MAX_TEXT_BYTES:
        raise RequestError(f"{name} has more than {MAX_TEXT_BYTES:,} bytes")
    try:
        return data.decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"{name} is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            hint="convert it first, for example with iconv",
        ) from None
