"""Cuts a stream of bytes into HTTP/1.1 requests, by strict rules and with limits.

Two programs that disagree about where a request ends can be made to see different requests. So
whatever RFC 9112 leaves to the reader's kindness is refused: bare LF, folded headers, more than one
Content-Length, Content-Length beside Transfer-Encoding, other codings than ``chunked``, white space
before a colon. Knows no sockets and no application: bytes in, parts out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pyinfer.errors import HeadersTooLarge, PyinferError, RequestError

MAX_REQUEST_LINE = 8 * 2**10
MAX_HEADER_BYTES = 32 * 2**10
MAX_HEADERS = 100
MAX_CHUNK_LINE = 256

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_REQUEST_LINE = re.compile(rb"(%s{1,32}) (/[\x21-\x7e]*) HTTP/1\.([01])" % _TOKEN)
_BARE_LINE_END = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_HEADER = re.compile(rb"(%s+):[ \t]*+([^\x00-\x08\x0a-\x1f\x7f]*)" % _TOKEN)
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


class ProtocolVersionError(PyinferError):
    """Another protocol than HTTP/1.0 or HTTP/1.1."""

    code = "http_version"
    http_status = 505


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a request, as they came.

    Attributes
    ----------
    kind : "head", "body" or "end"
        ``end`` holds what closes a chunked body; nothing otherwise.
    data : bytes
    """

    kind: Literal["head", "body", "end"]
    data: bytes


