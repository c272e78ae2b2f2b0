"""One file from the hub into the store, however the hub behaves."""

from __future__ import annotations

import contextlib
import re
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pyinfer.errors import DigestMismatchError, RegistryError
from pyinfer.store.local import Store
from pyinfer.store.locks import locked
from pyinfer.store.manifest import StoredFile
from pyinfer.store.partial import Expected, PartialFile
from pyinfer.store.transport import Response, TransientError, Transport

_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")

# Called with what happens ("fetching", "waiting", "retrying: ...") and the bytes that are here.
Report = Callable[[str, int], None]


def fetch_file(
    transport: Transport, url: str, store: Store, expected: Expected, report: Report
) -> StoredFile:
    """Bring one file into the store; continue what an earlier attempt or process has begun.

    If another process fetches the same file, wait for it.

    Parameters
    ----------
    transport : Transport
    url : str
    store : Store
        Inside ``store.adding()``.
    expected : Expected
        With a size and a hash.
    report : callable
        Told about the progress.

    Raises
    ------
    RegistryError, RegistryTimeout
        The hub failed or refused for good.
    DigestMismatchError
        It sent wrong bytes twice.
    StoreFullError, StoreIOError
        They cannot be stored.
    """
    digest = f"sha256:{expected.sha256}"
    size = expected.size or 0
    if expected.sha256 and store.has_blob(digest, size):
        report("fetching", size)
        return StoredFile(expected.name, digest, size)
    lock = store.partial / f"{expected.key}.lock"
    with locked(lock, waiting=lambda: report("waiting for another process", 0)) as held:
        if expected.sha256 and store.has_blob(digest, size):  # the other process has brought it
            report("fetching", size)
            return StoredFile(expected.name, digest, size)
        with _partial(store, expected, held) as partial:
            stored = _fetch(transport, url, partial, expected, report)
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)
        return stored


@contextlib.contextmanager
def _partial(store: Store, expected: Expected, held: bool) -> Iterator[PartialFile]:
    """The partial file; a private one where locks do not work, for two must not share it."""
    key = expected.key if held else f"{expected.key}-{secrets.token_hex(8)}"
    with PartialFile(store, expected, key) as partial:
        try:
            yield partial
        except BaseException:
            if not held:
                partial.discard()
            raise


def _fetch(
    transport: Transport, url: str, partial: PartialFile, expected: Expected, report: Report
) -> StoredFile:
    settings = transport.settings
    failures, furthest, wrong = 0, partial.offset, 0
    while True:
        try:
            if partial.offset < (expected.size or 0):
                _receive(transport, url, partial, expected, report)
            report("verifying", partial.offset)
            return partial.finish()
        except DigestMismatchError:
            wrong += 1
            if wrong > 1:
                raise
            furthest = 0
        except TransientError as trouble:
            failures = 1 if partial.offset > furthest else failures + 1
            furthest = max(furthest, partial.offset)
            if failures >= settings.attempts:
                raise trouble.error from None
            report(f"trying again: {trouble.error.message}", partial.offset)
            pause = settings.backoff_seconds * 2 ** (failures - 1)
            time.sleep(max(min(pause, settings.max_backoff_seconds), trouble.retry_after))


def _receive(
    transport: Transport, url: str, partial: PartialFile, expected: Expected, report: Report
) -> None:
    """Append what one request brings."""
    size = expected.size or 0
    headers = {"range": f"bytes={partial.offset}-"} if partial.offset else {}
    with transport.get(url, headers) as response:
        _check_start(response, transport, partial, size)
        for piece in response.pieces():
            if partial.offset + len(piece) > size:
                partial.restart()
                raise TransientError(
                    RegistryError(f"{expected.name}: more than the {size} bytes that it should be")
                )
            partial.write(piece)
            report("fetching", partial.offset)
    if partial.offset < size:
        raise TransientError(
            RegistryError(f"{expected.name}: the connection ended at {partial.offset} of {size}")
        )


def _check_start(response: Response, transport: Transport, partial: PartialFile, size: int) -> None:
    """Compare status, range and length with what was asked for."""
    if response.status == 416:
        partial.restart()
    foreign = response.host != urlsplit(transport.endpoint).netloc.rpartition("@")[2]
    response.check_status((200, 206), foreign=foreign)
    if response.status == 200:
        if partial.offset:
            partial.restart()  # this server knows no ranges
    else:
        match = _RANGE.fullmatch(response.headers.get("content-range", ""))
        if not match or int(match[1]) != partial.offset or match[3] not in ("*", str(size)):
            raise TransientError(RegistryError(f"{response.host} sent another range than asked"))
    length = response.headers.get("content-length", "")
    if length and length != str(size - partial.offset):
        raise TransientError(
            RegistryError(
                f"{response.host} announces {length[:20]} bytes, expected {size - partial.offset}"
            )
        )


def copy_file(path: Path, store: Store, expected: Expected, report: Report) -> StoredFile:
    """Bring a local file into the store, hashed while it is copied.

    Raises
    ------
    ModelNotFoundError, ModelFormatError, StoreIOError, StoreFullError
        It cannot be read or stored; the file changed meanwhile.
    """
    from pyinfer.checkpoint.source_file import SourceFile

    file = SourceFile(path)
    try:
        with PartialFile(store, expected, f"copy-{secrets.token_hex(8)}") as partial:
            try:
                while partial.offset < file.size:
                    count = min(4 << 20, file.size - partial.offset)
                    partial.write(bytes(file.read(partial.offset, count)))
                    report("copying", partial.offset)
                return partial.finish()
            except BaseException:
                partial.discard()
                raise
    finally:
        file.close()
