"""Brings the rules of requests (``text/hooks.py``) and the engine together."""

from __future__ import annotations

from pyinfer.engine.hooks import HookFactory, Hooks
from pyinfer.engine.loop_guard import GuardedHooks
from pyinfer.engine.messages import Request
from pyinfer.text.hooks import Rules, build_hooks
from pyinfer.text.tokenizer import Tokenizer


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
