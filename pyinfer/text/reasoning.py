"""Splitting generated text into reasoning (``<think>...</think>``) and content."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal

from pyinfer.text.stop import longest_tail
from pyinfer.text.tags import CLOSE_TAG, OPEN_TAG, Tag
from pyinfer.text.tokenizer import Tokenizer

Part = tuple[Literal["reasoning", "content"], str]

# An opening tag at the end of a prompt shows in its last tokens.
_TAIL_TOKENS = 16


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
    tokens : collection of str
        Tags that are one token in the vocabulary: they come as :class:`~pyinfer.text.tags.Tag`,
        and what is only spelled like them is text.
    verbatim : bool
        Give the tags and the white space beside them, too, as reasoning: the parts together are
        the whole text.
    starts_in_content : bool
        The content has begun before: no tag opens a reasoning.
    """

    def __init__(
        self,
        starts_inside: bool,
        tokens: Collection[str] = (),
        verbatim: bool = False,
        starts_in_content: bool = False,
    ) -> None:
        self._state: Literal["start", "reasoning", "gap", "content"] = (
            "reasoning" if starts_inside else "content" if starts_in_content else "start"
        )
        self._held = ""
        self._verbatim = verbatim
        self._spells_open = OPEN_TAG not in tokens
        self._spells_close = CLOSE_TAG not in tokens

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
        if isinstance(text, Tag):
            return self._take_tag(text)
        parts: list[Part] = []
        text = self._held + text
        self._held = ""
        if self._state == "start":
            text = self._open(text, parts)
        if self._state == "reasoning":
            text = self._reason(text, parts)
        if self._state == "gap":
            body = text.lstrip()
            self._drop(text[: len(text) - len(body)], parts)
            text = body
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

    def _take_tag(self, tag: Tag) -> list[Part]:
        """A token that is a tag: it opens or closes the reasoning, or is text."""
        if self._state == "start" and tag == OPEN_TAG and not self._held.strip():
            opening: list[Part] = []
            self._drop(self._held, opening)
            self._drop(tag, opening)
            self._state, self._held = "reasoning", ""
            return opening
        held = self.finish()
        if self._state != "reasoning":
            self._state = "content"
            return [*held, ("content", tag)]
        if tag == CLOSE_TAG:
            self._state = "gap"
            self._drop(tag, held)
            return held
        return [*held, ("reasoning", tag)]

    def _drop(self, text: str, parts: list[Part]) -> None:
        """Leave out what is neither reasoning nor content."""
        if self._verbatim and text:
            parts.append(("reasoning", text))

    def _open(self, text: str, parts: list[Part]) -> str:
        """Look for the opening tag; return the text left to look at."""
        body = text.lstrip()
        if self._spells_open and body.startswith(OPEN_TAG):
            self._state = "reasoning"
            rest = body[len(OPEN_TAG) :]
            self._drop(text[: len(text) - len(rest)], parts)
            return rest
        if not body or (self._spells_open and OPEN_TAG.startswith(body)):
            self._held = text
            return ""
        self._state = "content"
        return text

    def _reason(self, text: str, parts: list[Part]) -> str:
        """Emit reasoning up to the closing tag; return what comes after it."""
        before, tag, after = text.partition(CLOSE_TAG) if self._spells_close else (text, "", "")
        if tag:
            self._state = "gap"
        elif self._spells_close:
            cut = len(text) - longest_tail(text, (CLOSE_TAG,))
            before, self._held = text[:cut], text[cut:]
        if before:
            parts.append(("reasoning", before))
        self._drop(tag, parts)
        return after


def opens_reasoning(tokenizer: Tokenizer, tokens: Sequence[int]) -> bool:
    """Whether a prompt ends, but for white space, with the opening tag."""
    open_id = tokenizer.tags.get(OPEN_TAG)
    tail = [token for token in tokens[-_TAIL_TOKENS:] if 0 <= token < tokenizer.n_tokens]
    if open_id is None:
        return tokenizer.decode(tail).rstrip().endswith(OPEN_TAG)
    last = next((t for t in reversed(tail) if tokenizer.decode([t]).strip()), None)
    return last == open_id
