"""Brings the rules of requests (``text/hooks.py``) and the engine together."""

from __future__ import annotations

from pyinfer.engine.hooks import HookFactory, Hooks
from pyinfer.engine.loop_guard import GuardedHooks
from pyinfer.engine.messages import Request
from pyinfer.text.grammar_matcher import compiler_of
from pyinfer.text.hooks import Rules, build_hooks
from pyinfer.text.tokenizer import Tokenizer


def compile_grammar(request: Request, tokenizer: Tokenizer) -> None:
    """Compile the grammar of a request, so that the engine's thread finds it ready.

    Raises
    ------
    RequestError
        The grammar cannot be used.
    """
    rules: Rules | None = request.rules
    if rules is not None and rules.grammar is not None:
        compiler_of(tokenizer).matcher(rules.grammar)


def hook_factory(tokenizer: Tokenizer | None) -> HookFactory:
    """Builds, on the engine's thread, what a request's ``rules`` and stop strings ask for.

    Parameters
    ----------
    tokenizer : Tokenizer or None
        Without one there are no rules about text.
    """

    def hooks(request: Request) -> Hooks | None:
        rules: Rules | None = request.rules
        made = None if tokenizer is None else build_hooks(rules, request.params, tokenizer)
        return GuardedHooks(made) if rules is not None and rules.loop_guard else made

    return hooks
