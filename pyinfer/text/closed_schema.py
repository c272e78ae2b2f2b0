"""JSON schemas as their authors mean them: an object that lists its properties has no others.

By the letter of JSON Schema an object may have properties beside the listed ones. A model that is
free to invent some does so until it is cut off, and nobody who writes ``properties`` wants them. So
objects are closed unless the schema itself says what else may come (``additionalProperties``,
``patternProperties``, ``propertyNames``, ``unevaluatedProperties``, more ``minProperties`` than are
listed). Every text that the closed schema takes is one that the given schema takes.

Where several schemas hold for one object (``allOf``, a ``$ref`` beside ``properties``, ``anyOf``
beside ``properties``), closing each of them would leave nothing: one of them is chosen to close the
object, and it is told the names that the others list. A definition that is used in both ways is
needed in several forms, so every reference gets a copy of what it names, one per form.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from pyinfer.errors import RequestError
from pyinfer.text.schema_keywords import known_keywords

# Schemas looked at, and names added, until a schema counts as too complex.
MAX_STEPS = 200_000

_BRANCHES = ("anyOf", "oneOf")
_OPENING = ("additionalProperties", "patternProperties", "propertyNames")
# Keywords by what they hold: schemas of other values than the object itself.
_MAPS = ("properties", "patternProperties")
_LISTS = ("prefixItems", "items")
_SINGLE = ("items", "additionalProperties", "contains", "propertyNames")

_INDEX = re.compile(r"[0-9]{1,6}")

_Form = tuple[str, frozenset[str], bool]


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema with its objects closed; the given one is left as it is.

    Raises
    ------
    RequestError
        Its parts refer to each other in too many ways.

    Examples
    --------
    >>> closed({"type": "object", "properties": {"a": {"type": "integer"}}})
    {'type': 'object', 'properties': {'a': {'type': 'integer'}}, 'additionalProperties': False}
    """
    return _Closer(schema).closed()


