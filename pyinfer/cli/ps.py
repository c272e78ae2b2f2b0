"""``pyinfer ps``: the models that a running server has loaded."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any

from pyinfer.cli.arguments import Parser
from pyinfer.cli.quantities import from_now_text, size_text, table_lines
from pyinfer.cli.server_client import ServerClient, server_address
from pyinfer.cli.terminal import is_terminal, put, visible

DESCRIPTION = (
    "List the models that the running server has loaded. Its address is PYINFER_HOST or "
    "OLLAMA_HOST, by default port 11434 of this machine."
)

#: What a server answers as the end of a model that stays: centuries away.
_FOREVER_DAYS = 36_500 / 2


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("--json", action="store_true", help="print what the server answers")


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    found = ServerClient(server_address()).call("GET", "/api/ps")
    if options.json:
        put(sys.stdout, json.dumps(found.get("models", []), indent=1) + "\n")
        return 0
    rows = [["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]]
    rows += [_row(model) for model in found.get("models", [])]
    text = "\n".join(table_lines(rows)) + "\n"
    put(sys.stdout, visible(text) if is_terminal(sys.stdout) else text)
    return 0


def _row(model: dict[str, Any]) -> list[str]:
    digest = str(model.get("digest", "")).removeprefix("sha256:")
    return [
        str(model.get("name", "")),
        digest[:12],
        size_text(int(model.get("size", 0))),
        "100% CPU",
        str(model.get("context_length", "")),
        until_text(str(model.get("expires_at", "")), datetime.now(UTC)),
    ]


def until_text(expires: str, now: datetime) -> str:
    """When a model is unloaded, as people say it.

    Examples
    --------
    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> until_text("2026-01-01T00:04:10Z", now), until_text("2318-01-01T00:00:00Z", now)
    ('4 minutes from now', 'Forever')
    >>> until_text("2025-12-31T23:59:00Z", now)
    'Stopping...'
    """
    try:
        moment = datetime.fromisoformat(expires.replace("Z", "+00:00"))
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    left = moment - now
    if left.days > _FOREVER_DAYS:
        return "Forever"
    return from_now_text(left.total_seconds()) if left.total_seconds() > 0 else "Stopping..."
