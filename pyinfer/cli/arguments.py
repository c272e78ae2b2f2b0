"""Argument parsing that reports a mistake in one line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from pyinfer.errors import UsageError


class Formatter(argparse.HelpFormatter):
    """Keeps the help of long subcommands on their line: the base forgets that they are indented."""

    def add_argument(self, action: argparse.Action) -> None:
        """Take in an option, a word, or the list of subcommands."""
        before = self._action_max_length
        super().add_argument(action)
        if isinstance(action, argparse._SubParsersAction) and self._action_max_length > before:
            self._action_max_length += self._indent_increment


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose mistakes are UsageError instead of an exit with two lines.

    Options are never abbreviated. Options named in ``switches`` take a value with ``=`` only:
    ``--think`` is ``--think=true``, whatever comes after it. With ``intermixed`` options may stand
    between the positional words.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=Formatter, **settings)
        self.switches: set[str] = set()
        self.intermixed = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Parse as ArgumentParser does, after completing the switches."""
        given = list(args or ())
        end = given.index("--") if "--" in given else len(given)
        head = [f"{word}=true" if word in self.switches else word for word in given[:end]]
        if not self.intermixed:
            return super().parse_known_args(head + given[end:], namespace)
        self.intermixed = False  # what follows comes back here, twice
        try:
            return super().parse_known_intermixed_args(head + given[end:], namespace)
        finally:
            self.intermixed = True

    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, hint=f"See {self.prog} --help")


def switch(text: str) -> bool:
    """Read ``true`` or ``false`` (also 1, 0, yes, no, on, off)."""
    value = text.strip().lower()
    if value in ("true", "1", "yes", "on"):
        return True
    if value in ("false", "0", "no", "off"):
        return False
    raise argparse.ArgumentTypeError(f"must be true or false, found {text!r}")


def positive(text: str) -> int:
    """Read an integer of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive integer, found {text!r}")
    return value
