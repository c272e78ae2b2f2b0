"""Pictures of the chat page for the documents: light, dark and narrow.

    python -m tools.page_screenshots docs

Needs playwright and a Chromium of the system; no server: the browser's requests are answered here,
with the files of the package and with fixed answers, so the pictures change only with the page.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Route, sync_playwright

from pyinfer.server.page.routes import HEADERS, INDEX, assets

BASE = "http://localhost/"
EARLIER = ("How many r's are in strawberry?", "Is Beijing a big city?")
QUESTION = "Which is larger, 9.11 or 9.9?"
REASONING = "9.11 and 9.90: 9=9 1<9\n9.11 is smaller, 9.9 is larger."
SECOND = "How does binary search work?"
FORMATTED = r"""It halves the range **each step**, so $n$ values take about $\log_2 n$ comparisons:

```python
def search(values: list[int], target: int) -> int | None:
    low, high = 0, len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < target:
            low = middle + 1
        else:
            high = middle
    return low if values[low : low + 1] == [target] else None
```

| Values | Linear | Binary |
|:--|--:|--:|
| 1,000 | 1,000 | 10 |
| 1,000,000 | 1,000,000 | 20 |

The number of steps is

\[
k = \lceil \log_2 (n + 1) \rceil
\]

1. The values have to be *sorted*.
2. `bisect` of the standard library does the same.
"""
# Name of the file -> (width, height), colour scheme.
PICTURES = {
    "page-light": ((1200, 780), "light"),
    "page-dark": ((1200, 780), "dark"),
    "page-narrow": ((390, 780), "light"),
}


def stream(reasoning: str, content: str) -> str:
    """An answer as the server streams it."""
    tokens = (len(reasoning) + len(content)) // 4
    usage = {"prompt_tokens": 24, "completion_tokens": tokens}
    events: list[object] = [
        {"choices": [{"delta": {"reasoning_content": reasoning}}]},
        {"choices": [{"delta": {"content": content}}]},
        {"choices": [{"delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": usage, "timings": {"predicted_per_second": 32.3}},
    ]
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


def answer(route: Route) -> None:
    """Answer a request of the page."""
    path = route.request.url.removeprefix(BASE)
    name = path.removeprefix("page/") or INDEX
    if name in assets():
        asset = assets()[name]
        route.fulfill(body=asset.body, headers={**HEADERS, "Content-Type": asset.media_type})
    elif path == "v1/models":
        route.fulfill(json={"data": [{"id": "demo"}]})
    elif path == "api/ps":
        route.fulfill(json={"models": [{"name": "demo:latest", "context_length": 2048}]})
    else:
        asked = json.loads(route.request.post_data or "{}")["messages"][-1]["content"]
        reasoning = REASONING if asked == QUESTION else "Halving; what does it need?"
        content = "9.9 is larger than 9.11." if asked != SECOND else FORMATTED
        route.fulfill(body=stream(reasoning, content), content_type="text/event-stream")


def ask(page: Page, question: str) -> None:
    """Send a question and wait for the end of its answer."""
    replies = page.locator(".reply").count()
    page.fill("#input", question)
    page.press("#input", "Enter")
    page.locator(".reply").nth(replies).wait_for()
    page.locator("#send").wait_for()


def picture(browser: Browser, path: Path, size: tuple[int, int], scheme: Any) -> None:
    """Fill a page and save how it looks."""
    viewport: Any = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    context.route("**/*", answer)
    page = context.new_page()
    page.goto(BASE)
    page.wait_for_selector("#model option", state="attached")
    for question in EARLIER:
        ask(page, question)
        page.click("#new-chat" if size[0] > 820 else "#bar-new-chat")
    ask(page, QUESTION)
    page.locator(".reasoning summary").click()
    ask(page, SECOND)
    page.mouse.move(size[0] // 2, 5)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("document.getElementById('scroll').scrollTop = 0")
    page.wait_for_timeout(400)  # of transitions
    page.screenshot(path=path)
    context.close()


def main() -> None:
    """Write the pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with sync_playwright() as driver:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for name, (size, scheme) in PICTURES.items():
            picture(browser, folder / f"{name}.png", size, scheme)
        browser.close()


if __name__ == "__main__":
    main()
