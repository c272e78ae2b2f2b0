"""Splitting generated text into reasoning (``<think>...</think>``) and content."""

from __future__ import annotations

from typing import Literal

from pyinfer.text.stop import longest_tail

OPEN_TAG = "<think>"
CLOSE_TAG = "</think>"

Part = tuple[Literal["reasoning", "content"], str]


class ReasoningParser:
    """Sorts a stream of text into reasoning and content.

    Text that may begin a tag is held back. White space right after ``</think>`` is dropped, and
    so is white space before an opening tag at the start. Without a closing tag everything is
    reasoning. Tags that appear later in the content are text.

    Parameters
    ----------
    starts_inside : bool
        The prompt ended with the opening tag. Otherwise the text is reasoning only if it starts,
        after white space, with the tag.
    """

    def __init__(self, starts_inside: bool) -> None:
        self._state: Literal["start", "reasoning", "gap", "content"] = (
            "reasoning" if starts_inside else "start"
        )
        self._held = ""

    @property
    def in_reasoning(self) -> bool:
        """Whether the next text is reasoning, as far as is known."""
        return self._state == "reasoning"

    @property
    def holding(self) -> bool:
        """Whether text is held back."""
        return bool(self._held)

    def push(self, text: str) -> list[Part]:
        """Take more text and return the parts that are settled, in order, none empty."""
        parts: list[Part] = []
        text = self._held + text
        self._held = ""
        if self._state == "start":
            text = self._open(text)
        if self._state == "reasoning":
            text = self._reason(text, parts)
        if self._state == "gap":
            text = text.lstrip()
            if text:
                self._state = "content"
        if self._state == "content" and text:
            parts.append(("content", text))
        return parts

    def finish(self) -> list[Part]:
        """Return what is still held back; the stream has ended."""
        held, self._held = self._held, ""
        if not held:
            return []
        return [("reasoning" if self._state == "reasoning" else "content", held)]

    def _open(self, text: str) -> str:
        """Look for the opening tag; return the text left to look at."""
        body = text.lstrip()
        if body.startswith(OPEN_TAG):
            self._state = "reasoning"
            return body[len(OPEN_TAG) :]
        if OPEN_TAG.startswith(body):
            self._held = text
            return ""
        self._state = "content"
        return text

    def _reason(self, text: str, parts: list[Part]) -> str:
        """Emit reasoning up to the closing tag; return what comes after it."""
        before, tag, after = text.partition(CLOSE_TAG)
        if tag:
            self._state = "gap"
        else:
            cut = len(text) - longest_tail(text, (CLOSE_TAG,))
            before, self._held = text[:cut], text[cut:]
        if before:
            parts.append(("reasoning", before))
        return after
