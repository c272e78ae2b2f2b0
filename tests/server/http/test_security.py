"""Who may call: hosts, origins, keys; decided before the body is read."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

pytest.importorskip("fastapi")

from pyinfer.errors import UsageError
from pyinfer.server.http.security import Security
from pyinfer.server.http.settings import HttpSettings, read_keys
from pyinfer.serving.cache_scope import CACHE_SCOPE

from ..asgi import Exchange, call, scope

Headers = Iterable[tuple[str, str]]


async def inner(scope: Any, receive: Any, send: Any) -> None:
    """What is protected."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"secret"})


def ask(
    settings: HttpSettings, headers: Headers = (), method: str = "POST", path: str = "/api/chat"
) -> Exchange:
    return asyncio.run(call(Security(inner, settings), method, path, headers))


LOCAL = HttpSettings()
PUBLIC = HttpSettings(host="192.168.1.5", allow_unauthenticated=True)
ANY = HttpSettings(host="0.0.0.0", allow_unauthenticated=True, hosts=("models.example",))


@pytest.mark.parametrize(
    ("settings", "host", "allowed"),
    [
        (LOCAL, "127.0.0.1:11434", True),
        (LOCAL, "127.0.0.1", True),
        (LOCAL, "localhost:11434", True),
        (LOCAL, "LOCALHOST", True),
        (LOCAL, "chat.localhost:80", True),
        (LOCAL, "[::1]:11434", True),
        (LOCAL, "127.8.8.8", True),
        (LOCAL, "evil.example", False),
        (LOCAL, "localhost.evil.example", False),
        (LOCAL, "evil.example:11434", False),
        (LOCAL, "127.0.0.1.evil.example", False),
        (LOCAL, "192.168.1.5", False),
        (LOCAL, "0.0.0.0", False),
        (LOCAL, "", False),
        (LOCAL, "127.0.0.1@evil.example", False),
        (LOCAL, "evil.example/localhost", False),
        (LOCAL, "localhost localhost", False),
        (LOCAL, "2130706433", False),
        (PUBLIC, "192.168.1.5:11434", True),
        (PUBLIC, "10.0.0.1", True),
        (PUBLIC, "nas.lan", False),
        (PUBLIC, "localhost", True),
        (ANY, "models.example", True),
        (ANY, "Models.Example:443", True),
        (ANY, "evil.example", False),
        (ANY, "[2001:db8::1]:80", True),
    ],
)
def test_hosts(settings: HttpSettings, host: str, allowed: bool) -> None:
    answer = ask(settings, [("Host", host)])
    assert answer.status == (200 if allowed else 403)
    assert (b"secret" in answer.body) == allowed


def test_two_hosts_or_none_are_refused() -> None:
    assert ask(LOCAL, [("Host", "localhost"), ("Host", "localhost")]).status == 403
    message = scope("GET", "/")
    message["headers"] = []
    exchange = Exchange()
    asyncio.run(Security(inner, LOCAL)(message, exchange.receive, exchange.send))
    assert exchange.status == 403


CLOSED = HttpSettings(origins=("none", "https://chat.example"))
ORIGINS = HttpSettings(origins=("https://chat.example", "http://localhost:*", "app://*"))


