"""The page in a headless browser, on the embedded model."""

from __future__ import annotations

from ..running import RunningServer
from .asking import Open, ask, last_answer

QUESTION = "Which is larger, 9.11 or 9.9?"


def test_a_question_is_answered_with_the_reasoning_folded(
    server: RunningServer, open_page: Open
) -> None:
    page = open_page(f"{server.url}/")
    page.click("#open-settings")
    page.fill("#temperature", "0")
    page.keyboard.press("Escape")
    ask(page, QUESTION)
    assert last_answer(page) == "9.9 is larger than 9.11."
    fold = page.locator(".reply details.reasoning")
    assert fold.get_attribute("open") is None
    assert not page.locator(".reasoning .text").is_visible()
    assert fold.locator("summary").inner_text().strip().startswith("Thought for")
    fold.locator("summary").click()
    assert "9.11 is smaller, 9.9 is larger." in page.locator(".reasoning .text").inner_text()
    assert "tok/s" in page.locator(".stats").inner_text()
    page.locator("#context-text", has_text="/ 2,048").wait_for()
    # All of it is there when the page is opened again.
    page.reload()
    page.locator(".chat-title", has_text="Which is larger").click()
    assert last_answer(page) == "9.9 is larger than 9.11."


def test_without_thinking_there_is_no_reasoning(server: RunningServer, open_page: Open) -> None:
    page = open_page(f"{server.url}/")
    page.click("#toggle-think")
    ask(page, "How many r's are in strawberry?")
    assert last_answer(page)
    assert not page.locator(".reasoning").is_visible()


def test_a_long_answer_of_the_model_is_stopped(server: RunningServer, open_page: Open) -> None:
    page = open_page(f"{server.url}/")
    endless = {"ignore_eos": True, "temperature": 0}
    page.route("**/v1/chat/completions", lambda route: route.continue_(
        post_data={**route.request.post_data_json, **endless}))  # fmt: skip
    for _ in range(5):  # the whole context takes this model about a second
        page.click("#bar-new-chat" if page.locator("#bar-new-chat").is_visible() else "#new-chat")
        ask(page, QUESTION, wait=False)
        page.locator(".stats:not(:empty)").wait_for()
        page.keyboard.press("Escape")
        page.locator("#send").wait_for()
        if page.locator(".notice").inner_text() == "Stopped.":
            break
    assert page.locator(".notice").inner_text() == "Stopped."
    page.unroute("**/v1/chat/completions")
    ask(page, "What is 12 + 30?")
    assert last_answer(page)  # the next question is answered; how well depends on the long text
