"""Runs chat templates of strangers: Jinja's sandbox inside a process with hard limits.

A sandbox in this process would not stop ``'a' * 10**9`` or ``10**10**8``, so the template is
rendered by :mod:`pyinfer.text.template_child` with limits on CPU time, memory and output, without
environment, files or child processes. One rendering costs a Python start, about 0.1 s; the
published R1 templates do not come here.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pyinfer.errors import EngineError, ModelFormatError, RequestError

MAX_SOURCE_BYTES = 256 << 10
OUTPUT_FACTOR = 4
OUTPUT_EXTRA = 64 << 10
#: The process is killed after this time even if it uses no CPU; the CPU limit comes first.
WALL_SECONDS = 60.0

_CHILD = Path(__file__).with_name("template_child.py")


def render_sandboxed(source: str, context: dict[str, Any]) -> str:
    """Render ``source`` with the JSON-like variables ``context``.

    Raises
    ------
    ModelFormatError
        The template is malformed, too large, breaks a limit or does something not allowed.
    RequestError
        The template refuses these messages, or cannot render them.
    """
    size = len(source.encode("utf-8", "replace"))
    if size > MAX_SOURCE_BYTES:
        raise ModelFormatError(
            f"the chat template has {size:,} bytes, the limit is {MAX_SOURCE_BYTES:,}"
        )
    input_chars = sum(map(len, _strings(context)))
    request = {
        "source": source,
        "context": context,
        "max_output": OUTPUT_FACTOR * (input_chars + len(source)) + OUTPUT_EXTRA,
    }
    answer = _answer(_run(json.dumps(request).encode("ascii")))
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


def _run(request: bytes) -> tuple[int, bytes]:
    # The child ignores PYTHONPATH, so it is told where its two packages are.
    specs = [importlib.util.find_spec(name) for name in ("jinja2", "markupsafe")]
    folders = {str(Path(spec.origin).parent.parent) for spec in specs if spec and spec.origin}
    command = [sys.executable, "-I", "-B", str(_CHILD), *sorted(folders)]
    try:
        done = subprocess.run(
            command,
            input=request,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"LC_ALL": "C.UTF-8"},
            cwd="/",
            timeout=WALL_SECONDS,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the child
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ModelFormatError(
            f"the chat template is not usable: it ran longer than {WALL_SECONDS:g} s"
        ) from None
    except OSError as error:
        raise EngineError(f"cannot start the template renderer: {error.strerror}") from None
    return done.returncode, done.stdout


def _answer(result: tuple[int, bytes]) -> dict[str, str]:
    code, output = result
    try:
        answer = json.loads(output)
    except ValueError:
        answer = None
    if code != 0 or not isinstance(answer, dict):
        # Killed by a limit (SIGXCPU, SIGKILL), or out of memory while it wrote the answer.
        end = f"signal {-code}" if code < 0 else f"status {code}"
        raise ModelFormatError(
            f"the chat template is not usable: it broke its limit of time or memory ({end})"
        )
    return answer
