"""Which command is meant, and what a wrong command line is told."""

from __future__ import annotations

import pytest

from pyinfer.cli.commands import execute


@pytest.mark.parametrize(
    ("words", "wrong", "hint"),
    [
        (
            ["convert", "a", "b", "-o", "x"],
            "unrecognized arguments: -o x",
            "pyinfer convert --help",
        ),
        (["convert"], "MODEL, OUT", "pyinfer convert --help"),
        (["--nonsense"], "unrecognized arguments: --nonsense", "pyinfer --help"),
        (["nonsense"], "'nonsense'", "pyinfer --help"),
        ([], "no command", "pyinfer --help"),
    ],
)
def test_mistakes_point_to_the_help_of_the_command(
    words: list[str], wrong: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(words, None, is_process=False) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert wrong in printed.err
    assert printed.err.endswith(f"See {hint}\n")
