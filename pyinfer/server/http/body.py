"""Reads a JSON body under limits and checks it against a schema.

A request handler takes the bare ``Request``, calls :func:`read_body`, and describes its body in the
OpenAPI document with :func:`describe_body`::

    @router.post("/api/chat", openapi_extra=describe_body(ChatBody))
    async def chat(request: Request) -> Response:
        body = await read_body(request, ChatBody)

Every finding is a :class:`~pyinfer.errors.RequestError` (400) that names the field, never a 422.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError

from pyinfer.errors import PayloadTooLarge, RequestError
from pyinfer.server.http.body_memory import Hold
from pyinfer.server.http.errors import invalid_value
from pyinfer.server.http.unsupported import Unsupported, refuse

MAX_BODY_BYTES = 16 * 2**20
MAX_JSON_DEPTH = 64
MAX_JSON_NODES = 250_000
MAX_NUMBER_CHARACTERS = 1_000

#: Larger bodies are parsed off the event loop.
_INLINE_BYTES = 32 * 2**10
#: Larger ones are parsed one after the other: for a moment each takes several times its size.
_LARGE_BYTES = 2**20

# Strings (also an unclosed last one), empty containers, brackets, commas. Possessive, so that no
# input makes it go back.
_TOKEN = re.compile(
    rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|\[[ \t\r\n]*+\]|\{[ \t\r\n]*+\}|[\[\]{},]', re.DOTALL
)


class Body(BaseModel):
    """Base of all request schemas: strict types, unknown fields ignored.

    Attributes
    ----------
    unsupported : mapping of str to Unsupported
        Fields that are refused, because ignoring them would change the answer.
    """

    model_config = ConfigDict(strict=True, extra="ignore")
    unsupported: ClassVar[Mapping[str, Unsupported]] = {}


Schema = TypeVar("Schema", bound=Body)


async def read_body(request: Request, schema: type[Schema]) -> Schema:
    """Read, parse and check the body of a request.

    Raises
    ------
    PayloadTooLarge
        More than 16 MiB.
    RequestError
        No body, no JSON object, too deep, too many values, or a value that the schema refuses.
    """
    data = await read_bytes(request)
    if len(data) <= _INLINE_BYTES:
        return parse_body(data, schema)
    if len(data) <= _LARGE_BYTES:
        return await asyncio.to_thread(parse_body, data, schema)
    hold: Hold | None = getattr(request.state, "body", None)
    async with contextlib.nullcontext() if hold is None else hold.turn:
        return await asyncio.to_thread(parse_body, data, schema)


async def read_bytes(request: Request, limit: int = MAX_BODY_BYTES) -> bytes | bytearray:
    """The whole body, at most ``limit`` bytes.

    Raises
    ------
    PayloadTooLarge
        It is larger.
    QueueFullError
        Too much of other bodies is in memory.
    """
    announced = request.headers.get("content-length", "")
    hold: Hold | None = getattr(request.state, "body", None)
    if announced.isascii() and announced.isdigit():
        size = int(announced[:20])
        if size > limit:
            raise _too_large(limit)
        if hold is not None:
            hold.expect(size)
    data = bytearray()
    async for part in request.stream():
        if len(data) + len(part) > limit:
            raise _too_large(limit)
        if hold is not None:
            hold.take(len(part))
        data += part
    return data


def parse_body(data: bytes | bytearray, schema: type[Schema]) -> Schema:
    """Check bytes against a schema; see :func:`read_body`."""
    value = parse_json(data)
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object")
    refuse(value, schema.unsupported)
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid_value(details[0]) from None
    except RecursionError:
        raise RequestError("the body is nested too deeply") from None


def parse_json(data: bytes | bytearray) -> Any:
    """Parse JSON under the limits on depth, values and numbers.

    Raises
    ------
    RequestError
        With the reason; the text of the client is not repeated.
    """
    if not data.strip():
        raise RequestError("missing request body")
    _check_size(data)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(f"the body is not UTF-8: byte {error.start}") from None
    try:
        value = json.loads(
            text, parse_constant=_constant, parse_int=_integer, parse_float=_fraction
        )
    except json.JSONDecodeError as error:
        raise RequestError(
            f"the body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except RecursionError:
        raise RequestError("the body is nested too deeply") from None
    return _without_surrogates(value) if b"\\ud" in data or b"\\uD" in data else value


def describe_body(schema: type[BaseModel]) -> dict[str, Any]:
    """``openapi_extra`` of a route whose handler calls :func:`read_body`."""
    content = {
        "application/json": {
            "schema": schema.model_json_schema(ref_template="#/components/schemas/{model}")
        }
    }
    return {"requestBody": {"required": True, "content": content}}


def _check_size(data: bytes | bytearray) -> None:
    depth, nodes = 0, 1
    for match in _TOKEN.finditer(data):
        first = match[0][0]
        if first == 0x22:  # a string
            continue
        if first == 0x2C:  # a comma: one more value
            nodes += 1
        elif first in b"[{":
            empty = len(match[0]) > 1
            if depth + 1 > MAX_JSON_DEPTH:
                raise RequestError(f"the body is nested deeper than {MAX_JSON_DEPTH} levels")
            depth += not empty
            nodes += not empty
        else:
            depth -= 1
        if nodes > MAX_JSON_NODES:
            raise RequestError(f"the body has more than {MAX_JSON_NODES} values")


def _constant(text: str) -> NoReturn:
    raise RequestError(f"the body contains {text}, which is not JSON")


def _integer(text: str) -> int:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise RequestError(f"the body has a number of more than {MAX_NUMBER_CHARACTERS} digits")
    return int(text)


def _fraction(text: str) -> float:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise RequestError(f"the body has a number of more than {MAX_NUMBER_CHARACTERS} digits")
    value = float(text)
    if not math.isfinite(value):
        raise RequestError("the body has a number beyond the range of floating point")
    return value


def _without_surrogates(value: Any) -> Any:
    """Half characters (an escape cut in two by a client) become U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    return value


def _too_large(limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"the body is larger than {limit} bytes")
