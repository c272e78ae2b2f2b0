"""Windows are those of llama.cpp."""

from __future__ import annotations

import numpy as np
import pytest

from pyinfer.errors import RequestError
from pyinfer.eval.windows import halves, strided, text_tokens
from pyinfer.store.places import DEMO_FOLDER
from pyinfer.text.tokenizer import Tokenizer

TOKENS = np.arange(100, 131, dtype=np.int32)


@pytest.mark.parametrize("bos", [None, 7])
def test_halves(bos: int | None) -> None:
    windows = halves(TOKENS, 10, bos)
    assert [w.tokens.tolist()[1:] for w in windows] == [
        list(range(101, 110)), list(range(111, 120)), list(range(121, 130))
    ]  # fmt: skip
    assert [w.tokens[0] for w in windows] == ([100, 110, 120] if bos is None else [7, 7, 7])
    # n_ctx - 1 - n_ctx / 2 positions, from n_ctx / 2 on, each predicting the next token.
    assert [(w.first, w.targets.tolist()) for w in windows] == [
        (5, [106, 107, 108, 109]), (5, [116, 117, 118, 119]), (5, [126, 127, 128, 129])
    ]  # fmt: skip
    assert len(halves(TOKENS, 10, bos, 2)) == 2
    assert TOKENS[0] == 100  # the text itself is left alone


def test_strided() -> None:
    windows = strided(TOKENS, 8, 4)  # 10 tokens each
    assert [w.tokens.tolist() for w in windows] == [
        list(range(100 + 4 * i, 110 + 4 * i)) for i in range(6)
    ]
    assert all(w.first == 5 for w in windows)
    assert [w.targets.tolist() for w in windows] == [
        list(range(106 + 4 * i, 110 + 4 * i)) for i in range(6)
    ]
    assert len(strided(TOKENS, 8, 4, 3)) == 3


def test_too_short() -> None:
    with pytest.raises(RequestError, match="31 tokens, at least 32"):
        halves(TOKENS, 16, None)
    with pytest.raises(RequestError, match="at least 36"):
        strided(TOKENS, 16, 4)


def test_the_text_starts_with_bos() -> None:
    tokenizer = Tokenizer.from_folder(DEMO_FOLDER)
    plain = text_tokens(tokenizer, "a<think>").tolist()
    assert plain[0] == tokenizer.bos_id
    assert plain[1:] == tokenizer.encode("a<think>", parse_special=False)
    assert text_tokens(tokenizer, "a<think>", special=True).tolist() == [
        tokenizer.bos_id, *tokenizer.encode("a<think>")
    ]  # fmt: skip