class _Closer:
    """Closes the objects of one schema.

    Parameters
    ----------
    root : dict
        The whole schema, which references are looked up in.
    """

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._steps = 0
        self._names: dict[_Form, str] = {}
        self._waiting: list[tuple[str, _Form]] = []
        self._foreign = False  # something is referred to in a way that is left to the library

    def closed(self) -> dict[str, Any]:
        """The whole schema; copies of what is referred to are among its definitions."""
        result: dict[str, Any] = self._value(self._root)
        copies: dict[str, Any] = {}
        while self._waiting:
            name, (pointer, outer, close) = self._waiting.pop()
            copies[name] = self._conjunct(self._target(pointer), outer, close)
        if not self._foreign:
            for key in ("$defs", "definitions"):
                result.pop(key, None)
        if copies:
            result["$defs"] = {**_dict(result.get("$defs")), **copies}
        return result

    # ---- what holds for one object -------------------------------------------------------------

    def _conjuncts(self, schema: Any, branches: bool) -> Iterator[dict[str, Any]]:
        """The schema and all that hold for the same value; those of branches only on demand."""
        pending, seen = [schema], set()
        while pending:
            part = pending.pop()
            self._step()
            if not isinstance(part, dict):
                continue
            yield part
            pending += _list(part.get("allOf"))
            if branches:
                pending += [item for key in _BRANCHES for item in _list(part.get(key))]
            pointer = part.get("$ref")
            if isinstance(pointer, str) and pointer not in seen:
                seen.add(pointer)
                pending.append(self._target(pointer))

    def _listed(self, *schemas: Any) -> frozenset[str]:
        """Names that the schemas list: as properties, or as required."""
        found: set[str] = set()
        for schema in schemas:
            for part in self._conjuncts(schema, branches=True):
                found |= _own_names(part)
        return frozenset(found)

    def _says_itself(self, schema: dict[str, Any]) -> bool:
        """Whether the schema says what else an object may have."""
        for part in self._conjuncts(schema, branches=False):
            least = part.get("minProperties")
            if any(key in part for key in _OPENING) or (
                isinstance(least, int) and least > len(self._listed(schema))
            ):
                return True
            if part.get("unevaluatedProperties", False) is not False:
                return True
        return False

    def _branches_somewhere(self, schema: Any) -> bool:
        return any(
            _list(part.get(key))
            for part in self._conjuncts(schema, branches=False)
            for key in _BRANCHES
        )

    # ---- rewriting -----------------------------------------------------------------------------

    def _value(self, schema: Any) -> Any:
        """A schema that alone describes a value."""
        return self._conjunct(schema, frozenset(), close=True)

    def _conjunct(self, schema: Any, outer: frozenset[str], close: bool) -> Any:
        """A schema that holds for a value together with others.

        Parameters
        ----------
        schema : dict or bool
        outer : frozenset of str
            Names that the others list.
        close : bool
            This is the one that closes the object.
        """
        self._step(len(outer))
        if not isinstance(schema, dict):
            return schema
        schema = known_keywords(schema)
        result = {key: self._inner(key, value) for key, value in schema.items()}
        if schema.get("unevaluatedProperties") is False:
            del result["unevaluatedProperties"]  # closing does exactly this
        close = close and not self._says_itself(schema)
        closer = self._closer(schema) if close else None
        for key in ("allOf", *_BRANCHES):
            for number, part in enumerate(_list(schema.get(key))):
                this = closer is not None and closer[0] == key and closer[1] in (None, number)
                names = outer | self._names_beside(schema, key, number) if this else frozenset()
                result[key][number] = self._conjunct(part, names, this)
        pointer = schema.get("$ref")
        if pointer is not None and self._target(pointer) is None:
            self._foreign = True
        elif pointer is not None:
            this = closer is not None and closer[0] == "$ref"
            names = outer | self._names_beside(schema, "$ref") if this else frozenset()
            result["$ref"] = f"#/$defs/{self._copy(pointer, names, this)}"
        if close and closer is None:
            self._close(result, outer)
        return result

    def _closer(self, schema: dict[str, Any]) -> tuple[str, int | None] | None:
        """Which part closes the object: a keyword, and the index if it is one of its entries."""
        for key in _BRANCHES:
            if _list(schema.get(key)):
                return key, None  # each branch for itself
        parts = _list(schema.get("allOf"))
        for number, part in enumerate(parts):
            if self._branches_somewhere(part):
                return "allOf", number
        if self._target(schema.get("$ref")) is not None:
            return "$ref", None
        objects = [number for number, part in enumerate(parts) if isinstance(part, dict)]
        return ("allOf", objects[0]) if objects else None

    def _names_beside(self, schema: dict[str, Any], key: str, number: int = 0) -> frozenset[str]:
        """Names that are listed by everything in ``schema`` but one part."""
        rest = {name: value for name, value in schema.items() if name != key}
        others = _list(schema.get(key)) if key == "allOf" else []
        return self._listed(rest, *(part for n, part in enumerate(others) if n != number))

    def _inner(self, key: str, value: Any) -> Any:
        """What a keyword holds, with the schemas of other values rewritten."""
        if key in _MAPS and isinstance(value, dict):
            return {name: self._value(part) for name, part in value.items()}
        if key in _LISTS and isinstance(value, list):
            return [self._value(part) for part in value]
        if key in _SINGLE and isinstance(value, dict):
            return self._value(value)
        return list(value) if key in ("allOf", *_BRANCHES) and isinstance(value, list) else value

    def _close(self, result: dict[str, Any], outer: frozenset[str]) -> None:
        """Add to a schema that nothing but its names and the outer ones may come."""
        alone = not any(key in result for key in ("type", "const", "enum", "not"))
        if alone and not outer and ("items" in result or "prefixItems" in result):
            if "properties" not in result:
                result["type"] = "array"
            return
        if not isinstance(result.get("properties", {}), dict):
            return  # for the compiler to refuse
        names = _own_names(result) | outer
        if not names and not isinstance(result.get("properties"), dict):
            return
        if "properties" not in result and not outer:
            return  # nothing but required names: there is no list to hold on to
        if alone and not outer:
            result["type"] = "object"
        listed = dict(result.get("properties") or {})
        result["properties"] = listed | dict.fromkeys(sorted(names - listed.keys()), True)
        result["additionalProperties"] = False

    # ---- references ----------------------------------------------------------------------------

    def _copy(self, pointer: str, outer: frozenset[str], close: bool) -> str:
        """Name of the copy of what ``pointer`` refers to, in one form."""
        form = (pointer, outer, close)
        if form not in self._names:
            self._step(len(outer))
            name = f"closed-{len(self._names)}"
            while name in _dict(self._root.get("$defs")):
                name += "-"
            self._names[form] = name
            self._waiting.append((name, form))
        return self._names[form]

    def _target(self, pointer: object) -> Any:
        """What a reference within the schema refers to; None for others and for what is missing."""
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            return None
        found: Any = self._root
        parts = unquote(pointer[1:]).split("/")
        if parts[0]:
            return None  # an anchor
        for part in parts[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and part in found:
                found = found[part]
            elif isinstance(found, list) and _INDEX.fullmatch(part) and int(part) < len(found):
                found = found[int(part)]
            else:
                return None
        return found if isinstance(found, dict | bool) else None

    def _step(self, count: int = 0) -> None:
        self._steps += 1 + count
        if self._steps > MAX_STEPS:
            raise RequestError("the schema is too complex: its parts refer to each other too often")


def _own_names(schema: dict[str, Any]) -> set[str]:
    required = {name for name in _list(schema.get("required")) if isinstance(name, str)}
    return required | _dict(schema.get("properties")).keys()


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
