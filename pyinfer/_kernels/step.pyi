"""One step's frame (tokens, positions, wanted logits) and the buffers that workers share."""

from typing import Any

import numpy as np
import numpy.typing as npt

def zeros_aligned(shape: Any, dtype: Any) -> npt.NDArray[Any]:
    """Zeroed array on a 64-byte border."""

def attention_bytes(
    *, n_heads: int, n_kv_heads: int, head_dim: int, context: int, threads: int
) -> int:
    """Bytes of working memory that attention over ``context`` tokens takes on ``threads``."""

class LogitsRow:
    """One wanted row of logits; valid until the next step (views of the step's buffers)."""

    ids: npt.NDArray[np.int32]
    """int32 (k,): best ids by (logit descending, id ascending), all below ``n_valid``."""
    values: npt.NDArray[np.float32]
    """float32 (k,): their logits."""
    full: npt.NDArray[np.float32]
    """float32 (V,): every logit, padding rows included."""
    log_sum_exp: float
    finite: bool
    """False when a NaN or Inf was seen: the other fields mean nothing then."""

    def __init__(
        self, ids: Any, values: Any, log_sum_exp: float, finite: bool, full: Any
    ) -> None: ...

class StepState:
    """Buffers of one model for one step at a time.

    Parameters
    ----------
    max_rows : int
        Most tokens of a step.
    max_logit_rows : int
        Most tokens of a step whose logits are wanted.
    max_inputs : int
        Widest input of a matrix.
    vocab : int
        Rows of the head.
    n_candidates : int
        Candidates kept per row.
    n_blocks, context : int
        Cache blocks of the pool; most tokens of one sequence.
    group_heads, head_dim : int
        Query heads per kv head; head size.
    threads : int
        Workers of the runtime.
    inverse_frequency : float64 (head_dim / 2,)
        Of the rotary embedding.
    attention_factor : float
        Multiplies cos and sin (YaRN).

    Attributes
    ----------
    n_valid : int
        Ids from here on are padding and never candidates; ``vocab`` at first.

    Raises
    ------
    ValueError
        ``n_candidates`` is outside 1 to 1,024.
    """

    n_valid: int

    def __init__(
        self,
        *,
        max_rows: int,
        max_logit_rows: int,
        max_inputs: int,
        vocab: int,
        n_candidates: int,
        n_blocks: int,
        context: int,
        group_heads: int,
        head_dim: int,
        threads: int,
        inverse_frequency: Any,
        attention_factor: float,
    ) -> None: ...
