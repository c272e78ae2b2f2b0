"""Which calls a piece of JSON text spells, in the forms that models use."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any


def calls_in_json(text: str, names: Collection[str]) -> list[tuple[str, str]]:
    """Return (name, arguments as JSON text) of each call; empty if anything else is there.

    Understood are ``{"name": ..., "arguments": {...}}`` (or ``parameters``), the same within
    ``{"function": ...}`` or ``{"type": "function", "function": ...}``, lists of them, and
    ``{"tool_calls": [...]}``.

    Parameters
    ----------
    text : str
    names : collection of str
        Functions that may be called; a call of another one is no call.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    items = value if isinstance(value, list) else [value]
    calls = [_call(item, names) for item in items]
    found = [call for call in calls if call is not None]
    return found if len(found) == len(items) else []


def is_object(text: str) -> bool:
    """Whether ``text`` is a JSON object."""
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _call(item: Any, names: Collection[str]) -> tuple[str, str] | None:
    if isinstance(item, dict) and isinstance(item.get("function"), dict):
        item = item["function"]
    if not isinstance(item, dict):
        return None
    name = item.get("name")
    arguments = item.get("arguments", item.get("parameters"))
    if not isinstance(name, str) or name not in names:
        return None
    if isinstance(arguments, str):
        return (name, arguments) if is_object(arguments) else None
    if not isinstance(arguments, dict):
        return None
    return name, json.dumps(arguments, ensure_ascii=False)
