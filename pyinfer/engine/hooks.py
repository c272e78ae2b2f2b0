"""What the engine asks others while a sequence runs: stop? force tokens? allow only some?

The engine knows token ids only. Rules that need text (stop strings, a reasoning budget, a grammar)
are objects with these two methods, built by a factory that is handed to the engine. They run on the
engine's thread, so they must be quick; an exception ends their own request only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import numpy.typing as npt

from pyinfer.errors import EngineError

if TYPE_CHECKING:
    from pyinfer.engine.messages import Request

_LOG = logging.getLogger("pyinfer.engine")

# None: go on. "stop": the answer ends after this token. "loop": it is cut off there, because it
# repeats itself. Ids: append them without sampling.
HookAction = Literal["stop", "loop"] | Sequence[int] | None
# What rules have found out about tokens, one entry each, for whoever reads the answer.
TokenTexts = list[tuple[list[str], bool]]


class Hooks(Protocol):
    """Rules of one running sequence."""

    @property
    def masks(self) -> bool:
        """Whether :meth:`mask` is to be called before each token."""
        ...

    def on_token(self, token: int) -> HookAction:
        """See a sampled token (not an end token, not a forced one) and say what happens next."""
        ...

    def instead_of_end(self) -> Sequence[int] | None:
        """Ids to put in place of an end token that was sampled; None lets the answer end."""
        ...

    def mask(self, out: npt.NDArray[np.uint32]) -> bool:
        """Write which tokens may come next.

        Parameters
        ----------
        out : uint32 (ceil(n_valid / 32),), written
            Bit ``id % 32`` of word ``id // 32`` is set for allowed tokens.

        Returns
        -------
        bool
            False if every token is allowed; ``out`` is not looked at then.
        """
        ...

    def take_texts(self) -> TokenTexts | None:
        """Give away the texts of the tokens since the last call, forced ones included.

        They leave with the tokens, so that nobody decodes them twice. None if the rules do not
        decode.
        """
        ...


HookFactory = Callable[["Request"], Hooks | None]


def rule_error(failure: Exception) -> EngineError:
    """The error of a request whose rules raised what is no error of this package.

    What foreign code says about itself is for the log, not for clients.
    """
    _LOG.error("the rules of a request failed", exc_info=failure)
    error = EngineError(f"the rules of the request failed: {type(failure).__name__}")
    error.__cause__ = failure
    return error


def no_hooks(request: Request) -> Hooks | None:
    """Hooks for nobody."""
    return None
