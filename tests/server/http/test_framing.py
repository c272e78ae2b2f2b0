"""Where requests end, by strict rules: good streams, bad ones, at every split point."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("fastapi")

from pyinfer.errors import HeadersTooLarge, PyinferError, RequestError
from pyinfer.server.http.framing import (
    MAX_HEADER_BYTES,
    MAX_HEADERS,
    MAX_REQUEST_LINE,
    ProtocolVersionError,
    RequestFramer,
)

HEAD = b"POST /x?y=1 HTTP/1.1\r\nHost: a\r\n"
GOOD = {
    "no body": (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [b""]),
    "length": (HEAD + b"Content-Length: 5\r\n\r\nhello", [b"hello"]),
    "length 0": (HEAD + b"Content-Length: 0\r\n\r\n", [b""]),
    "chunked": (
        HEAD + b"Transfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n"
        b"A;x=y\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
        [b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"],
    ),
    "two": (
        b"\r\n" + HEAD + b"Content-Length: 1\r\n\r\nZGET /b HTTP/1.1\r\nHost: a\r\n\r\n",
        [b"Z", b""],
    ),
    "http 1.0": (b"GET / HTTP/1.0\r\n\r\n", [b""]),
    "odd but right": (b"GET /%ff;a HTTP/1.1\r\nhost:a\r\nX: \xff\t!\r\nY:\r\n\r\n", [b""]),
}  # fmt: skip
BAD = {
    "bare LF": b"GET / HTTP/1.1\nHost: a\n\n",
    "bare LF in the head": b"GET / HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n",
    "bare CR": b"GET / HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n",
    "folding": b"GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n 2\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
    "NUL in a value": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
    "empty name": b"GET / HTTP/1.1\r\nHost: a\r\n: 1\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "two hosts in 1.0": b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tab": b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "no version": b"GET /\r\nHost: a\r\n\r\n",
    "absolute form": b"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect": b"CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n",
    "asterisk": b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "raw byte in the target": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "length and coding": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
    "equal lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "list of lengths": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "signed length": HEAD + b"Content-Length: +5\r\n\r\nhello",
    "hex length": HEAD + b"Content-Length: 0x5\r\n\r\nhello",
    "huge length": HEAD + b"Content-Length: 99999999999999999999\r\n\r\n",
    "empty length": HEAD + b"Content-Length:\r\n\r\n",
    "other coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "identity": HEAD + b"Transfer-Encoding: identity\r\n\r\n",
    "two codings": HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
    "coding in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunk without size": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n",
    "negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "chunk 0x": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0x1\r\na\r\n0\r\n\r\n",
    "huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 17 + b"\r\n",
    "chunk too long": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
    "chunk ends in LF": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
    "long chunk line": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;" + b"a" * 300 + b"\r\n",
    "bad trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nT : 1\r\n\r\n",
}  # fmt: skip


def bodies(pieces: list[bytes]) -> list[bytes]:
    """Feed pieces; the body and end of each request."""
    framer, found = RequestFramer(), []
    for piece in pieces:
        framer.push(piece)
        while (part := framer.next()) is not None:
            if part.kind == "head":
                found.append(b"")
            else:
                found[-1] += part.data
    return found


def splits(data: bytes) -> list[list[bytes]]:
    """Whole, byte by byte, and cut in two everywhere."""
    halves = [[data[:cut], data[cut:]] for cut in range(1, len(data))]
    return [[data], [data[i : i + 1] for i in range(len(data))], *halves]


@pytest.mark.parametrize("name", GOOD)
def test_requests_end_where_they_end(name: str) -> None:
    data, expected = GOOD[name]
    for pieces in splits(data):
        assert bodies(pieces) == expected


@pytest.mark.parametrize("name", BAD)
def test_what_two_readers_could_read_differently_is_refused(name: str) -> None:
    for pieces in splits(BAD[name]):
        with pytest.raises(RequestError):
            bodies(pieces)


@pytest.mark.parametrize("line", [b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"GET / HTTP/3"])
def test_other_versions_are_named(line: bytes) -> None:
    with pytest.raises(ProtocolVersionError):
        bodies([line + b"\r\nHost: a\r\n\r\n"])


def test_the_upgrade_offer_is_dropped() -> None:
    framer = RequestFramer()
    framer.push(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n")
    head = framer.next()
    assert head is not None
    assert b"h2c" not in head.data


def test_sizes_are_limited_exactly() -> None:
    def line(size: int) -> bytes:
        return b"GET /" + b"a" * (size - 14) + b" HTTP/1.1\r\nHost: a\r\n\r\n"

    def headers(size: int) -> bytes:
        head = b"Host: a\r\nX: "
        return b"GET / HTTP/1.1\r\n" + head + b"v" * (size - len(head) - 2) + b"\r\n\r\n"

    def count(number: int) -> bytes:
        return b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * (number - 1) + b"\r\n"

    for make, limit in (
        (line, MAX_REQUEST_LINE),
        (headers, MAX_HEADER_BYTES),
        (count, MAX_HEADERS),
    ):
        assert bodies([make(limit)]) == [b""]
        with pytest.raises(HeadersTooLarge):
            bodies([make(limit + 1)])


def test_what_never_ends_is_refused_before_it_is_kept() -> None:
    for start in (b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX: "):
        framer = RequestFramer()
        framer.push(start)
        with pytest.raises(HeadersTooLarge):
            flood(framer)
        assert framer.held < 50_000


def flood(framer: RequestFramer) -> None:
    for _ in range(1000):
        framer.push(b"a" * 100)
        assert framer.next() is None


def test_random_bytes_and_mutations_never_surprise() -> None:
    random_bytes = random.Random(7)
    seeds = [data for data, _ in GOOD.values()] + list(BAD.values())
    for _ in range(4000):
        data = bytearray(random_bytes.choice(seeds) * random_bytes.randint(1, 2))
        for _ in range(random_bytes.randint(0, 4)):
            place = random_bytes.randrange(len(data))
            data[place : place + random_bytes.randint(0, 2)] = random_bytes.choice(
                [b"", b"\r", b"\n", b"\r\n", b" ", b":", b"\0", b"\xff", b"0", b"chunked"]
            )
        whole = outcome([bytes(data)])
        cut = random_bytes.randrange(len(data) + 1)
        assert outcome([bytes(data[:cut]), bytes(data[cut:])]) == whole


def outcome(pieces: list[bytes]) -> object:
    """What is read before the end or the first error, and which error."""
    framer, found = RequestFramer(), []
    try:
        for piece in pieces:
            framer.push(piece)
            while (part := framer.next()) is not None:
                if part.kind == "head":
                    found.append(part.data)
                else:
                    found[-1] += part.data
    except PyinferError as error:
        return type(error)
    return found
