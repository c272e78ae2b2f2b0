"""Reading tool calls out of streamed text, wherever the pieces are cut.

Read are DeepSeek's markers (in the spellings that models produce), JSON between ``<tool_call>``
tags, and an answer that is nothing but the JSON of calls, fenced or not, as small distills write
it. What turns out to be no call of a known function is passed on as text, unchanged.

A marker that is one token of the vocabulary counts only as that token. Inside the parser a lone
surrogate, which no text of a model holds, stands for it.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

from pyinfer.text.json_scanner import JsonScanner
from pyinfer.text.stop import longest_tail
from pyinfer.text.tags import (
    CALL_BEGIN,
    CALL_END,
    CALL_SEP,
    CALLS_BEGIN,
    CALLS_END,
    OUTPUTS_BEGIN,
    TAG_BEGIN,
    TAG_END,
    Tag,
)
from pyinfer.text.tool_json import calls_in_json, is_object

_MAX_HEADER = 200  # characters between a call's first marker and its arguments


_MARKERS = (CALLS_BEGIN, CALL_BEGIN, CALL_SEP, CALL_END, CALLS_END, OUTPUTS_BEGIN)
_STAND_INS = {
    tag: chr(0xD800 + number) for number, tag in enumerate((*_MARKERS, TAG_BEGIN, TAG_END))
}
_RESTORE = {ord(char): tag for tag, char in _STAND_INS.items()}


class _Spellings:
    """How markers look in the parser's buffer, for a vocabulary with some of them as tokens.

    A marker that is no token counts as published and as models misspell it.
    """

    def __init__(self, tokens: frozenset[str]) -> None:
        self._tokens = tokens
        self.calls = self._all(CALLS_BEGIN)
        self.call = self._all(CALL_BEGIN)
        self.tag_begin, self.tag_end = self._all(TAG_BEGIN)[0], self._all(TAG_END)[0]
        self.openers = (*self.calls, *self.call, self.tag_begin)
        self.ends = (*self._all(CALLS_END), *self._all(OUTPUTS_BEGIN))
        self.call_ends = self._all(CALL_END)
        sep = "|".join(map(re.escape, self._all(CALL_SEP)))
        self.header = re.compile(
            rf"\s*(?:\w*(?:{sep}))?\s*(?P<name>[A-Za-z0-9_.-]+)\s*(?:```(?:json)?)?\s*(?=\{{)"
        )

    def _all(self, marker: str) -> tuple[str, ...]:
        if marker in self._tokens:
            return (_STAND_INS[marker],)
        if "｜" not in marker:
            return (marker,)
        gaps = ("▁", "_", " ", "\\_")
        return tuple(
            marker.replace("｜", bar).replace("▁", gap) for bar, gap in product(("｜", "|"), gaps)
        )


_spellings = lru_cache(maxsize=16)(_Spellings)
_FENCE = re.compile(r"\s*(?:```(?:json)?\s*)?")
# How the JSON of a call, or of a list of them, begins; and what may still become that.
_JSON_START = re.compile(r"(?:\[\s*)?\{\s*\"")
_JSON_MAYBE = re.compile(r"(?:\[\s*)?(?:\{\s*)?")
_SPACE_OR_FENCE = re.compile(r"\s*(?:```)?\s*")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A complete call.

    Attributes
    ----------
    id : str
        ``call_`` and 8 characters.
    name : str
    arguments : str
        JSON text of an object; cut off if the answer was.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ToolText:
    """Text that belongs to no call."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStart:
    """Call number ``call`` (from 0) begins."""

    call: int
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolArguments:
    """More of the arguments of call number ``call``."""

    call: int
    text: str


ToolEvent = ToolText | ToolStart | ToolArguments


