"""What a request may ask of an engine; known also to processes that do not hold the model."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfer.engine.messages import Request
from pyinfer.errors import ContextLengthError, RequestError


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Sizes that every request is checked against.

    Attributes
    ----------
    vocabulary : int
        Token ids of prompts are below this.
    n_valid : int
        Token ids that may be sampled are below this.
    context : int
        Most tokens of prompt and answer together.
    """

    vocabulary: int
    n_valid: int
    context: int

    def of(self, request: Request) -> int:
        """Most tokens of prompt and answer of one request."""
        return self.context if request.context is None else min(request.context, self.context)

    def check(self, request: Request) -> None:
        """Refuse a request that cannot run.

        Raises
        ------
        RequestError
            No tokens, a token id outside the vocabulary, a bad parameter.
        ContextLengthError
            The prompt leaves no room in the context.
        """
        tokens = request.tokens
        if tokens.ndim != 1 or not len(tokens):
            raise RequestError("the prompt is empty", hint="give at least one token")
        lowest, highest = int(tokens.min()), int(tokens.max())
        if lowest < 0 or highest >= self.vocabulary:
            wrong = lowest if lowest < 0 else highest
            raise RequestError(
                f"the prompt holds token id {wrong}; the model has ids 0 to {self.vocabulary - 1}"
            )
        request.params.check_vocabulary(self.n_valid)
        limit = self.of(request)
        room = limit if request.params.max_tokens == 0 else limit - 1
        if len(tokens) > room:
            raise ContextLengthError.of(len(tokens), limit, room=room, at_least=False)
