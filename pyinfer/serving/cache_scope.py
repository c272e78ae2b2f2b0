"""Whose request runs: those of one scope share the prefix cache, and nothing with others."""

from __future__ import annotations

from contextvars import ContextVar

#: Set by the transport for each request; empty is the scope of all who are not told apart.
CACHE_SCOPE: ContextVar[str] = ContextVar("cache_scope", default="")
