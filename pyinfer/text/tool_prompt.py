"""Tools in the prompt: how a model is told what it may call, and in which form.

Templates that know tools get them as they are. For others, the published R1 ones above all, which
ignore tools, a description is added to the system message (the last one, which those templates
use; a new one if there is none)::

    ## Tools

    You may call one or more of these functions to answer the user, if they help:

    {"name": "get_weather", "description": "...", "parameters": {...}}

    To call functions, answer with nothing but this, with one call block per call:

    <｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME
    ```json
    {"argument": "value"}
    ```<｜tool▁call▁end｜><｜tool▁calls▁end｜>

The form is the one in which the R1 templates write earlier calls. A model whose template speaks of
``<tool_call>`` is asked for that form instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pyinfer.errors import RequestError
from pyinfer.text.tags import (
    CALL_BEGIN,
    CALL_END,
    CALL_SEP,
    CALLS_BEGIN,
    CALLS_END,
    TAG_BEGIN,
    TAG_END,
)

MAX_TOOLS = 128
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")

# "markers" is DeepSeek's form, "tags" is JSON between <tool_call> and </tool_call>.
Form = Literal["markers", "tags"]

_EXAMPLES: dict[Form, str] = {
    "markers": (
        f"{CALLS_BEGIN}{CALL_BEGIN}function{CALL_SEP}NAME\n"
        f'```json\n{{"argument": "value"}}\n```{CALL_END}{CALLS_END}'
    ),
    "tags": f'{TAG_BEGIN}\n{{"name": "NAME", "arguments": {{"argument": "value"}}}}\n{TAG_END}',
}


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call.

    Attributes
    ----------
    name, description : str
    parameters : dict
        JSON schema of the arguments, an object.
    """

    name: str
    description: str
    parameters: dict[str, Any]


def read_tools(tools: Sequence[Mapping[str, Any]]) -> list[Tool]:
    """Check tools in OpenAI's form and return them.

    Raises
    ------
    RequestError
        A tool is malformed or named twice; ``param`` names it.
    """
    if len(tools) > MAX_TOOLS:
        raise tool_error("tools", f"may have at most {MAX_TOOLS} entries, not {len(tools)}")
    found: dict[str, Tool] = {}
    for number, tool in enumerate(tools):
        where = f"tools[{number}]"
        read = _read_tool(tool, where)
        if read.name in found:
            raise tool_error(f"{where}.function.name", f"{read.name!r} is defined twice")
        found[read.name] = read
    return list(found.values())


def _read_tool(tool: object, where: str) -> Tool:
    if not isinstance(tool, Mapping) or tool.get("type", "function") != "function":
        raise tool_error(where, "must be an object of type 'function'")
    function = tool.get("function")
    if not isinstance(function, Mapping):
        raise tool_error(f"{where}.function", "must be an object")
    name = function.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise tool_error(
            f"{where}.function.name", "must be 1 to 64 letters, digits, '_', '-' and '.'"
        )
    description = function.get("description") or ""
    if not isinstance(description, str):
        raise tool_error(f"{where}.function.description", "must be a string")
    parameters = function.get("parameters")
    if parameters is None:
        parameters = {"type": "object", "properties": {}, "additionalProperties": False}
    if not isinstance(parameters, Mapping) or parameters.get("type", "object") != "object":
        raise tool_error(f"{where}.function.parameters", "must be a schema of type 'object'")
    try:
        plain = json.loads(json.dumps(parameters, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise tool_error(f"{where}.function.parameters", "is not JSON") from None
    return Tool(name, description, {"type": "object", **plain})


def tool_error(param: str, what: str) -> RequestError:
    """The error for a field about tools."""
    error = RequestError(f"{param} {what}")
    error.param = param
    return error


def describe_tools(tools: Iterable[Tool], form: Form, required: bool, parallel: bool) -> str:
    """The text that tells a model about its tools; see the head of this module."""
    lines = [
        json.dumps(
            {"name": t.name, "description": t.description, "parameters": t.parameters},
            ensure_ascii=False,
        )
        for t in tools
    ]
    many = "one or more of these functions" if parallel else "one of these functions"
    task = f"You must call {many}:" if required else (
        f"You may call {many} to answer the user, if they help:"
    )  # fmt: skip
    how = (
        "To call functions, answer with nothing but this, with one call block per call:"
        if parallel
        else "To call a function, answer with nothing but this:"
    )
    return "\n\n".join(("## Tools", task, "\n".join(lines), how, _EXAMPLES[form]))


def add_to_system(messages: Iterable[Any], text: str) -> list[Any]:
    """Return ``messages`` with ``text`` added to the last system message, or a new one in front.

    Messages that are not well formed stay as they are; who reads them next complains.
    """
    result = [dict(m) if isinstance(m, Mapping) else m for m in messages]
    for message in reversed(result):
        if isinstance(message, dict) and message.get("role") in ("system", "developer"):
            content = message.get("content")
            if isinstance(content, list):
                message["content"] = [*content, {"type": "text", "text": "\n" + text}]
            elif isinstance(content, str) and content:
                message["content"] = f"{content}\n\n{text}"
            elif not content:
                message["content"] = text
            return result
    return [{"role": "system", "content": text}, *result]


def fold_calls(messages: Iterable[Any], form: Form) -> list[Any]:
    """Write tool calls that stand beside content into that content, as the model would.

    The R1 templates drop the calls of a message that has content, too.
    """
    result = []
    for message in messages:
        calls = message.get("tool_calls") if isinstance(message, Mapping) else None
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(calls, list) and calls and isinstance(content, str) and content.strip():
            written = _write_calls(calls, form)
            if written is not None:
                kept = {k: v for k, v in message.items() if k != "tool_calls"}
                message = {**kept, "content": f"{content}\n\n{written}"}
        result.append(message)
    return result


def _write_calls(calls: list[Any], form: Form) -> str | None:
    blocks = []
    for call in calls:
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            return None
        name, arguments = function["name"], function.get("arguments", {})
        if not isinstance(arguments, str):
            arguments = json.dumps(arguments, ensure_ascii=False)
        if form == "tags":
            body = f'{{"name": {json.dumps(name)}, "arguments": {arguments}}}'
            blocks.append(f"{TAG_BEGIN}\n{body}\n{TAG_END}")
        else:
            blocks.append(
                f"{CALL_BEGIN}function{CALL_SEP}{name}\n```json\n{arguments}\n```{CALL_END}"
            )
    joined = "\n".join(blocks)
    return joined if form == "tags" else f"{CALLS_BEGIN}{joined}{CALLS_END}"
