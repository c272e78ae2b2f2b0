"""Stop strings in streamed text."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfer.errors import RequestError
from pyinfer.text.tags import Tag


class StopMatcher:
    """Ends text before the first stop string, wherever the pieces of the stream are cut.

    The first stop string is the one that is complete first; of several complete at the same
    character, the longest. Text that may begin a stop string is held back. A stop string may be
    spelled by a :class:`~pyinfer.text.tags.Tag`, too.

    Parameters
    ----------
    stops : sequence of str
        Not empty strings; an empty sequence lets all text pass.

    Raises
    ------
    RequestError
        A stop string is empty or not a string.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        if isinstance(stops, str):
            raise RequestError("stop must be a list of strings")
        for stop in stops:
            if not isinstance(stop, str) or not stop:
                raise RequestError("a stop string must be a string and not empty")
        self._stops = tuple(dict.fromkeys(stops))
        self._held = ""
        self._tags: list[tuple[int, Tag]] = []  # those within the held text, and where they begin
        self.stopped = False
        #: The stop string that was found.
        self.found: str | None = None

    @property
    def holding(self) -> bool:
        """Whether text is held back."""
        return bool(self._held)

    def push(self, text: str) -> tuple[str, bool]:
        """Take more text; return what may be shown and whether a stop string was found.

        After a stop everything is swallowed.
        """
        return "".join(self.feed(text)), self.stopped

    def feed(self, text: str) -> list[str]:
        """As :meth:`push`, but return the text in pieces, in which tags are kept as they came."""
        if self.stopped:
            return []
        if not self._stops:
            return [text] if text else []
        if isinstance(text, Tag):
            self._tags.append((len(self._held), text))
        text = self._held + text
        best: tuple[int, int] | None = None
        for stop in self._stops:
            start = text.find(stop)
            if start >= 0 and (best is None or (start + len(stop), start) < best):
                best = (start + len(stop), start)
                self.found = stop
        if best is not None:
            self.stopped = True
            return self._release(text, best[1])
        return self._release(text, len(text) - longest_tail(text, self._stops))

    def flush(self) -> list[str]:
        """Return the text still held back; the stream has ended without a stop string."""
        return [] if self.stopped else self._release(self._held, len(self._held))

    def finish(self) -> str:
        """As :meth:`flush`, in one string."""
        return "".join(self.flush())

    def _release(self, text: str, cut: int) -> list[str]:
        """Give out ``text[:cut]``, a little less where that would divide a tag; hold the rest."""
        if not self.stopped:
            cut = next((at for at, tag in self._tags if at < cut < at + len(tag)), cut)
        pieces, done = [], 0
        for at, tag in self._tags:
            if at + len(tag) <= cut:
                pieces += [text[done:at], tag]
                done = at + len(tag)
        self._tags = [(at - cut, tag) for at, tag in self._tags if at >= cut]
        self._held = text[cut:]
        return [piece for piece in (*pieces, text[done:cut]) if piece]


def longest_tail(text: str, targets: Sequence[str]) -> int:
    """Length of the longest end of ``text`` that begins, but does not complete, a target."""
    best = 0
    for target in targets:
        for size in range(min(len(target) - 1, len(text)), best, -1):
            if text.endswith(target[:size]):
                best = size
                break
    return best
