"""One generated question with its worked reasoning and its answer, and the train/held-out split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

HELD_OUT_ONE_IN = 20


@dataclass(frozen=True, slots=True)
class Problem:
    """A conversation whose last answer the model must give.

    Attributes
    ----------
    category : str
        Name of the skill, for the accuracy table.
    question : str
        The last user message.
    reasoning : str
        What stands between ``<think>\\n`` and ``</think>``; ends in a newline.
    answer : str
        The exact final answer.
    key : str
        What the split is made on. It names the problem itself (operands, word and letter), not the
        phrasing, so a held-out sum is unseen in every phrasing.
    think : bool
        False: the prompt is completed with an empty reasoning block and the answer follows at once.
    system : str
        System prompt, may be empty.
    history : tuple of (str, str)
        Earlier (question, answer) turns, oldest first, without their reasoning.
    """

    category: str
    question: str
    reasoning: str
    answer: str
    key: str
    think: bool = True
    system: str = ""
    history: tuple[tuple[str, str], ...] = field(default=())

    def messages(self) -> list[dict[str, str]]:
        """Return the conversation as chat messages, without the last answer."""
        messages = [{"role": "system", "content": self.system}] if self.system else []
        for question, answer in self.history:
            messages.append({"role": "user", "content": question})
            messages.append({"role": "assistant", "content": answer})
        messages.append({"role": "user", "content": self.question})
        return messages


def is_held_out(key: str) -> bool:
    """Say whether the problem with this key belongs to the held-out side (one in 20)."""
    digest = hashlib.sha256(f"pyinfer demo split:{key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % HELD_OUT_ONE_IN == 0