@pytest.mark.parametrize(
    ("settings", "headers", "status", "cors"),
    [
        (LOCAL, {}, 200, None),
        (LOCAL, {"Origin": "http://127.0.0.1:11434"}, 200, None),
        (LOCAL, {"Origin": "https://127.0.0.1:11434"}, 200, None),
        (LOCAL, {"Origin": "http://127.0.0.1:3000"}, 200, "http://127.0.0.1:3000"),
        (LOCAL, {"Origin": "http://127.0.0.1"}, 200, "http://127.0.0.1"),
        (LOCAL, {"Origin": "http://localhost:3000"}, 200, "http://localhost:3000"),
        (LOCAL, {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}, 200,
         "http://localhost:3000"),
        (LOCAL, {"Origin": "https://localhost"}, 200, "https://localhost"),
        (LOCAL, {"Origin": "http://[::1]:5173"}, 200, "http://[::1]:5173"),
        (LOCAL, {"Origin": "app://obsidian.md"}, 200, "app://obsidian.md"),
        (LOCAL, {"Origin": "tauri://localhost"}, 200, "tauri://localhost"),
        (LOCAL, {"Origin": "vscode-webview://1ab2"}, 200, "vscode-webview://1ab2"),
        (LOCAL, {"Origin": "vscode-file://vscode-app"}, 200, "vscode-file://vscode-app"),
        (LOCAL, {"Origin": "http://localhost.evil.example"}, 403, None),
        (LOCAL, {"Origin": "http://localhost:3000.evil.example"}, 403, None),
        (LOCAL, {"Origin": "http://localhost:3000@evil.example"}, 403, None),
        (LOCAL, {"Origin": "http://evil.localhost:80"}, 403, None),
        (LOCAL, {"Origin": "http://127.0.0.2:3000"}, 403, None),
        (LOCAL, {"Origin": "http://192.168.1.5:3000"}, 403, None),
        (LOCAL, {"Origin": "apps://obsidian.md"}, 403, None),
        (LOCAL, {"Origin": "chrome-extension://abc"}, 403, None),
        (LOCAL, {"Origin": "capacitor://localhost"}, 403, None),
        (LOCAL, {"Origin": "ftp://localhost"}, 403, None),
        (CLOSED, {"Origin": "http://localhost:3000"}, 403, None),
        (CLOSED, {"Origin": "app://obsidian.md"}, 403, None),
        (CLOSED, {"Origin": "https://chat.example"}, 200, "https://chat.example"),
        (CLOSED, {"Origin": "http://127.0.0.1:11434"}, 200, None),
        (PUBLIC, {"Origin": "http://localhost:3000"}, 403, None),
        (PUBLIC, {"Origin": "app://obsidian.md"}, 403, None),
        (HttpSettings(origins=("http://[2001:db8::1]:*",)), {"Origin": "http://[2001:db8::1]:80"},
         200, "http://[2001:db8::1]:80"),
        (LOCAL, {"Origin": "https://evil.example"}, 403, None),
        (LOCAL, {"Origin": "null"}, 403, None),
        (LOCAL, {"Origin": "file://"}, 403, None),
        (LOCAL, {"Origin": "http://127.0.0.1:11434.evil.example"}, 403, None),
        (LOCAL, {"Sec-Fetch-Site": "same-origin"}, 200, None),
        (LOCAL, {"Sec-Fetch-Site": "none"}, 200, None),
        (LOCAL, {"Sec-Fetch-Site": "same-site"}, 403, None),
        (LOCAL, {"Sec-Fetch-Site": "cross-site"}, 403, None),
        (ORIGINS, {"Origin": "https://chat.example"}, 200, "https://chat.example"),
        (ORIGINS, {"Origin": "https://chat.example", "Sec-Fetch-Site": "cross-site"}, 200,
         "https://chat.example"),
        (ORIGINS, {"Origin": "http://chat.example"}, 403, None),
        (ORIGINS, {"Origin": "https://chat.example.evil"}, 403, None),
        (ORIGINS, {"Origin": "http://localhost:5173"}, 200, "http://localhost:5173"),
        (ORIGINS, {"Origin": "app://obsidian.md"}, 200, "app://obsidian.md"),
        (ORIGINS, {"Origin": "null"}, 403, None),
        (HttpSettings(origins=("*",)), {"Origin": "https://any.example"}, 200,
         "https://any.example"),
        (HttpSettings(origins=("null",)), {"Origin": "null"}, 200, "null"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_origins(
    settings: HttpSettings, headers: dict[str, str], status: int, cors: str | None, method: str
) -> None:
    answer = ask(settings, headers.items(), method)
    assert answer.status == status
    assert answer.headers.get("access-control-allow-origin") == cors
    assert answer.headers.get("vary") == ("Origin" if cors else None)


def test_a_link_to_the_page_may_be_followed() -> None:
    visit = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
    }
    assert ask(LOCAL, visit.items(), "GET", "/").status == 200
    assert ask(LOCAL, visit.items(), "GET", "/api/tags").status == 403
    assert ask(LOCAL, visit.items(), "POST", "/").status == 403
    assert ask(LOCAL, (visit | {"Sec-Fetch-Dest": "iframe"}).items(), "GET", "/").status == 403


def test_preflights_are_answered_for_configured_pages_only() -> None:
    asked = [
        ("Origin", "https://chat.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type,authorization"),
    ]
    keys = HttpSettings(origins=("https://chat.example",), api_keys=("k",))
    answer = ask(keys, asked, "OPTIONS")
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "https://chat.example"
    assert answer.headers["access-control-allow-headers"] == "content-type,authorization"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert ask(LOCAL, asked, "OPTIONS").status == 403


def test_preflights_of_local_pages() -> None:
    asked = [
        ("Origin", "http://localhost:3000"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
        ("Access-Control-Request-Private-Network", "true"),
    ]
    answer = ask(LOCAL, asked, "OPTIONS")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert answer.headers["access-control-allow-headers"] == "content-type"
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert ask(HttpSettings(origins=("none",)), asked, "OPTIONS").status == 403


def test_a_page_can_read_that_its_key_is_wrong() -> None:
    answer = ask(KEYS, [("Origin", "http://localhost:3000")])
    assert answer.status == 401
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"


KEYS = HttpSettings(api_keys=("alpha", "beta"))
NEEDS_KEY = [
    ("POST", "/api/chat"), ("POST", "/v1/chat/completions"), ("POST", "/completion"),
    ("GET", "/api/tags"), ("GET", "/metrics"), ("GET", "/slots"), ("GET", "/props"),
    ("POST", "/v1/models"), ("DELETE", "/api/delete"), ("GET", "/openapi.json"),
    ("GET", "/v1/models/demo"), ("GET", "/models/demo"),
    ("POST", "/models"), ("POST", "/chat/completions"), ("POST", "/embeddings"),
    ("GET", "/health/../api/tags"), ("GET", "//"), ("POST", "/"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), NEEDS_KEY)
@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([], False),
        ([("Authorization", "Bearer alpha")], True),
        ([("Authorization", "bearer beta")], True),
        ([("X-Api-Key", "beta")], True),
        ([("Authorization", "Bearer alph")], False),
        ([("Authorization", "Bearer ")], False),
        ([("Authorization", "alpha")], False),
        ([("Authorization", "Basic alpha")], False),
        ([("X-Api-Key", "")], False),
        ([("X-Api-Key", "alpha,beta")], False),
    ],
)
def test_keys(method: str, path: str, headers: Headers, allowed: bool) -> None:
    answer = ask(KEYS, headers, method, path)
    assert answer.status == (200 if allowed else 401)
    if not allowed:
        assert b"alpha" not in answer.body
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/health",
        "/v1/health",
        "/health/live",
        "/health/ready",
        "/v1/models",
        "/models",
        "/page/app.js",
    ],
)
def test_signs_of_life_and_the_page_need_no_key(path: str) -> None:
    assert ask(KEYS, [], "GET", path).status == 200
    assert ask(KEYS, [], "HEAD", path).status == 200


