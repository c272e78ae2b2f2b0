"""The root and the version."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2


def test_programs_get_a_sentence_and_browsers_the_page(client: httpx2.Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.text) == (200, "Ollama is running")
    assert client.head("/").status_code == 200
    page = client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    assert page.headers["content-type"].startswith("text/html")
    assert "<html" in page.text


def test_version(client: httpx2.Client) -> None:
    version = client.get("/api/version").json()["version"]
    assert tuple(int(part) for part in version.split(".")) >= (0, 6, 4)
