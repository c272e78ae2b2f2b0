"""The tables of options in the documents are those of the programs."""

from __future__ import annotations

import argparse
import re
from importlib import import_module

import pytest

from pyinfer.cli.arguments import Parser
from pyinfer.cli.commands import COMMANDS
from pyinfer.errors import UsageError

from ..source_tree import ROOT, text


def actions_of(command: str) -> list[list[str]]:
    """The spellings of each option of a command that its help shows."""
    parser = Parser(prog=command)
    import_module(f"pyinfer.cli.{command.replace('-', '_')}").add_arguments(parser)
    shown = [action for action in parser._actions if action.help != argparse.SUPPRESS]
    return [list(a.option_strings) for a in shown if a.option_strings and a.dest != "help"]


def named(body: str) -> set[str]:
    """Options that a text names."""
    return set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", body))


def section(name: str, heading: str) -> str:
    """Text below a heading of a document, up to the next of its rank."""
    _, _, rest = text(ROOT / "docs" / name).partition(f"\n## {heading}\n")
    assert rest, f"{name} has no section {heading}"
    return rest.partition("\n## ")[0]


def test_the_table_of_serve_is_complete() -> None:
    rows = [row for row in section("serving.md", "Options").splitlines() if row.startswith("| `-")]
    listed = named("\n".join(row.split("|")[1] for row in rows))
    assert listed == {spelling for action in actions_of("serve") for spelling in action}


HEADINGS = re.findall(r"^## ([a-z].+)$", text(ROOT / "docs" / "commands.md"), re.MULTILINE)


def test_every_command_of_the_server_has_a_section() -> None:
    found = {command for heading in HEADINGS for command in heading.split(", ")}
    assert {"serve", "llama-server", "ps", "stop", "create", "run"} <= found <= COMMANDS.keys()


@pytest.mark.parametrize("heading", HEADINGS)
def test_sections_name_all_options_and_no_others(heading: str) -> None:
    body = section("commands.md", heading)
    actions = [action for command in heading.split(", ") for action in actions_of(command)]
    known = {spelling for action in actions for spelling in action}
    for usage in re.findall(r"```text\n(pyinfer.*?)```", body, re.DOTALL):
        assert named(usage.replace("pyinfer-llama-server", "")) <= known
    if heading != "serve":  # its table is in serving.md
        assert [action for action in actions if not named(body) & set(action)] == []


def test_override_kv_is_obeyed_or_refused() -> None:
    parser = Parser(prog="llama-server")
    import_module("pyinfer.cli.llama_server").add_arguments(parser)
    assert parser.parse_args(["--override-kv", "tokenizer.ggml.pre=str:qwen2"]).pre == "qwen2"
    for pair in ("qwen2.context_length=int:8", "tokenizer.ggml.pre=int:1", "x"):
        with pytest.raises(UsageError, match=f"--override-kv of '{pair.partition('=')[0]}' is not"):
            parser.parse_args(["--override-kv", pair])
