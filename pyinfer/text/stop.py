"""Stop strings in streamed text."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfer.errors import RequestError


class StopMatcher:
    """Ends text before the first stop string, wherever the pieces of the stream are cut.

    The first stop string is the one that is complete first; of several complete at the same
    character, the longest. Text that may begin a stop string is held back.

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
        if self.stopped:
            return "", True
        if not self._stops:
            return text, False
        text = self._held + text
        best: tuple[int, int] | None = None
        for stop in self._stops:
            start = text.find(stop)
            if start >= 0 and (best is None or (start + len(stop), start) < best):
                best = (start + len(stop), start)
                self.found = stop
        if best is not None:
            self.stopped = True
            self._held = ""
            return text[: best[1]], True
        keep = longest_tail(text, self._stops)
        cut = len(text) - keep
        self._held = text[cut:]
        return text[:cut], False

    def finish(self) -> str:
        """Return the text still held back; the stream has ended without a stop string."""
        held, self._held = self._held, ""
        return held


def longest_tail(text: str, targets: Sequence[str]) -> int:
    """Length of the longest end of ``text`` that begins, but does not complete, a target."""
    best = 0
    for target in targets:
        for size in range(min(len(target) - 1, len(text)), best, -1):
            if text.endswith(target[:size]):
                best = size
                break
    return best
