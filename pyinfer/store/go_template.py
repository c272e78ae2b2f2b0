"""Telling Jinja templates from those in the language of Go, which Ollama's models carry."""

from __future__ import annotations

import re

# What stands inside braces in one language but never in the other.
_GO_ACTION = re.compile(r"\{\{-?\s*(?:[.$(\"`]|/\*|(?:if|else|end|range|with|define|block)\b)")


def is_jinja(text: str) -> bool:
    """Whether a template is not in the language of Go."""
    return bool(text) and ("{%" in text or not _GO_ACTION.search(text))
