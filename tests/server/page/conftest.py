"""A headless browser for the page, watched for errors and for requests that leave the server."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("fastapi")

from .scripted_server import ScriptedServer, says, scripted_server

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium as the system has it; nothing is downloaded."""
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright here")
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no chromium here")
    with driver.sync_playwright() as started:
        # The sandbox needs rights that containers do not give.
        chromium = started.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def module_script() -> Iterator[ScriptedServer]:
    """One scripted server for the tests of a module."""
    with scripted_server() as running:
        yield running


@pytest.fixture
def script(module_script: ScriptedServer) -> ScriptedServer:
    """The scripted server, as if it were new."""
    fresh = ScriptedServer()
    module_script.answers = [says("Yes.")]
    module_script.asked, module_script.keys = [], []
    module_script.models, module_script.context = fresh.models, fresh.context
    module_script.left.clear()
    return module_script


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open the page of a server in a browser profile of its own.

    After the test: nothing was asked of another address, nothing failed on the page.
    """
    contexts: list[Any] = []
    foreign: list[str] = []
    errors: list[str] = []

    def open_at(url: str, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1100, "height": 800}, **options})
        contexts.append(context)
        context.set_default_timeout(120_000)
        page = context.new_page()

        def note(request: Any) -> None:
            if not request.url.startswith(url):
                foreign.append(request.url)

        page.on("request", note)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: complain(message, errors))
        page.goto(url)
        page.wait_for_selector("#model option", state="attached")
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert foreign == []
    assert errors == []


def complain(message: Any, errors: list[str]) -> None:
    """Keep messages of errors, but for refusals that the browser itself writes down."""
    if message.type in {"error", "warning"} and "Failed to load resource" not in message.text:
        errors.append(message.text)
