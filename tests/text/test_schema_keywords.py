"""Keywords that can be said otherwise; what they then mean is in ``test_closed_schema.py``."""

from __future__ import annotations

import datetime
import re
from typing import Any

import pytest

from pyinfer.text.schema_keywords import known_keywords


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "uuid"},
        {"type": "string", "format": "date", "pattern": "^2"},
        {"type": "string", "format": "bogus"},  # for the library to refuse
        {"propertyNames": {"minLength": 3}},
        {"propertyNames": {"enum": ["a"]}, "properties": {"a": {}}},
        {"anyOf": [{"pattern": "a(?=b)"}]},  # nothing would be left
        {"type": "string", "pattern": "a(?=b)"},
    ],
)
def test_left_as_it_is(schema: dict[str, Any]) -> None:
    assert known_keywords(schema) == schema


def test_names_of_any_kind_leave_an_object_open() -> None:
    assert known_keywords({"propertyNames": True, "properties": {"a": {}}}) == {
        "properties": {"a": {}},
        "additionalProperties": True,
    }


def test_days_are_those_of_the_calendar() -> None:
    days = re.compile(known_keywords({"format": "date"})["pattern"])
    for year in (1, 4, 100, 400, 1900, 1999, 2000, 2023, 2024, 2100, 2400, 9999):
        for month in range(14):
            for day in range(33):
                text = f"{year:04}-{month:02}-{day:02}"
                assert bool(days.fullmatch(text)) == _is_day(text), text
    assert not days.fullmatch("0000-01-01")


def _is_day(text: str) -> bool:
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
