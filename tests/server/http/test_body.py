"""Limits and types of JSON bodies."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("fastapi")

from pyinfer.errors import RequestError
from pyinfer.server.http.body import MAX_JSON_DEPTH, MAX_JSON_NODES, Body, parse_body, parse_json


class Inner(Body):
    """A nested schema."""

    size: int


class Outer(Body):
    """A schema with one field of each sort."""

    name: str = ""
    count: int | None = None
    share: float = 1.0
    inner: list[Inner] | None = None


def depth(levels: int) -> bytes:
    return b"[" * levels + b"0" + b"]" * levels


@pytest.mark.parametrize(
    "text", [b"{}", b' {"a": [1, 2.5, "x\\"]["]}\n', b'"\\u00e9"', b"[ ]", b"-0"]
)
def test_ordinary_json_is_parsed(text: bytes) -> None:
    assert parse_json(text) == json.loads(text)


def test_depth_and_count_are_limited_exactly() -> None:
    parse_json(depth(MAX_JSON_DEPTH))
    parse_json(depth(MAX_JSON_DEPTH - 1).replace(b"0", b"[ ]"))
    with pytest.raises(RequestError, match="deeper than 64"):
        parse_json(depth(MAX_JSON_DEPTH + 1))
    with pytest.raises(RequestError, match="deeper than 64"):
        parse_json(depth(MAX_JSON_DEPTH).replace(b"0", b"[]"))
    values = [0] * (MAX_JSON_NODES - 1)  # and the array itself
    assert parse_json(json.dumps(values).encode()) == values
    with pytest.raises(RequestError, match="more than 250000 values"):
        parse_json(json.dumps([*values, 0]).encode())
    parse_json(json.dumps(["[,{" * 100_000]).encode())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (b"", "missing request body"),
        (b" \n", "missing request body"),
        (b"{", "not valid JSON"),
        (b"{}x", "not valid JSON"),
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "beyond the range"),
        (b"[" + b"1" * 5000 + b"]", "more than 1000 digits"),
        (b"[1." + b"1" * 5000 + b"]", "more than 1000 digits"),
        (b'"\xff"', "not UTF-8: byte 1"),
        ('"a"'.encode("utf-16"), "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b"[" * 10**6, "deeper than 64"),
        (b'{"a":' * 10**6, "deeper than 64"),
        (b'"' + b'\\"' * 10**6, "not valid JSON"),
    ],
)
def test_other_json_is_refused(text: bytes, match: str) -> None:
    with pytest.raises(RequestError, match=match):
        parse_json(text)


def test_half_characters_become_the_replacement_character() -> None:
    assert parse_json(rb'["\ud83d\ude00", {"\udc00": "a\uD800b"}]') == ["😀", {"�": "a�b"}]


def test_a_body_is_checked_strictly() -> None:
    body = parse_body(
        b'{"name": "a", "count": 3, "share": 2, "inner": [{"size": 1}], "z": 0}', Outer
    )
    assert (body.name, body.count, body.share, body.inner and body.inner[0].size) == (
        "a",
        3,
        2.0,
        1,
    )


@pytest.mark.parametrize(
    ("text", "param"),
    [
        (b"[]", ""),
        (b"3", ""),
        (b'{"name": 3}', "name"),
        (b'{"name": null}', "name"),
        (b'{"count": "3"}', "count"),
        (b'{"count": true}', "count"),
        (b'{"count": 1.5}', "count"),
        (b'{"share": "1"}', "share"),
        (b'{"inner": [{"size": 1}, {"size": "SECRET"}]}', "inner.1.size"),
        (b'{"inner": [{}]}', "inner.0.size"),
    ],
)
def test_a_wrong_type_is_named(text: bytes, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse_body(text, Outer)
    assert caught.value.param == param
    assert param in str(caught.value)
    assert "SECRET" not in str(caught.value)
