"""Locks between processes: ``flock`` on files and folders, released by the system at any exit."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pyinfer.errors import StoreBusyError
from pyinfer.store.durable import storage_errors

POLL_SECONDS = 0.05
_NO_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}


def try_lock(fd: int, *, shared: bool = False) -> bool | None:
    """Lock an open file without waiting.

    Returns
    -------
    bool or None
        Whether it is locked now; None where the file system knows no locks.
    """
    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


@contextlib.contextmanager
def locked(
    path: Path,
    *,
    shared: bool = False,
    timeout: float | None = None,
    waiting: Callable[[], None] | None = None,
) -> Iterator[bool]:
    """Hold a lock on the file ``path``, which is created, while the block runs.

    Parameters
    ----------
    path : Path
    shared : bool
        Several may hold it together, but nobody who wants it alone.
    timeout : float, optional
        Seconds to wait; None waits for as long as the other one works.
    waiting : callable, optional
        Called at each look while somebody else has it.

    Yields
    ------
    bool
        False where the file system knows no locks: then nothing is held.

    Raises
    ------
    StoreIOError, StoreFullError
        The file cannot be opened.
    StoreBusyError
        Somebody else kept it longer than ``timeout``.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        with storage_errors("the store"):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            held = try_lock(fd, shared=shared)
            # Whoever held it before may have deleted the file: then a newer file counts.
            if held is not False and _is_same_file(fd, path):
                yield bool(held)
                return
            if held is False:
                if deadline is not None and time.monotonic() >= deadline:
                    raise StoreBusyError(
                        f"{path.name}: another process uses this part of the store",
                        hint="wait until it has finished",
                    )
                if waiting is not None:
                    waiting()
                time.sleep(POLL_SECONDS)
        finally:
            with contextlib.suppress(OSError):
                os.close(fd)  # releases the lock


def _is_same_file(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False
