"""The table of what each format costs, printed at the end of a run."""

from __future__ import annotations

import pytest

_TABLE: list[str] = []


@pytest.fixture(scope="session")
def quality_table() -> list[str]:
    """Lines that the run prints at its end."""
    return _TABLE


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, if any test filled it."""
    if _TABLE:
        terminalreporter.section("against transformers on the dequantized weights")
        for line in _TABLE:
            terminalreporter.write_line(line)
