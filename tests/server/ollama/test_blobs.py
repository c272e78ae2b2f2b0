"""Uploads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

DATA = b"some bytes " * 100_000


def url(data: bytes) -> str:
    return f"/api/blobs/sha256:{hashlib.sha256(data).hexdigest()}"


def test_upload(client: httpx2.Client) -> None:
    assert client.head(url(DATA)).status_code == 404

    def chunks() -> Iterator[bytes]:
        for start in range(0, len(DATA), 70_001):
            yield DATA[start : start + 70_001]

    assert client.post(url(DATA), content=chunks()).status_code == 201
    assert client.head(url(DATA)).status_code == 200
    assert client.post(url(DATA), content=DATA).status_code == 200


def test_other_bytes_are_not_kept(client: httpx2.Client) -> None:
    response = client.post(url(b"right"), content=b"wrong")
    assert response.status_code == 400
    assert "digest mismatch" in response.json()["error"]
    assert client.head(url(b"right")).status_code == 404
    assert client.post(url(b""), content=b"").status_code == 201


def test_names_that_are_no_digests(client: httpx2.Client) -> None:
    for name in ("x", "sha256:12", "sha256:" + "g" * 64, "..%2f..%2fetc"):
        response = client.post(f"/api/blobs/{name}", content=b"x")
        assert response.status_code in (400, 404)
        assert response.json()["error"]
