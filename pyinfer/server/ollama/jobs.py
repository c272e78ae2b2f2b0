"""Long work in a thread whose progress several clients may watch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from pyinfer.errors import CancelledError, PyinferError
from pyinfer.server.http.errors import internal_error
from pyinfer.server.http.streaming import ndjson, unless_disconnected

log = logging.getLogger("pyinfer.server")

#: Longest time between two lines of progress.
TICK_SECONDS = 0.5

Line = dict[str, Any]
#: Is given a function that tells a line; lines of the same status replace each other.
Work = Callable[[Callable[[Line], None]], None]


class Job:
    """Runs ``work`` in a thread. When nobody watches any more, the next line that it tells ends it.

    Parameters
    ----------
    work : callable
        Raises PyinferError if it fails.
    """

    def __init__(self, work: Work) -> None:
        self._lines: list[Line] = []
        self._watchers = 0
        self._abandoned = False
        self._error: PyinferError | None = None
        self.task = asyncio.create_task(self._run(work))

    async def _run(self, work: Work) -> None:
        try:
            await asyncio.to_thread(work, self._tell)
        except PyinferError as error:
            self._error = error
        except Exception:
            log.exception("a job failed")
            self._error = internal_error()

    def _tell(self, line: Line) -> None:
        """Called in the thread; appending and replacing are atomic."""
        if self._abandoned:
            raise CancelledError("nobody waits for it any more")
        if self._lines and self._lines[-1]["status"] == line["status"]:
            self._lines[-1] = line
        else:
            self._lines.append(line)

    @property
    def usable(self) -> bool:
        """Whether one more client may watch."""
        return not self.task.done() and not self._abandoned

    async def watch(self) -> AsyncGenerator[Line]:
        """Lines from the beginning, of each status at least the last one; raises its error."""
        self._watchers += 1
        place = 0
        shown: Line | None = None
        try:
            while True:
                done = self.task.done()  # asked first, so that no line is missed
                lines = self._lines[place:]
                fresh = [line for line in lines if line is not shown]
                for line in fresh:
                    yield line
                if lines:
                    place, shown = place + len(lines) - 1, lines[-1]
                if done:
                    break
                if not fresh and shown is not None:
                    yield shown
                await asyncio.wait({self.task}, timeout=TICK_SECONDS)
            if self._error is not None:
                raise self._error
            yield {"status": "success"}
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._abandoned = True


async def report(request: Request, job: Job, stream: bool | None) -> Response:
    """Answer with a job's lines, or with the last one when it has ended.

    Raises
    ------
    PyinferError
        Without a stream: the job's error.
    """
    lines = job.watch()
    if stream is not False:
        return ndjson(lines, ping=lambda: {"status": ""})
    return JSONResponse(await unless_disconnected(request, _last(lines)))


async def _last(lines: AsyncGenerator[Line]) -> Line:
    last: Line = {}
    async with contextlib.aclosing(lines):
        async for line in lines:
            last = line
    return last
