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
