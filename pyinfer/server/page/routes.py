"""Serve the files of the chat page: types, entity tags, a policy that allows no foreign code."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from fastapi import APIRouter, Request, Response

# Requests of the page go to its own origin, scripts and styles come as files, and DOM sinks that
# take HTML source are closed for the whole page (trusted types).
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Ask each time; the entity tag makes the answer empty unless the package was updated.
    "Cache-Control": "no-cache",
}
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX = "index.html"

router = APIRouter(prefix="/page", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the page, as it is sent."""

    body: bytes
    media_type: str
    etag: str


@cache
def assets() -> dict[str, Asset]:
    """Every file of the page by its name, read once."""
    found = {}
    for file in files(__package__).iterdir():
        media_type = MEDIA_TYPES.get("." + file.name.rpartition(".")[2])
        if media_type is not None:
            body = file.read_bytes()
            etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
            found[file.name] = Asset(body, media_type, etag)
    return found


def send(request: Request, asset: Asset) -> Response:
    """Answer with a file, or with 304 to a browser that has it."""
    headers = {**HEADERS, "ETag": asset.etag}
    known = [tag.strip().removeprefix("W/") for tag in
             request.headers.get("if-none-match", "").split(",")]  # fmt: skip
    if asset.etag in known:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=headers)


def page_for_browser(request: Request) -> Response | None:
    """Return the page if the client asks for HTML, else None (the root route answers with text)."""
    if "text/html" not in request.headers.get("accept", "").lower():
        return None
    response = send(request, assets()[INDEX])
    response.headers["Vary"] = "Accept"  # the same address answers programs with plain text
    return response


@router.api_route("/{name}", methods=["GET", "HEAD"])
async def asset(request: Request, name: str) -> Response:
    """Return a file that the page needs; only names that the package has are known."""
    found = assets().get(name)
    if found is None or name == INDEX:
        return Response("not found", status_code=404, media_type="text/plain", headers=HEADERS)
    return send(request, found)
