"""Text files as editors of several systems save them."""

from __future__ import annotations

import codecs

import pytest

from pyinfer.store.text_encoding import decode_text

TEXT = 'FROM demo\r\nSYSTEM "Grüß Gott 🙂"\r\n'


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        codecs.BOM_UTF8 + TEXT.encode(),
        codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"),
    ],
)
def test_marks_say_the_encoding(data: bytes) -> None:
    assert decode_text(data) == TEXT


@pytest.mark.parametrize(
    "data",
    ["ü".encode("latin-1"), codecs.BOM_UTF16_LE + b"a", codecs.BOM_UTF16_BE + b"\xd8\0\0a"],
)
def test_others_are_errors(data: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        decode_text(data)
