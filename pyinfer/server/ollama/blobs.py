"""``/api/blobs``: files that a client uploads for ``/api/create``."""

from __future__ import annotations

import asyncio
import re
import secrets

from fastapi import APIRouter, Request, Response

from pyinfer.errors import DigestMismatchError, PyinferError
from pyinfer.requests.spec import bad_value
from pyinfer.server.http.openapi import errors
from pyinfer.store.local import Store
from pyinfer.store.partial import Expected, PartialFile

_DIGEST = re.compile(r"sha256[:-]([0-9a-f]{64})")
#: Bytes that are written at once.
WRITE_BYTES = 1 << 20

router = APIRouter(tags=["ollama"])


class BlobNotFoundError(PyinferError):
    """No blob of that digest is here."""

    code = "blob_not_found"
    http_status = 404


def _hex(digest: str) -> str:
    match = _DIGEST.fullmatch(digest.lower())
    if match is None:
        raise bad_value("digest", "invalid digest: expected sha256: and 64 hexadecimal digits")
    return match[1]


@router.head("/api/blobs/{digest}", responses=errors(500))
async def exists(digest: str) -> Response:
    """Say whether a blob is here."""
    if not await asyncio.to_thread(Store().blob(f"sha256:{_hex(digest)}").is_file):
        raise BlobNotFoundError("blob not found")
    return Response()


@router.post("/api/blobs/{digest}", status_code=201, responses=errors(409, 500, 507))
async def upload(request: Request, digest: str) -> Response:
    """Store a file; it is visible once its hash has been compared."""
    sha256, store = _hex(digest), Store()
    if await asyncio.to_thread(store.blob(f"sha256:{sha256}").is_file):
        await asyncio.to_thread(store.keep_upload, f"sha256:{sha256}")
        async for _ in request.stream():
            pass
        return Response()
    await asyncio.to_thread(store.prepare)
    partial = PartialFile(store, Expected("the upload", sha256=sha256), _key(sha256))
    await asyncio.to_thread(partial.__enter__)
    try:
        await _receive(request, partial)
        await asyncio.to_thread(store.keep_upload, f"sha256:{sha256}")
        await asyncio.to_thread(partial.finish)
    except DigestMismatchError as error:
        raise bad_value("digest", f"digest mismatch: {error.message}") from None
    finally:
        await asyncio.to_thread(partial.discard)
    return Response(status_code=201)


def _key(sha256: str) -> str:
    return f"upload-{sha256[:16]}-{secrets.token_hex(8)}"


async def _receive(request: Request, partial: PartialFile) -> None:
    """Write the body as it comes, a megabyte at a time, never on the event loop."""
    waiting = bytearray()
    async for data in request.stream():
        waiting += data
        if len(waiting) >= WRITE_BYTES:
            await asyncio.to_thread(partial.write, bytes(waiting))
            waiting.clear()
    if waiting:
        await asyncio.to_thread(partial.write, bytes(waiting))
