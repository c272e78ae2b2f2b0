"""Where requests may go, and who gets the token."""

from __future__ import annotations

import pytest

from pyinfer.errors import RegistryError, UsageError
from pyinfer.store.transport import (
    MAX_RETRY_AFTER,
    NetworkSettings,
    Response,
    Transport,
    check_endpoint,
    is_private_host,
)

PRIVATE = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "127.0.0.1", "127.1", "2130706433",
    "0x7f000001", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "::1",
    "[::1]", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "100.64.0.1", "intranet",
    "metadata.google.internal", "printer.local", "", None,
]  # fmt: skip


@pytest.mark.parametrize("host", PRIVATE)
def test_private_hosts(host: str | None) -> None:
    assert is_private_host(host)


@pytest.mark.parametrize("host", ["huggingface.co", "cdn-lfs.hf.co", "1.1.1.1", "2606:4700::1111"])
def test_public_hosts(host: str) -> None:
    assert not is_private_host(host)


@pytest.fixture
def hub() -> Transport:
    headers = {"Authorization": "Bearer secret", "User-Agent": "x"}
    return Transport("https://huggingface.co/", headers, NetworkSettings())


def test_redirects(hub: Transport) -> None:
    start = "https://huggingface.co/a/b/resolve/main/x"
    with hub:
        assert hub._next(start, "/other?x=1") == "https://huggingface.co/other?x=1"
        assert hub._next(start, "https://cdn.hf.co/x") == "https://cdn.hf.co/x"
        for target, reason in (
            ("http://huggingface.co/x", "https to http"),
            ("https://127.0.0.1/x", "private"),
            ("https://169.254.169.254/latest", "private"),
            ("https://localhost/x", "private"),
            ("file:///etc/passwd", "invalid"),
            ("ftp://huggingface.co/x", "invalid"),
            ("https://h:99999/x", "invalid"),
            ("", "invalid"),
            (None, "invalid"),
        ):
            with pytest.raises(RegistryError, match=reason):
                hub._next(start, target)


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("https://huggingface.co/api", True),
        ("https://HUGGINGFACE.co:443/api", True),
        ("https://huggingface.co:444/api", False),
        ("https://huggingface.co.evil.com/api", False),
        ("https://evil.com/huggingface.co", False),
        ("https://huggingface.co@evil.com/", False),
        ("http://huggingface.co/api", False),
        ("https://cdn.huggingface.co/x", False),
    ],
)
def test_the_token_goes_to_the_endpoint_only(hub: Transport, url: str, sent: bool) -> None:
    with hub:
        headers = hub._for(url, {"range": "bytes=5-"})
    assert ("authorization" in headers) == sent
    assert headers["accept-encoding"] == "identity"
    assert headers["range"] == "bytes=5-"


def test_no_token_over_plain_http_to_others() -> None:
    for endpoint, sent in (("http://mirror.example.com", False), ("http://127.0.0.1:8080", True)):
        with Transport(endpoint, {"authorization": "Bearer x"}, NetworkSettings()) as transport:
            assert ("authorization" in transport._for(f"{endpoint}/a", None)) == sent


class _Stream:
    def get_extra_info(self, name: str) -> object:
        return ("10.0.0.1", 443) if name == "server_addr" else None


class _Answer:
    def __init__(self, headers: dict[str, str], status: int = 200) -> None:
        self.headers, self.status_code = headers, status
        self.extensions = {"network_stream": _Stream()}


def test_a_public_name_with_a_private_address(
    hub: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub:
        monkeypatch.setattr(hub, "_guard", True)
        with pytest.raises(RegistryError, match="private address"):
            hub._check_peer(_Answer({}), "https://cdn.hf.co/x")
        monkeypatch.setattr(hub, "_guard", False)  # behind a proxy the address is the proxy's
        hub._check_peer(_Answer({}), "https://cdn.hf.co/x")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("1e9", MAX_RETRY_AFTER), ("-5", 0.0), ("soon", 0.0), ("nan", 0.0)],
)
def test_retry_after(header: str, seconds: float) -> None:
    response = Response(_Answer({"retry-after": header}), "https://h/x", NetworkSettings())
    assert response._retry_after() == seconds


@pytest.mark.parametrize("endpoint", ["", "huggingface.co", "ftp://x", "https://", "http://h:x"])
def test_endpoints(endpoint: str) -> None:
    with pytest.raises(UsageError, match="HF_ENDPOINT"):
        check_endpoint(endpoint)
    assert check_endpoint("https://mirror/") == "https://mirror"
