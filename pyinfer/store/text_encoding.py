"""Small text files that people write by hand: in UTF-8, or as editors on Windows save them."""

from __future__ import annotations

import codecs

_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def decode_text(data: bytes) -> str:
    """The text of a file: UTF-16 where a mark at the beginning says so, else UTF-8.

    Marks are left out.

    Raises
    ------
    UnicodeDecodeError
        It is in another encoding.

    Examples
    --------
    >>> decode_text("FROM demo".encode("utf-16"))
    'FROM demo'
    """
    return data.decode(_MARKS.get(data[:2], "utf-8-sig"))
