"""Mistakes on the command line are one error, and switches leave the prompt alone."""

from __future__ import annotations

import pytest

from pyinfer.cli.arguments import Parser, positive, switch
from pyinfer.cli.commands import COMMANDS, build_parser
from pyinfer.errors import UsageError


def parser() -> Parser:
    made = Parser(prog="pyinfer")
    made.switches |= {"--think"}
    made.add_argument("--think", type=switch)
    made.add_argument("--threads", type=positive)
    made.add_argument("prompt", nargs="?")
    return made


@pytest.mark.parametrize(
    ("words", "think", "prompt"),
    [
        (["--think", "hello"], True, "hello"),
        (["--think=false", "hello"], False, "hello"),
        (["hello", "--think"], True, "hello"),
        (["--", "--think"], None, "--think"),
        ([], None, None),
    ],
)
def test_switch(words: list[str], think: bool | None, prompt: str | None) -> None:
    options = parser().parse_args(words)
    assert (options.think, options.prompt) == (think, prompt)


@pytest.mark.parametrize(
    "words",
    [
        ["--think=maybe"],
        ["--threads", "0"],
        ["--threads", "two"],
        ["--threads"],
        ["--thr", "2"],
        ["--unknown"],
        ["one", "two"],
    ],
)
def test_mistakes(words: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parser().parse_args(words)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert "pyinfer --help" in str(caught.value)


@pytest.mark.parametrize("word", ["true", "TRUE", "1", "yes", "on"])
def test_true(word: str) -> None:
    assert switch(word)


@pytest.mark.parametrize("word", ["false", "False", "0", "no", "off"])
def test_false(word: str) -> None:
    assert not switch(word)


def test_options_between_words() -> None:
    parser = Parser(prog="x")
    parser.intermixed = True
    parser.add_argument("model", nargs="?")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--a", action="store_true")
    options = parser.parse_args(["m", "--a", "b", "c"])
    assert (options.model, options.words, options.a) == ("m", ["b", "c"], True)
    with pytest.raises(UsageError):
        parser.parse_args(["m", "--none", "b"])


def test_every_command_has_its_help_on_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = build_parser("").format_help().splitlines()
    for name, text in COMMANDS.items():
        assert [line.split() for line in lines if line.split()[:1] == [name]] == [
            [name, *text.split()]
        ]
