"""Renders one Jinja template in a process with hard limits. Loaded by the fork server.

A request holds ``source``, ``context`` and ``max_output``; the answer is ``{"text": ...}`` or
``{"error": ..., "kind": ...}``. Everything the renderer needs is loaded before files become
unreachable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from types import TracebackType
from typing import Any, NoReturn

import jinja2
import jinja2.debug
import jinja2.exceptions
import jinja2.ext
import jinja2.sandbox


class _RefusedError(Exception):
    """The template itself called ``raise_exception``."""


class _TooLongError(Exception):
    """The template writes more than it may."""


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


def _environment() -> jinja2.sandbox.ImmutableSandboxedEnvironment:
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


def _render(request: dict[str, Any]) -> str:
    template = _environment().from_string(request["source"])
    left = request["max_output"]
    chunks = []
    for chunk in template.generate(**request["context"]):
        left -= len(chunk)
        if left < 0:
            raise _TooLongError(f"its output is longer than {request['max_output']:,} characters")
        chunks.append(chunk)
    return "".join(chunks)


def load() -> None:
    """Use once what is imported on first use."""
    _environment().from_string("{{ 'a' | upper }}").render()
    datetime.now().strftime("%d %b %Y")


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Render a template."""
    try:
        return {"text": _render(request)}
    except _RefusedError as error:
        return {"kind": "refused", "error": str(error)}
    except jinja2.TemplateSyntaxError as error:
        return {"kind": "syntax", "error": f"line {error.lineno} is malformed"}
    except _TooLongError as error:
        return {"kind": "limit", "error": str(error)}
    except (MemoryError, RecursionError, OverflowError):
        return {"kind": "limit", "error": "it needs too much memory"}
    except jinja2.exceptions.SecurityError as error:
        return {"kind": "security", "error": f"it does what is not allowed{_line(error)}"}
    except jinja2.UndefinedError as error:
        return {
            "kind": "failed",
            "error": f"it needs something that they do not have{_line(error)}",
        }
    except Exception as error:
        return {"kind": "failed", "error": f"{type(error).__name__}{_line(error)}"}


def _line(error: BaseException) -> str:
    """Where in the template; what the library says besides is not for clients."""
    lines = [
        frame.tb_lineno
        for frame in _frames(error.__traceback__)
        if frame.tb_frame.f_code.co_filename == "<template>"
    ]
    return f" (line {lines[-1]})" if lines else ""


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
