"""``tools`` and ``tool_choice`` in OpenAI's forms, for a service that knows functions only.

A custom tool takes free text where a function takes an object. To the model it is a function of one
text, ``input``; on the way out (``chat_answer.py``) its calls become those of a custom tool again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfer.requests.spec import bad_value

_CHOICE = 'tool_choice must be like {"type": "function", "function": {"name": ..}}'
_INPUT = "input"
# Mistral and Anthropic say any for required, the latter in an object.
_WORDS = {"none": "none", "auto": "auto", "required": "required", "any": "required"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What ``tool_choice`` asks for.

    Attributes
    ----------
    word : str
        ``none``, ``auto``, ``required`` or ``function:NAME``.
    names : frozenset of str, optional
        The tools that may be called; None is all.
    """

    word: str
    names: frozenset[str] | None = None

    def allowed(self, tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
        """Those of ``tools`` that may be called.

        Raises
        ------
        RequestError
            A name is no tool.
        """
        if self.names is None:
            return tools
        known = {_name(tool): tool for tool in tools or ()}
        for name in sorted(self.names):
            if name not in known:
                raise bad_value("tool_choice", f"tool_choice names {name[:64]!r}, which is no tool")
        return [tool for name, tool in known.items() if name in self.names]


def read_choice(choice: str | dict[str, Any] | None) -> Choice:
    """Read ``tool_choice``: a word, a tool of any kind, or a list of allowed ones.

    Raises
    ------
    RequestError
        It is something else.
    """
    if choice is None:
        return Choice("auto")
    word = choice if isinstance(choice, str) else choice.get("type")
    if isinstance(word, str) and word in _WORDS:
        return Choice(_WORDS[word])
    if isinstance(choice, str):
        raise bad_value("tool_choice", "tool_choice must be none, auto, required or a tool")
    if choice.get("type") == "allowed_tools":
        return _allowed_tools(choice)
    name = _name(choice)
    if choice.get("type") not in ("function", "custom") or not name:
        raise bad_value("tool_choice", _CHOICE)
    return Choice(f"function:{name}")


def _allowed_tools(choice: dict[str, Any]) -> Choice:
    """``{"type": "allowed_tools", "allowed_tools": {"mode": .., "tools": [..]}}``."""
    inner = choice.get("allowed_tools", choice)
    mode = inner.get("mode", "auto") if isinstance(inner, dict) else None
    tools = inner.get("tools") if isinstance(inner, dict) else None
    if mode not in ("auto", "required"):
        raise bad_value("tool_choice.allowed_tools.mode", "the mode must be auto or required")
    if not isinstance(tools, list) or not tools or not all(_name(tool) for tool in tools):
        raise bad_value("tool_choice.allowed_tools.tools", "the tools must be a list of tools")
    return Choice(mode, frozenset(_name(tool) for tool in tools))


def custom_names(tools: Sequence[Mapping[str, Any]] | None) -> frozenset[str]:
    """Names of the custom tools."""
    return frozenset(_name(tool) for tool in tools or () if tool.get("type") == "custom")


def as_functions(tools: list[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """The tools with custom ones as functions of one text.

    Raises
    ------
    RequestError
        A custom tool has a format that is not supported.
    """
    if tools is None:
        return None
    return [
        _function(tool, f"tools[{number}].custom") if tool.get("type") == "custom" else tool
        for number, tool in enumerate(tools)
    ]


def _function(tool: dict[str, Any], where: str) -> dict[str, Any]:
    custom = tool.get("custom")
    if not isinstance(custom, dict):
        raise bad_value(where, f"{where} must be an object")
    function = {
        "name": custom.get("name"),
        "description": custom.get("description"),
        "parameters": {
            "type": "object",
            "properties": {_INPUT: _input_schema(custom.get("format"), f"{where}.format")},
            "required": [_INPUT],
            "additionalProperties": False,
        },
    }
    return {"type": "function", "function": function}


def _input_schema(form: Any, where: str) -> dict[str, Any]:
    form = {"type": "text"} if form is None else form
    kind = form.get("type") if isinstance(form, dict) else None
    if kind == "text":
        return {"type": "string"}
    if kind != "grammar":
        raise bad_value(where, f"{where}.type must be text or grammar")
    grammar = form.get("grammar")
    definition = grammar.get("definition") if isinstance(grammar, dict) else None
    if not isinstance(grammar, dict) or not isinstance(definition, str):
        raise bad_value(f"{where}.grammar", f"{where}.grammar must have a syntax and a definition")
    if grammar.get("syntax") != "regex":
        raise bad_value(f"{where}.grammar.syntax", "grammars of custom tools may be regex only")
    return {"type": "string", "pattern": f"^(?:{definition})$"}


def as_function_calls(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with calls of custom tools as calls of functions."""
    return [
        {**message, "tool_calls": [_function_call(call) for call in message["tool_calls"]]}
        if isinstance(message.get("tool_calls"), list)
        else message
        for message in messages
    ]


def _function_call(call: Any) -> Any:
    custom = call.get("custom") if isinstance(call, dict) else None
    if not isinstance(custom, dict) or call.get("type") != "custom":
        return call
    arguments = json.dumps({_INPUT: custom.get(_INPUT, "")}, ensure_ascii=False)
    function = {"name": custom.get("name"), "arguments": arguments}
    return {**{k: v for k, v in call.items() if k != "custom"}, "type": "function",
            "function": function}  # fmt: skip


def input_of(arguments: str) -> str:
    """The text that a call of a custom tool passes; what is no such call is passed as it is."""
    try:
        value = json.loads(arguments)
    except ValueError:
        return arguments
    text = value.get(_INPUT) if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def _name(tool: Any) -> str:
    if not isinstance(tool, dict):
        return ""
    inner = tool.get(str(tool.get("type", "function")), tool)
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""
