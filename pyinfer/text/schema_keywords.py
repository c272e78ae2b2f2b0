"""Keywords of JSON Schema that say the same in words the grammar library knows.

Libraries that write schemas (pydantic, zod, OpenAPI's tools) use more keywords than the grammar
library takes. What means nothing for text is left out, what can be said otherwise is said
otherwise; everything else is left for the library to refuse by name.
"""

from __future__ import annotations

import re
from typing import Any

# What the library knows, and what says nothing about text.
_KNOWN_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri"}
)
_EMPTY_FORMATS = frozenset(
    {"password", "binary", "path", "file-path", "directory-path", "int32", "int64", "float"}
    | {"double", "textarea", "html", "markdown"}
)
# The usual pattern for addresses has look-ahead; this one takes a part of what it takes.
_EMAIL = r"^[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@([A-Za-z0-9][A-Za-z0-9-]*\.)+[A-Za-z]{2,24}$"
# Days that the calendar has, from the year 1 on, as what reads them asks for.
_YEAR = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|"
    "(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|"
    "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29)"
)
_TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
_TIMES = {
    "date": f"^{_DAY}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DAY}T{_TIME}$",
    "duration": "^P(?:T|[0-9]{1,4}[YMWDHS])+$",
}
_LOOK_AROUND = re.compile(r"\(\?<?[=!]")


def known_keywords(schema: dict[str, Any]) -> dict[str, Any]:
    """One level of a schema in the library's words; the given one is left as it is.

    Examples
    --------
    >>> known_keywords({"type": "string", "format": "password"})
    {'type': 'string'}
    """
    result = dict(schema)
    kind, pattern = schema.get("format"), schema.get("pattern")
    if isinstance(kind, str) and (
        kind in _EMPTY_FORMATS or (pattern is not None and kind not in _KNOWN_FORMATS)
    ):
        del result["format"]  # a pattern beside it says it better
    if isinstance(kind, str) and kind in _TIMES and pattern is None:
        result["pattern"] = _TIMES[kind]  # the library's own take the 31st of every month
    if kind == "email" and _looks_around(schema):
        del result["format"]
        result["pattern"] = _EMAIL
    if schema.get("nullable") is True:
        _say_null(result)
    if "propertyNames" in schema:
        _say_names(result)
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        # Fewer choices are still right ones.
        usable = [branch for branch in branches if not _looks_around(branch)]
        result["anyOf"] = usable or branches
    return result


def _say_null(schema: dict[str, Any]) -> None:
    """Say by type and values what OpenAPI 3.0 says by ``nullable``."""
    kinds = schema.get("type")
    if isinstance(kinds, str | list):
        listed = [kinds] if isinstance(kinds, str) else kinds
        schema["type"] = listed if "null" in listed else [*listed, "null"]
        values = schema.get("enum")
        if isinstance(values, list) and None not in values:
            schema["enum"] = [*values, None]
        del schema["nullable"]


def _say_names(schema: dict[str, Any]) -> None:
    """Say by properties or patterns what ``propertyNames`` says, where that is possible."""
    rule = schema["propertyNames"]
    words = {} if rule is True else rule
    if not isinstance(words, dict) or words.keys() - {"type", "enum", "const", "pattern"}:
        return
    if not words.keys() - {"type"}:
        if words.get("type", "string") == "string":
            del schema["propertyNames"]
            schema.setdefault("additionalProperties", True)
        return
    if any(key in schema for key in ("properties", "patternProperties")):
        return
    value = schema.get("additionalProperties", True)
    names = [words["const"]] if "const" in words else words.get("enum")
    if names is None and isinstance(words.get("pattern"), str):
        schema["patternProperties"] = {words["pattern"]: value}
    elif isinstance(names, list) and "pattern" not in words:
        schema["properties"] = {name: value for name in names if isinstance(name, str)}
    else:
        return
    del schema["propertyNames"]
    schema["additionalProperties"] = False


def _looks_around(branch: Any) -> bool:
    pattern = branch.get("pattern") if isinstance(branch, dict) else None
    return isinstance(pattern, str) and _LOOK_AROUND.search(pattern) is not None
