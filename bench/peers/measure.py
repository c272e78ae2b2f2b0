"""What one figure measures, as the reports write it: ``pp512``, ``tg128@4096``, ``tg32x8``."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = re.compile(r"(pp|tg)([1-9]\d*)(?:@(\d+))?(?:x([1-9]\d*))?")


@dataclass(frozen=True, slots=True)
class Measure:
    """``pp``: evaluate ``n`` tokens at once; ``tg``: one by one. After ``depth`` cached tokens, in
    ``sequences`` side by side.
    """

    kind: str
    n: int
    depth: int = 0
    sequences: int = 1

    @classmethod
    def parse(cls, text: str) -> Measure:
        """Read the written form; ValueError if it is none."""
        found = _NAME.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no measure such as pp512, tg128@4096 or tg32x8")
        return cls(found[1], int(found[2]), int(found[3] or 0), int(found[4] or 1))

    def __str__(self) -> str:
        depth = f"@{self.depth}" if self.depth else ""
        return f"{self.kind}{self.n}{depth}" + (f"x{self.sequences}" if self.sequences > 1 else "")

    @property
    def tokens(self) -> int:
        """Tokens evaluated, all sequences together."""
        return self.n * self.sequences

    @property
    def room(self) -> int:
        """Tokens that a sequence needs in the cache."""
        return self.depth + self.n
