"""JSON files: what is accepted equals the standard parser; every refusal is typed and bounded."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyinfer.checkpoint.json_file import parse_json_object, read_json_object
from pyinfer.checkpoint.limits import MAX_JSON_DEPTH
from pyinfer.errors import ModelFormatError, ModelNotFoundError

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), json_values), st.booleans())
def test_equals_the_standard_parser(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return
    assert parse_json_object(data, "x.json") == json.loads(text)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not valid JSON at line 1 column 1"),
        (b"{", "not valid JSON at line 1 column 2"),
        (b'{"a": 1,}', "not valid JSON"),
        (b'{"a"\n: tru}', "line 2 column"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b"[1]", "expected a JSON object, found list"),
        (b"null", "found NoneType"),
        (b'"text"', "found str"),
        (b'{"a": NaN}', "NaN is not allowed"),
        (b'{"a": [-Infinity]}', "-Infinity is not allowed"),
        (b'{"a": 1, "b": 2, "a": 3}', "key 'a' appears twice"),
        (b'{"x": {"a": 1, "a": 1}}', "key 'a' appears twice"),
        (b'{"a": ' + b"9" * 5000 + b"}", "too many digits"),
        (b'{"a": "unfinished \\', "not valid JSON"),
        (b'{"a": "\x01"}', "not valid JSON"),
        (b"{}\x00", "not valid JSON"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelFormatError, match=rf"^bad\.json: .*{message}"):
        parse_json_object(data, "bad.json")


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"k":', "}")])
def test_depth(opening: str, closing: str) -> None:
    def nested(levels: int) -> bytes:
        inner = levels - 1
        return ('{"a":' + opening * inner + "1" + closing * inner + "}").encode()

    parse_json_object(nested(MAX_JSON_DEPTH), "x")
    with pytest.raises(ModelFormatError, match="nested deeper than 64 levels"):
        parse_json_object(nested(MAX_JSON_DEPTH + 1), "x")
    with pytest.raises(ModelFormatError, match="nested deeper"):
        parse_json_object((opening * 1_000_000).encode(), "x")


def test_brackets_in_strings_do_not_count() -> None:
    text = json.dumps({"a": '[{"' * 200 + "\\", "b": "\\" * 99 + '"['})
    assert parse_json_object(text.encode(), "x") == json.loads(text)


def test_hostile_strings() -> None:
    """Two megabytes of quotes and escapes without an end: a quadratic scan would take hours."""
    for data in (b'{"' + b'\\"' * 1_000_000, b'{"a":"' + b"\\" * 2_000_001, b'"' * 2_000_001):
        with pytest.raises(ModelFormatError):
            parse_json_object(data, "x")


def test_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"{}" + b" " * 98)
    assert read_json_object(path, 100) == {}
    with pytest.raises(ModelFormatError, match=r"c\.json: 100 bytes, expected at most 99"):
        read_json_object(path, 99)
    with pytest.raises(ModelNotFoundError):
        read_json_object(tmp_path / "none.json", 99)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(ModelFormatError):
        assert parse_json_object(data, "x") == json.loads(data.decode())


@given(st.text('{}[]",:\\a1 \n', max_size=60))
def test_any_json_like_text(text: str) -> None:
    try:
        ours = parse_json_object(text.encode(), "x")
    except ModelFormatError:
        # Only what the standard parser refuses, too, or what is no object or has a key twice.
        try:
            value = json.loads(text, object_pairs_hook=tuple)
        except ValueError:
            return
        assert not isinstance(value, tuple) or "twice" in repeated(text)
        return
    assert ours == json.loads(text)


def repeated(text: str) -> str:
    try:
        parse_json_object(text.encode(), "x")
    except ModelFormatError as error:
        return str(error)
    return ""
