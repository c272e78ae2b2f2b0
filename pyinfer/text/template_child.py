"""Renders one Jinja template in a process with hard limits. Run as a script, never imported.

Standard input holds a JSON object (``source``, ``context``, ``max_output``), standard output gets
one: ``{"text": ...}`` or ``{"error": ..., "kind": ...}``. The limits stand before any input is
read, and everything the renderer needs is loaded before files become unreachable.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from datetime import datetime
from typing import Any, NoReturn

CPU_SECONDS = 2
MEMORY_BYTES = 512 << 20


class _RefusedError(Exception):
    """The template itself called ``raise_exception``."""


def _limit() -> None:
    limits = (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, math.ceil(time.process_time()) + CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),  # the three standard streams; nothing else can be opened
    )
    for kind, value in limits:
        resource.setrlimit(kind, (value, value))


def _raise_exception(message: str) -> NoReturn:
    raise _RefusedError(str(message))


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes characters for HTML, which would change the prompt.
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)


def _render(request: dict[str, Any], environment: Any) -> str:
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    template = environment.from_string(request["source"])
    left = request["max_output"]
    chunks = []
    for chunk in template.generate(**request["context"]):
        left -= len(chunk)
        if left < 0:
            raise MemoryError(f"its output is longer than {request['max_output']:,} characters")
        chunks.append(chunk)
    return "".join(chunks)


def main() -> None:
    """Answer the one request on standard input."""
    sys.path.extend(sys.argv[1:])
    import jinja2.debug
    import jinja2.exceptions
    import jinja2.ext
    import jinja2.sandbox

    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.from_string("{{ 'a' | upper }}").render()  # loads what is imported on first use
    datetime.now().strftime("%d %b %Y")
    _limit()
    answer: dict[str, str]
    try:
        request = json.load(sys.stdin)
        answer = {"text": _render(request, environment)}
    except _RefusedError as error:
        answer = {"kind": "refused", "error": str(error)}
    except jinja2.TemplateSyntaxError as error:
        answer = {"kind": "syntax", "error": f"line {error.lineno}: {error.message}"}
    except (MemoryError, RecursionError, OverflowError) as error:
        answer = {"kind": "limit", "error": str(error) or "it needs too much memory"}
    except jinja2.exceptions.SecurityError as error:
        answer = {"kind": "security", "error": str(error)}
    except Exception as error:
        answer = {"kind": "failed", "error": f"{type(error).__name__}: {error}"}
    # "backslashreplace": a template can make lone surrogates, which UTF-8 cannot hold.
    sys.stdout.buffer.write(json.dumps(answer).encode("ascii", "backslashreplace"))


if __name__ == "__main__":
    main()
