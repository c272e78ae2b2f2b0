"""``pyinfer stop``: unload a model of a running server."""

from __future__ import annotations

import argparse

from pyinfer.cli.arguments import Parser
from pyinfer.cli.server_client import ServerClient, server_address

DESCRIPTION = (
    "Unload a model of the running server; requests that run are finished first. The server's "
    "address is PYINFER_HOST or OLLAMA_HOST, by default port 11434 of this machine."
)


def add_arguments(parser: Parser) -> None:
    """Describe the options."""
    parser.set_defaults(run=run)
    parser.add_argument("model", help="as pyinfer ps names it")


def run(options: argparse.Namespace) -> int:
    """Ask the server to unload."""
    body = {"model": options.model, "keep_alive": 0, "stream": False}
    ServerClient(server_address()).call("POST", "/api/generate", body)
    return 0
