"""Checking and simplifying chat messages before a template sees them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyinfer.errors import RequestError
from pyinfer.text.tags import CLOSE_TAG, OPEN_TAG

ROLES = ("system", "user", "assistant", "tool")

# Earlier reasoning is accepted in these fields and left out of the prompt.
_REASONING_FIELDS = ("reasoning", "reasoning_content", "thinking")
_PASSED_FIELDS = ("name", "tool_call_id")


def normalize_messages(messages: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return plain copies of ``messages`` that every template understands.

    Text parts are joined by line ends, ``developer`` becomes ``system``, the reasoning of earlier
    answers is dropped, content ``""`` beside tool calls becomes None, tool arguments become JSON
    text.

    Raises
    ------
    RequestError
        A message has an unknown role, a content that is no text, or malformed tool calls.
    """
    if isinstance(messages, (str, bytes, Mapping)) or not hasattr(messages, "__iter__"):
        raise RequestError("messages must be a list of objects with role and content")
    return [_message(message, f"messages[{n}]") for n, message in enumerate(messages)]


@dataclass(frozen=True, slots=True)
class BegunAnswer:
    """The beginning of an answer that is to be continued.

    Attributes
    ----------
    reasoning : str or None
        None for no reasoning; empty if it was only opened.
    content : str
    open : bool
        The reasoning goes on.
    """

    reasoning: str | None
    content: str
    open: bool


def begins_answer(messages: Sequence[Any]) -> bool:
    """Whether the last message is one of the assistant with text that could go on."""
    last = messages[-1] if messages else None
    if not isinstance(last, Mapping) or last.get("role") != "assistant" or last.get("tool_calls"):
        return False
    return any(last.get(key) for key in ("content", *_REASONING_FIELDS))


def begun_answer(messages: Sequence[Mapping[str, Any]]) -> BegunAnswer:
    """The last message, which is to be continued.

    Raises
    ------
    RequestError
        It is not one of the assistant, or it has tool calls or no text.
    """
    last = messages[-1] if messages else None
    if not isinstance(last, Mapping) or last.get("role") != "assistant" or last.get("tool_calls"):
        raise RequestError("the last message must be an answer of the assistant to be continued")
    where = f"messages[{len(messages) - 1}]"
    content = _text(last.get("content"), f"{where}: content") or ""
    found = [_text(last.get(key), f"{where}: {key}") for key in _REASONING_FIELDS]
    reasoning = next((text for text in found if text), None)
    closed = ""
    head, tag, tail = content.partition(OPEN_TAG)
    if tag and not head.strip():
        thought, closed, content = tail.partition(CLOSE_TAG)
        reasoning = reasoning or thought.lstrip("\n")
        content = content.lstrip() if closed else ""
    if not content and reasoning is None:
        raise RequestError(f"{where}: there is nothing to be continued")
    return BegunAnswer(reasoning, content, reasoning is not None and not closed and not content)


def _message(message: object, where: str) -> dict[str, Any]:
    if not isinstance(message, Mapping):
        raise RequestError(f"{where} must be an object, found {type(message).__name__}")
    role = message.get("role")
    role = "system" if role == "developer" else role
    if role not in ROLES:
        raise RequestError(
            f"{where}: role must be one of {', '.join(ROLES)}, found {str(role)[:40]!r}"
        )
    content = _text(message.get("content"), f"{where}: content")
    calls = message.get("tool_calls")
    result: dict[str, Any] = {"role": role, "content": content}
    for key in _PASSED_FIELDS:
        if message.get(key) is not None:
            result[key] = _string(message[key], f"{where}: {key}")
    for key in _REASONING_FIELDS:
        if message.get(key) is not None:
            _text(message[key], f"{where}: {key}")
    if role == "assistant" and content is not None:
        result["content"] = _without_reasoning(content)
    if calls:
        if role != "assistant":
            raise RequestError(f"{where}: only an assistant message may have tool_calls")
        result["tool_calls"] = _tool_calls(calls, f"{where}: tool_calls")
        result["content"] = result["content"] or None
    elif content is None:
        raise RequestError(f"{where}: content is missing")
    return result


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{where} must be a string, found {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise RequestError(f"{where} has a lone surrogate, which is not Unicode text") from None
    return value


def _text(content: object, where: str) -> str | None:
    if content is None:
        return None
    if not isinstance(content, list):
        return _string(content, where)
    texts = []
    for number, part in enumerate(content):
        if isinstance(part, Mapping) and part.get("type", "text") == "text":
            part = part.get("text")
        elif not isinstance(part, str):
            raise RequestError(f"{where}[{number}]: only parts of type 'text' are supported")
        texts.append(_string(part, f"{where}[{number}]"))
    return "\n".join(texts)


def _without_reasoning(content: str) -> str:
    if CLOSE_TAG in content:
        return content.rsplit(CLOSE_TAG, 1)[1]
    return "" if content.lstrip().startswith(OPEN_TAG) else content


def _tool_calls(calls: object, where: str) -> list[dict[str, Any]]:
    if not isinstance(calls, list):
        raise RequestError(f"{where} must be a list")
    result = []
    for number, call in enumerate(calls):
        here = f"{where}[{number}]"
        function = call.get("function") if isinstance(call, Mapping) else None
        if not isinstance(call, Mapping) or not isinstance(function, Mapping):
            raise RequestError(f"{here} must be an object with a function")
        entry: dict[str, Any] = {
            "type": _string(call.get("type", "function"), f"{here}: type"),
            "function": {
                "name": _string(function.get("name"), f"{here}: function name"),
                "arguments": _arguments(function.get("arguments", {}), f"{here}: arguments"),
            },
        }
        if call.get("id") is not None:
            entry["id"] = _string(call["id"], f"{here}: id")
        result.append(entry)
    return result


def _arguments(value: object, where: str) -> str:
    if isinstance(value, str):
        return _string(value, where)
    try:
        return _string(json.dumps(value, ensure_ascii=False, allow_nan=False), where)
    except (TypeError, ValueError, RecursionError):
        raise RequestError(f"{where} must be JSON text or an object") from None
