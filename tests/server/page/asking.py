"""Ask a question on the page and read the answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Open = Callable[..., Any]


def ask(page: Any, question: str, wait: bool = True) -> None:
    """Type a question and send it with Enter."""
    before = page.locator(".reply").count()
    page.fill("#input", question)
    page.press("#input", "Enter")
    page.locator(".reply").nth(before).wait_for()
    if wait:
        page.locator("#send").wait_for()


def last_answer(page: Any) -> str:
    """Text of the newest answer."""
    return str(page.locator(".reply .answer").last.inner_text())
