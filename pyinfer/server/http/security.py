"""Who may call: host names, web origins, API keys. Decided before the body is read.

A browser sends requests to any address on behalf of any page, and any page can give its own name
the address of this machine. So a request is refused if it came under a foreign name (Host), from a
foreign page (Origin, Sec-Fetch-Site), or without a key where keys are set. On a loopback address,
pages that this machine serves and the shells of desktop applications may call: it is the browser
that says where a page is from, and a remote page cannot claim these origins.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from fnmatch import fnmatchcase

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pyinfer.errors import AuthError, ForbiddenOriginError, PyinferError
from pyinfer.server.http.errors import error_response
from pyinfer.server.http.settings import HttpSettings, is_loopback
from pyinfer.serving.cache_scope import CACHE_SCOPE

#: Readable without a key: signs of life, the names of the models, the page and its files.
PUBLIC_PATHS = frozenset(
    {"/", "/health", "/health/live", "/health/ready", "/v1/health", "/models", "/v1/models"}
    | {"/favicon.ico"}
)
PUBLIC_FOLDERS = ("/page/",)

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
# What pages of this machine and desktop applications (Electron, Tauri, VS Code) call themselves.
_LOCAL_ORIGIN = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?"
    r"|(?:app|tauri|vscode-webview|vscode-file)://[^/\s]*"
)
_CORS_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_EXPOSED = "X-Request-Id, Retry-After, Warning"


class Security:
    """ASGI middleware.

    Parameters
    ----------
    app : ASGI application
    settings : HttpSettings
    """

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._origins = tuple(origin.lower().rstrip("/") for origin in settings.named_origins)
        self._local_origins = settings.local_origins
        self._names = {"localhost", settings.host.lower().strip("[]")}
        self._names |= {name.lower().strip("[]") for name in settings.hosts}
        self._public_bind = not is_loopback(settings.host)
        self._keys = [_digest(key) for key in settings.api_keys]
        # Who has one key among several is somebody else than who has another.
        self._separate = len(self._keys) > 1 and not settings.share_prefix_cache

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, answer a preflight, or hand on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            self._check_host(headers, scope["http_version"])
            if foreign := self._check_origin(headers, scope):
                send = _with_origin(send, foreign)
                if scope["method"] == "OPTIONS":
                    await _preflight(headers)(scope, receive, send)
                    return
            key = self._check_key(headers, scope)
        except PyinferError as error:
            await error_response(error, scope["path"])(scope, receive, send)
            return
        token = CACHE_SCOPE.set(key if self._separate else "")
        try:
            await self._app(scope, receive, send)
        finally:
            CACHE_SCOPE.reset(token)

    def _check_host(self, headers: Headers, version: str) -> None:
        hosts = headers.getlist("host")
        if not hosts and version == "1.0":
            return  # no browser speaks it
        match = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if match is None:
            raise ForbiddenOriginError("the Host header is missing or malformed")
        name = match[1].lower().strip("[]").rstrip(".")
        if name in self._names or name.endswith(".localhost"):
            return
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            pass
        else:
            # Pages are bound to the name they were loaded from, so an address cannot be rebound;
            # which one a public bind is reached by is not known behind address translation.
            if address.is_loopback or self._public_bind:
                return
        raise ForbiddenOriginError(
            "the Host header names a host that this server does not serve",
            hint="allow it with --allow-host",
        )

    def _check_origin(self, headers: Headers, scope: Scope) -> str:
        """The foreign origin of a request that may call; empty for the own page and programs."""
        origins = headers.getlist("origin")
        if len(origins) > 1:
            raise ForbiddenOriginError("more than one Origin header")
        if origins:
            origin = origins[0].lower()
            own = _authority(origin) == headers.get("host", "").lower()
            local = self._local_origins and not own and _LOCAL_ORIGIN.fullmatch(origin)
            if local or self._is_configured(origin):
                return origins[0]
            if not own:
                raise _foreign()
            return ""
        site = headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") and not _is_visit(headers, scope):
            raise _foreign()
        return ""

    def _is_configured(self, origin: str) -> bool:
        return any(
            # Brackets belong to addresses here, they are no choice of characters.
            pattern in ("*", origin) or fnmatchcase(origin, pattern.replace("[", "[[]"))
            for pattern in self._origins
        )

    def _check_key(self, headers: Headers, scope: Scope) -> str:
        """What names the key of a request that has one; empty where none is asked for."""
        if not self._keys or _is_public(scope):
            return ""
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
        digest = _digest(given)
        # All are compared, so that the time tells nothing.
        if not sum(hmac.compare_digest(digest, key) for key in self._keys):
            raise AuthError(
                "invalid or missing API key", hint="send it as Authorization: Bearer KEY"
            )
        return digest.hex()


def _is_public(scope: Scope) -> bool:
    if scope["method"] not in ("GET", "HEAD"):
        return False
    path: str = scope["path"]
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_FOLDERS)


def _is_visit(headers: Headers, scope: Scope) -> bool:
    """Somebody followed a link to the page."""
    return (
        scope["method"] == "GET"
        and scope["path"] == "/"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    )


def _authority(origin: str) -> str:
    """Host and port of an origin, without the port that its scheme implies."""
    scheme, _, authority = origin.partition("://")
    return authority if scheme in ("http", "https") else ""


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def _foreign() -> ForbiddenOriginError:
    return ForbiddenOriginError(
        "requests from other web pages are not allowed", hint="allow a page with --origins"
    )


def _preflight(headers: Headers) -> Response:
    allowed = {
        "Access-Control-Allow-Methods": _CORS_METHODS,
        "Access-Control-Allow-Headers": headers.get("access-control-request-headers", "*")[:1024],
        "Access-Control-Max-Age": "600",
    }
    if headers.get("access-control-request-private-network") == "true":
        allowed["Access-Control-Allow-Private-Network"] = "true"
    return Response(status_code=204, headers=allowed)


def _with_origin(send: Send, origin: str) -> Send:
    """Tell the browser that the page may read the answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = origin
            headers["Access-Control-Expose-Headers"] = _EXPOSED
            headers.add_vary_header("Origin")
        await send(message)

    return sending
