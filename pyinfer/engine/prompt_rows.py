"""What a request gets of the logits of its prompt."""

from __future__ import annotations

from collections.abc import Sequence as Rows

import numpy as np

from pyinfer.engine.messages import PromptLogits, PromptLogprobs
from pyinfer.engine.sampler import log_probabilities
from pyinfer.engine.sequence import Sequence
from pyinfer.errors import NumericError
from pyinfer.model.step import LogitsRow


def prompt_rows(
    sequence: Sequence, start: int, rows: Rows[LogitsRow]
) -> PromptLogits | PromptLogprobs:
    """Logits, or log-probabilities: row ``i`` says how likely token ``start + i + 1`` is.

    Raises
    ------
    NumericError
        A logit is not finite.
    """
    if not all(row.finite for row in rows):
        raise NumericError("the logits of the prompt hold a value that is not finite")
    request = sequence.request
    if request.prompt_logprobs is None:
        return PromptLogits(request.request_id, start, np.stack([row.full for row in rows]))
    following = request.tokens[start + 1 : start + 1 + len(rows)].tolist()
    entries = [
        log_probabilities(row, token, request.prompt_logprobs)
        for row, token in zip(rows, following, strict=False)
    ]
    return PromptLogprobs(request.request_id, start + 1, entries)
