"""What the tests with official clients ask."""

from __future__ import annotations

from typing import Any

QUESTION: list[Any] = [{"role": "user", "content": "is beijing a big city?"}]
CITY = {
    "type": "object",
    "properties": {"city": {"enum": ["Beijing", "Paris"]}, "big": {"type": "boolean"}},
    "required": ["city", "big"],
    "additionalProperties": False,
}
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Beijing", "Paris"]}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
# More than the embedded model's context, in every dialect.
_LONG = "big " * 10_000
TOO_LONG: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": _LONG}]},
    "/v1/completions": {"prompt": _LONG},
    "/api/chat": {"messages": [{"role": "user", "content": _LONG}]},
    "/api/generate": {"prompt": _LONG},
    "/completion": {"prompt": _LONG},
}
