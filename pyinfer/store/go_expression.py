"""Expressions of Go templates as expressions of Jinja."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from pyinfer.errors import ModelUnsupportedError

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*")|(?P<raw>`[^`]*`)|(?P<number>-?\d+(?:\.\d+)?)"""
    r"""|(?P<field>\$?\w*(?:\.\w+)+|\$\w*|\.)|(?P<word>\w+)|(?P<mark>[()|]))"""
)
_ROOT = {
    "System": "System",
    "Prompt": "Prompt",
    "Response": "Response",
    "Suffix": "Suffix",
    "Messages": "messages",
    "Tools": "(tools or [])",
    "Think": "(enable_thinking is not defined or enable_thinking)",
    "IsThinkSet": "(enable_thinking is defined)",
    "ThinkLevel": "''",
}
_FIELDS = {
    "Role": "role",
    "Content": "content",
    "ToolCalls": "tool_calls",
    "ToolName": "name",
    "ToolCallID": "tool_call_id",
    "Function": "function",
    "Name": "name",
    "Arguments": "arguments",
    "Description": "description",
    "Parameters": "parameters",
    "Properties": "properties",
    "Required": "required",
    "Type": "type",
    "Enum": "enum",
    "ID": "id",
}
_COMPARE = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the dot means: everything (empty), or the variable of a loop."""

    dot: str = ""

    def inside(self, variable: str) -> Scope:
        """The scope of a loop's body."""
        return Scope(variable)


def translate(text: str, scope: Scope) -> str:
    """Return a pipeline of Go as an expression of Jinja.

    Raises
    ------
    ModelUnsupportedError
        Something in it is not understood.
    """
    parser = _Parser(_tokens(text), scope)
    result = parser.pipeline()
    if parser.tokens:
        raise refused(f"{parser.tokens[0][1][:40]!r} in {text[:60]!r}")
    return result


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    text = text.rstrip()
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            raise refused(repr(text[place : place + 40]))
        tokens.append((match.lastgroup, match[match.lastgroup]))
        place = match.end()
    return tokens


class _Parser:
    """Reads tokens from the front."""

    def __init__(self, tokens: list[tuple[str, str]], scope: Scope) -> None:
        self.tokens = tokens
        self._scope = scope

    def pipeline(self) -> str:
        value = self._command(None)
        while self.tokens and self.tokens[0] == ("mark", "|"):
            self.tokens.pop(0)
            value = self._command(value)
        return value

    def _command(self, piped: str | None) -> str:
        if not self.tokens:
            raise refused("an empty expression")
        kind, text = self.tokens[0]
        if kind == "word" and text not in ("true", "false", "nil"):
            self.tokens.pop(0)
            arguments = []
            while self.tokens and self.tokens[0] not in (("mark", ")"), ("mark", "|")):
                arguments.append(self._operand())
            return _call(text, arguments if piped is None else [*arguments, piped])
        if piped is not None:
            raise refused(f"{text[:40]!r} after a pipe")
        return self._operand()

    def _operand(self) -> str:
        kind, text = self.tokens.pop(0)
        if (kind, text) == ("mark", "("):
            value = self.pipeline()
            if not self.tokens or self.tokens.pop(0) != ("mark", ")"):
                raise refused("a bracket is not closed")
            return f"({value})"
        if kind == "string":
            return _literal(json.loads(text) if "\\" in text else text[1:-1])
        if kind == "raw":
            return _literal(text[1:-1])
        if kind == "number":
            return text
        if kind == "word" and text in ("true", "false", "nil"):
            return "none" if text == "nil" else text
        if kind == "field":
            return self._field(text)
        raise refused(repr(text[:40]))

    def _field(self, text: str) -> str:
        start, *names = text.split(".")
        names = [name for name in names if name]
        if start in ("", "$"):
            dot = "" if start else self._scope.dot
            if not dot:
                if not names or names[0] not in _ROOT:
                    raise refused(f"{text[:40]!r}")
                return _chain(_ROOT[names[0]], names[1:])
            return _chain(dot, names)
        if not start.startswith("$"):
            raise refused(repr(text[:40]))
        return _chain(f"ns.{start[1:]}", names)


def _chain(value: str, names: list[str]) -> str:
    for name in names:
        if name == "Thinking":
            return "''"  # the reasoning of earlier turns is not repeated
        if name not in _FIELDS:
            raise refused(f"the field {name[:40]!r}")
        value += f"['{_FIELDS[name]}']"
        if name == "Content":
            value = f"({value} or '')"
        elif name == "ToolCalls":
            value = f"({value} or [])"
    return value


def _call(name: str, arguments: list[str]) -> str:
    if name in _COMPARE and len(arguments) == 2:
        return f"({arguments[0]} {_COMPARE[name]} {arguments[1]})"
    if name == "eq" and len(arguments) > 2:
        return f"({arguments[0]} in [{', '.join(arguments[1:])}])"
    if name in ("and", "or") and arguments:
        return "(" + f" {name} ".join(arguments) + ")"
    if name == "not" and len(arguments) == 1:
        return f"(not {arguments[0]})"
    if name == "len" and len(arguments) == 1:
        return f"({arguments[0]} | length)"
    if name == "slice" and 2 <= len(arguments) <= 3:
        return f"{arguments[0]}[{':'.join([*arguments[1:], ''][:2])}]"
    if name == "index" and len(arguments) == 2:
        return f"{arguments[0]}[{arguments[1]}]"
    if name in ("json", "toJson") and len(arguments) == 1:
        return f"({arguments[0]} | tojson)"
    if name in ("print", "html", "js") and len(arguments) == 1:
        return arguments[0]
    raise refused(f"the function {name[:40]!r} with {len(arguments)} arguments")


def _literal(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def refused(what: str) -> ModelUnsupportedError:
    """The error for what is not understood."""
    return ModelUnsupportedError(
        f"the template in the language of Go cannot be translated: {what}",
        hint="write it in Jinja, or leave TEMPLATE out: the one beside the weights is used then",
    )
