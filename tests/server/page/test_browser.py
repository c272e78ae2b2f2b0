"""The page in a headless browser, on scripted answers: streams, errors, hostile text, looks."""

from __future__ import annotations

from typing import Any

import pytest

from .asking import Open, ask, last_answer
from .scripted_server import (
    ScriptedServer,
    breaks_off,
    never_ends,
    refuses,
    says,
)

WIDTH = "[document.documentElement.scrollWidth, innerWidth]"
GROUND = "getComputedStyle(document.body).backgroundColor"
NAMELESS = """() => [...document.querySelectorAll("button, input, select, textarea, meter")]
  .filter((node) => !node.closest("[aria-hidden=true]"))
  .filter((node) => !(node.ariaLabel || node.labels?.length || node.textContent.trim()))
  .map((node) => node.outerHTML)"""


# ---- streams, stop, errors ----


def test_stop_leaves_the_stream_and_keeps_the_text(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    for number, button in enumerate((True, False)):
        script.left.clear()
        script.answers = [never_ends]
        ask(page, "A long one", wait=False)
        answer = page.locator(".reply").nth(number)  # not an earlier one with the same words
        answer.filter(has_text="word word word").wait_for()
        if button:
            page.click("#stop")
        else:
            page.keyboard.press("Escape")
        assert script.left.wait(120)
        page.locator(".notice", has_text="Stopped.").nth(number).wait_for()
        assert last_answer(page).startswith("word word")
        assert page.locator("#send").is_visible()
    # A new question leaves nothing of the old stream running.
    script.answers = [says("Short.")]
    ask(page, "And now?")
    assert last_answer(page) == "Short."
    assert [message["role"] for message in script.asked[-1]["messages"]] == [
        "user", "assistant", "user", "assistant", "user"]  # fmt: skip


def test_thinking_is_shown_while_it_lasts(script: ScriptedServer, open_page: Open) -> None:
    def thinks(handler: Any) -> None:
        handler.begin()
        handler.chunk(delta={"reasoning_content": "hm "})
        handler.script.left.wait(120)
        handler.chunk(delta={"content": "Yes."})
        handler.chunk(finish_reason="stop")

    script.answers = [thinks]
    page = open_page(script.url)
    ask(page, "Really?", wait=False)
    page.locator(".reasoning.thinking summary", has_text="Thinking… 1 s").wait_for()
    script.left.set()
    page.locator("#send").wait_for()
    assert "Thought for" in page.locator(".reasoning summary").inner_text()
    assert last_answer(page) == "Yes."


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (refuses(404, {"error": {"message": "model 'demo' not found"}}), "model 'demo' not found"),
        (refuses(429, {"error": {"message": "queue full."}}, Retry_After="7"), "again in 7 s"),
        (refuses(500, {"error": "an Ollama error"}), "an Ollama error"),
        (refuses(502, ["not an error body"]), "502 Bad Gateway"),
        (breaks_off({"error": {"message": "numeric failure", "code": 500}}), "numeric failure"),
        (breaks_off(None), "connection was lost"),
        (lambda handler: handler.connection.shutdown(2), "cannot be reached"),
    ],
    ids=["404", "429", "500", "502", "event", "early-end", "closed"],
)
def test_errors_are_shown_and_can_be_tried_again(
    answer: Any, shown: str, script: ScriptedServer, open_page: Open
) -> None:
    script.answers = [answer]
    page = open_page(script.url)
    ask(page, "Does it work?")
    failure = page.locator(".failure")
    assert shown in failure.inner_text()
    script.answers = [says("Now it works.")]
    failure.get_by_role("button", name="Try again").click()
    page.locator(".answer", has_text="Now it works.").wait_for()
    assert page.locator(".reply").count() == 1
    assert not failure.is_visible()


def test_a_key_is_asked_for_and_used(script: ScriptedServer, open_page: Open) -> None:
    def guarded(handler: Any) -> None:
        if handler.headers.get("Authorization") == "Bearer right":
            says("Come in.")(handler)
        else:
            handler.json({"error": {"message": "no", "type": "authentication_error"}}, 401)

    script.answers = [guarded]
    page = open_page(script.url)
    page.fill("#input", "Hello?")
    page.press("#input", "Enter")
    for key in ("wrong", "right"):
        page.locator("#key-form").wait_for()
        page.fill("#key", key)
        page.press("#key", "Enter")
    page.locator(".answer", has_text="Come in.").wait_for()
    assert script.keys == [None, "Bearer wrong", "Bearer right"]
    assert page.locator(".message").count() == 2
    assert "right" not in str(page.evaluate("JSON.stringify({...localStorage})"))


# ---- what is sent ----