def test_nothing_is_read_of_a_refused_request() -> None:
    async def run() -> int:
        async def receive() -> Any:
            raise AssertionError("the body was read")

        exchange = Exchange()
        security = Security(inner, KEYS)
        await security(scope("POST", "/api/chat"), receive, exchange.send)
        return exchange.status

    assert asyncio.run(run()) == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "nas"])
def test_a_public_address_needs_a_key_or_a_word(host: str) -> None:
    with pytest.raises(UsageError, match="--api-key"):
        HttpSettings(host=host).check()
    HttpSettings(host=host, api_keys=("k",)).check()
    HttpSettings(host=host, allow_unauthenticated=True).check()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.5.5.5"])
def test_loopback_needs_none(host: str) -> None:
    HttpSettings(host=host).check()


@pytest.mark.parametrize(
    "wrong",
    [
        {"origins": ("chat.example",)},
        {"origins": ("https://chat.example/path",)},
        {"api_keys": ("two words",)},
        {"api_keys": ("ü",)},
        {"metrics": ("other",)},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        HttpSettings(**wrong).check()


def test_keys_come_from_options_and_a_file(tmp_path: Any) -> None:
    file = tmp_path / "keys"
    file.write_text("two\n\n three \n")
    assert read_keys(["one,two"], str(file)) == ("one", "two", "three")
    file.write_bytes("two\r\n".encode("utf-16"))
    assert read_keys([], str(file)) == ("two",)
    file.write_text("\n")
    with pytest.raises(UsageError, match="no API key"):
        read_keys([], str(file))
    with pytest.raises(UsageError, match="cannot read"):
        read_keys([], str(tmp_path / "none"))
    with pytest.raises(UsageError, match="empty"):
        read_keys(["a,"], None)


@pytest.mark.parametrize(
    ("keys", "share", "scopes"), [(2, False, 2), (2, True, 1), (1, False, 1), (0, False, 1)]
)
def test_each_of_several_keys_has_a_cache_of_its_own(keys: int, share: bool, scopes: int) -> None:
    seen: list[str] = []

    async def noting(scope: Any, receive: Any, send: Any) -> None:
        # As a route does: the work is a task of its own.
        async def work() -> None:
            seen.append(CACHE_SCOPE.get())

        await asyncio.create_task(work())
        await inner(scope, receive, send)

    names = tuple(f"secret-{n}" for n in range(keys))
    guarded = Security(noting, HttpSettings(api_keys=names, share_prefix_cache=share))
    for _ in range(2):
        for name in names or ("",):
            asyncio.run(call(guarded, "POST", "/api/chat", [("X-Api-Key", name)]))
    assert len(set(seen)) == scopes
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :]
    assert not any(name in place for name in names for place in seen)
    assert CACHE_SCOPE.get() == ""