class RequestFramer:
    """Takes bytes in any pieces and gives the parts of one request after the other.

    Attributes
    ----------
    path : str
        Of the last request whose first line is known, without the query; empty before it.
    held : int
        Bytes that were pushed and are no part of what was given out so far.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._state: Literal["head", "length", "size", "data", "edge", "trailers", "end"] = "head"
        self._left = 0
        self._scanned = 0
        self._closing = bytearray()
        self.path = ""

    @property
    def at_head(self) -> bool:
        """The next part belongs to a new request."""
        return self._state == "head"

    @property
    def held(self) -> int:
        """Bytes that wait to be given out."""
        return len(self._buffer)

    def push(self, data: bytes) -> None:
        """Add what was received."""
        self._buffer += data

    def next(self) -> Part | None:
        """The next part, or None until more is pushed.

        Raises
        ------
        RequestError, HeadersTooLarge, ProtocolVersionError
            What comes is no request; nothing more may be read from this connection.
        """
        while True:
            if self._state == "head":
                return self._head()
            if self._state in ("length", "data"):
                return self._content()
            if self._state == "end":
                self._state = "head"
                closing, self._closing = bytes(self._closing), bytearray()
                return Part("end", closing)
            line = self._line()
            if line is None:
                return None
            if self._state == "size":
                return self._size(line)
            if self._state == "edge":
                if line:
                    raise RequestError("a chunk is longer than it says")
                self._state = "size"
                return Part("body", b"\r\n")
            self._trailer(line)

    # ---- heads ---------------------------------------------------------------------------------

    def _head(self) -> Part | None:
        if self._buffer[:2] == b"\r\n":  # allowed between two requests (RFC 9112, 2.2)
            del self._buffer[:2]
        buffer = self._buffer
        end = buffer.find(b"\r\n\r\n", max(0, self._scanned - 3))
        size = end + 4 if end >= 0 else len(buffer)
        if _BARE_LINE_END.search(buffer, max(0, self._scanned - 1), size):
            raise RequestError("a line does not end in CR LF")
        self._scanned = size
        first = buffer.find(b"\r\n", 0, MAX_REQUEST_LINE + 2)
        if first < 0 and size > MAX_REQUEST_LINE:
            raise HeadersTooLarge(f"the request line is longer than {MAX_REQUEST_LINE} bytes")
        if first >= 0 and size - first - 4 > MAX_HEADER_BYTES:
            raise HeadersTooLarge(f"the headers are larger than {MAX_HEADER_BYTES} bytes")
        if end < 0:
            return None
        head = bytes(buffer[: end + 4])
        del buffer[: end + 4]
        self._scanned = 0
        return Part("head", self._read_head(head))

    def _read_head(self, head: bytes) -> bytes:
        """Check a head and learn how its body ends; gives the head to parse."""
        lines = head[:-4].split(b"\r\n")
        first = _REQUEST_LINE.fullmatch(lines[0])
        if first is None:
            raise _bad_request_line(lines[0])
        self.path = first[2].partition(b"?")[0].decode("ascii")
        if first[1] == b"CONNECT":
            raise RequestError("the method CONNECT is for proxies")
        if len(lines) - 1 > MAX_HEADERS:
            raise HeadersTooLarge(f"more than {MAX_HEADERS} headers")
        kept, lengths, codings, hosts = [lines[0]], [], [], 0
        for line in lines[1:]:
            header = _HEADER.fullmatch(line)
            if header is None:
                raise RequestError("a header is malformed")
            name, value = header[1].lower(), header[2].rstrip(b" \t")
            if name == b"content-length":
                lengths.append(value)
            elif name == b"transfer-encoding":
                codings.append(value.lower())
            elif name == b"upgrade":
                continue  # no other protocol is spoken here; a server may ignore the offer
            hosts += name == b"host"
            kept.append(line)
        if hosts != 1 and (hosts or first[3] == b"1"):
            raise RequestError("a request needs exactly one Host header")
        self._frame(lengths, codings, first[3])
        return b"\r\n".join([*kept, b"", b""])

    def _frame(self, lengths: list[bytes], codings: list[bytes], minor: bytes) -> None:
        if codings and (lengths or codings != [b"chunked"] or minor == b"0"):
            raise RequestError("Transfer-Encoding must be chunked, alone, without Content-Length")
        if len(lengths) > 1 or (lengths and not re.fullmatch(rb"[0-9]{1,15}", lengths[0])):
            raise RequestError("Content-Length must be one number")
        if codings:
            self._state = "size"
        else:
            self._left = int(lengths[0]) if lengths else 0
            self._state = "length" if self._left else "end"

    # ---- bodies --------------------------------------------------------------------------------

    def _content(self) -> Part | None:
        """Bytes of a body with a length, or of a chunk."""
        if not self._buffer:
            return None
        data = bytes(self._buffer[: self._left])
        del self._buffer[: self._left]
        self._left -= len(data)
        if not self._left:
            self._state = "end" if self._state == "length" else "edge"
        return Part("body", data)

    def _line(self) -> bytes | None:
        """A short line of a chunked body, without its end."""
        end = self._buffer.find(b"\n", 0, MAX_CHUNK_LINE)
        if end < 0:
            if len(self._buffer) >= MAX_CHUNK_LINE:
                raise RequestError("a line of a chunked body is too long")
            return None
        if end == 0 or self._buffer[end - 1] != 0x0D:
            raise RequestError("a line does not end in CR LF")
        line = bytes(self._buffer[: end - 1])
        del self._buffer[: end + 1]
        return line

    def _size(self, line: bytes) -> Part:
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise RequestError("the size of a chunk is malformed")
        self._left = int(size[1], 16)
        if self._left:
            self._state = "data"
            return Part("body", size[1] + b"\r\n")
        self._state = "trailers"
        self._closing = bytearray(b"0\r\n")
        return Part("body", b"")

    def _trailer(self, line: bytes) -> None:
        """Trailers are checked and dropped."""
        if not line:
            self._closing += b"\r\n"
            self._state = "end"
            self._scanned = 0
            return
        self._scanned += 1
        if _HEADER.fullmatch(line) is None:
            raise RequestError("a trailer is malformed")
        if self._scanned > MAX_HEADERS:
            raise HeadersTooLarge(f"more than {MAX_HEADERS} trailers")


def _bad_request_line(line: bytes) -> PyinferError:
    if re.fullmatch(rb".* HTTP/[0-9](\.[0-9])?", line, re.DOTALL) and not re.search(
        rb" HTTP/1\.[01]$", line
    ):
        return ProtocolVersionError("only HTTP/1.0 and HTTP/1.1 are spoken here")
    return RequestError("the request line is malformed")