def test_settings_are_sent(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    ask(page, "Plain")
    assert script.asked[-1] == {
        "model": "demo", "messages": [{"role": "user", "content": "Plain"}], "stream": True,
        "stream_options": {"include_usage": True}}  # fmt: skip
    page.select_option("#model", "other")
    page.click("#toggle-think")
    page.click("#open-settings")
    fields = {"temperature": "0.3", "top-p": "0.9", "max-tokens": "64", "seed": "7"}
    for field, value in {**fields, "system": "Be brief."}.items():
        page.fill(f"#{field}", value)
    page.keyboard.press("Escape")
    page.reload()
    page.wait_for_selector("#model option", state="attached")
    ask(page, "Set")
    sent = script.asked[-1]
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert sent["chat_template_kwargs"] == {"enable_thinking": False}
    numbers = {"temperature": 0.3, "top_p": 0.9, "max_tokens": 64, "seed": 7}
    assert {**sent, **numbers, "model": "other"} == sent
    page.click("#open-settings")
    page.fill("#temperature", "9")  # out of range: marked, not sent
    assert page.get_attribute("#temperature", "aria-invalid") == "true"
    page.fill("#system", "")
    page.keyboard.press("Escape")
    ask(page, "Wrong")
    assert "temperature" not in script.asked[-1]
    page.click("#open-settings")
    page.click("#reset-sampling")
    page.keyboard.press("Escape")
    ask(page, "Reset")
    assert not {"top_p", "max_tokens", "seed"} & set(script.asked[-1])


def test_a_question_is_edited_and_an_answer_repeated(
    script: ScriptedServer, open_page: Open
) -> None:
    page = open_page(script.url)
    script.answers = [says("One."), says("Two."), says("Two again."), says("Other.")]
    ask(page, "First")
    ask(page, "Second")
    assert script.asked[-1]["messages"][1] == {"role": "assistant", "content": "One."}
    page.locator(".reply").last.get_by_label("Answer again").click()
    page.locator(".answer", has_text="Two again.").wait_for()
    page.locator("#send").wait_for()
    assert script.asked[-1] == script.asked[-2]
    page.locator(".question").first.hover()
    page.locator(".question").first.get_by_label("Edit and send again").click()
    page.fill(".edit-area", "First, better")
    page.press(".edit-area", "Enter")
    page.locator(".answer", has_text="Other.").wait_for()
    page.locator("#send").wait_for()
    assert script.asked[-1]["messages"] == [{"role": "user", "content": "First, better"}]
    assert page.locator(".message").count() == 2


def test_keys_of_the_keyboard(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    assert page.evaluate("document.activeElement.id") == "input"
    page.keyboard.type("one")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("two")
    page.keyboard.press("Enter")
    page.locator(".answer", has_text="Yes.").wait_for()
    assert script.asked[-1]["messages"][-1]["content"] == "one\ntwo"
    assert page.locator(".bubble").inner_text() == "one\ntwo"
    page.locator("#send").wait_for()
    page.keyboard.press("Enter")  # nothing typed, nothing sent
    assert len(script.asked) == 1


def test_numbers_after_and_during_an_answer(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    script.answers = [never_ends]
    ask(page, "Long", wait=False)
    page.locator(".stats", has_text="tok/s").wait_for()
    page.locator("#context-text", has_text="≈").wait_for()
    page.click("#stop")
    page.locator("#send").wait_for()
    script.answers = [says("Yes.", reasoning="hm", finish="length")]
    ask(page, "Short")
    assert page.locator(".stats").last.inner_text() == "87.7 tok/s · 13 tokens"
    assert "Prompt: 21 tokens, 5 of them reused" in page.locator(".stats").last.get_attribute(
        "title"
    )
    assert page.locator("#context-text").inner_text() == "34 / 2,048"
    assert "longest length" in page.locator(".notice").last.inner_text()


# ---- what the model may write ----

HOSTILE = [
    "<img src=x onerror=hit()>",
    "<script>hit()</script>",
    "</code></pre><svg onload=hit()>",
    "[x](javascript:hit())",
    "[x](JaVaScRiPt:hit())",
    "[x](https://e.org\"onclick=\"hit())",
    "<https://e.org/\"onmouseover=hit()>",
    "```<b onclick=hit()>\n<script>hit()</script>\n```",
    "| <img src=x onerror=hit()> |\n|---|\n| <iframe srcdoc='<script>hit()</script>'> |",
    "![x](https://e.org/pixel.png)",
    "\\(\\text{<img src=x onerror=hit()>}\\)",
    "<a href='javascript:hit()'>y</a><math><mtext></mtext></math>",
    "# <style>*{display:none}</style>",
]  # fmt: skip


def test_hostile_text_stays_text(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    page.evaluate("() => { window.hits = 0; window.hit = () => window.hits++; }")
    text = "\n\n".join(HOSTILE)
    script.answers = [says(text, reasoning=text)]
    script.models.append("<img src=x onerror=hit()>")
    ask(page, text)
    page.locator(".reasoning summary").click()
    found = page.evaluate("""() => [...document.querySelectorAll("#messages *, #sidebar *")]
        .filter((node) => /^(img|script|iframe|style|object|embed|base|form)$/.test(node.localName)
          || [...node.attributes].some(({ name }) => name.startsWith("on"))
          || (node.href && !/^(https?:|mailto:)/.test(node.href.baseVal ?? node.href)
              && node.localName !== "use"))
        .map((node) => node.outerHTML)""")
    assert found == []
    shown = last_answer(page)
    assert "<img src=x onerror=hit()>" in shown
    assert "<style>*{display:none}</style>" in shown
    assert page.locator(".bubble").inner_text() == text
    for link in page.locator(".answer a").all():
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    page.reload()
    page.locator(".chat-title").first.click()
    assert "onerror" in last_answer(page)
    assert page.evaluate("window.hits ?? 0") == 0


def test_code_is_copied(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url, permissions=["clipboard-read", "clipboard-write"])
    script.answers = [says("Run\n\n```sh\necho '<b>' && ls\n```")]
    ask(page, "How?")
    page.locator(".code").get_by_label("Copy code").click()
    page.locator("#status", has_text="Copied").wait_for(state="attached")
    assert page.evaluate("navigator.clipboard.readText()") == "echo '<b>' && ls"


# ---- history ----


def test_chats_are_kept_and_deleted(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    for question in ("First chat", "Second chat"):
        page.click("#new-chat")
        ask(page, question)
    page.reload()
    titles = page.locator(".chat-title")
    assert titles.all_inner_texts() == ["Second chat", "First chat"]
    titles.nth(1).click()
    assert page.locator(".bubble").all_inner_texts() == ["First chat"]
    page.get_by_label("Delete chat: Second chat").click(force=True)
    assert titles.all_inner_texts() == ["First chat"]
    page.click("#clear-chats")
    page.click("#confirm button[value=no]")
    assert titles.count() == 1
    page.click("#clear-chats")
    page.click("#confirm-yes")
    page.locator("#empty").wait_for()
    assert titles.count() == 0
    assert page.evaluate("JSON.parse(localStorage['pyinfer.chats'])") == []


def test_a_broken_or_closed_storage_does_no_harm(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    for broken in ("{", "7", "null", '[1, {"messages": 3}]'):
        page.evaluate("(text) => { for (const key of ['chats', 'settings', 'key'])"
                      " localStorage[`pyinfer.${key}`] = text; }", broken)  # fmt: skip
        page.reload()
        page.wait_for_selector("#model option", state="attached")
        ask(page, "Still there?")
        assert last_answer(page) == "Yes."
    page.context.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new Error('closed'); } });"
    )
    page.reload()
    page.wait_for_selector("#model option", state="attached")
    ask(page, "Even now?")
    assert last_answer(page) == "Yes."


# ---- looks ----


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_theme_follows_the_system_and_the_switch(
    scheme: str, script: ScriptedServer, open_page: Open
) -> None:
    other = {"light": "dark", "dark": "light"}[scheme]
    colours = {"light": "rgb(253, 252, 250)", "dark": "rgb(24, 24, 23)"}
    page = open_page(script.url, color_scheme=scheme)
    assert page.evaluate(GROUND) == colours[scheme]
    page.click("#toggle-theme")
    assert page.evaluate(GROUND) == colours[other]
    assert page.get_attribute("#toggle-theme", "aria-pressed") == str(other == "dark").lower()
    page.reload()
    assert page.evaluate(GROUND) == colours[other]


def test_a_phone_shows_everything_without_scrolling_sideways(
    script: ScriptedServer, open_page: Open
) -> None:
    page = open_page(
        script.url, viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True
    )
    script.models.append("a-very-long-model-name-" * 5)
    page.reload()
    wide = "x" * 400
    table = f"|{wide}|b|\n|-|-|\n|1|{wide}|"
    formula = f"$$a{'+a' * 90}$$"
    text = "\n\n".join([wide, f"```\n{wide}\n```", table, formula, f"> - {wide}"])
    script.answers = [says(text, reasoning=text)]
    assert page.evaluate(WIDTH) == [390, 390]
    ask(page, wide)
    page.locator(".reasoning summary").click()
    assert page.evaluate(WIDTH) == [390, 390]
    assert page.evaluate("[...document.querySelectorAll('#scroll')].every("
                         "(node) => node.scrollWidth <= node.clientWidth)")  # fmt: skip
    page.click("#open-settings")
    assert page.evaluate(WIDTH) == [390, 390]
    page.keyboard.press("Escape")
    page.click("#toggle-sidebar")
    page.locator(".chat-title").first.click()
    page.locator("#scrim").wait_for(state="hidden")
    assert page.locator("#send").is_visible()


def test_every_control_has_a_name(script: ScriptedServer, open_page: Open) -> None:
    page = open_page(script.url)
    script.answers = [says("- [x] done\n\n```\ncode\n```", reasoning="hm")]
    ask(page, "Names?")
    page.locator(".question").hover()
    page.get_by_label("Edit and send again").click()
    assert page.evaluate(NAMELESS) == []
