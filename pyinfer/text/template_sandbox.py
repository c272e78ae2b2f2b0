"""Runs chat templates of strangers: Jinja's sandbox inside a process with hard limits.

A sandbox in this process would not stop ``'a' * 10**9`` or ``10**10**8``, so the template is
rendered by :mod:`pyinfer.text.sandbox.template_worker` with limits on processor time, memory and
output, without environment, files or child processes. One rendering costs a fork and the reading
of the template, some 10 ms; the published R1 templates do not come here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyinfer.errors import ModelFormatError, RequestError
from pyinfer.text.sandbox.pool import LimitError, Limits, SandboxPool

MAX_SOURCE_BYTES = 256 << 10
OUTPUT_FACTOR = 4
OUTPUT_EXTRA = 64 << 10
LIMITS = Limits(cpu_seconds=2, memory_bytes=512 << 20, wall_seconds=60.0)
PLACES, QUEUE = 2, 256
#: A character of the answer as JSON takes at most two escapes.
_JSON_BYTES = 12

POOL = SandboxPool(
    Path(__file__).parent / "sandbox/template_worker.py",
    ("jinja2", "markupsafe"),
    LIMITS,
    PLACES,
    QUEUE,
)
"""The one of this process."""


def render_sandboxed(source: str, context: dict[str, Any]) -> str:
    """Render ``source`` with the JSON-like variables ``context``.

    Raises
    ------
    ModelFormatError
        The template is malformed, too large, breaks a limit or does something not allowed.
    RequestError
        The template refuses these messages, or cannot render them.
    QueueFullError, EngineError
        Too many are being rendered; the processes cannot be started.
    """
    size = len(source.encode("utf-8", "replace"))
    if size > MAX_SOURCE_BYTES:
        raise ModelFormatError(
            f"the chat template has {size:,} bytes, the limit is {MAX_SOURCE_BYTES:,}"
        )
    input_chars = sum(map(len, _strings(context)))
    max_output = OUTPUT_FACTOR * (input_chars + len(source)) + OUTPUT_EXTRA
    request = {"source": source, "context": context, "max_output": max_output}
    try:
        said = POOL.run(json.dumps(request).encode("ascii"), _JSON_BYTES * max_output + 4096)
    except LimitError as broken:
        raise ModelFormatError(f"the chat template is not usable: {broken}") from None
    answer: dict[str, str] = json.loads(said)
    if "text" in answer:
        text = answer["text"]
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise ModelFormatError("the chat template gives text with a lone surrogate") from None
        return text
    kind, error = answer["kind"], answer["error"][:300]
    if kind == "refused":
        raise RequestError(f"the chat template refuses these messages: {error}")
    if kind == "failed":
        raise RequestError(f"the chat template cannot render these messages: {error}")
    raise ModelFormatError(f"the chat template is not usable: {error}")


def _strings(value: Any) -> list[str]:
    """All strings in a JSON-like value; a list, because the depth of values is bounded by JSON."""
    found: list[str] = []
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, dict):
            pending.extend(item.keys())
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
    return found
