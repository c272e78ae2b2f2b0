"""Where the prompt comes from: an argument or standard input."""

from __future__ import annotations

import sys

from pyinfer.cli.terminal import is_terminal
from pyinfer.errors import RequestError, UsageError

#: More than any context holds; a longer input is refused before it fills the memory.
MAX_PROMPT_BYTES = 16 << 20


def read_prompt(argument: str | None) -> str:
    """Return the prompt; ``-``, or no argument and a pipe, reads standard input.

    One line end at the end of the input is left out, since most tools write one.

    Raises
    ------
    UsageError
        No argument, and nobody pipes anything in.
    RequestError
        The prompt is empty, too long or not UTF-8.
    """
    if argument is None and (sys.stdin is None or is_terminal(sys.stdin)):
        raise UsageError(
            "no prompt given", hint='Write one as the last argument, for example "What is 7 * 8?"'
        )
    if argument is None or argument == "-":
        text = read_stdin().removesuffix("\n").removesuffix("\r")
    else:
        text = argument
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise RequestError("the prompt is not UTF-8 text") from None
    if not text.strip():
        raise RequestError("the prompt is empty")
    return text


def read_stdin() -> str:
    """All of standard input; errors as :func:`read_prompt`."""
    if sys.stdin is None:
        raise UsageError("standard input is closed", hint="Write the prompt as the last argument")
    data = sys.stdin.buffer.read(MAX_PROMPT_BYTES + 1)
    if len(data) > MAX_PROMPT_BYTES:
        raise RequestError(f"standard input has more than {MAX_PROMPT_BYTES:,} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            f"standard input is not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}",
            hint="Convert it first, for example with iconv",
        ) from None
