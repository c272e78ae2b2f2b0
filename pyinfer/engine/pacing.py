"""How many prompt tokens a step may take while answers are being generated.

Running answers wait for the whole step, so beside them every prompt that waits for its first token
may take about as long as a step without prompts: one prompt doubles the step, however long it is,
and requests that arrive together start together instead of one after the other. Costs are learned
from the steps themselves.
"""

from __future__ import annotations

SMALLEST_CHUNK = 8  # so many tokens cost hardly more than one: the weights are read once
_GRAIN = 8  # chunks are multiples of the token tile
MOST_PROMPTS = 8  # that lengthen a step beside running answers
_SHARE_OF_NEW = 0.25  # weight of the latest measurement in the running mean


class Pacer:
    """Learns the cost of steps and derives the size of prompt chunks.

    Parameters
    ----------
    largest : int
        Most tokens of a step.
    longest_ns : int, optional
        How long a step without running answers should take at most, so that a request that
        arrives meanwhile is not kept waiting; None for no limit.
    """

    __slots__ = (
        "_decode_ns",
        "_largest",
        "_last_shared",
        "_longest_ns",
        "_prompts",
        "_token_ns",
        "alone",
        "shared",
    )

    def __init__(self, largest: int, longest_ns: int | None = None) -> None:
        self._largest = largest
        self._longest_ns = longest_ns
        self._decode_ns = 0.0
        self._token_ns = 0.0
        self._last_shared = SMALLEST_CHUNK  # for each prompt
        self._prompts = 1  # of the latest step, as far as they count
        # (prompt tokens, nanoseconds) of steps without and with running answers: the difference of
        # the two rates is what running answers cost the prompts.
        self.alone = [0, 0]
        self.shared = [0, 0]

    def chunk(self, decoding: int, prompts: int = 1) -> int:
        """Most tokens of ``prompts`` prompts in a step with ``decoding`` of running answers."""
        room = max(0, self._largest - decoding)
        if not decoding:
            if self._longest_ns is None or not self._token_ns:
                return room
            return min(room, max(8 * _GRAIN, int(self._longest_ns / self._token_ns)))
        self._prompts = max(1, min(prompts, MOST_PROMPTS))
        size = SMALLEST_CHUNK
        if self._decode_ns and self._token_ns:
            # A first guess from other conditions is approached in steps.
            each = min(self._decode_ns / self._token_ns, 2 * self._last_shared)
            size = max(SMALLEST_CHUNK, int(each * self._prompts) // _GRAIN * _GRAIN)
        return min(size, room)

    def observe(self, decoding: int, prompt: int, nanoseconds: int) -> None:
        """Learn from a finished step."""
        if not prompt:
            self._decode_ns = _blend(self._decode_ns, nanoseconds)
        elif not decoding:
            self._token_ns = _blend(self._token_ns, nanoseconds / prompt)
            self.alone[0] += prompt
            self.alone[1] += nanoseconds
        else:
            self._last_shared = max(SMALLEST_CHUNK, prompt // self._prompts)
            self.shared[0] += prompt
            self.shared[1] += nanoseconds
            if self._decode_ns:
                extra = max(nanoseconds - self._decode_ns, 0.01 * nanoseconds)
                self._token_ns = _blend(self._token_ns, extra / prompt)


def _blend(mean: float, value: float) -> float:
    return value if not mean else mean + _SHARE_OF_NEW * (value - mean)
