"""The tokens of a model as the library that follows grammars wants them.

No numpy here: the processes with limits, which only need bytes, start faster without it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

from pyinfer.text.tags import CALL_TAGS

if TYPE_CHECKING:
    from pyinfer.text.tokenizer import Tokenizer

# Control tokens that a grammar may name (``<tool_call>``).
TOOL_MARKERS = CALL_TAGS


class Vocabulary:
    """Tokens as the library wants them.

    Parameters
    ----------
    tokens : list of bytes
        What each id stands for; empty for ids without use.
    control_ids : collection of int
        Ids that no text becomes, end tokens among them.
    eos_ids : sequence of int
        At least one.
    bos_id : int, optional
    encode : callable
        The model's own spelling of a text that a grammar leaves no choice about.
    """

    is_tokenizer_wrapper = True

    def __init__(
        self,
        tokens: list[bytes],
        control_ids: Collection[int],
        eos_ids: Sequence[int],
        bos_id: int | None,
        encode: Callable[[str], list[int]],
    ) -> None:
        self.tokens = tokens
        self.eos_ids = list(eos_ids)
        self.eos_token_id = eos_ids[0]
        self.bos_token_id = bos_id
        # Listed ids are never matched by bytes. Unused ids have no bytes and match nothing.
        self.special_token_ids = sorted({*control_ids, *eos_ids})
        self.banned_ids = {
            i for i in control_ids if tokens[i].decode(errors="replace") not in TOOL_MARKERS
        } - set(eos_ids)
        self._encode = encode

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Vocabulary:
        """The vocabulary of a tokenizer; holds no reference to the tokenizer itself."""
        return cls(
            [tokenizer.token_bytes(i) for i in range(tokenizer.n_tokens)],
            tokenizer.control_ids | tokenizer.special_ids,
            tokenizer.eos_ids,
            tokenizer.bos_id,
            tokenizer.plain_encoder(),
        )

    @classmethod
    def of_bytes(cls) -> Vocabulary:
        """Every byte, the markers, and one end token: enough to see what a grammar is worth."""
        tokens = [bytes([byte]) for byte in range(256)]
        tokens += [b"<eos>", *(marker.encode() for marker in sorted(TOOL_MARKERS))]
        return cls(tokens, range(256, len(tokens)), (256,), None, lambda text: [*text.encode()])

    def __call__(self, text: str) -> list[int]:
        """Ids of a text."""
        return self._encode(text)
