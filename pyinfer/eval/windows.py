"""Which tokens of a text are evaluated together and which of them are scored.

The definition is that of llama.cpp (``tools/perplexity/perplexity.cpp``), so that figures compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pyinfer.errors import RequestError
from pyinfer.text.tokenizer import Tokenizer

Tokens = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens evaluated from an empty context.

    Attributes
    ----------
    tokens : int32 (T,)
        What the model sees.
    first : int
        The logits of positions first to T - 2 are scored.
    targets : int32 (T - 1 - first,)
        The tokens that really follow those positions.
    """

    tokens: Tokens
    first: int
    targets: Tokens


def text_tokens(tokenizer: Tokenizer, text: str, *, special: bool = False) -> Tokens:
    """Return the tokens of a text to score, int32 (n,), with BOS in front if the model wants it.

    Parameters
    ----------
    tokenizer : Tokenizer
    text : str
    special : bool
        Read the names of control tokens in the text as those tokens.
    """
    ids = tokenizer.encode(text, parse_special=special)
    if tokenizer.add_bos and tokenizer.bos_id is not None:
        ids.insert(0, tokenizer.bos_id)
    return np.array(ids, np.int32)


def halves(
    tokens: Tokens, n_ctx: int, bos_id: int | None, limit: int | None = None
) -> list[Window]:
    """Cut a text into windows of ``n_ctx`` tokens, the second half of each being scored.

    Parameters
    ----------
    tokens : int32 (n,)
    n_ctx : int
        At least 4; a rest that fills no window is left out.
    bos_id : int or None
        Takes the place of the first token of every window; None for models without.
    limit : int, optional
        Most windows.

    Raises
    ------
    RequestError
        Fewer than two windows of tokens.
    """
    _check_length(len(tokens), n_ctx)
    count = len(tokens) // n_ctx
    count = count if limit is None else min(count, limit)
    return second_halves(tokens[: count * n_ctx].reshape(count, n_ctx), bos_id)


def second_halves(rows: npt.NDArray[np.int32], bos_id: int | None) -> list[Window]:
    """Return a window per row of tokens, int32 (n, n_ctx); see :func:`halves`."""
    found = []
    for row in rows:
        part = row.copy()
        if bos_id is not None:
            part[0] = bos_id
        found.append(Window(part, len(part) // 2, part[len(part) // 2 + 1 :]))
    return found


def strided(tokens: Tokens, n_ctx: int, stride: int, limit: int | None = None) -> list[Window]:
    """Cut a text into overlapping windows, ``stride`` tokens apart, their ends being scored.

    A window has ``n_ctx + stride // 2`` tokens, of which the last ``stride`` are scored. No BOS is
    put into the windows.

    Parameters
    ----------
    tokens : int32 (n,)
    n_ctx, stride : int
        ``stride`` is from 1 to ``n_ctx - 1``.
    limit : int, optional
        Most windows.

    Raises
    ------
    RequestError
        Fewer than two windows of tokens.
    """
    length = n_ctx + stride // 2
    _check_length(len(tokens), length)
    count = -(-(len(tokens) - length) // stride)
    found = []
    for i in range(count if limit is None else min(count, limit)):
        part = tokens[i * stride : i * stride + length]
        found.append(Window(part, length - stride - 1, part[length - stride :]))
    return found


def _check_length(n_tokens: int, n_ctx: int) -> None:
    if n_tokens < 2 * n_ctx:
        raise RequestError(
            f"the text has {n_tokens} tokens, at least {2 * n_ctx} are needed for windows of "
            f"{n_ctx}",
            hint="use a longer text or a smaller --ctx-size",
        )
