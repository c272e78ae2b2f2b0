"""Files of the page: types, tags, the policy, and that nothing in them asks for more."""

from __future__ import annotations

import asyncio
import re

import pytest

from ..asgi import Exchange, call

pytest.importorskip("fastapi")

from fastapi import FastAPI, Request, Response

from pyinfer.server.page.routes import INDEX, assets, page_for_browser, router

SCRIPTS = [name for name in assets() if name.endswith(".js")]


def application() -> FastAPI:
    """The routes of the page with a root as the server has it."""
    app = FastAPI()
    app.include_router(router)

    @app.get("/")
    async def root(request: Request) -> Response:
        return page_for_browser(request) or Response("running", media_type="text/plain")

    return app


def get(path: str, *headers: tuple[str, str], method: str = "GET") -> Exchange:
    """One request to the routes."""
    return asyncio.run(call(application(), method, path, headers))


def text(name: str) -> str:
    """An asset as text."""
    return assets()[name].body.decode()


def test_browsers_get_the_page_and_programs_do_not() -> None:
    page = get("/", ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"))
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["vary"] == "Accept"
    assert page.body == assets()[INDEX].body
    assert get("/", ("Accept", "*/*")).body == b"running"
    assert get("/").body == b"running"


@pytest.mark.parametrize("name", sorted(set(assets()) - {INDEX}))
def test_files_have_their_types(name: str) -> None:
    answer = get(f"/page/{name}")
    kinds = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
    assert answer.headers["content-type"] == kinds.get(name.rsplit(".")[-1], "image/svg+xml")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.body == assets()[name].body
    head = get(f"/page/{name}", method="HEAD")
    assert (head.status, head.headers["etag"]) == (200, answer.headers["etag"])


def test_a_known_file_is_not_sent_again() -> None:
    tag = get("/page/app.js").headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}'):
        again = get("/page/app.js", ("If-None-Match", known))
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == tag
    assert get("/page/app.js", ("If-None-Match", '"other"')).status == 200


def test_only_the_files_of_the_page_are_served() -> None:
    for name in ("routes.py", "index.html", "nothing.js", "..%2froutes.py", "%2e%2e/app.py", ".."):
        assert get(f"/page/{name}").status == 404, name


def test_the_policy_allows_only_files_of_the_server() -> None:
    for path in ("/", "/page/app.js", "/page/nothing"):
        policy = get(path, ("Accept", "text/html")).headers["content-security-policy"]
        rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
        assert rules.pop("default-src") == "'none'"
        assert {rules[name] for name in rules if name.endswith("-src")} == {"'self'"}
        assert rules["require-trusted-types-for"] == "'script'"
        assert rules["frame-ancestors"] == "'none'"
        assert "unsafe" not in policy


def test_the_page_names_only_files_that_exist() -> None:
    named = set(re.findall(r'(?:src|href)="page/([^"]+)"', text(INDEX)))
    imported = {name for script in SCRIPTS for name in re.findall(r'from "\./(.+?)"', text(script))}
    assert named | imported == set(assets()) - {INDEX}


def test_icons_and_labels_that_are_used_exist() -> None:
    symbols = set(re.findall(r'<symbol id="i-(\w+)"', text(INDEX)))
    calls = r'(?:icon|iconButton)\("(\w+)"'
    used = {name for script in SCRIPTS for name in re.findall(calls, text(script))}
    assert used | set(re.findall(r'href="#i-(\w+)"', text(INDEX))) == symbols
    ids = set(re.findall(r'\bid="([\w-]+)"', text(INDEX)))
    asked = {name for script in SCRIPTS for name in re.findall(r'byId\("([\w-]+)"\)', text(script))}
    assert asked <= ids
    assert set(re.findall(r'\bfor="([\w-]+)"', text(INDEX))) <= ids


def test_nothing_is_read_as_code_or_fetched_from_elsewhere() -> None:
    inner = (
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|DOMParser"
    )
    for name in SCRIPTS:
        assert not re.findall(inner, text(name)), name
    page = text(INDEX)
    assert not re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)|javascript:", page)
    for name in assets():
        foreign = re.findall(r"https?://[\w.]+", text(name))
        assert set(foreign) <= {"http://www.w3.org"}, name  # names of namespaces, never fetched
        assert "url(" not in text(name), name
        assert "@import" not in text(name), name
