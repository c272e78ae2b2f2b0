"""Token ids to text, one at a time."""

from __future__ import annotations

import codecs

from pyinfer.text.tokenizer import Tokenizer

#: What one token adds: texts that are complete with it, and whether it ends inside a character.
Decoded = tuple[list[str], bool]
#: The text of a character that stays incomplete.
INCOMPLETE = "\ufffd"


class Detokenizer:
    """Turns a stream of token ids into text that never ends inside a character.

    The concatenation of all :meth:`push` results and :meth:`finish` equals
    ``tokenizer.decode(ids, skip_special)`` exactly, U+FFFD for invalid bytes included.

    Parameters
    ----------
    tokenizer : Tokenizer
    skip_special : bool
        Leave out special tokens such as end of sequence.
    """

    def __init__(self, tokenizer: Tokenizer, skip_special: bool = True) -> None:
        self._tokenizer = tokenizer
        self._hidden: frozenset[int] = tokenizer.special_ids if skip_special else frozenset()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, token_id: int) -> str:
        """Take one id and return the text that is complete now, which may be empty."""
        if token_id in self._hidden:
            return ""
        return self._decoder.decode(self._tokenizer.token_bytes(token_id))

    def pieces(self, token_id: int) -> list[str]:
        """Take one id as :meth:`push` does, but show tags always, and as :class:`Tag`.

        Returns
        -------
        list of str
            What is complete now; none is empty.
        """
        tag = self._tokenizer.tag(token_id)
        if tag is None:
            text = self.push(token_id)
            return [text] if text else []
        rest = self.finish()
        return [rest, tag] if rest else [tag]

    def decode(self, token_id: int) -> Decoded:
        """As :meth:`pieces`, together with :attr:`incomplete`."""
        return self.pieces(token_id), bool(self._decoder.getstate()[0])

    @property
    def incomplete(self) -> bool:
        """Whether the ids so far end inside a character."""
        return bool(self._decoder.getstate()[0])

    def finish(self) -> str:
        """Return what is left: U+FFFD if the last character is incomplete. Starts anew."""
        text = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return text