class ToolCallParser:
    """Sorts the content of one answer into text and tool calls.

    Parameters
    ----------
    names : collection of str
        Functions that may be called.
    parallel : bool
        False: everything behind the first call is dropped.
    enforced : bool
        A grammar makes the calls well formed, so their arguments are passed on as they come.
        Otherwise a call is passed on when it is complete and its arguments are a JSON object.
    tokens : collection of str
        Markers that are one token: they come as :class:`~pyinfer.text.tags.Tag`.
    """

    def __init__(
        self,
        names: Collection[str],
        *,
        parallel: bool = True,
        enforced: bool = False,
        tokens: Collection[str] = (),
    ) -> None:
        self._marks = _spellings(frozenset(_STAND_INS).intersection(tokens))
        self._names = frozenset(names)
        self._parallel = parallel
        self._enforced = enforced
        self._step: Callable[[], bool] = self._read_start
        self._buffer = ""  # text that is not settled
        self._raw = ""  # what is to be passed on as text if this turns out to be no call
        self._name = ""
        self._scanner = JsonScanner()
        self._scanned = 0
        self._ended = False
        self._events: list[ToolEvent] = []
        self._started: list[tuple[str, str, list[str]]] = []

    @property
    def calls(self) -> list[ToolCall]:
        """The calls so far."""
        return [ToolCall(i, name, "".join(parts)) for i, name, parts in self._started]

    def push(self, text: str) -> list[ToolEvent]:
        """Take more text and return what is settled, in order."""
        self._buffer += _STAND_INS.get(text, text) if isinstance(text, Tag) else text
        return self._run()

    def finish(self) -> list[ToolEvent]:
        """Return what is still held back; the answer has ended."""
        self._ended = True
        events = self._run()
        left = self._raw + self._buffer
        self._raw = self._buffer = ""
        if left.strip() or not self._started:
            self._pass_on(left)
        events += self._events
        self._events = []
        return events

    def _run(self) -> list[ToolEvent]:
        while self._step():
            pass
        events, self._events = self._events, []
        return events

    def _pass_on(self, text: str) -> None:
        if text:
            self._events.append(ToolText(text.translate(_RESTORE)))

    def _read_start(self) -> bool:
        """At the start: may the answer be nothing but JSON?"""
        body = self._buffer.lstrip()
        if not body and not self._ended:
            return False
        fence = _FENCE.match(self._buffer)
        at = fence.end() if fence else 0
        if _JSON_START.match(self._buffer, at):
            self._take(at)
            self._begin_json(self._read_whole_json)
            return True
        maybe = _JSON_MAYBE.fullmatch(self._buffer, at) or "```json".startswith(body.rstrip())
        if maybe and not self._ended:
            return False
        self._step = self._read_text
        return True

    def _read_text(self) -> bool:
        """Pass text on up to the first marker."""
        found = min(
            ((at, -len(o), o) for o in self._marks.openers if (at := self._buffer.find(o)) >= 0),
            default=None,
        )
        if found is None:
            # White space before a marker is not part of the answer, so it waits, too.
            keep = 0 if self._ended else longest_tail(self._buffer, self._marks.openers)
            body = self._buffer[: len(self._buffer) - keep]
            settled = len(body if self._ended else body.rstrip())
            self._pass_on(self._buffer[:settled])
            self._buffer = self._buffer[settled:]
            return False
        at, _, opener = found
        self._pass_on(self._buffer[:at].rstrip())
        self._raw = self._buffer[len(self._buffer[:at].rstrip()) : at]
        self._buffer = self._buffer[at:]
        self._take(len(opener))
        if opener == self._marks.tag_begin:
            self._begin_json(self._read_tagged_json)
        else:
            self._step = self._read_between if opener in self._marks.calls else self._read_header
        return True

    def _read_between(self) -> bool:
        """Between calls: another one, the end, or text."""
        self._take(len(self._buffer) - len(self._buffer.lstrip()))
        if self._leads_with(self._marks.ends):
            self._step = self._drop
            return True
        openers = (*self._marks.call, self._marks.tag_begin)
        found = self._leads_with(openers)
        if found:
            self._take(len(found))
            self._step = self._read_header
            if found == self._marks.tag_begin:
                self._begin_json(self._read_tagged_json)
            return True
        if self._undecided((*self._marks.ends, *openers)):
            return False
        return self._no_call()

    def _read_header(self) -> bool:
        """The name of the function, up to the arguments."""
        found = self._marks.header.match(self._buffer, 0, _MAX_HEADER)
        if found is None:
            if len(self._buffer) >= _MAX_HEADER or self._ended:
                return self._no_call()
            return False
        if found["name"] not in self._names:
            return self._no_call()
        self._name = found["name"]
        self._take(found.end())
        if self._enforced:
            self._raw = ""
            self._start_call(self._name)
        self._begin_json(self._read_arguments)
        return True

    def _begin_json(self, step: Callable[[], bool]) -> None:
        self._scanner = JsonScanner()
        self._scanned = 0
        self._step = step

    def _scan(self) -> str | None:
        """The complete JSON value at the start of the buffer, once it is there."""
        if self._scanned == 0 and self._buffer[:1].isspace():
            self._take(len(self._buffer) - len(self._buffer.lstrip()))
        end = self._scanner.push(self._buffer[self._scanned :])
        if end is None:
            self._scanned = len(self._buffer)
            return None
        return self._buffer[: self._scanned + end]

    def _read_arguments(self) -> bool:
        before = self._scanned
        arguments = self._scan()
        if self._enforced:
            end = self._scanned if arguments is None else len(arguments)
            self._argue(self._buffer[before:end])
        if arguments is None:
            if self._enforced and self._ended:
                self._buffer = ""
            return False
        if not self._enforced:
            if not is_object(arguments.translate(_RESTORE)):
                return self._no_call()
            self._start_call(self._name)
            self._argue(arguments)
        self._raw, self._buffer = "", self._buffer[len(arguments) :]
        self._step = self._read_call_end if self._parallel else self._drop
        return True

    def _read_call_end(self) -> bool:
        """The fence and the marker behind the arguments, if they are there."""
        found = _SPACE_OR_FENCE.match(self._buffer)
        rest = self._buffer[found.end() if found else 0 :]
        if not self._ended and (len(rest) < 1 or self._buffer.strip() in ("`", "``")):
            return False
        marker = next((m for m in self._marks.call_ends if rest.startswith(m)), "")
        if (
            not marker
            and not self._ended
            and any(m.startswith(rest) for m in self._marks.call_ends)
        ):
            return False
        self._buffer = rest[len(marker) :]
        self._step = self._read_between
        return True

    def _read_tagged_json(self) -> bool:
        text = self._scan()
        if text is None:
            return False if self._buffer[:1] in ("", "{", "[") else self._no_call()
        return self._accept_json(text, self._read_tag_end)

    def _read_whole_json(self) -> bool:
        text = self._scan()
        return False if text is None else self._accept_json(text, self._read_call_end)

    def _accept_json(self, text: str, then: Callable[[], bool]) -> bool:
        """Take the calls that a JSON value spells, or pass it on as text."""
        calls = calls_in_json(text.translate(_RESTORE), self._names)
        if not calls:
            return self._no_call()
        for name, arguments in calls if self._parallel else calls[:1]:
            self._start_call(name)
            self._argue(arguments)
        self._raw, self._buffer = "", self._buffer[len(text) :]
        self._step = then if self._parallel else self._drop
        return True

    def _read_tag_end(self) -> bool:
        body = self._buffer.lstrip()
        end = self._marks.tag_end
        if not self._ended and end.startswith(body) and body != end:
            return False
        self._buffer = body.removeprefix(end)
        self._step = self._read_between
        return True

    def _drop(self) -> bool:
        self._raw = self._buffer = ""
        return False

    def _no_call(self) -> bool:
        """This was no call: pass on what was taken for one and go on behind it."""
        if not (self._started and self._ended and not (self._raw + self._buffer).strip()):
            self._pass_on(self._raw)
        self._raw = ""
        self._step = self._read_text
        return bool(self._buffer)

    def _take(self, count: int) -> None:
        self._raw += self._buffer[:count]
        self._buffer = self._buffer[count:]

    def _leads_with(self, markers: Collection[str]) -> str:
        return next((m for m in markers if self._buffer.startswith(m)), "")

    def _undecided(self, markers: Collection[str]) -> bool:
        return not self._ended and any(m.startswith(self._buffer) for m in markers)

    def _start_call(self, name: str) -> None:
        call_id = f"call_{secrets.token_hex(4)}"
        self._events.append(ToolStart(len(self._started), call_id, name))
        self._started.append((call_id, name, []))

    def _argue(self, text: str) -> None:
        if text:
            text = text.translate(_RESTORE)
            self._started[-1][2].append(text)
            self._events.append(ToolArguments(len(self._started) - 1, text))
